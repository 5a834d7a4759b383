//! Tests of windows, passes and counts, with networks whose answers are known.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use seg_data::{DataSettings, Existing, PredictionStyle, Split};
use seg_grid::{Progress, Silent, Size};
use seg_label::{Scores as ClassScores, erode_borders};
use seg_nn::{ClassSpec, InputSpec, Logits, ModelCard, OutputKind, Scores};
use tch::{Kind, Tensor};

use super::*;
use crate::testing::write_chips;
use seg_run::{SlidingWindow, Turns, scaled};

/// Tells dark pixels from bright ones by their first band alone, and refuses what it does not take.
#[derive(Debug, Clone)]
struct Probe {
    multiple: usize,
    /// Nothing is a network that fails.
    output: Option<OutputKind>,
}

impl SegModel for Probe {
    fn forward(&self, xs: &Tensor) -> Result<Scores, seg_nn::Error> {
        let shape = xs.size();
        if shape[2..].iter().any(|side| side % self.multiple as i64 != 0) {
            return Err(seg_nn::Error::InputShape { bands: 3, multiple: self.multiple, got: shape });
        }
        let bright = xs.slice(1, 0, 1, 1) * 20.0; // (B, 1, H, W)
        let logits = Tensor::cat(&[-&bright, bright], 1); // (B, 2, H, W)
        match self.output {
            Some(OutputKind::Logits) => Ok(Scores::Logits(Logits(logits))),
            Some(OutputKind::Probabilities) => Ok(Scores::Probabilities(logits.softmax(1, None::<Kind>))),
            None => Err(seg_nn::Error::InputShape { bands: 4, multiple: 1, got: shape }),
        }
    }

    fn num_classes(&self) -> usize {
        2
    }

    fn bands(&self) -> usize {
        3
    }

