//! A scene of three classes, its chips, and a network that learns a step of them in milliseconds.

use crate::program::{Run, command, rs_seg_in};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use tch::Tensor;
use tempfile::TempDir;

/// A folder with `images` and `labels` (`train.vrt` and `val.vrt`), `legend.toml`, `chips`, `tiny.toml` and
/// `plain.toml`.
pub(crate) struct Ground(TempDir);

/// What every training here is called with besides `--out`.
const TRAIN: [&str; 7] = ["train", "--config", "tiny.toml", "--data", "chips", "--threads", "1"];

pub(crate) const LEGEND: &str = "\
[[class]]
id = 0
name = \"roof\"
color = \"#be3c32\"

[[class]]
id = 1
name = \"grass\"
color = \"#3c8c3c\"

[[class]]
id = 2
name = \"water\"
color = \"#324696\"
";
const COLORS: [[u8; 3]; 3] = [[190, 60, 50], [60, 140, 60], [50, 70, 150]];

/// The smallest BEMSeg; its channels have another order than the legend.
const MODEL: &str = r#"
[model]
name = "tiny"
tile-px = 64
encoder = { stem-width = 4, widths = [4, 4, 8, 8], depths = [1, 1, 1, 1] }
pool = { heads = 4, embed-dim = 16, positional-grid = 2 }
fusion = { kind = "both", width = 16, heads = 2, layers = 1, dropout = 0.1 }
decoder = { fpn-width = 8, head-width = 8, dropout = 0.1 }

[model.text]
tokenizer = "words"
tower = "trained"
vocab = 64
width = 16
heads = 2
layers = 1
context-length = 8
n-tok = 4
n-ctx = 2
"#;
/// The same without texts: a feature pyramid on the image encoder.
const PLAIN: &str = r#"
[model]
name = "plain"
tile-px = 64
encoder = { stem-width = 4, widths = [4, 4, 8, 8], depths = [1, 1, 1, 1] }
decoder = { fpn-width = 8, head-width = 8, dropout = 0.1 }
"#;
const REST: &str = r##"
[input]
bands = 3
divide = 255.0
mean = [0.4, 0.4, 0.4]
std = [0.25, 0.25, 0.25]

[augment]
scale = [0.8, 1.25]
d4 = true
channel-gain = 0.1

[loss]
dice-weight = 0.5

[optimizer]
lr = 4e-3
backbone-lr-factor = 1.0
clip-norm = 5.0

[schedule]
warmup-steps = 3
warmup-ratio = 0.1

[train]
steps = 6
batch = 2
accumulate = 2
ema = 0.9
validate-every = 4
checkpoint-every = 3
log-every = 2
workers = 1

[[class]]
id = 2
name = "water"
color = "#324696"

[[class]]
id = 0
name = "roof"
color = "#be3c32"

[[class]]
id = 1
name = "grass"
color = "#3c8c3c"
"##;

