//! The whole pipeline on rasters in memory.

mod parts;
mod regridded;

use super::*;
use crate::journal::{Fresh, RunKey};
use crate::testing::{Toy, input};
use crate::{
    Batch, Footprint, Normalizer, Output, Overlap, PlanRequest, ProbabilityType, Reach, Scaling, Strips,
    Trial, assemble,
};
use seg_grid::{Blend, Block, Layer, MemoryRaster, Regrid, Silent, Size, SourceProfile};
use seg_nn::{InputSpec, Logits, Scores};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use tch::{Device, Kind, Tensor};

/// Sees 5 x 5 pixels and adds a little of the tile's mean, so that tiles disagree where they overlap.
fn blur(xs: &Tensor) -> Scores {
    let near = xs.avg_pool2d([5, 5], [1, 1], [2, 2], false, true, None); // (B, 3, H, W)
    Scores::Logits(Logits(near + xs.mean_dim([2_i64, 3].as_slice(), true, Kind::Float)))
}

const RASTER: Size = Size { width: 620, height: 1100 };

fn scene() -> MemoryRaster {
    let shape = (3, RASTER.height, RASTER.width);
    let values = Array3::from_shape_fn(shape, |(c, y, x)| {
        let wave =
            ((x as f32 / (17.0 + c as f32 * 9.0)).sin() + (y as f32 / (23.0 + c as f32 * 5.0)).cos()) * 60.0;
        (wave + 128.0).round()
    });
    let valid =
        Array2::from_shape_fn((RASTER.height, RASTER.width), |(y, x)| !(x > 330 && y > 300 && y < 1050));
    MemoryRaster::with_mask(values, valid)
}

pub(crate) struct Setting {
    pub(crate) threads: usize,
    pub(crate) batch: Batch,
    pub(crate) columns: Option<Vec<Range<usize>>>,
    /// What the plan is made for; the network computes on the processor.
    pub(crate) device: Device,
}

const OUTPUTS: [Output; 3] =
    [Output::Classes, Output::Probabilities(ProbabilityType::Float32), Output::Confidence];

pub(crate) fn key() -> RunKey {
    RunKey(std::iter::once(("model".to_owned(), "blur".to_owned())).collect())
}

/// A raster, and a network that has learned nothing of it.
pub(crate) fn scene_and_network() -> Result<(MemoryRaster, Network), Error> {
    let mut scene = scene();
    let input = InputSpec { divide: 255.0, dtypes: vec!["uint8".to_owned()], ..input(3, 0.5, 0.2) };
    let normalizer = Normalizer::new(Scaling::Model, &input, &mut scene)?;
    Ok((scene, Network::new(Box::new(Toy { channels: 3, multiple: 4, answer: blur }), normalizer)))
}

pub(crate) fn plan(
    scene: &MemoryRaster,
    native: Option<(Regrid, &SourceProfile)>,
    setting: &Setting,
    outputs: &[Output],
    columns: Option<&[Range<usize>]>,
) -> Result<Plan, Error> {
    part_plan(scene, native, setting, outputs, columns, None)
}

/// The plan of a part of the result.
pub(crate) fn part_plan(
    scene: &MemoryRaster,
    native: Option<(Regrid, &SourceProfile)>,
    setting: &Setting,
    outputs: &[Output],
    columns: Option<&[Range<usize>]>,
    part: Option<Window>,
) -> Result<Plan, Error> {
    Plan::new(&PlanRequest {
        profile: scene.profile(),
        native,
        grid: Plan::lay_tiles(scene.profile(), 128, Overlap::Pixels(36), 4)?,
        blend: Blend::Hann,
        classes: 3,
        outputs,
        footprint: Footprint { resident: 0, worker: 0, seconds: Duration::ZERO },
        threads: setting.threads,
        batch: setting.batch,
        device: setting.device,
        max_memory: None,
        cache: 0,
        columns,
        part,
    })
}

pub(crate) fn segment(
    setting: &Setting,
    folder: &Path,
    fresh: Fresh,
    observer: &dyn Observer,
) -> Result<(MemoryRaster, Outcome), Error> {
    let (scene, network) = scene_and_network()?;
    let work = WorkFolder::open(folder.to_path_buf(), &key(), fresh)?;
    let kept = WorkFolder::columns_of(folder).or_else(|| setting.columns.clone());
    let plan = plan(&scene, None, setting, &OUTPUTS, kept.as_deref())?;
    work.begin(&key(), &plan.columns)?;
    let outcome = predict(&network, &scene, &plan, &[0, 1, 2], &work, observer)?;
    let mut out = scene.clone();
    for output in OUTPUTS {
        assemble(&Strips::of_run(&work, &plan), output, &mut out, observer)?;
    }
    Ok((out, outcome))
}

fn same(a: &MemoryRaster, b: &MemoryRaster) -> bool {
    let bits = |raster: &MemoryRaster, layer| match raster.written(layer) {
        Some(Block::U8(values)) => values.iter().map(|v| u32::from(*v)).collect::<Vec<_>>(),
        Some(Block::F32(values)) => values.iter().map(|v| v.to_bits()).collect(),
        None => Vec::new(),
    };
    [Layer::Classes, Layer::Probabilities, Layer::Confidence].iter().all(|&layer| {
        let bits_a = bits(a, layer);
        !bits_a.is_empty() && bits_a == bits(b, layer)
    })
}