    fn input_multiple(&self) -> usize {
        self.multiple
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(self.clone())
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn at_precision(&self, _: seg_nn::InferencePrecision) -> Result<Box<dyn SegModel>, seg_nn::Error> {
        Ok(self.fork())
    }
}

fn probe(multiple: usize) -> Probe {
    Probe { multiple, output: Some(OutputKind::Logits) }
}

/// A model of the classes dark and bright, told apart at 130.
fn model(network: Probe) -> LoadedModel {
    let class = |id, name: &str| ClassSpec { id, name: name.to_owned(), prompt: None, color: [id; 3] };
    let (mean, std) = (vec![130.0 / 255.0; 3], vec![1.0; 3]);
    let card = ModelCard {
        name: "probe".to_owned(),
        // The ids are not those of the chips' legend.
        classes: vec![class(7, "dark"), class(9, "bright")],
        input: InputSpec {
            bands: 3,
            divide: 255.0,
            mean,
            std,
            gsd_m: None,
            dtypes: Vec::new(),
            fill: Vec::new(),
        },
        tile_px: None,
        input_multiple: network.multiple,
        output: OutputKind::Logits,
        seen: Vec::new(),
    };
    LoadedModel { card, network: Box::new(network), fingerprint: String::new() }
}

fn chips(folder: &Path) -> ChipSet {
    let sizes = [(70, 50), (130, 97), (20, 33), (64, 64)];
    let sizes: Vec<_> = sizes.iter().map(|&(width, height)| (Split::Test, Size { width, height })).collect();
    write_chips(folder, &sizes);
    let names = ["dark", "bright"].map(str::to_owned);
    ChipSet::open(folder, Split::Test, &names, 3, &DataSettings::default()).unwrap()
}

/// Pixels of [`chips`] that have a class: all but those of the first row.
const LABELED: u64 = 70 * 49 + 130 * 96 + 20 * 32 + 64 * 63;

fn plan(sliding: SlidingWindow) -> Passes {
    Passes::single(sliding)
}

/// Where the windows of mmseg's tests start along one side, by its formula.
fn reference_starts(length: i64, side: i64, stride: i64) -> Vec<i64> {
    let grids = (length - side + stride - 1).max(0) / stride + 1;
    (0..grids).map(|i| ((i * stride + side).min(length) - side).max(0)).collect()
}

proptest! {
    #[test]
    fn windows_follow_the_formula_and_cover_the_image(
        (width, height) in (1_usize..1400, 1_usize..1400), side in 1_usize..600, share in 1_usize..=100,
    ) {
        let sliding = SlidingWindow { side, stride: (side * share / 100).max(1) };
        let windows = sliding.windows(Size { width, height });
        let starts = |length: usize| reference_starts(length as i64, side as i64, sliding.stride as i64);
        let (columns, rows) = (starts(width), starts(height));
        let expected = rows.iter().flat_map(|&y| columns.iter().map(move |&x| (x, y)));
        prop_assert!(windows.iter().map(|w| (w.x as i64, w.y as i64)).eq(expected));
        let size = Size { width: side.min(width), height: side.min(height) };
        prop_assert!(windows.iter().all(|window| window.size() == size));
        prop_assert!(columns.windows(2).all(|pair| pair[1] <= pair[0] + side as i64));
        prop_assert_eq!(windows.last().map(|w| (w.right(), w.bottom())), Some((width, height)));
    }
}

#[test]
fn the_paper_s_window_below_at_and_above_512() {
    let sliding = SlidingWindow::of_side(512);
    let starts = |width| {
        let windows = sliding.windows(Size { width, height: 100 });
        windows.iter().map(|window| (window.x, window.width)).collect::<Vec<_>>()
    };
    assert_eq!(starts(511), [(0, 511)]);
    assert_eq!(starts(512), [(0, 512)]);
    assert_eq!(starts(513), [(0, 512), (1, 512)]);
    assert_eq!(starts(853), [(0, 512), (341, 512)]);
    assert_eq!(starts(854), [(0, 512), (341, 512), (342, 512)]);
    let plan = Passes::paper(sliding);
    let sizes: Vec<_> =
        plan.scales.iter().map(|&scale| scaled(Size::square(512), scale)).map(|size| size.width).collect();
    assert_eq!((plan.count(), &sizes[..]), (12, &[256, 384, 512, 640, 768, 896][..]));
    let counts: Vec<_> = sizes.iter().map(|&side| sliding.windows(Size::square(side)).len()).collect();
    assert_eq!(counts, [1, 1, 1, 4, 4, 9]);
}

#[test]
fn plans_without_sense_are_refused() {
    let fine = Passes::paper(SlidingWindow::of_side(512));
    assert!(fine.check().is_ok());
    let sliding = |side, stride| Passes { sliding: SlidingWindow { side, stride }, ..fine.clone() };
    let scales = |scales: &[f64]| Passes { scales: scales.to_vec(), ..fine.clone() };
    for wrong in [
        sliding(0, 1),
        sliding(512, 0),
        sliding(512, 513),
        scales(&[]),
        scales(&[1.0, 0.0]),
        scales(&[f64::NAN]),
        scales(&[17.0]),
    ] {
        let error = Error::from(wrong.check().unwrap_err());
        assert!(error.hint().is_some(), "{error}");
    }
}

/// Blocks of 32 pixels that no flip leaves alone, dark -1 and bright 1: their borders lie between pixels at all
/// scales of the paper.
fn blocks(width: usize, height: usize) -> Tensor {
    let bright = |x: usize, y: usize| (x / 32 * 5 + y / 32 * 3 + (x / 32) * (y / 32)) % 4 < 2;
    let value = |i: usize| if bright(i % width, i / width) { 1.0_f32 } else { -1.0 };
    let band: Vec<_> = (0..width * height).map(value).collect();
    Tensor::from_slice(&band).view([1, 1, height as i64, width as i64]).repeat([1, 3, 1, 1]) // (1, C, H, W)
}

#[test]
fn the_probe_is_right_at_every_scale_flip_and_window() {
    for (width, height) in [(96, 128), (224, 160), (64, 64)] {
        let image = blocks(width, height);
        let truth = image.select(1, 0).gt(0.0).to_kind(Kind::Int64); // (1, H, W)
        for multiple in [1, 8, 32] {
            for side in [64, 100, 512] {
                let plan = Passes::paper(SlidingWindow::of_side(side));
                let seen = plan.probabilities(&probe(multiple), &image, &|| false).unwrap();
                assert_eq!(seen.size(), [1, 2, height as i64, width as i64]);
                let wrong = seen.argmax(1, false).ne_tensor(&truth).sum(Kind::Int64).int64_value(&[]);
                assert_eq!(wrong, 0, "{width} x {height}, multiple {multiple}, window {side}");
                let sums = seen.sum_dim_intlist(1, false, None::<Kind>);
                assert!((sums - 1.0).abs().max().double_value(&[]) < 1e-5);
            }
        }
    }
}

#[test]
fn what_was_flipped_is_turned_back() {
    let image = blocks(160, 96);
    assert!(!image.equal(&image.flip([3])));
    let sliding = SlidingWindow::of_side(512);
    let flipped = Passes { turns: Turns::Flip, ..plan(sliding) };
    for output in [OutputKind::Logits, OutputKind::Probabilities] {
        let network = Probe { multiple: 32, output: Some(output) };
        let once = plan(sliding).probabilities(&network, &image, &|| false).unwrap();
        let both = flipped.probabilities(&network, &image, &|| false).unwrap();
        assert!((once - both).abs().max().double_value(&[]) < 1e-6);
    }
}

#[test]
fn every_labeled_pixel_counts_once_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let model = model(probe(32));
    for plan in [
        plan(SlidingWindow::of_side(512)),
        plan(SlidingWindow::of_side(48)),
        Passes { turns: Turns::Flip, ..plan(SlidingWindow { side: 30, stride: 30 }) },
    ] {
        let job = EvaluateJob {
            model: &model,
            chips: &chips,
            passes: &plan,
            plan: AssessmentPlan::eroding(0, 3),
            threads: 1,
            predictions: None,
        };
        let matrix = evaluate(&job, &Silent).unwrap().total.matrix;
        assert_eq!((matrix.pixels(), matrix.ignored()), (LABELED, 70 + 130 + 20 + 64));
        assert_eq!(ClassScores::new(&matrix).miou, Some(1.0), "{plan:?}");
        assert_eq!(matrix.ids(), chips.legend().classes().iter().map(|class| class.id).collect::<Vec<_>>());
        assert_eq!(evaluate(&EvaluateJob { threads: 3, ..job }, &Silent).unwrap().total.matrix, matrix);
    }
}

