//! `rs-seg tile` on the public data sets as their archives unpack.

use crate::miniature::{
    POTSDAM, POTSDAM_TRAIN, SIDE, Unpacked, VAIHINGEN, VAIHINGEN_TRAIN, classes, write_loveda, write_potsdam,
    write_vaihingen,
};
use crate::program::{Run, rs_seg_in};
use seg_data::{ChipRecord, Manifest, Split};
use seg_label::{IGNORE_INDEX, erode_borders};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Chips of 64 pixels that a raster of 96 gives.
const CHIPS: usize = 4;

fn tile(folder: &Path, arguments: &str) -> Run {
    let fixed = "tile data --size 64 --out chips --overwrite --json --progress none --dataset";
    let arguments: Vec<_> = fixed.split(' ').chain(arguments.split(' ')).collect();
    rs_seg_in(folder, &arguments)
}

/// What was made, and its chips.
#[track_caller]
fn tiled(folder: &Path, arguments: &str) -> (Value, Vec<ChipRecord>, String) {
    let run = tile(folder, arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    (run.json(), Manifest::read(&folder.join("chips")).expect("a manifest").chips, run.stderr)
}

fn count(chips: &[ChipRecord], split: Split) -> usize {
    chips.iter().filter(|chip| chip.split == split).count()
}

fn ignored(chips: &[ChipRecord]) -> u64 {
    chips.iter().map(|chip| chip.ignored.expect("counted")).sum()
}

/// The label of a raster in the result.
fn label<'a>(told: &'a Value, part: &str) -> &'a Value {
    let labels = told["labels"].as_object().expect("labels");
    labels.iter().find(|(name, _)| name.contains(part)).unwrap_or_else(|| panic!("{part}: {labels:?}")).1
}

#[test]
fn potsdam_is_cut_as_it_unpacks_and_damaged_labels_are_mended_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    write_potsdam(&folder.path().join("data"));
    let (told, chips, said) = tiled(folder.path(), "potsdam");
    assert_eq!(told["sources"], POTSDAM.len());
    assert_eq!(count(&chips, Split::Train), POTSDAM_TRAIN * CHIPS);
    assert_eq!(count(&chips, Split::Test), (POTSDAM.len() - POTSDAM_TRAIN) * CHIPS);
    assert!(chips.iter().all(|chip| chip.source.contains("2_Ortho_RGB/2_Ortho_RGB/")), "{chips:?}");
    let of_labels = |chip: &ChipRecord| chip.label_source.clone().expect("labeled");
    assert!(chips.iter().all(|chip| of_labels(chip).starts_with("data/5_Labels_all/")), "{chips:?}");
    assert!(said.contains("`--label-variant no-boundary`") && said.contains("`--image-variant`"), "{said}");
    // The place comes from the world file.
    assert!(chips.iter().all(|chip| chip.transform.is_some_and(|t| (t[1] - 0.05).abs() < 1e-9)));
    // Nothing is lost: cars of 252,255,0 and the labels that were stored with loss have all their classes.
    assert_eq!(ignored(&chips), 0);
    let cars = classes(2, 6).iter().filter(|id| **id == 4).count();
    let yellow = label(&told, "_6_7_label");
    assert_eq!((&yellow["inexact"], &yellow["largest_distance"]), (&cars.into(), &3.into()), "{told}");
    let lossy = label(&told, "_4_12_label");
    assert_eq!(
        (&lossy["labeled"], &lossy["largest_distance"]),
        (&(SIDE * SIDE).into(), &39.into()),
        "{told}"
    );
    assert!(lossy["inexact"].as_u64() > Some((SIDE * SIDE * 9 / 10) as u64), "{told}");
    assert!(said.contains("off by 3 at most"), "{said}");
}

#[test]
fn labels_without_borders_and_other_images_are_chosen_by_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    write_potsdam(&folder.path().join("data"));
    for (image, bands) in [("irrg", 3), ("rgbir", 4)] {
        let arguments = format!("potsdam --label-variant no-boundary --image-variant {image}");
        let (told, chips, said) = tiled(folder.path(), &arguments);
        assert_eq!(told["statistics"]["bands"].as_array().map(Vec::len), Some(bands));
        let ending = format!("_{}.tif", image.to_uppercase());
        assert!(chips.iter().all(|chip| chip.source.ends_with(&ending)), "{chips:?}");
        let source = |chip: &ChipRecord| chip.label_source.clone().expect("labeled");
        assert!(chips.iter().all(|chip| source(chip).contains("5_Labels_all_noBoundary/")), "{chips:?}");
        assert!(!said.contains("variant"), "what was chosen is not told: {said}");
        // Black is ignored, as much as was eroded: that of the chips, which overlap.
        let eroded = |seed: usize| {
            let mut ids = classes(seed, 6);
            erode_borders(&mut ids, 3);
            let chip = |y: usize, x: usize| ids.slice(ndarray::s![y..y + 64, x..x + 64]).to_owned();
            let chips = [chip(0, 0), chip(0, 32), chip(32, 0), chip(32, 32)];
            chips.iter().flatten().filter(|id| **id == IGNORE_INDEX).count() as u64
        };
        assert_eq!(ignored(&chips), (0..POTSDAM.len()).map(eroded).sum::<u64>());
    }
    let run = tile(folder.path(), "loveda --image-variant irrg");
    assert_eq!(run.code, Some(1), "{run:?}");
}

