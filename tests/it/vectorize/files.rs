//! Names, formats and rasters that need care.

use super::{CLASSES, ground, ogrinfo, painted, placed, size_of, vectorize, vectorized, write};
use crate::program::rs_seg_in;
use seg_gdal::{BandProfile, ChipFormat, ClassEntry, RawPatch, RawValues, write_chip};
use seg_grid::DataType;
use std::fs;

#[test]
fn layers_have_names_that_a_geopackage_can_have() {
    let (folder, _) = ground();
    let legend = |third: &str| {
        let names = ["building", "Road", third, "tree"];
        let class = |(class, name): (&ClassEntry<'_>, &str)| {
            let ClassEntry { id, color: [r, g, b], .. } = class;
            format!("[[class]]\nid = {id}\nname = \"{name}\"\ncolor = \"#{r:02x}{g:02x}{b:02x}\"\n")
        };
        let text: String = CLASSES.iter().zip(names).map(class).collect();
        fs::write(folder.path().join("legend.toml"), text).expect("written");
    };
    for (third, reason) in
        [("road", "tell it from Road"), ("gpkg_x", "for itself"), ("layer_styles", "for itself")]
    {
        legend(third);
        let run = vectorize(folder.path(), "--out p.gpkg --layer-per-class");
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(&format!("layer called {third}: GeoPackage")), "{run:?}");
        assert!(run.stderr.contains(reason) && run.stderr.contains("call it another name"), "{run:?}");
        vectorized(folder.path(), "--out p.fgb --overwrite");
    }
    legend("l'eau");
    vectorized(folder.path(), "--out p.gpkg --layer-per-class --lco geometry_name=shape");
    let styles = ogrinfo(folder.path(), &["p.gpkg", "layer_styles", "-al"]);
    assert!(styles.contains("f_table_name (String) = l'eau"), "{styles}");
    assert!(styles.contains("f_geometry_column (String) = shape"), "{styles}");
    let layer = ogrinfo(folder.path(), &["-so", "p.gpkg", "l'eau"]);
    assert!(layer.contains("Geometry Column = shape"), "{layer}");
}

#[test]
fn small_pixels_are_not_rounded_away() {
    let (folder, classes) = ground();
    let tiny = placed(size_of(&classes), Some("EPSG:32633"), [4e5, 0.002, 0.0, 5.6e6, 0.0, -0.002]);
    write(&folder.path().join("classes.tif"), &classes, &tiny);
    for out in ["p.geojson", "p.geojsonl"] {
        vectorized(folder.path(), &format!("--out {out}"));
        assert_eq!(painted(folder.path(), out, "classes.tif"), classes, "{out}");
    }
}

#[test]
fn a_shapefile_can_have_a_name_in_capitals() {
    let (folder, classes) = ground();
    vectorized(folder.path(), "--out P.SHP");
    assert_eq!(painted(folder.path(), "P.SHP", "classes.tif"), classes);
}

#[test]
fn a_shapefile_does_not_keep_the_crs_of_another() {
    let (folder, classes) = ground();
    vectorized(folder.path(), "--out p.shp");
    assert!(folder.path().join("p.prj").exists());
    vectorized(folder.path(), "--out p.shp --overwrite");
    assert!(folder.path().join("p.prj").exists());
    let nowhere = placed(size_of(&classes), None, [4e5, 0.5, 0.0, 5.6e6, 0.0, -0.5]);
    write(&folder.path().join("classes.tif"), &classes, &nowhere);
    vectorized(folder.path(), "--out p.shp --overwrite");
    assert!(!folder.path().join("p.prj").exists());
}

#[test]
fn percentages_are_no_probabilities() {
    let (folder, classes) = ground();
    let sure = |value: f32| {
        let (band, _) = RawPatch::of_classes(classes.clone(), &CLASSES).bands.swap_remove(0);
        let dtype = Some(DataType::Float32);
        let interpretation = seg_gdal::Interpretation::Gray;
        let band = BandProfile { dtype, nodata: None, palette: None, interpretation, ..band };
        let values = vec![value; classes.len()];
        let patch = RawPatch { size: size_of(&classes), bands: vec![(band, RawValues::Float32(values))] };
        let utm = placed(size_of(&classes), Some("EPSG:32633"), [4e5, 0.5, 0.0, 5.6e6, 0.0, -0.5]);
        write_chip(&folder.path().join("sure.tif"), patch, &utm, ChipFormat::GTiff, &[]).expect("written");
    };
    sure(0.7531);
    vectorized(folder.path(), "--out p.fgb --confidence sure.tif");
    // Not rounded to what a byte can hold.
    for field in ["confidence_mean", "confidence_p10"] {
        let query = format!("SELECT MIN({field}), MAX({field}) FROM p");
        let told = ogrinfo(folder.path(), &["-q", "p.fgb", "-sql", &query]);
        let values: Vec<f64> =
            told.lines().filter_map(|line| line.split("= ").nth(1)?.parse().ok()).collect();
        assert!(values.len() == 2 && values.iter().all(|value| (value - 0.7531).abs() < 1e-6), "{told}");
    }
    sure(75.0);
    let run = vectorize(folder.path(), "--out q.fgb --confidence sure.tif");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("sure.tif is no raster of confidence: it has the value 75"), "{run:?}");
    assert!(run.stderr.contains("floats of 0 to 1") && !folder.path().join("q.fgb").exists(), "{run:?}");
}

