use crate::fixture::{CLASSES, Folder, HALF_METER, geotiff, open_all};
use gdal::spatial_ref::SpatialRef;
use ndarray::{Array2, Array3, s};
use proptest::prelude::*;
use seg_gdal::{AreaOfInterest, Error, GridReference, LabelSource, LabelVectors, Note, RasterProfile};
use seg_grid::Window;
use std::path::PathBuf;

const KIND: LabelSource<'_> = LabelSource { layer: None, attribute: Some("kind") };

/// A raster of 40 x 30 half-meter pixels.
fn image(folder: &Folder) -> RasterProfile {
    let path = folder.file("image.tif");
    geotiff(&path, &Array3::<u8>::zeros((1, 30, 40)), &[], |dataset| {
        dataset.set_geo_transform(&HALF_METER).expect("set");
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("a CRS")).expect("set");
    });
    open_all(&path).raster_profile().clone()
}

/// A file of rectangles given in pixels of the image: left, top, right, bottom, and the properties.
fn rectangles(folder: &Folder, rectangles: &[([f64; 4], &str)], crs: &str) -> PathBuf {
    let features: Vec<String> = rectangles
        .iter()
        .map(|([left, top, right, bottom], properties)| {
            let point = |c: &f64, r: &f64| format!("[{},{}]", 500_000.0 + c * 0.5, 5_400_000.0 - r * 0.5);
            let ring = [point(left, top), point(right, top), point(right, bottom), point(left, bottom), point(left, top)];
            format!(
                r#"{{"type":"Feature","properties":{{{properties}}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#,
                ring.join(",")
            )
        })
        .collect();
    let path = folder.file("labels.geojson");
    let text = format!(r#"{{"type":"FeatureCollection",{crs}"features":[{}]}}"#, features.join(","));
    std::fs::write(&path, text).expect("written");
    path
}

const UTM: &str = r#""crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32633"}},"#;

fn open(
    path: &std::path::Path,
    source: LabelSource<'_>,
    image: &RasterProfile,
) -> Result<LabelVectors, Error> {
    LabelVectors::open(&path.to_string_lossy(), source, image, &CLASSES)
}

#[test]
fn later_polygons_win_and_centers_count() {
    let folder = Folder::new();
    let image = image(&folder);
    let shapes = [
        ([2.0, 2.0, 10.0, 10.0], r#""kind":"tree""#),
        ([6.0, 6.0, 12.4, 12.6], r#""kind":4"#),
        ([20.0, 20.0, 21.0, 21.0], r#""kind":null"#),
    ];
    let labels = open(&rectangles(&folder, &shapes, UTM), KIND, &image).unwrap();
    assert!(matches!(labels.notes(), [Note::FeaturesSkipped { count: 1, .. }]), "{:?}", labels.notes());
    let ids = labels.burn(Window { x: 0, y: 0, width: 40, height: 30 }).unwrap();
    let mut expected = Array2::from_elem((30, 40), 255);
    expected.slice_mut(s![2..10, 2..10]).fill(1);
    expected.slice_mut(s![6..13, 6..12]).fill(4);
    assert_eq!(ids, expected);
}

#[test]
fn unknown_classes_are_listed_with_counts() {
    let folder = Folder::new();
    let image = image(&folder);
    let shape = |text| ([0.0, 0.0, 3.0, 3.0], text);
    let shapes = [shape(r#""kind":"shrub""#), shape(r#""kind":"tree""#), shape(r#""kind":"shrub""#)];
    let path = rectangles(&folder, &shapes, UTM);
    let error = open(&path, KIND, &image).unwrap_err();
    assert!(error.to_string().ends_with(r#"has values that no class has: "shrub" (2)"#), "{error}");
    assert!(error.hint().unwrap().contains("1 (tree)"));
    let error = open(&path, LabelSource::default(), &image).unwrap_err();
    assert!(matches!(&error, Error::NoAttribute { attribute, .. } if attribute == "class_id"), "{error}");
    assert!(error.hint().unwrap().contains("kind"));
}

#[test]
fn polygons_in_another_crs_are_brought_over_and_told() {
    let folder = Folder::new();
    let image = image(&folder);
    let path = folder.file("degrees.geojson");
    // About the north-west quarter of the image, in degrees as GeoJSON wants.
    let (utm, degrees) =
        (seg_gdal::Crs::parse("EPSG:32633").unwrap(), seg_gdal::Crs::parse("EPSG:4326").unwrap());
    let quarter =
        seg_gdal::Bounds { x_min: 500_000.0, y_min: 5_399_992.5, x_max: 500_010.0, y_max: 5_400_000.0 };
    let b = utm.transform_bounds(quarter, &degrees).unwrap();
    let (w, s, e, n) = (b.x_min, b.y_min, b.x_max, b.y_max);
    std::fs::write(
        &path,
        format!(
            r#"{{"type":"Feature","properties":{{"kind":"car"}},"geometry":{{"type":"Polygon","coordinates":[[[{w},{s}],[{e},{s}],[{e},{n}],[{w},{n}],[{w},{s}]]]}}}}"#
        ),
    )
    .unwrap();
    let labels = open(&path, KIND, &image).unwrap();
    assert!(matches!(labels.notes(), [Note::VectorsReprojected { .. }]), "{:?}", labels.notes());
    let ids = labels.burn(Window { x: 0, y: 0, width: 40, height: 30 }).unwrap();
    assert_eq!((ids[[7, 10]], ids[[20, 10]], ids[[7, 30]]), (4, 255, 255));
}

#[test]
fn what_is_no_polygon_is_refused() {
    let folder = Folder::new();
    let image = image(&folder);
    let path = folder.file("points.geojson");
    let text =
        r#"{"type":"Feature","properties":{"kind":"car"},"geometry":{"type":"Point","coordinates":[15,48]}}"#;
    std::fs::write(&path, text).unwrap();
    let error = open(&path, KIND, &image).unwrap_err();
    assert!(error.to_string().contains("not polygons, such as a point"), "{error}");
    let error = LabelVectors::open("/vsimem/none.gpkg", KIND, &image, &CLASSES).unwrap_err();
    assert_eq!(error.to_string(), "cannot open vectors /vsimem/none.gpkg");
}

#[test]
fn an_area_of_interest_is_in_or_out() {
    let folder = Folder::new();
    let image = image(&folder);
    let path = rectangles(&folder, &[([1.0, 1.0, 4.0, 3.0], "")], UTM);
    let area = AreaOfInterest::open(&path.to_string_lossy(), None, "image.tif", &GridReference::from(&image))
        .unwrap();
    let inside = area.contains(Window { x: 2, y: 0, width: 5, height: 5 }).unwrap();
    assert_eq!(inside.iter().filter(|&&v| v).count(), 4);
    assert!(inside[[1, 0]] && !inside[[0, 0]]);
    assert_eq!(area.bounds().unwrap().x_max, 500_002.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_burned_window_is_what_the_whole_has_there(
        shapes in proptest::collection::vec((0.0..40.0_f64, 0.0..30.0_f64, 0.3..20.0_f64, 0.3..20.0_f64), 1..8),
        x in 0_usize..30, y in 0_usize..20, w in 1_usize..10, h in 1_usize..10,
    ) {
        let folder = Folder::new();
        let image = image(&folder);
        let kinds = [r#""kind":"tree""#, r#""kind":0"#, r#""kind":4"#];
        let shapes: Vec<_> = shapes
            .into_iter()
            .zip(kinds.into_iter().cycle())
            .map(|((c, r, width, height), kind)| ([c, r, c + width, r + height], kind))
            .collect();
        let labels = open(&rectangles(&folder, &shapes, UTM), KIND, &image).expect("labels");
        let whole = labels.burn(Window { x: 0, y: 0, width: 40, height: 30 }).expect("burned");
        let part = labels.burn(Window { x, y, width: w, height: h }).expect("burned");
        prop_assert_eq!(whole.slice(s![y..y + h, x..x + w]), part);
    }
}
