//! Chips of small rasters.

use crate::fixture::{Folder, Listener, contents, legend, palette_patch, ramp, truth};
use seg_data::{
    DataSet, Error, Existing, LabelInput, Manifest, Shares, Split, SplitBy, SplitRequest, TileJob,
    TileSummary, check_no_leak, tile,
};
use seg_gdal::{ChipFormat, GeoRaster, LabelRaster, RawValues, ReadOptions};
use seg_grid::{EdgePolicy, RasterSource as _, Silent, Size, Window};
use seg_label::{Convention, Legend};
use std::fs;

const SIZE: Size = Size { width: 300, height: 200 };
const CORNER: Option<(f64, f64)> = Some((400_000.0, 5_800_000.0));

fn run(job: &TileJob) -> (TileSummary, Manifest) {
    let summary = tile(job, &Silent).expect("tiled");
    (summary, Manifest::read(&job.out).expect("a manifest"))
}

/// A raster of three bands with labels by id.
fn scene(folder: &Folder) -> TileJob {
    let image = folder.raster("scene.tif", SIZE, CORNER, vec![ramp(SIZE, 1), ramp(SIZE, 3), ramp(SIZE, 5)]);
    let label = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    folder.labeled_job(&image, &label)
}

#[test]
fn chips_hold_the_source_s_pixels_at_their_place() {
    let folder = Folder::new();
    let job = scene(&folder);
    let (summary, manifest) = run(&job);
    assert_eq!(summary.chips.values().sum::<usize>(), manifest.chips.len());
    assert_eq!(
        summary.candidates,
        manifest.chips.len() + summary.dropped_by_buffer + summary.skipped_nodata,
        "nothing is lost without a count"
    );
    assert_eq!(check_no_leak(&manifest, summary.buffer.expect("kept")), Ok(()));
    let source = GeoRaster::open(&job.inputs[0], &ReadOptions::default()).expect("opens");
    let row = truth(SIZE);
    for chip in &manifest.chips {
        let image = GeoRaster::open(&job.out.join(&chip.image).to_string_lossy(), &ReadOptions::default())
            .expect("opens");
        let whole = Window::whole(Size::square(32));
        let (got, expected) =
            (image.read_raw(whole).expect("reads"), source.read_raw(chip.window).expect("reads"));
        for ((_, got), (_, expected)) in got.bands.iter().zip(&expected.bands) {
            assert_eq!(got, expected);
        }
        let transform = image.raster_profile().transform.expect("placed");
        assert!((transform.origin_x - 400_000.0 - 0.5 * chip.window.x as f64).abs() < 1e-9);
        assert_eq!(Some(transform.to_gdal()), chip.transform);
        assert_eq!(chip.crs.as_deref(), Some("EPSG:32633"));
        let label = LabelRaster::open(&job.out.join(chip.label.as_ref().expect("labeled")).to_string_lossy())
            .expect("opens");
        let ids = label.read_ids(whole).expect("reads").codes;
        let at = |x: usize| u32::from(row[x]);
        assert!(ids.indexed_iter().all(|((_, x), &id)| id == at(chip.window.x + x)));
        assert_eq!(chip.histogram.values().sum::<u64>() + chip.ignored.expect("labeled"), 32 * 32);
    }
    assert_eq!(
        Legend::from_toml_str(&fs::read_to_string(job.out.join("legend.toml")).expect("there")),
        Ok(legend())
    );
    assert!(fs::read_to_string(job.out.join("statistics.json")).expect("there").contains("\"mean\""));
}

#[test]
fn bytes_are_the_same_for_any_number_of_threads() {
    let folder = Folder::new();
    let job = scene(&folder);
    let all: Vec<_> = [1, 2, 5]
        .into_iter()
        .map(|threads| {
            let job = TileJob { threads, out: folder.path(&format!("chips{threads}")), ..job.clone() };
            run(&job);
            contents(&job.out)
        })
        .collect();
    assert!(all[0].len() > 20);
    assert!(all.iter().all(|files| *files == all[0]));
}

