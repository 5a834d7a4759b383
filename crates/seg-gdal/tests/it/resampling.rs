//! Rasters on another grid: what GDAL's warper makes, and which pixels of it count.

use crate::fixture::{Folder, HALF_METER, geotiff};
use gdal::spatial_ref::SpatialRef;
use ndarray::{Array3, s};
use seg_gdal::{Crs, GeoRaster, GridReference, Mosaic, ReadOptions, Resampling};
use seg_grid::{Gsd, Patch, RasterSource, Size, Window};

const SIZE: Size = Size { width: 60, height: 40 };

fn value(band: usize, y: usize, x: usize) -> u8 {
    (20 + (x * 7 + y * 5 + band * 31) % 200) as u8
}

/// Three bands; those in `nodata` have 0 for it, and are 0 where `hole` says.
fn raster(folder: &Folder, nodata: &[usize], hole: fn(usize, usize, usize) -> bool) -> GeoRaster {
    let path = folder.file("image.tif");
    let values = Array3::from_shape_fn((3, SIZE.height, SIZE.width), |(band, y, x)| {
        if hole(band, y, x) { 0 } else { value(band, y, x) }
    });
    geotiff(&path, &values, &[], |dataset| {
        dataset.set_geo_transform(&HALF_METER).expect("set");
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("a CRS")).expect("set");
        for band in nodata {
            dataset.rasterband(band + 1).expect("a band").set_no_data_value(Some(0.0)).expect("set");
        }
    });
    GeoRaster::open(&path.to_string_lossy(), &ReadOptions::default()).expect("opens")
}

fn whole(raster: &mut dyn RasterSource) -> Patch {
    let size = raster.profile().size;
    raster.read(Window::whole(size)).expect("reads").expect("has pixels")
}

#[test]
fn four_pixels_average_to_one_and_a_hole_in_any_band_counts_in_none() {
    let folder = Folder::new();
    // A hole in one band, one in all, and a whole block of four.
    let hole = |band: usize, y: usize, x: usize| {
        (band == 1 && (x, y) == (4, 6)) || (x, y) == (11, 9) || (x / 2, y / 2) == (20, 10)
    };
    let native = raster(&folder, &[0, 1, 2], hole);
    let grid = GridReference::from(native.raster_profile()).with_pixels(Gsd { x: 1.0, y: 1.0 }).unwrap();
    let mut coarse = native.resampled(&grid, Resampling::Average).unwrap();
    assert_eq!(coarse.profile().size, Size { width: 30, height: 20 });
    assert_eq!(coarse.profile().bands, 3);
    assert!(coarse.profile().name.ends_with("image.tif"));
    let patch = whole(&mut coarse);
    for y in 0..20 {
        for x in 0..30 {
            let counted: Vec<(usize, usize)> = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .map(|(dx, dy)| (2 * x + dx, 2 * y + dy))
                .into_iter()
                .filter(|&(x, y)| !(0..3).any(|band| hole(band, y, x)))
                .collect();
            assert_eq!(patch.valid[[y, x]], !counted.is_empty(), "column {x}, row {y}");
            for band in 0..3 {
                if !counted.is_empty() {
                    let sum: u32 = counted.iter().map(|&(x, y)| u32::from(value(band, y, x))).sum();
                    let mean = sum as f32 / counted.len() as f32;
                    let found = patch.values[[band, y, x]];
                    assert!(
                        (found - mean).abs() <= 0.51,
                        "band {band}, column {x}, row {y}: {found}, not {mean}"
                    );
                }
            }
        }
    }
}

#[test]
fn smaller_pixels_lie_between_the_centers_of_larger_ones() {
    let folder = Folder::new();
    let native = raster(&folder, &[], |_, _, _| false);
    let grid = GridReference::from(native.raster_profile()).with_pixels(Gsd { x: 0.25, y: 0.25 }).unwrap();
    let mut fine = native.resampled(&grid, Resampling::Bilinear).unwrap();
    let patch = whole(&mut fine);
    assert!(patch.valid.iter().all(|&valid| valid));
    let at = |x: usize, y: usize| f32::from(value(0, y, x));
    for (y, x) in [(20, 20), (33, 47), (2, 1)] {
        let (column, row) = ((x as f32 + 0.5) * 0.5 - 0.5, (y as f32 + 0.5) * 0.5 - 0.5);
        let (left, top) = (column.floor(), row.floor());
        let (right, down) = (column - left, row - top);
        let (left, top) = (left as usize, top as usize);
        let upper = at(left, top) * (1.0 - right) + at(left + 1, top) * right;
        let lower = at(left, top + 1) * (1.0 - right) + at(left + 1, top + 1) * right;
        let expected = upper * (1.0 - down) + lower * down;
        let found = patch.values[[0, y, x]];
        assert!((found - expected).abs() <= 0.51, "column {x}, row {y}: {found}, not {expected}");
    }
}