#[test]
fn eroded_borders_are_ignored_and_predictions_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let (model, plan) = (model(probe(1)), plan(SlidingWindow::of_side(512)));
    let out = folder.path().join("seen");
    let predictions = PredictionFolder::create(&out, Existing::Refuse, &chips, PredictionStyle::Ids).unwrap();
    let job = EvaluateJob {
        model: &model,
        chips: &chips,
        passes: &plan,
        plan: AssessmentPlan::eroding(2, 3),
        threads: 2,
        predictions: Some(&predictions),
    };
    let matrix = evaluate(&job, &Silent).unwrap().total.matrix;
    let mut expected = 0;
    for chip in 0..chips.len() {
        let (.., mut truth) = chips.read(chip, Window::whole(chips.size(chip))).unwrap();
        erode_borders(&mut truth, 2);
        expected += truth.iter().filter(|id| **id != IGNORE_INDEX).count() as u64;
    }
    assert!(expected < LABELED && expected > LABELED / 4);
    assert_eq!(matrix.pixels(), expected);
    predictions.publish().unwrap();
    let files = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(files, chips.len());
}

/// Keeps what it is warned of.
#[derive(Default)]
struct Listening(std::sync::Mutex<Vec<String>>);

impl Observer for Listening {
    fn progress(&self, _: Progress) {}

    fn warning(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        false
    }
}