#[test]
fn a_raster_in_a_geopackage_is_not_replaced_by_its_polygons() {
    let (folder, classes) = ground();
    fs::rename(folder.path().join("classes.tif"), folder.path().join("classes.gpkg")).expect("renamed");
    let before = fs::read(folder.path().join("classes.gpkg")).expect("there");
    // Any name with the file's in it will do; GDAL knows a TIFF by what is in it.
    for name in ["classes.gpkg", "GTIFF_DIR:1:classes.gpkg"] {
        let run = rs_seg_in(folder.path(), &["vectorize", name, "--out", "classes.gpkg", "--overwrite"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("would replace what they are made of"), "{run:?}");
    }
    assert_eq!(fs::read(folder.path().join("classes.gpkg")).expect("there"), before);
    let flat = placed(size_of(&classes), Some("EPSG:32633"), [4e5, 0.5, 0.0, 5.6e6, 0.0, 0.0]);
    write(&folder.path().join("flat.tif"), &classes, &flat);
    let run = rs_seg_in(folder.path(), &["vectorize", "flat.tif", "--out", "p.gpkg"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("pixels of flat.tif have no area"), "{run:?}");
}

#[test]
fn what_lies_behind_a_vrt_is_not_replaced() {
    let (folder, classes) = ground();
    let path = folder.path();
    fs::rename(path.join("classes.tif"), path.join("classes.gpkg")).expect("renamed");
    let size = size_of(&classes);
    let bands = |source: &str| {
        format!(
            "<VRTDataset rasterXSize=\"{0}\" rasterYSize=\"{1}\"><GeoTransform>4e5,0.5,0,5.6e6,0,-0.5</GeoTransform>\
             <VRTRasterBand dataType=\"Byte\" band=\"1\"><SimpleSource><SourceFilename relativeToVRT=\"1\">{source}\
             </SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>",
            size.width, size.height
        )
    };
    fs::write(path.join("inner.vrt"), bands("classes.gpkg")).expect("written");
    fs::write(path.join("outer.vrt"), bands("inner.vrt")).expect("written");
    let before = fs::read(path.join("classes.gpkg")).expect("there");
    for (arguments, told) in [
        ("vectorize outer.vrt --out classes.gpkg", "would replace what they are made of, outer.vrt"),
        (
            "eval --pred inner.vrt --truth outer.vrt --review classes.gpkg",
            "review would replace the truth, classes.gpkg",
        ),
        (
            "infer outer.vrt --out new.tif --vector classes.gpkg",
            "vector would replace the input, classes.gpkg",
        ),
        ("infer outer.vrt --out classes.gpkg", "would replace the input, classes.gpkg"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--overwrite"]).collect();
        let run = rs_seg_in(path, &arguments);
        assert_eq!(run.code, Some(1), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(told), "{arguments:?}: {}", run.stderr);
    }
    // Chips replace those of an earlier run, and what they were cut of with them.
    let tile = |inputs: &str| {
        let arguments = format!("tile {inputs} --size 32 --split train=1 --out chips --overwrite");
        rs_seg_in(path, &arguments.split(' ').collect::<Vec<_>>())
    };
    let run = tile("outer.vrt");
    assert_eq!(run.code, Some(0), "{run:?}");
    let chip =
        fs::read_dir(path.join("chips/images")).expect("chips").next().expect("one").expect("one").path();
    fs::copy(path.join("classes.gpkg"), &chip).expect("copied");
    fs::write(path.join("chip.vrt"), bands(&chip.strip_prefix(path).expect("inside").to_string_lossy()))
        .expect("written");
    let run = tile("chip.vrt");
    assert!(run.code == Some(1) && run.stderr.contains("chip.vrt is read and lies in chips"), "{run:?}");
    assert_eq!(fs::read(path.join("classes.gpkg")).expect("there"), before);
    assert_eq!(fs::read(chip).expect("there"), before);
}

#[test]
fn what_nobody_has_is_told_by_its_name() {
    let (folder, _) = ground();
    let path = folder.path();
    let run = vectorize(path, "--out p.fgb --lco NONE=1 --lco spatial_index=NO");
    assert_eq!(run.code, Some(0), "{run:?}");
    let told = "p.fgb: FlatGeobuf has no layer creation option NONE, it is left out";
    assert!(run.stderr.contains(told) && !run.stderr.contains(".part"), "{}", run.stderr);
    // Without a legend classes are ids, of which there are 255.
    fs::copy(path.join("classes.tif"), path.join("bare.tif")).expect("copied");
    for file in ["bare.tif.aux.xml", "classes.tif.aux.xml"] {
        let _ = fs::remove_file(path.join(file));
    }
    for (only, error) in [("", "a class without a name was asked for"), ("pond", "there is no class pond")] {
        let run = rs_seg_in(path, &["vectorize", "classes.tif", "--out", "q.fgb", "--classes", only]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(error), "{}", run.stderr);
        assert!(run.stderr.lines().all(|line| line.len() < 200), "{}", run.stderr);
    }
}

#[test]
fn progress_of_a_shapefile_runs_to_its_end_once() {
    let (folder, _) = ground();
    let arguments =
        ["vectorize", "classes.tif", "--out", "p.shp", "--max-memory", "400MiB", "--progress", "json"];
    let run = rs_seg_in(folder.path(), &arguments);
    assert_eq!(run.code, Some(0), "{run:?}");
    let events: Vec<serde_json::Value> =
        run.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let progress: Vec<(String, f64)> = events
        .iter()
        .filter_map(|event| Some((event["stage"].as_str()?.to_owned(), event["percent"].as_f64()?)))
        .collect();
    assert!(progress.is_sorted_by(|a, b| a.1 <= b.1), "{progress:?}");
    let last = |wanted: &str| {
        let percents = progress.iter().filter(|(stage, _)| stage == wanted).map(|(_, percent)| *percent);
        percents.fold(0.0, f64::max)
    };
    let measured = last("measure");
    assert!(measured > 30.0 && measured < 60.0, "{progress:?}");
    assert!(last("trace") > 99.0, "{progress:?}");
}

#[test]
fn web_maps_are_measured_on_the_ground() {
    let (folder, classes) = ground();
    let valid = classes.iter().filter(|class| **class != 255).count() as f64;
    let area = |crs: &str, x: f64, y: f64, more: &str| {
        let placed = placed(size_of(&classes), Some(crs), [x, 0.5, 0.0, y, 0.0, -0.5]);
        write(&folder.path().join("classes.tif"), &classes, &placed);
        let run = vectorize(folder.path(), &format!("--out p.fgb --overwrite {more}"));
        assert_eq!(run.code, Some(0), "{run:?}");
        let told = run.json();
        let all = told["classes"].as_array().expect("classes");
        let sum: f64 = all.iter().filter_map(|class| class["area_m2"].as_f64()).sum();
        (sum / (valid * 0.25), run)
    };
    // At 50 degrees north, where a meter of the map is 0.6441 by 0.6422 meters of the ground.
    let (web, run) = area("EPSG:3857", 890_555.9, 6_446_275.8, "--min-area 4m2");
    assert!((web - 0.413_6).abs() < 0.000_1, "{web}");
    assert!(!run.stderr.contains("times as large"), "{}", run.stderr);
    let smallest = ogrinfo(folder.path(), &["-q", "p.fgb", "-sql", "SELECT MIN(pixels) FROM p"]);
    let smallest: u64 =
        smallest.rsplit("= ").next().and_then(|text| text.trim().parse().ok()).expect("a number");
    // 4 m2 are 38.7 pixels.
    assert!(smallest >= 39, "{smallest}");
    let (world, _) = area("EPSG:3395", 890_555.9, 6_413_524.6, "");
    // The ellipsoid's own formula stretches both ways alike.
    assert!((world - 0.414_8).abs() < 0.000_2, "{world}");
    // Far from its own meridian a UTM zone stretches, which is told.
    let (far, run) = area("EPSG:32633", 2_000_000.0, 5_600_000.0, "");
    assert!((far - 1.0).abs() < 1e-9, "{far}");
    assert!(run.stderr.contains("in the plane of EPSG:32633, where areas are 1.0"), "{}", run.stderr);
    let (near, run) = area("EPSG:32633", 400_000.0, 5_600_000.0, "");
    assert!((near - 1.0).abs() < 1e-9 && !run.stderr.contains("times as large"), "{}", run.stderr);
}