#[test]
fn a_cancelled_job_leaves_nothing_and_an_older_set_untouched() {
    let folder = Folder::new();
    let job = scene(&folder);
    let cancel = Listener::cancelling_after(3);
    assert!(matches!(tile(&job, &cancel), Err(Error::Cancelled)));
    assert!(!job.out.exists());
    run(&job);
    let before = contents(&job.out);
    assert!(matches!(tile(&job, &Silent), Err(Error::Exists { .. })));
    let again = TileJob { existing: Existing::Replace, size: 64, ..job.clone() };
    let cancel = Listener::cancelling_after(3);
    assert!(matches!(tile(&again, &cancel), Err(Error::Cancelled)));
    assert_eq!(contents(&job.out), before);
    run(&again);
    assert_ne!(contents(&job.out), before);
}

#[test]
fn labels_can_be_colors_or_a_palette_in_any_order() {
    let folder = Folder::new();
    let by_id = scene(&folder);
    let (_, expected) = run(&by_id);
    let ids = truth(SIZE);
    let channel = |c: usize| {
        RawValues::UInt8(
            ids.iter().map(|&id| [[10, 200, 10], [0, 0, 255], [90, 90, 90]][usize::from(id)][c]).collect(),
        )
    };
    let colors = folder.raster("colors.png", SIZE, None, vec![channel(0), channel(1), channel(2)]);
    let swapped = ids.iter().map(|&id| 2 - id).collect();
    let palette = palette_patch(SIZE, swapped, &[[90, 90, 90], [0, 0, 255], [10, 200, 10]]);
    let palette = folder.patch("palette.tif", palette, CORNER);
    for labels in [colors, palette] {
        let label = LabelInput { name: labels.clone(), attribute: None };
        let job =
            TileJob { labels: Some(label), out: folder.path(&format!("{labels}.chips")), ..by_id.clone() };
        let (_, mut got) = run(&job);
        for (chip, expected) in got.chips.iter_mut().zip(&expected.chips) {
            assert_eq!(chip.label_source.as_ref(), Some(&labels));
            chip.label_source.clone_from(&expected.label_source);
        }
        assert!(got == expected, "{labels}");
    }
}

#[test]
fn codes_off_the_legend_are_counted_once_each_and_ignored() {
    let folder = Folder::new();
    let job = scene(&folder);
    let mut ids = truth(SIZE);
    ids[..37].fill(9);
    let label = folder.raster("odd.tif", SIZE, CORNER, vec![RawValues::UInt8(ids)]);
    let job = TileJob { labels: Some(LabelInput { name: label.clone(), attribute: None }), ..job };
    let listener = Listener::default();
    let summary = tile(&job, &listener).expect("tiled");
    assert!(listener.told().contains("ids 9 (37 pixels)"), "{}", listener.told());
    assert_eq!(summary.labels[&label].unknown_pixels(), 37);

    let foreign =
        folder.raster("foreign.tif", SIZE, CORNER, vec![RawValues::UInt8(vec![77; SIZE.area() as usize])]);
    let job = TileJob {
        labels: Some(LabelInput { name: foreign, attribute: None }),
        out: folder.path("other"),
        ..job
    };
    let error = tile(&job, &Silent).expect_err("nothing is labeled");
    assert!(
        matches!(&error, Error::NothingLabeled { codes, .. } if codes == "ids 77 (60000 pixels)"),
        "{error}"
    );
    assert!(!folder.path("other").exists());
}

#[test]
fn labels_on_another_grid_are_refused() {
    let folder = Folder::new();
    let job = scene(&folder);
    let moved =
        folder.raster("moved.tif", SIZE, Some((400_001.0, 5_800_000.0)), vec![RawValues::UInt8(truth(SIZE))]);
    let smaller = Size { width: 299, ..SIZE };
    let small = folder.raster("small.tif", smaller, CORNER, vec![RawValues::UInt8(truth(smaller))]);
    for label in [moved, small] {
        let job = TileJob { labels: Some(LabelInput { name: label, attribute: None }), ..job.clone() };
        let error = tile(&job, &Silent).expect_err("elsewhere");
        assert!(matches!(error, Error::Grid { .. }));
        assert!(error.hint().expect("a hint").contains("gdalwarp"));
    }
}