fn noise(number: usize) -> u64 {
    let mut z = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers that look random, the same on every run.
pub(crate) fn drawn(seed: usize, below: u64) -> u64 {
    noise(seed) % below
}

/// Writes `images/NAME.vrt` and `labels/NAME.vrt`: noisy rectangles and their classes; the first row has none.
fn write_scene(folder: &Path, name: &str, side: usize, seed: usize) {
    let class = |i: usize| (noise(seed + 1000 * (i / side / 24) + i % side / 32) % 3) as u8;
    let ids: Vec<u8> = (0..side * side).map(|i| if i < side { 255 } else { class(i) }).collect();
    let shade = |i: usize, value: u8| (u64::from(value) + noise(31 * i + seed) % 50 - 25) as u8;
    let pixels = (0..side * side).flat_map(|i| COLORS[usize::from(class(i))].map(|value| shade(i, value)));
    write_raster(&folder.join("images").join(name), (side, seed), pixels.collect());
    write_raster(&folder.join("labels").join(name), (side, seed), ids);
}

/// Writes bytes, pixel by pixel, as a raster with one place for each seed.
fn write_raster(path: &Path, (side, seed): (usize, usize), bytes: Vec<u8>) {
    let bands: &[&str] = if bytes.len() == side * side { &["Gray"] } else { &["Red", "Green", "Blue"] };
    let kind = if bands.len() == 1 { "P5" } else { "P6" };
    let header = format!("{kind}\n{side} {side}\n255\n").into_bytes();
    fs::write(path.with_extension("pnm"), [header, bytes].concat()).expect("writes");
    let (name, east) = (path.file_name().expect("a name").to_string_lossy(), 500_000 + 1000 * seed);
    let band = |(i, color): (usize, &&str)| {
        let n = i + 1;
        format!(
            "<VRTRasterBand dataType=\"Byte\" band=\"{n}\"><ColorInterp>{color}</ColorInterp><SimpleSource>\
             <SourceFilename relativeToVRT=\"1\">{name}.pnm</SourceFilename><SourceBand>{n}</SourceBand>\
             </SimpleSource></VRTRasterBand>"
        )
    };
    let bands: String = bands.iter().enumerate().map(band).collect();
    let vrt = format!(
        "<VRTDataset rasterXSize=\"{side}\" rasterYSize=\"{side}\"><SRS>EPSG:25832</SRS>\
         <GeoTransform>{east}, 0.1, 0, 5400000, 0, -0.1</GeoTransform>{bands}</VRTDataset>"
    );
    fs::write(path.with_extension("vrt"), vrt).expect("writes");
}

impl Ground {
    /// Scenes, chips and configurations.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["images", "labels"] {
            fs::create_dir(folder.path().join(part)).expect("makes a folder");
        }
        for (name, side, seed) in [("train", 192, 1), ("val", 128, 2)] {
            write_scene(folder.path(), name, side, seed);
        }
        let ground = Self(folder);
        fs::write(ground.path("legend.toml"), LEGEND).expect("writes");
        fs::write(ground.path("tiny.toml"), format!("{MODEL}{REST}")).expect("writes");
        fs::write(ground.path("plain.toml"), format!("{PLAIN}{REST}")).expect("writes");
        let arguments =
            "tile images --labels labels --legend legend.toml --size 64 --overlap 0 --out chips --split-by";
        let mut arguments: Vec<_> = arguments.split(' ').collect();
        arguments.push("(?<val>val)|(?<train>train)");
        let run = ground.run(&arguments);
        assert_eq!(run.code, Some(0), "{run:?}");
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        rs_seg_in(self.0.path(), arguments)
    }

    /// Trains to a folder, with further arguments.
    pub(crate) fn try_train(&self, out: &str, more: &[&str]) -> Run {
        self.run(&[&TRAIN, &["--out", out][..], more].concat())
    }

    #[track_caller]
    pub(crate) fn train(&self, out: &str, more: &[&str]) -> Run {
        let run = self.try_train(out, more);
        assert_eq!(run.code, Some(0), "{more:?}: {run:?}");
        run
    }

    /// Starts a training, and waits until it told so many times how it goes.
    #[track_caller]
    pub(crate) fn start(
        &self,
        out: &str,
        more: &[&str],
        reports: u64,
    ) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut job = command(&[&TRAIN, &["--out", out][..], more].concat())
            .current_dir(self.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines =
            BufReader::new(job.stderr.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
        for _ in 0..reports {
            assert!(lines.any(|line| line.starts_with("step ")), "the training ended before it was stopped");
        }
        (job, lines)
    }

    /// Compares two runs: weights, what resuming needs, metrics and events.
    #[track_caller]
    pub(crate) fn assert_same_run(&self, one: &str, other: &str) {
        for name in ["last.safetensors", "best.safetensors"] {
            let [one, other] = [one, other].map(|run| tensors(&self.path(run).join(name)));
            assert_eq!(differing(&one, &other), Vec::<String>::new(), "{name}");
        }
        let [one, other] = [one, other].map(|run| self.path(run));
        assert_eq!(timeless_metrics(&one), timeless_metrics(&other));
        assert_eq!(timeless_events(&one), timeless_events(&other));
    }
}

/// All tensors of a checkpoint, those of training included.
pub(crate) fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    Tensor::read_safetensors(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into_iter()
        .collect()
}

/// Names of tensors that are not the same to the last bit.
pub(crate) fn differing(one: &BTreeMap<String, Tensor>, other: &BTreeMap<String, Tensor>) -> Vec<String> {
    let same = |name: &String| match (one.get(name), other.get(name)) {
        (Some(one), Some(other)) => {
            one.kind() == other.kind() && one.size() == other.size() && one.equal(other)
        }
        _ => false,
    };
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| !same(name)).cloned().collect()
}

/// The lines of a run's metrics.
pub(crate) fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The metrics without what a clock measured.
fn timeless_metrics(run: &Path) -> Vec<Value> {
    let mut lines = metrics(run);
    for line in lines.iter_mut().filter_map(Value::as_object_mut) {
        line.retain(|key, _| !["samples-per-second", "waiting", "communication"].contains(&key.as_str()));
    }
    lines
}

/// Tags of what a clock measured.
const CLOCKED: [&str; 3] = ["train/samples-per-second", "train/waiting", "train/communication"];

/// Step, tag and value of a run's events, without what a clock measured.
fn timeless_events(run: &Path) -> Vec<(u64, String, String)> {
    let mut files = fs::read_dir(run).expect("a folder").map(|entry| entry.expect("an entry").path());
    let file = files.find(|path| path.to_string_lossy().contains("tfevents")).expect("an event file");
    let events = seg_events::read_events(&file).expect("whole events").into_iter();
    let values = events.flat_map(|event| {
        event.values.into_iter().map(move |(tag, value)| (event.step, tag, format!("{value:?}")))
    });
    values.filter(|(_, tag, _)| !CLOCKED.contains(&tag.as_str())).collect()
}

/// All files of a folder with what is in them.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let file = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
    };
    entries.map(file).collect()
}
