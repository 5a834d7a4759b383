//! What GIS programs see besides the pixels: overviews, attribute tables.

use crate::fixture::{CLASSES, Folder};
use crate::outputs::{classes, info, spec, write_raster};
use gdal::Dataset;
use ndarray::Array3;
use seg_gdal::{ClassEntry, Content, GridReference, OutputFormat, RasterSpec};
use seg_grid::{Block, Size, Window};
use std::collections::BTreeSet;
use std::path::Path;

/// Side and values of every overview of a band.
fn overviews(path: &Path, band: usize) -> Vec<(usize, Vec<u8>)> {
    let dataset = Dataset::open(path).expect("opens");
    let band = dataset.rasterband(band).expect("a band");
    let count = band.overview_count().expect("counts") as usize;
    let level = |index| {
        let overview = band.overview(index).expect("an overview");
        let (width, _) = overview.size();
        let size = overview.size();
        (width, overview.read_as::<u8>((0, 0), size, size, None).expect("reads").data().to_vec())
    };
    (0..count).map(level).collect()
}

#[test]
fn overviews_of_classes_hold_class_ids_only() {
    let folder = Folder::new();
    let path = folder.file("classes.tif");
    let reference = GridReference::unplaced(Size { width: 1500, height: 1700 });
    // Ids 0, 1 and 4: a mean would be 2 or 3.
    let patches = |window: Window| {
        let shape = (1, window.height, window.width);
        Block::U8(Array3::from_shape_fn(shape, |(_, y, x)| {
            [0, 4, 1, 4, 255][(x / 3 + (window.y + y) / 5) % 5]
        }))
    };
    write_raster(&path, &spec(&reference, Content::Classes, OutputFormat::Cog), patches);
    let found = overviews(&path, 1);
    assert_eq!(found.iter().map(|(side, _)| *side).collect::<Vec<_>>(), [750, 375]);
    for (side, values) in found {
        let ids: BTreeSet<u8> = values.into_iter().collect();
        assert!(ids.is_subset(&[0, 1, 4, 255].into()) && ids.len() > 2, "{side}: {ids:?}");
    }
}

#[test]
fn overviews_of_probabilities_are_means() {
    let folder = Folder::new();
    let path = folder.file("p.tif");
    let reference = GridReference::unplaced(Size { width: 1030, height: 600 });
    let stripes = |window: Window| {
        let shape = (CLASSES.len(), window.height, window.width);
        Block::U8(Array3::from_shape_fn(shape, |(_, _, x)| if x % 2 == 0 { 100 } else { 200 }))
    };
    write_raster(&path, &spec(&reference, Content::ProbabilitiesU8, OutputFormat::Cog), stripes);
    for band in 1..=CLASSES.len() {
        let (_, values) = &overviews(&path, band)[0];
        assert!(values.iter().all(|&value| value == 150), "band {band}");
    }
}

#[test]
fn the_attribute_table_counts_every_class_that_the_legend_has() {
    let folder = Folder::new();
    let path = folder.file("classes.tif");
    let reference = GridReference::unplaced(Size { width: 640, height: 530 });
    let missing = ClassEntry { id: 200, name: "nowhere", color: [1, 2, 3] };
    let legend: Vec<ClassEntry<'_>> = CLASSES.into_iter().chain([missing]).collect();
    for format in [OutputFormat::GTiff, OutputFormat::Cog] {
        let spec = RasterSpec { classes: &legend, ..spec(&reference, Content::Classes, format) };
        write_raster(&path, &spec, classes);
        let Block::U8(ids) = classes(Window::whole(reference.size)) else { unreachable!("bytes") };
        let table = &info(&path)["rat"];
        let columns: Vec<_> = table["fieldDefn"]
            .as_array()
            .expect("columns")
            .iter()
            .map(|column| {
                (column["name"].as_str().expect("a name"), column["usage"].as_i64().expect("a usage"))
            })
            .collect();
        // GDAL's usages: 5 is the value, 2 its name, 6 to 9 its color, 1 the number of pixels.
        let expected =
            [("Value", 5), ("Class", 2), ("Red", 6), ("Green", 7), ("Blue", 8), ("Alpha", 9), ("Count", 1)];
        assert_eq!(columns, expected);
        let rows = table["row"].as_array().expect("rows");
        assert_eq!(rows.len(), legend.len(), "no row for nodata");
        for (row, class) in rows.iter().zip(&legend) {
            let pixels = ids.iter().filter(|&&id| id == class.id).count();
            let [r, g, b] = class.color;
            assert_eq!(row["f"], serde_json::json!([class.id, class.name, r, g, b, 255, pixels as f64]));
        }
    }
}

#[test]
fn a_file_that_could_pass_4_gib_is_a_big_tiff_from_its_first_byte() {
    let folder = Folder::new();
    let sparse = ["SPARSE_OK=TRUE".to_owned()];
    for (side, magic) in [(70_000, *b"II+\0"), (700, *b"II*\0")] {
        let path = folder.file("classes.tif");
        let reference = GridReference::unplaced(Size::square(side));
        let spec = RasterSpec {
            creation_options: &sparse,
            ..spec(&reference, Content::Classes, OutputFormat::GTiff)
        };
        let part = folder.file("classes.tif.part");
        let writer = seg_gdal::RasterWriter::create(&part, &spec).expect("creates");
        writer.finish().expect("finishes").rename(&path).expect("renames");
        let bytes = std::fs::read(&path).expect("reads");
        assert_eq!(bytes[..4], magic, "{side} pixels a side, {} bytes on disk", bytes.len());
    }
}