#[test]
fn polygons_are_burned_by_name_or_id() {
    let folder = Folder::new();
    let job = scene(&folder);
    // The left half is field, as in the raster.
    let ring = "[[400000,5800000],[400075,5800000],[400075,5799900],[400000,5799900],[400000,5800000]]";
    let text = format!(
        "{{\"type\":\"FeatureCollection\",\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"urn:ogc:def:crs:EPSG::32633\"}}}},\
         \"features\":[{{\"type\":\"Feature\",\"properties\":{{\"kind\":\"field\"}},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}}}]}}"
    );
    let file = folder.name("parcels.geojson");
    fs::write(&file, text).expect("written");
    let labels = LabelInput { name: file, attribute: Some("kind".to_owned()) };
    let shares = Some(Shares::TRAIN_ONLY);
    let job = TileJob {
        labels: Some(labels),
        split: SplitRequest { shares, ..SplitRequest::default() },
        overlap: 0,
        edge: EdgePolicy::Pad,
        ..job
    };
    let (summary, _) = run(&job);
    assert_eq!(summary.histogram, [("field".to_owned(), 150 * 200)].into());
}

#[test]
fn chips_without_data_are_skipped_and_holes_stay_holes() {
    let folder = Folder::new();
    let size = Size { width: 96, height: 64 };
    // The left third is NaN, as is one pixel elsewhere.
    let hole = |i: usize| i % 96 < 32 || i == 90;
    let values = (0..size.area() as usize).map(|i| if hole(i) { f32::NAN } else { i as f32 }).collect();
    let image = folder.raster("float.tif", size, None, vec![RawValues::Float32(values)]);
    let split = SplitRequest { shares: Some(Shares::TRAIN_ONLY), ..SplitRequest::default() };
    let job = TileJob { overlap: 0, split, ..folder.job(&image) };
    let (summary, manifest) = run(&job);
    assert_eq!((summary.candidates, summary.skipped_nodata, manifest.chips.len()), (6, 2, 4));
    let statistics = summary.statistics.expect("pixels");
    assert_eq!(statistics.pixels, 4 * 1024 - 1);
    assert!(manifest.chips.iter().any(|chip| chip.valid < 1.0));
    let strict = TileJob { skip_nodata: 0.0005, out: folder.path("strict"), ..job };
    assert_eq!(run(&strict).0.skipped_nodata, 3);
}

#[test]
fn an_empty_corner_takes_no_split_s_share() {
    let folder = Folder::new();
    let size = Size { width: 600, height: 600 };
    // Data only on a diagonal half.
    let values = (0..size.area() as usize).map(|i| if i % 600 > i / 600 { f32::NAN } else { 1.0 }).collect();
    let image = folder.raster("half.tif", size, None, vec![RawValues::Float32(values)]);
    for seed in 0..4 {
        let job = TileJob {
            split: SplitRequest { seed, ..SplitRequest::default() },
            existing: Existing::Replace,
            ..folder.job(&image)
        };
        let (summary, manifest) = run(&job);
        assert!(summary.skipped_nodata > 100 && manifest.chips.iter().all(|chip| chip.valid > 0.0));
        assert!(Split::ALL.iter().all(|split| summary.chips[split] > 20), "{:?}", summary.chips);
    }
}

#[test]
fn padding_is_told_from_pixels() {
    let folder = Folder::new();
    let size = Size { width: 40, height: 40 };
    let image = folder.raster("small.tif", size, None, vec![ramp(size, 1), ramp(size, 2), ramp(size, 3)]);
    for format in [ChipFormat::GTiff, ChipFormat::Png] {
        let job = TileJob {
            edge: EdgePolicy::Pad,
            overlap: 0,
            format,
            split: SplitRequest { shares: Some(Shares::TRAIN_ONLY), ..SplitRequest::default() },
            out: folder.path(&format!("{format:?}")),
            ..folder.job(&image)
        };
        let (_, manifest) = run(&job);
        assert_eq!(manifest.chips.len(), 4);
        let last = &manifest.chips[3];
        assert!((last.valid - 64.0 / 1024.0).abs() < 1e-12);
        let mut chip = GeoRaster::open(&job.out.join(&last.image).to_string_lossy(), &ReadOptions::default())
            .expect("opens");
        assert_eq!(chip.profile().bands, 3, "alpha is no band of its own");
        let patch = chip.read(Window::whole(Size::square(32))).expect("reads").expect("has pixels");
        assert_eq!(patch.valid.iter().filter(|&&valid| valid).count(), 64);
    }
}