#[test]
fn with_the_archives_for_participants_the_test_is_left_out_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    write_potsdam(&folder.path().join("data"));
    for complete in ["5_Labels_all", "5_Labels_all_noBoundary"] {
        fs::remove_dir_all(folder.path().join("data").join(complete)).expect("removed");
    }
    let (_, chips, said) = tiled(folder.path(), "potsdam --label-variant no-boundary");
    assert_eq!((count(&chips, Split::Train), chips.len()), (POTSDAM_TRAIN * CHIPS, POTSDAM_TRAIN * CHIPS));
    assert!(said.contains("2 test images have no label and were left out"), "{said}");
    // A label that is missing for no such reason is an error.
    let gone = "data/5_Labels_for_participants_no_Boundary/top_potsdam_2_10_label_noBoundary.tif";
    fs::remove_file(folder.path().join(gone)).expect("removed");
    let run = tile(folder.path(), "potsdam --label-variant no-boundary");
    assert!(run.code == Some(1) && run.stderr.contains("top_potsdam_2_10_RGB.tif"), "{run:?}");
}

#[test]
fn full_labels_and_those_without_borders_are_never_mixed() {
    let folder = tempfile::tempdir().expect("a folder");
    write_potsdam(&folder.path().join("data"));
    for archive in ["5_Labels_all", "5_Labels_for_participants"] {
        fs::remove_file(folder.path().join("data").join(archive).join("top_potsdam_2_10_label.tif"))
            .expect("removed");
    }
    let (_, chips, said) = tiled(folder.path(), "potsdam");
    assert_eq!(chips.len(), (POTSDAM.len() - 1) * CHIPS);
    let source = |chip: &ChipRecord| chip.label_source.clone().expect("labeled");
    assert!(chips.iter().all(|chip| !source(chip).contains("noBoundary")), "{chips:?}");
    let told = said.contains("1 images have no full label") && said.contains("top_potsdam_2_10_RGB.tif");
    assert!(told && said.contains("`--label-variant no-boundary`"), "{said}");
    // Without any full label there is nothing to choose.
    for archive in ["5_Labels_all", "5_Labels_for_participants"] {
        fs::remove_dir_all(folder.path().join("data").join(archive)).expect("removed");
    }
    let (_, chips, said) = tiled(folder.path(), "potsdam");
    assert_eq!(chips.len(), POTSDAM.len() * CHIPS, "{said}");
}

#[test]
fn images_without_any_label_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    write_potsdam(&folder.path().join("data"));
    let data = folder.path().join("data");
    for entry in fs::read_dir(&data).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.to_string_lossy().contains("5_Labels") {
            fs::remove_dir_all(path).expect("removed");
        }
    }
    let (_, chips, said) = tiled(folder.path(), "potsdam");
    assert!(chips.len() == POTSDAM.len() * CHIPS && said.contains("no labels were found"), "{said}");
}

