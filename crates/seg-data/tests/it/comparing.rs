//! Class rasters against their truth.

use crate::fixture::{Folder, legend, palette_patch, truth};
use seg_data::{CompareJob, Error, Grids, Known, LabelFile, TileLines, compare, write_error_map};
use seg_gdal::{LabelRaster, RawValues};
use seg_grid::{Silent, Size, Window};
use seg_label::{AssessmentPlan, Convention, Scores};
use std::fs;

const SIZE: Size = Size { width: 300, height: 200 };
const CORNER: Option<(f64, f64)> = Some((400_000.0, 5_800_000.0));

fn job(prediction: &str, truth: &str, convention: Option<Convention>) -> CompareJob {
    let truth = LabelFile::Raster(truth.to_owned());
    CompareJob { convention, ..CompareJob::new(vec![prediction.to_owned()], vec![truth], 2) }
}

fn by_legend() -> Convention {
    Convention::new(legend())
}

#[test]
fn pixels_are_counted_by_truth_and_prediction() {
    let folder = Folder::new();
    let mut ids = truth(SIZE);
    let truth = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(ids.clone())]);
    ids[0] = 1;
    ids[1] = 255;
    let prediction = folder.raster("classes.tif", SIZE, CORNER, vec![RawValues::UInt8(ids)]);
    let comparison = compare(&job(&prediction, &truth, Some(by_legend())), &Silent).expect("compared");
    let matrix = &comparison.total.matrix;
    assert_eq!((matrix.count(0, 0), matrix.count(0, 1), matrix.unpredicted()[0]), (150 * 200 - 2, 1, 1));
    assert_eq!((matrix.pixels(), matrix.ignored()), (SIZE.area(), 0));
    let reversed =
        compare(&job(&truth, &prediction, Some(by_legend())), &Silent).expect("compared").total.matrix;
    assert_eq!((reversed.pixels(), reversed.ignored()), (SIZE.area() - 1, 1));
}