#[test]
fn alpha_and_handles_of_their_own() {
    let folder = Folder::new();
    let path = folder.file("alpha.tif");
    let values = Array3::from_shape_fn((4, SIZE.height, SIZE.width), |(band, y, x)| match band {
        3 if x < 30 => 0,
        3 => 255,
        _ => value(band, y, x),
    });
    geotiff(&path, &values, &["PHOTOMETRIC=RGB", "ALPHA=YES"], |dataset| {
        dataset.set_geo_transform(&HALF_METER).expect("set");
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("a CRS")).expect("set");
    });
    let native = GeoRaster::open(&path.to_string_lossy(), &ReadOptions::default()).unwrap();
    let grid = GridReference::from(native.raster_profile()).with_pixels(Gsd { x: 1.0, y: 1.0 }).unwrap();
    let mut coarse = native.resampled(&grid, Resampling::Average).unwrap();
    let patch = whole(&mut coarse);
    assert!(patch.valid.slice(s![.., ..15]).iter().all(|&valid| !valid));
    assert!(patch.valid.slice(s![.., 15..]).iter().all(|&valid| valid));
    // Several threads read at once: each has its own.
    let all: Vec<Patch> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4).map(|_| coarse.reopen().expect("opens again")).collect();
        let jobs: Vec<_> = handles.into_iter().map(|mut one| scope.spawn(move || whole(&mut *one))).collect();
        jobs.into_iter().map(|job| job.join().expect("reads")).collect()
    });
    assert!(all.iter().all(|other| *other == patch));
}

#[test]
fn another_crs_shows_the_same_place() {
    let folder = Folder::new();
    let native = raster(&folder, &[], |_, _, _| false);
    let own = GridReference::from(native.raster_profile());
    for crs in ["EPSG:4326", "EPSG:3857", "EPSG:25832"] {
        let target = own.warped_to(&Crs::parse(crs).unwrap(), None, "image.tif").unwrap();
        let mut warped = native.resampled(&target, Resampling::Bilinear).unwrap();
        assert!(warped.raster_profile().crs.as_ref().unwrap().is_same(&Crs::parse(crs).unwrap()), "{crs}");
        // Back onto the first grid: what is left of a slope is the slope.
        let size = warped.profile().size;
        let patch = whole(&mut warped);
        let valid = patch.valid.iter().filter(|&&valid| valid).count() as f64;
        // Degrees are longer along a meridian than along a parallel, so more pixels than before.
        assert!(valid / SIZE.area() as f64 > 0.6 && valid <= size.area() as f64, "{crs}: {valid} of {size}");
        let middle = target.transform.unwrap().apply(size.width as f64 / 2.0, size.height as f64 / 2.0);
        assert!(middle.x.is_finite() && patch.valid[[size.height / 2, size.width / 2]], "{crs}");
    }
}

#[test]
fn a_mosaic_resamples_as_the_whole_does_but_for_its_seam() {
    let folder = Folder::new();
    let native = raster(&folder, &[], |_, _, _| false);
    for (name, from) in [("west.tif", 0), ("east.tif", 30)] {
        let part = Array3::from_shape_fn((3, SIZE.height, 30), |(band, y, x)| value(band, y, x + from));
        geotiff(&folder.file(name), &part, &[], |dataset| {
            let mut place = HALF_METER;
            place[0] += from as f64 * 0.5;
            dataset.set_geo_transform(&place).expect("set");
            dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).expect("a CRS")).expect("set");
        });
    }
    let names = ["west.tif", "east.tif"].map(|name| folder.file(name).to_string_lossy().into_owned());
    let mut mosaic = Mosaic::open(&names, &ReadOptions::default()).unwrap();
    assert_eq!(mosaic.grid().size, SIZE);
    let grid = mosaic.grid().with_pixels(Gsd { x: 1.0, y: 1.0 }).unwrap();
    let mut one = native.resampled(&grid, Resampling::Average).unwrap();
    let mut both = mosaic.resampled(&grid, Resampling::Average).unwrap();
    // The seam falls between two pixels of a meter.
    assert_eq!(whole(&mut one), whole(&mut both));
    let finer = mosaic.grid().with_pixels(Gsd { x: 0.2, y: 0.2 }).unwrap();
    let one = whole(&mut native.resampled(&finer, Resampling::Bilinear).unwrap());
    let both = whole(&mut mosaic.resampled(&finer, Resampling::Bilinear).unwrap());
    assert_eq!(one.valid, both.valid);
    let apart = 75 - 2..75 + 2;
    for ((band, y, x), value) in one.values.indexed_iter() {
        assert!(apart.contains(&x) || *value == both.values[[band, y, x]], "column {x}, row {y}");
    }
}