#[test]
fn a_color_of_no_class_is_ignored_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    write_vaihingen(&data, Unpacked::Flat);
    // Green and yellow become magenta in the labels of one area.
    let name = "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE/top_mosaic_09cm_area1.tif";
    let band = |(source, band): (usize, usize)| {
        format!(
            "<VRTRasterBand dataType=\"Byte\" band=\"{band}\"><SimpleSource><SourceFilename \
             relativeToVRT=\"1\">{name}</SourceFilename><SourceBand>{source}</SourceBand></SimpleSource></VRTRasterBand>"
        )
    };
    let bands = [(1, 1), (3, 2), (1, 3)].map(band).concat();
    let vrt = format!("<VRTDataset rasterXSize=\"{SIDE}\" rasterYSize=\"{SIDE}\">{bands}</VRTDataset>");
    fs::write(data.join("swapped.vrt"), vrt).expect("written");
    let image = "data/ISPRS_semantic_labeling_Vaihingen/top/top_mosaic_09cm_area1.tif";
    let arguments = ["tile", image, "--labels", "data/swapped.vrt", "--dataset", "vaihingen", "--size", "64"];
    let run = rs_seg_in(folder.path(), &[&arguments[..], &["--out", "chips", "--json"]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    // Red is red and blue now, so clutter and cars, once red and yellow, are magenta.
    let magenta = classes(2, 6).iter().filter(|id| [4, 5].contains(*id)).count();
    let told = run.json();
    assert_eq!(label(&told, "swapped")["unknown"]["#ff00ff"], magenta, "{told}");
    let words = format!("colors #ff00ff ({magenta} pixels) that are not in the legend and are ignored");
    assert!(run.stderr.contains(&words), "{run:?}");
}

#[test]
fn vaihingen_is_cut_flat_and_doubled() {
    for unpacked in [Unpacked::Flat, Unpacked::Doubled] {
        let folder = tempfile::tempdir().expect("a folder");
        write_vaihingen(&folder.path().join("data"), unpacked);
        for (arguments, archive) in [
            ("vaihingen", "ground_truth_COMPLETE/"),
            ("vaihingen --label-variant full --image-variant irrg", "ground_truth_COMPLETE/"),
            ("vaihingen --label-variant no-boundary", "ground_truth_eroded_COMPLETE/"),
        ] {
            let (told, chips, _) = tiled(folder.path(), arguments);
            assert_eq!(told["sources"], VAIHINGEN.len(), "{arguments}");
            assert_eq!(count(&chips, Split::Train), VAIHINGEN_TRAIN * CHIPS);
            assert_eq!(count(&chips, Split::Test), (VAIHINGEN.len() - VAIHINGEN_TRAIN) * CHIPS);
            let source = |chip: &ChipRecord| chip.label_source.clone().expect("labeled");
            assert!(chips.iter().all(|chip| source(chip).contains(archive)), "{unpacked:?}: {chips:?}");
            assert_eq!(ignored(&chips) > 0, arguments.contains("no-boundary"));
        }
        let run = tile(folder.path(), "vaihingen --image-variant rgb");
        assert!(
            run.code == Some(1) && run.stderr.contains("no image of vaihingen is of the variant rgb"),
            "{run:?}"
        );
    }
}

#[test]
fn loveda_keeps_its_splits_and_no_two_chips_share_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    write_loveda(&folder.path().join("data"));
    let (told, chips, said) = tiled(folder.path(), "loveda");
    assert_eq!((count(&chips, Split::Train), count(&chips, Split::Val)), (2 * CHIPS, 2 * CHIPS));
    assert_eq!((count(&chips, Split::Test), &told["sources"]), (2 * CHIPS, &6.into()));
    assert!(said.contains("2 images of Test have no published labels and are cut without"), "{said}");
    let (test, chips): (Vec<_>, Vec<_>) = chips.into_iter().partition(|chip| chip.split == Split::Test);
    assert!(test.iter().all(|chip| chip.label.is_none()) && chips.iter().all(|chip| chip.label.is_some()));
    // Dealt out anew, they would train.
    let (_, dealt, said) = tiled(folder.path(), "loveda --split train=.5,val=.5");
    assert!(said.contains("and were left out") && dealt.iter().all(|chip| chip.label.is_some()), "{said}");
    let only = "tile data/Test --dataset loveda --split train=.5,val=.5 --out only";
    let none = rs_seg_in(folder.path(), &only.split(' ').collect::<Vec<_>>());
    assert!(none.code == Some(1) && none.stderr.contains("none of the 2 images has a use"), "{none:?}");
    let names: BTreeSet<_> = chips.iter().map(|chip| &chip.image).collect();
    assert_eq!(names.len(), chips.len());
    // 0 is no data; 1 to 7 are the seven classes.
    assert_eq!(ignored(&chips), 4);
    assert_eq!(told["histogram"].as_object().map(serde_json::Map::len), Some(7), "{told}");
    let background = told["histogram"]["background"].as_u64();
    let places = |seed: usize| {
        let ids = classes(seed, 7);
        let chip = |y: usize, x: usize| ids.slice(ndarray::s![y..y + 64, x..x + 64]).to_owned();
        let chips = [chip(0, 0), chip(0, 32), chip(32, 0), chip(32, 32)];
        chips.iter().flatten().filter(|id| **id == 0).count() as u64
    };
    // The first pixel, which has no data, is background in one of the masks.
    let all: u64 = [0, 2, 1, 3].into_iter().map(places).sum();
    assert_eq!(background, Some(all - 1));
}