/// Cancels after some steps.
struct After(AtomicUsize);

impl Observer for After {
    fn progress(&self, _: Progress) {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).ok();
    }
    fn warning(&self, _: &str) {}
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn results_are_equal_to_the_bit_for_threads_queue_strips_and_resume() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Setting { threads: 1, batch: Batch::Tiles(1), columns: None, device: Device::Cpu };
    let (whole, outcome) = segment(&plain, &folder.path().join("a"), Fresh::Expected, &Silent).unwrap();
    assert!(outcome.skipped > 0 && outcome.computed > outcome.skipped, "{outcome:?}");
    let Some(Block::U8(classes)) = whole.written(Layer::Classes) else { unreachable!("classes are bytes") };
    assert_eq!(classes[[0, 600, 500]], 255);
    assert!([0_u8, 1, 2].iter().all(|id| classes.iter().any(|c| c == id)));

    let busy = Setting { threads: 2, batch: Batch::Tiles(7), columns: None, device: Device::Cpu };
    let (other, _) = segment(&busy, &folder.path().join("b"), Fresh::Expected, &Silent).unwrap();
    assert!(same(&whole, &other), "threads and queue");

    let columns = Some(vec![0..512, 512..620]);
    let strips = Setting { threads: 2, batch: Batch::Auto, columns, device: Device::Cpu };
    let (other, repeated) = segment(&strips, &folder.path().join("c"), Fresh::Expected, &Silent).unwrap();
    assert!(same(&whole, &other), "column strips");
    assert!(repeated.computed > outcome.computed);

    for (stops, setting) in [(50, &busy), (60, &busy), (100, &strips)] {
        let path = folder.path().join(format!("d{stops}"));
        let cut = segment(setting, &path, Fresh::Expected, &After(AtomicUsize::new(stops)));
        assert!(matches!(cut, Err(Error::Cancelled)));
        assert!(matches!(segment(&busy, &path, Fresh::Expected, &Silent), Err(Error::Unfinished { .. })));
        let (other, rest) = segment(&busy, &path, Fresh::Resume, &Silent).unwrap();
        assert!(same(&whole, &other), "resume after {stops} tiles");
        assert!(rest.computed < repeated.computed, "{rest:?}");
    }
}

#[test]
fn batches_as_for_a_device_give_the_same_classes_and_no_tile_waits_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Setting { threads: 1, batch: Batch::Tiles(1), columns: None, device: Device::Cpu };
    let (whole, outcome) = segment(&plain, &folder.path().join("a"), Fresh::Expected, &Silent).unwrap();
    let Some(Block::U8(classes)) = whole.written(Layer::Classes) else { unreachable!("classes are bytes") };
    // More tiles than the raster has, and fewer than lie without data between two that have some.
    for tiles in [1, 3, 1000] {
        let batches =
            Setting { batch: Batch::Tiles(tiles), device: Device::Cuda(0), threads: 3, columns: None };
        let path = folder.path().join(format!("b{tiles}"));
        let (other, found) = segment(&batches, &path, Fresh::Expected, &Silent).unwrap();
        assert_eq!((found.computed, found.skipped), (outcome.computed, outcome.skipped));
        let Some(Block::U8(others)) = other.written(Layer::Classes) else {
            unreachable!("classes are bytes")
        };
        let differing = classes.iter().zip(others).filter(|(a, b)| a != b).count();
        assert!(differing * 10_000 <= classes.len(), "{differing} pixels differ in batches of {tiles}");
    }
}

#[test]
fn a_run_that_differs_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work");
    WorkFolder::open(path.clone(), &key(), Fresh::Expected).unwrap().begin(&key(), &[]).unwrap();
    let mut other = key();
    other.0.insert("overlap".to_owned(), "64".to_owned());
    let error = WorkFolder::open(path.clone(), &other, Fresh::Resume).unwrap_err();
    assert!(error.to_string().contains("overlap"), "{error}");
    WorkFolder::open(path.clone(), &other, Fresh::Discard).unwrap();
    assert_eq!(WorkFolder::columns_of(&path), None);
}

#[test]
fn a_failing_network_ends_the_run_with_its_reason() {
    // As tch does inside an operator that has no room.
    let answer = |_: &Tensor| -> Scores {
        std::panic::panic_any("not enough memory: you tried to allocate 1 GB".to_owned())
    };
    let mut scene = scene();
    let normalizer = Normalizer::new(Scaling::Model, &input(3, 0.0, 1.0), &mut scene).unwrap();
    let network = Network::new(Box::new(Toy { channels: 3, multiple: 1, answer }), normalizer);
    let error = Footprint::measure(&network, Size::square(64), Trial::Timed(1)).unwrap_err();
    assert!(error.to_string().contains("allocate") && error.hint().unwrap().contains("--tile"), "{error}");
    let error = Reach::measure(&network, Size::square(64), 1, &mut scene, &Silent).unwrap_err();
    assert!(error.to_string().contains("allocate"), "{error}");
}