#[test]
fn pixels_without_a_number_are_missed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let plan = plan(SlidingWindow::of_side(512));
    let mut model = model(probe(32));
    model.card.input.mean = vec![f64::NAN; 3];
    let job = EvaluateJob {
        model: &model,
        chips: &chips,
        passes: &plan,
        plan: AssessmentPlan::eroding(0, 3),
        threads: 2,
        predictions: None,
    };
    let told = Listening::default();
    let matrix = evaluate(&job, &told).unwrap().total.matrix;
    assert_eq!((matrix.pixels(), matrix.unpredicted().iter().sum::<u64>()), (LABELED, LABELED));
    assert_eq!(ClassScores::new(&matrix).miou, Some(0.0));
    let told = told.0.into_inner().unwrap();
    assert!(told[0].contains(&format!("no number for {LABELED} labeled pixels")), "{told:?}");
}

/// Cancels from the start.
struct Impatient;

impl Observer for Impatient {
    fn progress(&self, _: Progress) {}

    fn warning(&self, _: &str) {}

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn what_goes_wrong_is_told_with_the_chip() {
    let folder = tempfile::tempdir().unwrap();
    let chips = chips(folder.path());
    let plan = plan(SlidingWindow::of_side(512));
    let fine = model(probe(32));
    let job = EvaluateJob {
        model: &fine,
        chips: &chips,
        passes: &plan,
        plan: AssessmentPlan::eroding(0, 3),
        threads: 1,
        predictions: None,
    };
    let error = evaluate(&job, &Impatient).unwrap_err();
    assert!(matches!(error, Error::Data(seg_data::Error::Cancelled)), "{error}");
    let error = plan.probabilities(&probe(1), &blocks(64, 64), &|| true).unwrap_err();
    assert!(matches!(error, seg_run::PassError::Stopped), "{error}");
    let broken = model(Probe { multiple: 32, output: None });
    let error = evaluate(&EvaluateJob { model: &broken, ..job }, &Silent).unwrap_err();
    assert!(error.to_string().starts_with("cannot segment images/"), "{error}");
    let senseless = Passes { scales: Vec::new(), ..plan.clone() };
    let error = evaluate(&EvaluateJob { passes: &senseless, ..job }, &Silent).unwrap_err();
    assert!(matches!(error, Error::Passes(_)), "{error}");
}

/// A tensor of the reference, whose file is made by `tests/data/protocol/make_protocol.py`.
fn reference(name: &str) -> Tensor {
    let all = Tensor::read_safetensors(shared("protocol.safetensors")).unwrap();
    all.into_iter().find(|(key, _)| key == name).unwrap().1
}

#[test]
fn probabilities_are_those_of_pytorch() {
    let model = seg_nn::load(&shared("net.pt"), Device::Cpu).unwrap();
    let sliding = SlidingWindow::of_side(64);
    assert_eq!(sliding.stride, 42);
    let input = &model.card.input;
    for name in ["large", "small"] {
        let pixels = reference(&format!("{name}/image")).to_kind(Kind::Float).unsqueeze(0); // (1, C, H, W)
        let image = (pixels / input.divide - input.mean[0]) / input.std[0];
        for (what, plan) in [("single", plan(sliding)), ("paper", Passes::paper(sliding))] {
            let expected = reference(&format!("{name}/{what}")).unsqueeze(0); // (1, K, H, W)
            let seen = plan.probabilities(&*model.network, &image, &|| false).unwrap();
            let off = (&seen - &expected).abs().max().double_value(&[]);
            assert!(off < 1e-5, "{name} {what}: off by {off}");
            let spread = expected.get(0).get(0);
            let spread = (spread.max() - spread.min()).double_value(&[]);
            assert!(spread > 0.1, "{name} {what}: the reference says nothing: {spread}");
        }
        let apart = (reference(&format!("{name}/single")) - reference(&format!("{name}/paper"))).abs().max();
        assert!(apart.double_value(&[]) > 1e-2, "{name}: the passes make no difference: {apart}");
    }
}

fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/protocol").join(name)
}
