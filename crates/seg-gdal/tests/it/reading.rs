use crate::fixture::{CLASSES, Folder, HALF_METER, assert_measured_alike, geotiff, open, open_all};
use gdal::Metadata as _;
use gdal::raster::{Buffer, ColorEntry, ColorInterpretation, ColorTable};
use ndarray::{Array3, s};
use proptest::prelude::*;
use seg_gdal::{BandIndex, BandSelection, Error, Note, Probe, RawValues};
use seg_grid::{DataType, RasterSource, Size, Window};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn ramp(bands: usize, height: usize, width: usize) -> Array3<u8> {
    Array3::from_shape_fn((bands, height, width), |(c, y, x)| (1 + (c * 50 + y * 7 + x * 3) % 200) as u8)
}

fn numbers(bands: &[usize]) -> BandSelection {
    BandSelection::Explicit(bands.iter().map(|&n| BandIndex::from_number(n).expect("from 1")).collect())
}

/// The validity of the whole raster, row by row, as 0 and 1.
fn validity(path: &Path, bands: BandSelection) -> Vec<u8> {
    let mut raster = open(path, bands).expect("a raster");
    let whole = Window::whole(raster.profile().size);
    assert_measured_alike(&mut raster, whole);
    let masks = raster.read_validity(whole).expect("masks");
    if let Some(patch) = raster.read(whole).expect("pixels") {
        assert_eq!(patch.valid, masks, "both ways to the mask agree");
    } else {
        assert!(masks.iter().all(|&v| !v));
    }
    masks.iter().map(|&v| u8::from(v)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_window_is_what_a_whole_read_has_there(
        width in 1_usize..70, height in 1_usize..70, x in 0_usize..80, y in 0_usize..80,
        w in 1_usize..50, h in 1_usize..50, tiled in any::<bool>(),
    ) {
        let folder = Folder::new();
        let path = folder.file("a.tif");
        let values = ramp(3, height, width);
        let options: &[&str] = if tiled { &["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32"] } else { &[] };
        geotiff(&path, &values, options, |_| {});
        let mut raster = open_all(&path);
        let window = Window { x, y, width: w, height: h };
        assert_measured_alike(&mut raster, window);
        let raw = raster.read_raw(window).expect("pixels");
        let inside = window.clip(Size { width, height });
        match (raster.read(window).expect("pixels"), inside) {
            (None, None) => {}
            (Some(patch), Some(inside)) => {
                prop_assert_eq!(patch.values.dim(), (3, h, w));
                prop_assert_eq!(patch.valid.iter().filter(|&&v| v).count() as u64, inside.area());
                let (rows, columns) = inside.ranges();
                let (to_rows, to_columns) = inside.relative_to(window).ranges();
                let expected = values.slice(s![.., rows, columns]).mapv(f32::from);
                prop_assert_eq!(patch.values.slice(s![.., to_rows, to_columns]), expected);
                for (plane, (_, raw)) in patch.values.outer_iter().zip(&raw.bands) {
                    let RawValues::UInt8(raw) = raw else { panic!("bytes stay bytes") };
                    prop_assert!(plane.iter().zip(raw).all(|(a, &b)| *a == f32::from(b)));
                }
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn one_pixel_is_a_raster() {
    let folder = Folder::new();
    let path = folder.file("a.tif");
    geotiff(&path, &ramp(3, 1, 1), &[], |_| {});
    let mut raster = open(&path, BandSelection::Auto { needed: 3 }).unwrap();
    raster.probe(Probe::Whole).unwrap();
    assert!(raster.read(Window::whole(Size::square(1))).unwrap().unwrap().valid[[0, 0]]);
    let again = raster.reopen().unwrap();
    assert_eq!(again.profile(), raster.profile());
}

#[test]
fn colors_are_found_wherever_they_are() {
    let folder = Folder::new();
    let path = folder.file("bgr.tif");
    let order = [ColorInterpretation::BlueBand, ColorInterpretation::GreenBand, ColorInterpretation::RedBand];
    geotiff(&path, &ramp(4, 2, 2), &["PHOTOMETRIC=MINISBLACK", "ALPHA=NO"], |dataset| {
        for (position, color) in order.into_iter().enumerate() {
            dataset.rasterband(position + 1).unwrap().set_color_interpretation(color).unwrap();
        }
    });
    let mut raster = open(&path, BandSelection::Auto { needed: 3 }).unwrap();
    let patch = raster.read(Window::whole(Size::square(2))).unwrap().unwrap();
    assert_eq!(patch.values.slice(s![.., 0, 0]).to_vec(), [101.0, 51.0, 1.0]);
    let mut all = open(&path, BandSelection::Auto { needed: 4 }).unwrap();
    assert_eq!(all.profile().bands, 4);
    let mut twice = open(&path, numbers(&[2, 2, 4])).unwrap();
    let patch = twice.read(Window::whole(Size::square(2))).unwrap().unwrap();
    assert_eq!(patch.values.slice(s![.., 0, 0]).to_vec(), [51.0, 51.0, 151.0]);
    assert!(all.read(Window { x: 5, y: 5, width: 2, height: 2 }).unwrap().is_none());
}

#[test]
fn bands_that_cannot_be_told_are_refused_with_a_hint() {
    let folder = Folder::new();
    let path = folder.file("six.tif");
    geotiff(&path, &ramp(6, 2, 2), &["PHOTOMETRIC=MINISBLACK"], |_| {});
    let error = open(&path, BandSelection::Auto { needed: 3 }).unwrap_err();
    assert!(error.to_string().contains("6 bands (1 gray uint8, 2 undefined uint8"), "{error}");
    assert!(error.hint().unwrap().contains("--bands 1,2,3"));
    assert!(matches!(open(&path, numbers(&[7])), Err(Error::NoSuchBand { count: 6, .. })));
    let gray = folder.file("gray.tif");
    geotiff(&gray, &ramp(1, 2, 2), &[], |_| {});
    let error = open(&gray, BandSelection::Auto { needed: 3 }).unwrap_err();
    assert!(error.hint().unwrap().contains("--bands 1,1,1"));
}

#[test]
fn a_palette_is_expanded() {
    let folder = Folder::new();
    let path = folder.file("palette.tif");
    let indices = Array3::from_shape_vec((1, 1, 4), vec![0_u8, 1, 4, 9]).unwrap();
    geotiff(&path, &indices, &[], |dataset| {
        let mut table = ColorTable::default();
        for class in CLASSES {
            let [r, g, b] = class.color.map(i16::from);
            table.set_color_entry(class.id.into(), &ColorEntry::rgba(r, g, b, 255));
        }
        let mut band = dataset.rasterband(1).unwrap();
        band.set_color_table(&table);
        band.set_no_data_value(Some(9.0)).unwrap();
    });
    let mut raster = open(&path, BandSelection::Auto { needed: 3 }).unwrap();
    assert_eq!((raster.profile().bands, raster.profile().dtype), (3, DataType::UInt8));
    let patch = raster.read(Window { x: 0, y: 0, width: 4, height: 1 }).unwrap().unwrap();
    assert_eq!(patch.values.slice(s![.., 0, 2]).to_vec(), [255.0, 255.0, 0.0]);
    assert_eq!(validity(&path, BandSelection::Auto { needed: 3 }), [1, 1, 1, 0]);
    assert!(open(&path, BandSelection::Auto { needed: 1 }).is_err(), "an index is no measurement");
    assert_eq!(open(&path, numbers(&[1])).unwrap().profile().bands, 1);
}

#[test]
fn a_pixel_counts_where_all_bands_read_do() {
    let folder = Folder::new();
    let path = folder.file("nodata.tif");
    let values = Array3::from_shape_vec((2, 1, 4), vec![0_u8, 5, 5, 0, 5, 5, 0, 0]).unwrap();
    geotiff(&path, &values, &[], |d| {
        (1..=2).for_each(|n| d.rasterband(n).unwrap().set_no_data_value(Some(0.0)).unwrap());
    });
    assert_eq!(validity(&path, numbers(&[1, 2])), [0, 1, 0, 0]);
    assert_eq!(validity(&path, numbers(&[1])), [0, 1, 1, 0]);
    let path = folder.file("all.tif");
    geotiff(&path, &values, &[], |d| d.set_metadata_item("NODATA_VALUES", "0 0", "").unwrap());
    assert_eq!(validity(&path, numbers(&[1, 2])), [1, 1, 1, 0], "NODATA_VALUES means all bands at once");
}

#[test]
fn alpha_counts_beside_nodata_unless_it_is_data() {
    let folder = Folder::new();
    let path = folder.file("alpha.tif");
    let values = Array3::from_shape_vec((2, 1, 3), vec![0_u8, 5, 5, 255, 255, 0]).unwrap();
    geotiff(&path, &values, &["ALPHA=YES"], |d| {
        d.rasterband(1).unwrap().set_no_data_value(Some(0.0)).unwrap();
    });
    assert_eq!(validity(&path, BandSelection::All), [0, 1, 0]);
    let raster = open(&path, numbers(&[1, 2])).unwrap();
    assert!(raster.notes().iter().any(|note| matches!(note, Note::AlphaAsData { .. })));
    assert_eq!(validity(&path, numbers(&[2])), [1, 1, 0], "nodata is set for the file, so for alpha too");
}

#[test]
fn a_mask_counts_beside_nodata() {
    let folder = Folder::new();
    for (name, config) in [("inside.tif", "YES"), ("beside.tif", "NO")] {
        let path = folder.file(name);
        let values = Array3::from_shape_vec((1, 1, 3), vec![0_u8, 5, 5]).unwrap();
        gdal::config::set_thread_local_config_option("GDAL_TIFF_INTERNAL_MASK", config).unwrap();
        geotiff(&path, &values, &[], |d| {
            let mut band = d.rasterband(1).unwrap();
            band.set_no_data_value(Some(0.0)).unwrap();
            band.create_mask_band(true).unwrap();
            let mut mask = band.open_mask_band().unwrap();
            mask.write((0, 0), (3, 1), &mut Buffer::new((3, 1), vec![255_u8, 0, 255])).unwrap();
        });
        assert_eq!(validity(&path, BandSelection::All), [0, 0, 1], "{name}");
    }
    assert!(folder.names().contains(&"beside.tif.msk".to_owned()));
}

#[test]
fn what_is_not_finite_does_not_count() {
    let folder = Folder::new();
    let path = folder.file("float.tif");
    let values = vec![1.5_f64, f64::NAN, f64::INFINITY, -9999.0];
    geotiff(&path, &Array3::from_shape_vec((1, 1, 4), values).unwrap(), &[], |d| {
        d.rasterband(1).unwrap().set_no_data_value(Some(-9999.0)).unwrap();
    });
    assert_eq!(validity(&path, BandSelection::All), [1, 0, 0, 0]);
}

#[test]
fn signed_bytes_keep_their_sign() {
    let folder = Folder::new();
    let path = folder.file("signed.tif");
    let values = Array3::from_shape_vec((1, 1, 3), vec![255_u8, 128, 5]).unwrap();
    geotiff(&path, &values, &["PIXELTYPE=SIGNEDBYTE"], |d| {
        d.rasterband(1).unwrap().set_no_data_value(Some(-128.0)).unwrap();
    });
    let mut raster = open_all(&path);
    assert_eq!(raster.profile().dtype, DataType::Int8);
    let window = Window { x: 0, y: 0, width: 3, height: 1 };
    assert_eq!(raster.read(window).unwrap().unwrap().values.into_raw_vec_and_offset().0, [-1.0, -128.0, 5.0]);
    assert_eq!(validity(&path, BandSelection::All), [1, 0, 1]);
    let raw = open_all(&path).read_raw(window).unwrap();
    assert_eq!(raw.bands[0].1, RawValues::Int8(vec![-1, -128, 5]));
}

#[test]
fn whole_numbers_beyond_f32_keep_their_nodata() {
    let folder = Folder::new();
    let path = folder.file("wide.tif");
    let values = Array3::from_shape_vec((1, 1, 2), vec![i32::MIN, i32::MIN + 1]).unwrap();
    geotiff(&path, &values, &[], |d| {
        d.rasterband(1).unwrap().set_no_data_value(Some(f64::from(i32::MIN))).unwrap();
    });
    assert_eq!(validity(&path, BandSelection::All), [0, 1]);
}

#[test]
fn a_decimated_read_picks_pixels() {
    let folder = Folder::new();
    let path = folder.file("a.tif");
    let values = ramp(1, 40, 60);
    geotiff(&path, &values, &[], |_| {});
    let mut raster = open_all(&path);
    let window = Window { x: 0, y: 0, width: 60, height: 40 };
    let patch = raster.read_decimated(window, Size { width: 6, height: 4 }).unwrap();
    assert_eq!(patch.values.dim(), (1, 4, 6));
    assert!(patch.values.iter().all(|v| values.iter().any(|&w| f32::from(w) == *v)));
    assert!(patch.valid.iter().all(|&v| v));
}

#[test]
fn a_fingerprint_follows_content_and_name() {
    let folder = Folder::new();
    let path = folder.file("a.tif");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let fingerprints = |fill: u8, probe: Probe| {
        geotiff(&path, &Array3::from_elem((1, 300, 300), fill), &[], |_| {});
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let mut raster = open_all(&path);
        let before = raster.profile().fingerprint.clone();
        raster.probe(probe).unwrap();
        (before, raster.profile().fingerprint.clone())
    };
    for probe in [Probe::Sample, Probe::Whole] {
        let (a, b) = (fingerprints(1, probe), fingerprints(2, probe));
        assert_eq!(a.0, b.0, "size and time are the same");
        assert_ne!(a.1, b.1, "but not the pixels");
        assert_eq!(a, fingerprints(1, probe));
    }
}

#[test]
fn names_are_gdal_s() {
    let folder = Folder::new();
    let path = folder.file("a.tif");
    geotiff(&path, &ramp(1, 20, 20), &[], |d| d.set_geo_transform(&HALF_METER).unwrap());
    let vrt = format!(
        "<VRTDataset rasterXSize=\"20\" rasterYSize=\"20\"><VRTRasterBand dataType=\"Byte\" band=\"1\"><SimpleSource>\
         <SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>",
        path.display()
    );
    let raster = open(Path::new(&vrt), BandSelection::All).unwrap();
    assert_eq!(raster.raster_profile().files, [path], "a VRT's sources are part of its fingerprint");
    let error = open(Path::new("/vsimem/none.tif"), BandSelection::All).unwrap_err();
    assert_eq!(error.to_string(), "cannot open raster /vsimem/none.tif");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_block_beyond_the_budget_is_refused() {
    let folder = Folder::new();
    let path = folder.file("strip.tif");
    geotiff(&path, &ramp(3, 400, 400), &["BLOCKYSIZE=400", "COMPRESS=DEFLATE"], |_| {});
    let options = seg_gdal::ReadOptions { bands: BandSelection::All, block_budget: 400_000 };
    let error = seg_gdal::GeoRaster::open(&path.to_string_lossy(), &options).unwrap_err();
    assert!(matches!(error, Error::BlockTooLarge { bytes: 480_000, .. }), "{error}");
    assert!(error.hint().unwrap().contains("gdal_translate -co TILED=YES"));
}

#[test]
fn handles_can_go_to_other_threads() {
    fn send<T: Send>() {}
    fn share<T: Sync>() {}
    send::<seg_gdal::GeoRaster>();
    send::<seg_gdal::LabelRaster>();
    send::<seg_gdal::RasterWriter<'_>>();
    send::<seg_gdal::LabelVectors>();
    share::<seg_gdal::LabelVectors>();
    share::<seg_gdal::GridReference>();
    send::<Error>();
}
