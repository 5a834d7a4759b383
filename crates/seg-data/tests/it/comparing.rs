//! Class rasters against their truth.

use crate::fixture::{Folder, legend, palette_patch, truth};
use seg_data::{CompareJob, Comparison, Error, LabelFile, compare};
use seg_gdal::RawValues;
use seg_grid::{Silent, Size};
use seg_label::{Convention, Scores};
use std::fs;

const SIZE: Size = Size { width: 300, height: 200 };
const CORNER: Option<(f64, f64)> = Some((400_000.0, 5_800_000.0));

fn job(prediction: &str, truth: &str, convention: Option<Convention>) -> CompareJob {
    CompareJob {
        predictions: vec![prediction.to_owned()],
        truths: vec![LabelFile::Raster(truth.to_owned())],
        convention,
        eroded: 0,
        threads: 2,
    }
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
    let Comparison { matrix, .. } =
        compare(&job(&prediction, &truth, Some(by_legend())), &Silent).expect("compared");
    assert_eq!((matrix.count(0, 0), matrix.count(0, 1), matrix.unpredicted()[0]), (150 * 200 - 2, 1, 1));
    assert_eq!((matrix.pixels(), matrix.ignored()), (SIZE.area(), 0));
    let reversed = compare(&job(&truth, &prediction, Some(by_legend())), &Silent).expect("compared").matrix;
    assert_eq!((reversed.pixels(), reversed.ignored()), (SIZE.area() - 1, 1));
}

#[test]
fn without_a_legend_the_prediction_s_own_or_the_ids_are_taken() {
    let folder = Folder::new();
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    let plain = compare(&job(&truth_name, &truth_name, None), &Silent).expect("compared");
    assert_eq!(plain.legend.names().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(Scores::new(&plain.matrix).miou, Some(1.0));

    let palette = palette_patch(SIZE, truth(SIZE), &[[10, 200, 10], [0, 0, 255], [90, 90, 90]]);
    let prediction = folder.patch("classes.tif", palette, CORNER);
    let names = "<PAMDataset><PAMRasterBand band=\"1\"><CategoryNames><Category>field</Category>\
                 <Category>water</Category><Category>road</Category></CategoryNames></PAMRasterBand></PAMDataset>";
    fs::write(format!("{prediction}.aux.xml"), names).expect("written");
    let own = compare(&job(&prediction, &truth_name, None), &Silent).expect("compared");
    assert_eq!(own.legend, legend());
    assert_eq!(Scores::new(&own.matrix).oa, Some(1.0));
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
        let job = CompareJob { eroded, ..job(&prediction, &truth, Some(by_legend())) };
        let matrix = compare(&job, &Silent).expect("compared").matrix;
        assert_eq!((matrix.ignored(), matrix.pixels()), (ignored, size.area() - ignored), "{eroded}");
    }
}

#[test]
fn another_grid_is_refused() {
    let folder = Folder::new();
    let truth_name = folder.raster("truth.tif", SIZE, CORNER, vec![RawValues::UInt8(truth(SIZE))]);
    let moved =
        folder.raster("m.tif", SIZE, Some((400_000.0, 5_800_002.0)), vec![RawValues::UInt8(truth(SIZE))]);
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
