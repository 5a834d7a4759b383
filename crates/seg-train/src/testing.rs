//! A network of a few thousand weights and chips that take no time, for this crate's tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::{Array2, Array3, Array4};
use seg_data::{Batch, ChipRecord, Manifest, Split};
use seg_grid::{Size, Window};
use seg_nn::Config;
use tch::Tensor;

use crate::TrainSettings;

/// The smallest BEMSeg with two classes.
const TINY: &str = r##"
[model]
name = "tiny"
tile-px = 64
encoder = { stem-width = 4, widths = [4, 4, 4, 8], depths = [1, 1, 1, 1] }
pool = { heads = 4, embed-dim = 8, positional-grid = 2 }
fusion = { kind = "both", width = 8, heads = 2, layers = 1, dropout = 0.1 }
decoder = { fpn-width = 8, head-width = 8, dropout = 0.1 }

[model.text]
tokenizer = "words"
tower = "trained"
vocab = 32
width = 8
heads = 2
layers = 1
context-length = 8
n-tok = 4
n-ctx = 2

[input]
bands = 3
divide = 255.0
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[optimizer]
lr = 1e-2

[schedule]
warmup-steps = 0

[augment]
photometric = false

[[class]]
id = 0
name = "dark"
color = "#000000"

[[class]]
id = 1
name = "bright"
color = "#ffffff"
"##;

/// libtorch's random numbers are one stream for the process: what steps holds this.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    seg_torch::set_intra_op_threads(1);
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tiny configuration with a `[train]` section, every default written out, and its settings.
pub(crate) fn tiny(train: &str) -> (Config, TrainSettings) {
    let path = Path::new("tiny.toml");
    let config = Config::parse(&format!("{TINY}[train]\n{train}"), path).unwrap();
    let settings = TrainSettings::of(&config, path).unwrap();
    (settings.effective(&config).unwrap(), settings)
}

/// A batch of two samples of 64 x 64 whose values follow from a number.
pub(crate) fn batch(number: usize) -> Batch {
    let value = |(b, c, y, x): (usize, usize, usize, usize)| {
        ((number * 31 + b * 17 + c * 7 + y * 5 + x * 3) as f32 * 0.37).sin()
    };
    let images = Array4::from_shape_fn((2, 3, 64, 64), value);
    let labels =
        Array3::from_shape_fn((2, 64, 64), |(b, y, x)| u8::from((y + x * (b + 1) + number) % 64 < 24));
    Batch { images, labels, first_sample: 2 * number as u64, chips: vec![0, 1] }
}

/// Asserts that two lists of tensors are the same to the last bit.
#[track_caller]
pub(crate) fn assert_same(one: &BTreeMap<String, Tensor>, other: &BTreeMap<String, Tensor>) {
    assert!(one.keys().eq(other.keys()));
    let differing: Vec<_> = one.iter().filter(|(name, tensor)| **tensor != other[*name]).collect();
    assert!(differing.is_empty(), "{:?}", differing.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

/// Writes a folder of chips: bright where the label is 1, ignored in the first row.
pub(crate) fn write_chips(folder: &Path, chips: &[(Split, Size)]) {
    for part in ["images", "labels"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let chips = chips.iter().enumerate().map(|(number, &(split, size))| chip(folder, number, split, size));
    let manifest = Manifest { chips: chips.collect() };
    fs::write(folder.join(Manifest::NAME), manifest.to_jsonl()).unwrap();
    let class = |(id, name): (usize, &str)| {
        format!("[[class]]\nid = {id}\nname = \"{name}\"\ncolor = \"#00000{id}\"\n")
    };
    let legend: String = ["dark", "bright"].into_iter().enumerate().map(class).collect();
    fs::write(folder.join("legend.toml"), legend).unwrap();
}

fn chip(folder: &Path, number: usize, split: Split, size: Size) -> ChipRecord {
    let Size { width, height } = size;
    let ids = Array2::from_shape_fn((height, width), |(y, x)| match y {
        0 => 255,
        _ => u8::from((y / 9 + x / 13 + number).is_multiple_of(3)),
    });
    let noise = |i: usize| ((i * 7919 + number * 104_729) % 61) as u8;
    let pixels = ids.iter().enumerate().flat_map(|(i, id)| [50 + 100 * (id & 1) + noise(i); 3]);
    let pnm = |kind: &str, values: &mut dyn Iterator<Item = u8>| {
        let mut bytes = format!("{kind}\n{width} {height}\n255\n").into_bytes();
        bytes.extend(values);
        bytes
    };
    let (image, label) = (format!("images/{number}.ppm"), format!("labels/{number}.pgm"));
    fs::write(folder.join(&image), pnm("P6", &mut pixels.into_iter())).unwrap();
    fs::write(folder.join(&label), pnm("P5", &mut ids.iter().copied())).unwrap();
    let count = |id: u8| ids.iter().filter(|found| **found == id).count() as u64;
    ChipRecord {
        image,
        label: Some(label),
        label_source: Some("truth/scene.tif".to_owned()),
        source: "scene".to_owned(),
        window: Window { x: 0, y: 0, width, height },
        split,
        valid: 1.0,
        histogram: BTreeMap::from([("dark".to_owned(), count(0)), ("bright".to_owned(), count(1))]),
        ignored: Some(width as u64),
        crs: None,
        transform: None,
    }
}
