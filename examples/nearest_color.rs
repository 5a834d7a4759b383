//! Writes the TorchScript network of the demo: each pixel gets the class whose color is nearest.
//!
//! `cargo run --example nearest_color -- examples/data` makes `nearest-color.pt` and `nearest-color.toml`.
//! It shows what any TorchScript network needs to run in rs-seg: (B, C, H, W) in, (B, K, H, W) out, and a
//! description beside it. It is no trained model: the colors are the centers of a k-means clustering of
//! `haiti.tif` itself, named by eye.

use anyhow::Context as _;
use std::fmt::Write as _;
use std::path::PathBuf;
use tch::{CModule, Device, Kind, Tensor};

/// Name, legend color, and the center in red, green, blue and near infrared.
const CLASSES: [(&str, &str, [f32; 4]); 6] = [
    ("shadow and dark trees", "#274e37", [64.0, 65.0, 69.0, 66.0]),
    ("vegetation", "#6abf4b", [78.0, 87.0, 80.0, 130.0]),
    ("dry grass and soil", "#a58f5b", [103.0, 101.0, 98.0, 86.0]),
    ("bare ground", "#d1b280", [131.0, 131.0, 123.0, 123.0]),
    ("gravel and roofs", "#b8b8b8", [169.0, 166.0, 158.0, 131.0]),
    ("bright ground", "#f5f1e6", [203.0, 202.0, 190.0, 166.0]),
];

/// How fast probabilities fall with the distance; a probability is a soft-max over these.
const SHARPNESS: f32 = 200.0;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("usage: nearest_color FOLDER")?);
    let centers: Vec<f32> = CLASSES.iter().flat_map(|(_, _, center)| center.map(|v| v / 255.0)).collect();
    let centers = Tensor::from_slice(&centers).view([CLASSES.len() as i64, 4, 1, 1]); // (K, C, 1, 1)
    // -|x - c|^2 = 2 c.x - |c|^2 - |x|^2, and the last term is the same for every class.
    let weight = &centers * (2.0 * f64::from(SHARPNESS)); // (K, C, 1, 1)
    let bias = (&centers * &centers).sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float); // (K)
    let bias = bias * -f64::from(SHARPNESS);
    let mut network = |inputs: &[Tensor]| {
        let smooth = inputs[0].avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None); // (B, C, H, W)
        vec![smooth.conv2d(&weight, Some(&bias), [1, 1], [0, 0], [1, 1], 1)] // (B, K, H, W)
    };
    let example = Tensor::zeros([1, 4, 64, 64], (Kind::Float, Device::Cpu));
    let module = CModule::create_by_tracing("NearestColor", "forward", &[example], &mut network)?;
    module.save(folder.join("nearest-color.pt"))?;

    let mut toml = String::from(
        "# Nearest-color network of the demo; written by examples/nearest_color.rs.\n\
         [model]\noutput = \"logits\"\nstride = 1\ntile-px = 512\n\n\
         [input]\nbands = 4\ndivide = 255.0\nmean = [0.0, 0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0, 1.0]\n",
    );
    for (id, (name, color, _)) in CLASSES.iter().enumerate() {
        write!(toml, "\n[[class]]\nid = {id}\nname = \"{name}\"\ncolor = \"{color}\"\n")?;
    }
    std::fs::write(folder.join("nearest-color.toml"), toml)?;
    Ok(())
}
