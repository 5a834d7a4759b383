//! Compares a prediction with its truth: ignored pixels, pixels without a prediction, an absent class.
//!
//! Run it with `cargo run --example evaluate_two_rasters`: needs no data, no GDAL and no libtorch.

use ndarray::array;
use seg_label::{ConfusionMatrix, IGNORE_INDEX, Legend, Scores};
use std::error::Error;

const NONE: u8 = IGNORE_INDEX;

const LEGEND: &str = r##"
[[class]]
id = 0
name = "ground"
color = "#c0a060"
[[class]]
id = 1
name = "building"
color = "#0000ff"
[[class]]
id = 2
name = "water"
color = "#00a0ff"
"##;

fn main() -> Result<(), Box<dyn Error>> {
    let legend = Legend::from_toml_str(LEGEND)?;
    // (H, W); 255 in the truth is "nobody knows", in the prediction "nothing was said".
    let truth = array![[0, 0, 1, 1], [0, 0, 1, NONE], [0, 0, 1, NONE]];
    let prediction = array![[0, 0, 1, 1], [0, 1, 1, 1], [0, NONE, 0, 0]];

    let mut matrix = ConfusionMatrix::new(&legend);
    matrix.add_arrays(&truth.view(), &prediction.view())?;
    let scores = Scores::new(&matrix);

    let percent =
        |score: Option<f64>| score.map_or_else(|| "absent".to_owned(), |s| format!("{:.1} %", 100.0 * s));
    for (class, score) in legend.classes().iter().zip(&scores.classes) {
        print(format_args!("{:10} IoU {:>7}  F1 {:>7}", class.name, percent(score.iou), percent(score.f1)));
    }
    print(format_args!("{} pixels counted, {} ignored", matrix.pixels(), matrix.ignored()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it finds")]
fn print(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}