#[test]
fn neighboring_files_keep_their_distance() {
    let folder = Folder::new();
    let size = Size { width: 200, height: 200 };
    for (column, name) in ["w", "c", "e"].into_iter().enumerate() {
        let corner = Some((400_000.0 + 100.0 * column as f64, 5_800_000.0));
        folder.raster(&format!("in/{name}.tif"), size, corner, vec![ramp(size, 3)]);
    }
    for (by, buffer) in [(SplitBy::File, 20), (SplitBy::Block, 20), (SplitBy::File, 0)] {
        let job = TileJob {
            split: SplitRequest { by, buffer: Some(buffer), seed: 5, ..SplitRequest::default() },
            existing: Existing::Replace,
            ..folder.job(&folder.name("in"))
        };
        let (summary, manifest) = run(&job);
        assert_eq!(check_no_leak(&manifest, buffer), Ok(()));
        assert!(Split::ALL.iter().all(|split| summary.chips[split] > 0), "{:?}", summary.chips);
        assert!(buffer == 0 || summary.dropped_by_buffer > 0);
    }
}

#[test]
fn a_raster_too_small_for_the_split_says_what_to_do() {
    let folder = Folder::new();
    let size = Size::square(40);
    let image = folder.raster("small.tif", size, None, vec![ramp(size, 1)]);
    let job = folder.job(&image);
    let listener = Listener::default();
    tile(&job, &listener).expect("all of it is for training");
    assert!(listener.told().contains("no chip is left for val"), "{}", listener.told());
    let job = TileJob {
        split: SplitRequest { buffer: Some(500), by: SplitBy::Block, ..SplitRequest::default() },
        ..scene(&folder)
    };
    let error =
        tile(&TileJob { out: folder.path("none"), ..job }, &Silent).expect_err("all within the buffer");
    assert!(matches!(error, Error::NoChips { .. }) && error.hint().is_some());
}

#[test]
fn what_cannot_be_one_set_is_refused() {
    let folder = Folder::new();
    folder.raster("in/a.tif", SIZE, None, vec![ramp(SIZE, 1)]);
    folder.raster("in/b.tif", SIZE, None, vec![ramp(SIZE, 1), ramp(SIZE, 2)]);
    let job = folder.job(&folder.name("in"));
    assert!(matches!(tile(&job, &Silent), Err(Error::MixedBands { .. })));
    assert!(matches!(tile(&TileJob { convention: None, ..scene(&folder) }, &Silent), Err(Error::NoLegend)));
    assert!(!job.out.exists());
}

#[test]
fn equal_names_in_two_folders_do_not_collide() {
    let folder = Folder::new();
    for part in ["north", "south"] {
        folder.raster(&format!("{part}/img.tif"), SIZE, None, vec![ramp(SIZE, 1)]);
    }
    let job = TileJob { inputs: vec![folder.name("north"), folder.name("south")], ..folder.job("") };
    let (_, manifest) = run(&job);
    let mut images: Vec<_> = manifest.chips.iter().map(|chip| chip.image.clone()).collect();
    assert!(images[0].starts_with("images/north_img_x"));
    images.sort();
    images.dedup();
    assert_eq!(images.len(), manifest.chips.len());
}

#[test]
fn a_folder_of_images_and_labels_is_paired_by_name() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.raster(&format!("set/images/{name}_RGB.tif"), SIZE, None, vec![ramp(SIZE, 1)]);
        folder.raster(
            &format!("set/labels/{name}_label.tif"),
            SIZE,
            None,
            vec![RawValues::UInt8(truth(SIZE))],
        );
    }
    let job = TileJob {
        convention: Some(Convention::new(legend())),
        data_set: Some(DataSet::Folder),
        ..folder.job(&folder.name("set"))
    };
    let (summary, manifest) = run(&job);
    assert_eq!(summary.sources, 2);
    assert!(manifest.chips.iter().all(|chip| chip.label.is_some()));
}
