//! Crops of the public data sets, where they are at hand (`shared/data` beside the repository).

use crate::fixture::{Folder, Listener};
use seg_data::{DataSet, Manifest, SplitBy, SplitRequest, TileJob, check_no_leak, find_convention, tile};
use seg_data::{LabelInput, Shares};
use std::io::Write as _;
use std::path::PathBuf;

/// The folder, if it is there; else says that the test is skipped.
fn shared(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.is_dir() {
        return Some(path.to_string_lossy().into_owned());
    }
    // Not `eprintln!`, which the test harness would hide.
    let _ = writeln!(std::io::stderr(), "skipped: {} is not there", path.display());
    None
}

fn job(folder: &Folder, input: &str, legend: Option<&str>, data_set: Option<DataSet>) -> TileJob {
    TileJob {
        labels: Some(LabelInput { name: format!("{input}/labels"), attribute: None }),
        convention: find_convention(legend, data_set).expect("known"),
        data_set,
        size: 256,
        overlap: 0,
        ..folder.job(&format!("{input}/images"))
    }
}

#[test]
fn dubai_decodes_through_colors_and_palettes() {
    let Some(input) = shared("dubai") else { return };
    let folder = Folder::new();
    let scenes = SplitBy::Pattern(regex::Regex::new(r"^.*/(tile\d)_").expect("a pattern"));
    let mut job = job(&folder, &input, Some("dubai"), None);
    job.inputs = [1, 2, 3].map(|tile| format!("{input}/images/tile{tile}_part001.jpg")).to_vec();
    job.split =
        SplitRequest { by: scenes, shares: Some(Shares::new(0.4, 0.3, 0.3).expect("shares")), ..job.split };
    let listener = Listener::default();
    let summary = tile(&job, &listener).expect("tiled");
    assert!(!listener.told().contains("not in the legend"), "{}", listener.told());
    assert!(summary.histogram.len() >= 4 && summary.chips.values().all(|&chips| chips > 0));
    let manifest = Manifest::read(&job.out).expect("a manifest");
    assert_eq!(check_no_leak(&manifest, 0), Ok(()));
}

#[test]
fn loveda_masks_count_from_one() {
    let Some(input) = shared("isprs-loveda/loveda_mmseg") else { return };
    let folder = Folder::new();
    let mut job = job(&folder, &input, None, Some(DataSet::LoveDa));
    job.split.shares = Some(Shares::TRAIN_ONLY);
    let summary = tile(&job, &Listener::default()).expect("tiled");
    assert_eq!(summary.chips.values().sum::<usize>(), 3 * 16);
    assert_eq!(summary.histogram["background"], 142_441 + 226_400 + 8_244);
    assert_eq!(summary.histogram["agricultural"], 868_612 + 528_446 + 97_166);
}

#[test]
fn ids_that_count_from_one_are_not_taken_for_those_of_the_legend() {
    let Some(input) = shared("isprs-loveda/loveda_mmseg") else { return };
    let folder = Folder::new();
    let error = tile(&job(&folder, &input, Some("loveda"), None), &Listener::default()).expect_err("one off");
    assert!(error.hint().expect("a hint").contains("--dataset"), "{error}");
}

#[test]
fn potsdam_colors_decode() {
    let Some(input) = shared("isprs-loveda/potsdam_minitile") else { return };
    let folder = Folder::new();
    let mut job = job(&folder, &input, None, Some(DataSet::Potsdam));
    job.size = 200;
    job.split.shares = Some(Shares::TRAIN_ONLY);
    let summary = tile(&job, &Listener::default()).expect("tiled");
    assert_eq!(summary.histogram["car"], 20_246);
    assert_eq!(summary.histogram.values().sum::<u64>(), 1_000_000);
}
