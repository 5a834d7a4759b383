use crate::fixture::{CLASSES, Folder, HALF_METER, geotiff, open_all};
use crate::outputs::info;
use gdal::spatial_ref::SpatialRef;
use ndarray::{Array2, Array3};
use seg_gdal::{
    ChipFormat, Error, GeoRaster, GridReference, Interpretation, LabelKind, LabelRaster, RawPatch, write_chip,
};
use seg_grid::{RasterSource, Window};

const WINDOW: Window = Window { x: 8, y: 4, width: 16, height: 12 };

fn source(folder: &Folder, bands: usize) -> GeoRaster {
    let path = folder.file("source.tif");
    let values = Array3::from_shape_fn((bands, 30, 40), |(c, y, x)| (c * 1000 + y * 40 + x) as u16);
    geotiff(&path, &values, &["ALPHA=NO", "PHOTOMETRIC=RGB"], |dataset| {
        dataset.set_geo_transform(&HALF_METER).expect("set");
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("a CRS")).expect("set");
    });
    open_all(&path)
}

#[test]
fn a_geotiff_chip_is_a_piece_of_its_source() {
    let folder = Folder::new();
    let source = source(&folder, 4);
    let reference = GridReference::from(source.raster_profile()).for_window(WINDOW);
    let patch = source.read_raw(WINDOW).unwrap();
    let path = folder.file("chip.tif");
    write_chip(&path, patch.clone(), &reference, ChipFormat::GTiff, &[]).unwrap();
    let chip = open_all(&path);
    assert_eq!(GridReference::from(chip.raster_profile()), reference);
    let back = chip.read_raw(Window::whole(WINDOW.size())).unwrap();
    assert_eq!(back.bands.len(), 4, "near infrared is not alpha");
    assert!(back.bands.iter().zip(&patch.bands).all(|(a, b)| a.1 == b.1));
    assert_eq!(back.bands[0].0.interpretation, Interpretation::Red);
    assert_eq!(folder.names(), ["chip.tif", "source.tif"]);
}

#[test]
fn a_chip_beyond_the_edge_is_filled() {
    let folder = Folder::new();
    let source = source(&folder, 3);
    let window = Window { x: 32, y: 24, width: 16, height: 12 };
    let reference = GridReference::from(source.raster_profile()).for_window(window);
    let path = folder.file("chip.tif");
    write_chip(&path, source.read_raw(window).unwrap(), &reference, ChipFormat::GTiff, &[]).unwrap();
    let patch = open_all(&path).read(Window::whole(window.size())).unwrap().unwrap();
    assert_eq!(
        (patch.values[[0, 0, 7]], patch.values[[0, 0, 8]], patch.values[[0, 6, 0]]),
        (999.0, 0.0, 0.0)
    );
}

#[test]
fn a_png_chip_keeps_its_place_beside_it() {
    let folder = Folder::new();
    let source = source(&folder, 3);
    let reference = GridReference::from(source.raster_profile()).for_window(WINDOW);
    let path = folder.file("chip.png");
    write_chip(&path, source.read_raw(WINDOW).unwrap(), &reference, ChipFormat::Png, &[]).unwrap();
    assert_eq!(folder.names(), ["chip.pgw", "chip.png", "chip.png.aux.xml", "source.tif"]);
    let back = GridReference::from(open_all(&path).raster_profile());
    assert_eq!(back.transform, reference.transform);
    assert_eq!(back.crs.unwrap().to_string(), "EPSG:32633");
    std::fs::remove_file(folder.file("chip.png.aux.xml")).unwrap();
    let bare = GridReference::from(open_all(&path).raster_profile());
    assert_eq!((bare.transform, bare.crs), (reference.transform, None), "the world file alone places it");
}

#[test]
fn png_takes_bytes_and_words_only() {
    let folder = Folder::new();
    let path = folder.file("float.tif");
    geotiff(&path, &Array3::<f32>::zeros((1, 20, 20)), &[], |_| {});
    let source = open_all(&path);
    let reference = GridReference::from(source.raster_profile()).for_window(WINDOW);
    let chip = folder.file("chip.png");
    let error =
        write_chip(&chip, source.read_raw(WINDOW).unwrap(), &reference, ChipFormat::Png, &[]).unwrap_err();
    assert!(matches!(error, Error::NotForPng { .. }), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(folder.names(), ["float.tif"]);
}

#[test]
fn label_chips_carry_their_colors() {
    let folder = Folder::new();
    let reference = GridReference::unplaced(WINDOW.size());
    let ids = Array2::from_shape_fn((12, 16), |(y, x)| [0, 1, 4, 255][(x + y) % 4]);
    for (name, format) in [("a.tif", ChipFormat::GTiff), ("a.png", ChipFormat::Png)] {
        let path = folder.file(name);
        write_chip(&path, RawPatch::of_classes(ids.clone(), &CLASSES), &reference, format, &[]).unwrap();
        let labels = LabelRaster::open(&path.to_string_lossy()).unwrap();
        assert_eq!(labels.kind(), LabelKind::Palette, "{name}");
        let read = labels.read_ids(Window::whole(WINDOW.size())).unwrap();
        assert_eq!(read.codes, ids.mapv(u32::from), "{name}");
        assert_eq!(read.valid, ids.mapv(|id| id != 255), "{name}");
        assert_eq!(info(&path)["bands"][0]["colorTable"]["entries"][4][0], 255);
    }
}