#[test]
fn without_a_legend_the_prediction_s_own_or_the_ids_are_taken() {
    let folder = Folder::new();
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    let plain = compare(&job(&truth_name, &truth_name, None), &Silent).expect("compared");
    assert_eq!(plain.legend.names().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(Scores::new(&plain.total.matrix).miou, Some(1.0));

    let palette = palette_patch(SIZE, truth(SIZE), &[[10, 200, 10], [0, 0, 255], [90, 90, 90]]);
    let prediction = folder.patch("classes.tif", palette, CORNER);
    let names = "<PAMDataset><PAMRasterBand band=\"1\"><CategoryNames><Category>field</Category>\
                 <Category>water</Category><Category>road</Category></CategoryNames></PAMRasterBand></PAMDataset>";
    fs::write(format!("{prediction}.aux.xml"), names).expect("written");
    let own = compare(&job(&prediction, &truth_name, None), &Silent).expect("compared");
    assert_eq!(own.legend, legend());
    assert_eq!(Scores::new(&own.total.matrix).oa, Some(1.0));
}

#[test]
fn codes_that_are_no_classes_are_an_error_that_lists_them() {
    let folder = Folder::new();
    let good = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    let mut ids = truth(SIZE);
    ids[..5].fill(7);
    let bad = folder.raster("bad.tif", SIZE, CORNER, vec![RawValues::UInt8(ids)]);
    for (prediction, truth) in [(&good, &bad), (&bad, &good)] {
        let error = compare(&job(prediction, truth, Some(by_legend())), &Silent).expect_err("no class");
        assert_eq!(error.to_string(), format!("{bad} has codes that are no classes: 7 (5 pixels)"));
        assert!(error.hint().is_some());
    }
}

#[test]
fn eroded_borders_of_the_truth_count_nowhere_also_across_windows() {
    let folder = Folder::new();
    // Wide and tall enough for several windows; a border follows the line between two of them.
    let size = Size { width: 16_400, height: 520 };
    let ids: Vec<u8> =
        (0..size.height).flat_map(|_| (0..size.width).map(|x| u8::from(x >= 16_384))).collect();
    let truth = folder.raster("truth.tif", size, CORNER, vec![RawValues::UInt8(ids.clone())]);
    let prediction = folder.raster("classes.tif", size, CORNER, vec![RawValues::UInt8(ids)]);
    for (eroded, ignored) in [(0, 0), (1, 2 * 520), (3, 6 * 520)] {
        let plan = AssessmentPlan::eroding(eroded, 3);
        let job = CompareJob { plan, ..job(&prediction, &truth, Some(by_legend())) };
        let matrix = compare(&job, &Silent).expect("compared").total.matrix;
        assert_eq!((matrix.ignored(), matrix.pixels()), (ignored, size.area() - ignored), "{eroded}");
    }
}

#[test]
fn another_grid_is_refused() {
    let folder = Folder::new();
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    let moved =
        folder.raster("m.tif", SIZE, Some((400_000.3, 5_800_002.0)), vec![RawValues::UInt8(truth(SIZE))]);
    let error = compare(&job(&moved, &truth_name, Some(by_legend())), &Silent).expect_err("elsewhere");
    assert!(matches!(error, Error::Grid { .. }) && error.hint().is_some());
}

#[test]
fn folders_are_paired_by_name_and_lists_by_order() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.raster(&format!("pred/{name}_pred.tif"), SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
        folder.raster(&format!("truth/{name}_gt.tif"), SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    }
    let find = |predictions: &[String], truths: &[String]| CompareJob::find(predictions, truths, None);
    let (predictions, truths) = find(&[folder.name("pred")], &[folder.name("truth")]).expect("paired");
    assert_eq!((predictions.len(), truths[1].name()), (2, folder.name("truth/b_gt.tif").as_str()));
    let listed = [folder.name("pred/a_pred.tif"), folder.name("pred/b_pred.tif")];
    let (_, truths) =
        find(&listed, &[folder.name("truth/b_gt.tif"), folder.name("truth/a_gt.tif")]).expect("in order");
    assert_eq!(truths[0].name(), folder.name("truth/b_gt.tif"));
    let error = find(&listed, &[folder.name("truth/b_gt.tif")]).expect_err("one too few");
    assert!(matches!(error, Error::CountMismatch { predictions: 2, truths: 1 }));
}

#[test]
fn different_extents_are_compared_where_they_overlap() {
    let folder = Folder::new();
    let size = Size { width: 120, height: 90 };
    let part = |x0: usize, y0: usize, size: Size| -> Vec<u8> {
        let all = truth(SIZE);
        (0..size.height)
            .flat_map(|y| (0..size.width).map(move |x| (x, y)))
            .map(|(x, y)| all[(y + y0) * SIZE.width + x + x0])
            .collect()
    };
    let whole = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    // 100 pixels right of and 40 below the corner, of half a meter; the same the other way around.
    let corner = Some((400_050.0, 5_799_980.0));
    let cut = folder.raster("part.tif", size, corner, vec![RawValues::UInt8(part(100, 40, size))]);
    for (prediction, truth) in [(&cut, &whole), (&whole, &cut)] {
        let found = compare(&job(prediction, truth, Some(by_legend())), &Silent).expect("compared");
        let scores = Scores::new(&found.total.matrix);
        assert_eq!((found.total.matrix.pixels(), scores.oa), (size.area(), Some(1.0)));
        assert!(found.scenes[0].cut && !found.scenes[0].resampled);
        assert_eq!(found.scenes[0].pixel_area, Some(0.25));
        let mapped: u64 = found.scenes[0].mapped.iter().sum();
        assert_eq!(mapped, if prediction == &whole { SIZE.area() } else { size.area() });
    }
    let elsewhere = Some((500_000.0, 5_800_000.0));
    let far = folder.raster("far.tif", SIZE, elsewhere, vec![RawValues::UInt8(truth(SIZE))]);
    for grids in [Grids::Same, Grids::Nearest] {
        let job = CompareJob { grids, ..job(&whole, &far, Some(by_legend())) };
        let error = compare(&job, &Silent).expect_err("nothing in common");
        let Error::Grid { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.to_string(), format!("{far} and {whole} have no pixel in common"));
    }
}

#[test]
fn another_grid_is_brought_to_the_prediction_s_if_that_is_asked_for() {
    let folder = Folder::new();
    let prediction = folder.raster("classes.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    // A tenth of a pixel away: the nearest is the one that was meant.
    let near = Some((400_000.05, 5_800_000.0));
    let moved = folder.raster("truth.tif", SIZE, near, vec![RawValues::UInt8(truth(SIZE))]);
    let refused = compare(&job(&prediction, &moved, Some(by_legend())), &Silent).expect_err("elsewhere");
    assert!(refused.hint().is_some_and(|hint| hint.contains("--resample nearest")), "{refused}");
    let job = CompareJob { grids: Grids::Nearest, ..job(&prediction, &moved, Some(by_legend())) };
    let found = compare(&job, &Silent).expect("compared");
    assert!(found.scenes[0].resampled);
    assert_eq!(Scores::new(&found.total.matrix).oa, Some(1.0));
    assert!(found.total.matrix.pixels() + 200 >= SIZE.area(), "{}", found.total.matrix.pixels());
}

#[test]
fn another_prediction_is_counted_by_the_same_pixels() {
    let folder = Folder::new();
    let mut ids = truth(SIZE);
    let good = folder.raster("good.tif", SIZE, CORNER, vec![RawValues::UInt8(ids.clone())]);
    ids[..600].fill(1);
    let bad = folder.raster("bad.tif", SIZE, CORNER, vec![RawValues::UInt8(ids)]);
    let job = CompareJob { others: vec![bad.clone()], ..job(&good, &good, Some(by_legend())) };
    let found = compare(&job, &Silent).expect("compared");
    let alone = compare(&CompareJob { others: Vec::new(), predictions: vec![bad], ..job }, &Silent);
    let alone = alone.expect("compared");
    assert_eq!(found.other.as_ref(), Some(&alone.total.matrix));
    assert_eq!(found.scenes[0].other.as_ref(), Some(&alone.scenes[0].cells));
    assert_eq!(Scores::new(&found.total.matrix).oa, Some(1.0));
}

#[test]
fn probabilities_and_tile_lines_are_counted_where_they_are_known() {
    let folder = Folder::new();
    let ids = truth(SIZE);
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(ids.clone())]);
    let mut seen = ids.clone();
    // Wrong along a column where tiles met.
    (0..SIZE.height).for_each(|y| seen[y * SIZE.width + 64] = 2);
    let prediction = folder.raster("classes.tif", SIZE, CORNER, vec![RawValues::UInt8(seen.clone())]);
    let band = |class: u8| seen.iter().map(|&id| if id == class { 0.75 } else { 0.125 }).collect();
    let bands = (0..3).map(|class| RawValues::Float32(band(class))).collect();
    let probabilities = folder.raster("p.tif", SIZE, CORNER, bands);
    let lines = TileLines { columns: vec![64], rows: Vec::new(), near: 2 };
    let known = Known { probabilities: Some(probabilities), tile_lines: Some(lines), image: None };
    let job = CompareJob { known: vec![known], ..job(&prediction, &truth_name, Some(by_legend())) };
    let found = compare(&job, &Silent).expect("compared");
    let calibration = found.calibration.expect("known");
    assert_eq!(calibration.pixels(), SIZE.area());
    let right = Scores::new(&found.total.matrix).oa.expect("counted");
    assert!((calibration.expected_error().expect("counted") - (right - 0.75)).abs() < 1e-9);
    let lines = found.lines.expect("known");
    assert_eq!((lines.near.pixels, lines.near.accuracy()), (4 * 200, Some(0.75)));
    assert_eq!(lines.elsewhere.accuracy(), Some(1.0));
}

#[test]
fn an_error_map_says_where_a_prediction_is_right_wrong_and_missing() {
    let folder = Folder::new();
    let mut ids = truth(SIZE);
    let mut seen = ids.clone();
    ids[0] = 255;
    seen[1] = 2;
    seen[2] = 255;
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(ids)]);
    let prediction = folder.raster("classes.tif", SIZE, CORNER, vec![RawValues::UInt8(seen)]);
    let path = folder.path("errors.tif");
    write_error_map(&job(&prediction, &truth_name, Some(by_legend())), &legend(), &path, &Silent)
        .expect("written");
    let errors = LabelRaster::open(&path.to_string_lossy()).expect("opens");
    assert!(errors.raster_profile().transform.is_some());
    let codes = errors.read_ids(Window::whole(SIZE)).expect("reads");
    assert_eq!((codes.valid[[0, 0]], codes.codes[[0, 1]], codes.codes[[0, 2]]), (false, 1, 2));
    assert_eq!(codes.codes.iter().filter(|&&code| code == 0).count() as u64, SIZE.area() - 3);
    let left =
        fs::read_dir(folder.path(".")).expect("a folder").map(|entry| entry.expect("a file").file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("part")));
}
