//! From the arguments of `eval` to a report.

mod files;
mod known;
mod network;
mod rasters;

pub(crate) use files::{Outputs, write_file};
pub(crate) use network::{ChipTest, Shown, Timing, test_chips, test_network};
pub(crate) use rasters::compare_rasters;

use seg_label::{ClassId, Error as LabelError, Legend};
use seg_report::{Report, Strip};

/// Places that a report shows, worst and best.
const WORST: usize = 4;
const BEST: usize = 2;

/// What an evaluation found.
pub(crate) struct Outcome {
    pub report: Report,
    pub legend: Legend,
    /// What is to be seen at the worst and the best places.
    pub strips: Vec<Strip>,
    /// How long it took, where that matters.
    pub timing: Option<Timing>,
}

/// The classes that are left out of the means.
fn excluded(names: &[String], legend: &Legend) -> Result<Vec<ClassId>, LabelError> {
    let id = |name: &String| {
        let known = || legend.names().map(str::to_owned).collect();
        let class = legend
            .by_name(name)
            .ok_or_else(|| LabelError::UnknownClass { name: name.clone(), known: known() });
        class.map(|class| class.id)
    };
    names.iter().map(id).collect()
}
