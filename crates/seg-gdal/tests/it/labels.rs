use crate::fixture::{CLASSES, Folder, HALF_METER, geotiff, open_all};
use gdal::Dataset;
use gdal::raster::{ColorEntry, ColorTable};
use gdal::spatial_ref::SpatialRef;
use ndarray::{Array2, Array3, arr2};
use seg_gdal::{Error, LabelKind, LabelRaster, Note, RasterProfile, check_same_grid};
use seg_grid::{Size, Window};
use std::path::Path;

const WINDOW: Window = Window { x: 0, y: 0, width: 3, height: 1 };

fn open(path: &Path) -> Result<LabelRaster, Error> {
    LabelRaster::open(&path.to_string_lossy())
}

fn row<T: Clone>(bands: usize, values: &[T]) -> Array3<T> {
    Array3::from_shape_vec((bands, 1, values.len() / bands), values.to_vec()).expect("one row")
}

fn palette(dataset: &mut Dataset) {
    let mut table = ColorTable::default();
    for class in CLASSES {
        let [r, g, b] = class.color.map(i16::from);
        table.set_color_entry(class.id.into(), &ColorEntry::rgba(r, g, b, 255));
    }
    dataset.rasterband(1).expect("a band").set_color_table(&table);
}

#[test]
fn ids_are_read_as_they_are() {
    let folder = Folder::new();
    let path = folder.file("ids.tif");
    geotiff(&path, &row(1, &[0_u16, 700, 9]), &[], |d| {
        d.rasterband(1).unwrap().set_no_data_value(Some(9.0)).unwrap();
    });
    let labels = open(&path).unwrap();
    assert_eq!(labels.kind(), LabelKind::Ids);
    let codes = labels.read_ids(Window { width: 4, ..WINDOW }).unwrap();
    assert_eq!(codes.codes.row(0).to_vec()[..2], [0, 700]);
    assert_eq!(codes.valid, arr2(&[[true, true, false, false]]), "nodata, and one pixel beyond the raster");
    assert!(matches!(labels.read_colors(WINDOW), Err(Error::NotLabels { .. })));
}

#[test]
fn a_palette_has_ids_and_colors() {
    let folder = Folder::new();
    let path = folder.file("palette.tif");
    geotiff(&path, &row(1, &[0_u8, 4, 1]), &[], palette);
    let labels = open(&path).unwrap();
    assert_eq!(labels.kind(), LabelKind::Palette);
    assert_eq!(labels.read_ids(WINDOW).unwrap().codes, arr2(&[[0, 4, 1]]));
    assert_eq!(labels.read_colors(WINDOW).unwrap().codes, arr2(&[[0x00_FFFF, 0xFF_FF00, 0x00_FF00]]));
}

#[test]
fn colors_are_packed() {
    let folder = Folder::new();
    let path = folder.file("colors.tif");
    geotiff(&path, &row(3, &[255_u8, 0, 1, 255, 0, 2, 255, 255, 3]), &[], |_| {});
    let labels = open(&path).unwrap();
    assert_eq!(labels.kind(), LabelKind::Colors);
    assert_eq!(labels.read_colors(WINDOW).unwrap().codes, arr2(&[[0xFF_FFFF, 0x00_00FF, 0x01_0203]]));
    assert!(labels.read_ids(WINDOW).is_err());
}

#[test]
fn what_is_no_code_is_told_where_it_is() {
    let folder = Folder::new();
    let path = folder.file("float.tif");
    geotiff(&path, &row(1, &[1.0_f32, 2.0, 2.5]), &[], |_| {});
    let error = open(&path).unwrap().read_ids(WINDOW).unwrap_err();
    assert!(error.to_string().contains("holds 2.5 at column 2, row 0"), "{error}");
    let path = folder.file("two.tif");
    geotiff(&path, &row(2, &[1_u8, 2, 3, 4]), &["ALPHA=NO"], |_| {});
    assert!(matches!(open(&path), Err(Error::NotLabels { .. })));
}

fn profile(
    folder: &Folder,
    name: &str,
    size: Size,
    transform: Option<[f64; 6]>,
    epsg: Option<u32>,
) -> RasterProfile {
    let path = folder.file(name);
    geotiff(&path, &Array3::<u8>::zeros((1, size.height, size.width)), &[], |dataset| {
        if let Some(transform) = transform {
            dataset.set_geo_transform(&transform).expect("set");
        }
        if let Some(epsg) = epsg {
            dataset.set_spatial_ref(&SpatialRef::from_epsg(epsg).expect("a CRS")).expect("set");
        }
    });
    open_all(&path).raster_profile().clone()
}

#[test]
fn labels_lie_on_the_image_or_are_refused_with_the_way_out() {
    let folder = Folder::new();
    let size = Size { width: 30, height: 20 };
    let image = profile(&folder, "image.tif", size, Some(HALF_METER), Some(25833));
    let same = profile(&folder, "same.tif", size, Some(HALF_METER), Some(25833));
    assert_eq!(check_same_grid(&image, &same).unwrap(), []);

    let elsewhere = profile(&folder, "crs.tif", size, Some(HALF_METER), Some(32633));
    let error = check_same_grid(&image, &elsewhere).unwrap_err();
    assert!(error.to_string().ends_with("image.tif is in EPSG:25833"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("-t_srs EPSG:25833 -te 500000 5399990 500015 5400000 -ts 30 20"), "{hint}");

    let smaller = profile(&folder, "small.tif", Size::square(20), Some(HALF_METER), Some(25833));
    assert!(matches!(check_same_grid(&image, &smaller), Err(Error::SizeMismatch { .. })));

    let mut moved = HALF_METER;
    moved[0] += 1.0;
    let moved = profile(&folder, "moved.tif", size, Some(moved), Some(25833));
    let error = check_same_grid(&image, &moved).unwrap_err();
    assert!(error.to_string().contains("2.000 pixels to the right"), "{error}");
}

#[test]
fn labels_without_a_place_are_laid_over_an_image_of_their_size() {
    let folder = Folder::new();
    let size = Size { width: 30, height: 20 };
    let image = profile(&folder, "image.tif", size, Some(HALF_METER), Some(25833));
    let bare = profile(&folder, "bare.tif", size, None, None);
    assert!(matches!(check_same_grid(&image, &bare).unwrap()[..], [Note::LabelsWithoutPlace { .. }]));
    let no_crs = profile(&folder, "no-crs.tif", size, Some(HALF_METER), None);
    assert!(matches!(check_same_grid(&image, &no_crs).unwrap()[..], [Note::LabelsWithoutCrs { .. }]));
    assert_eq!(check_same_grid(&bare, &bare.clone()).unwrap(), []);
    assert!(matches!(check_same_grid(&bare, &image).unwrap()[..], [Note::ImageWithoutPlace { .. }]));
    let labels: Array2<bool> =
        open(&folder.file("bare.tif")).unwrap().read_ids(Window::whole(size)).unwrap().valid;
    assert!(labels.iter().all(|&v| v));
}
