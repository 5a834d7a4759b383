//! Miniatures of the public data sets as their archives unpack: the official names, a few tiles of 96 pixels.

use crate::scene::dimmed;
use ndarray::Array2;
use seg_gdal::{
    BandIndex, BandProfile, ChipFormat, GridReference, Interpretation, MaskKind, RawPatch, RawValues,
    write_chip,
};
use seg_grid::{DataType, Size};
use seg_label::{Legend, Rgb, erode_borders};
use std::fs;
use std::path::Path;

/// The side of every raster.
pub(crate) const SIDE: usize = 96;
/// Rows and columns of the tiles of Potsdam that are there, training ones first.
pub(crate) const POTSDAM: [(u32, u32); 5] = [(2, 10), (4, 12), (6, 7), (2, 13), (7, 13)];
/// Areas of Vaihingen that are there, training ones first.
pub(crate) const VAIHINGEN: [u32; 4] = [1, 3, 2, 38];
/// How many of each are for training.
pub(crate) const POTSDAM_TRAIN: usize = 3;
pub(crate) const VAIHINGEN_TRAIN: usize = 2;

/// How archives are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// Files lie in the folder that is called as the archive.
    Flat,
    /// In one of the same name in it.
    Doubled,
}

/// Class places of a raster: blocks of 32 pixels, every class somewhere.
pub(crate) fn classes(seed: usize, count: usize) -> Array2<u8> {
    Array2::from_shape_fn((SIDE, SIDE), |(y, x)| ((x / 32 + 3 * (y / 32) + seed) % count) as u8)
}

/// Writes `top_potsdam_*` as RGB, IRRG and RGBIR, heights, and labels: those of `6_7` with cars as 252,255,0, the
/// full ones of `4_12` stored with loss.
pub(crate) fn write_potsdam(root: &Path) {
    let legend = Legend::builtin("potsdam").expect("known");
    let folder = |name: &str| root.join(name).join(name);
    for (number, &(row, column)) in POTSDAM.iter().enumerate() {
        let ids = classes(number, legend.len());
        let rgb = image(&legend, &ids, number);
        let near_infrared = rgb[1].clone();
        let irrg = vec![near_infrared.clone(), rgb[0].clone(), rgb[1].clone()];
        let rgbir = [rgb.clone(), vec![near_infrared]].concat();
        let tile = format!("top_potsdam_{row}_{column}");
        for (place, bands) in [("2_Ortho_RGB", rgb), ("3_Ortho_IRRG", irrg), ("4_Ortho_RGBIR", rgbir)] {
            let kind = place.rsplit_once('_').expect("a kind").1;
            write(&folder(place).join(format!("{tile}_{kind}.tif")), bands);
            write_text(&folder(place).join(format!("{tile}_{kind}.tfw")), &world_file(row, column));
        }
        // Heights are no images and no labels: they are never opened.
        write_text(&folder("1_DSM").join(format!("dsm_potsdam_{row:02}_{column:02}.tif")), "no raster");
        let normalized = format!("dsm_potsdam_{row:02}_{column:02}_normalized_lastools.jpg");
        write_text(&folder("1_DSM_normalisation").join(normalized), "no raster");
        let mut full = colors(&legend, &ids);
        let mut eroded = colors(&legend, &without_borders(&ids));
        if (row, column) == (6, 7) {
            for bands in [&mut full, &mut eroded] {
                let [red, green, blue] = &mut bands[..] else { panic!("three bands") };
                let yellow = |((r, g), b): &((&mut u8, &mut u8), &mut u8)| (**r, **g, **b) == (255, 255, 0);
                red.iter_mut().zip(green).zip(blue).filter(yellow).for_each(|((red, _), _)| *red = 252);
            }
        }
        if (row, column) == (4, 12) {
            let lossy = |(i, value): (usize, &mut u8)| *value = value.abs_diff((i % 40) as u8);
            full.iter_mut().flat_map(|band| band.iter_mut().enumerate()).for_each(lossy);
        }
        let mut archives = vec![("5_Labels_all", "5_Labels_all_noBoundary")];
        if number < POTSDAM_TRAIN {
            archives.push(("5_Labels_for_participants", "5_Labels_for_participants_no_Boundary"));
        }
        for (whole, no_boundary) in archives {
            write(&root.join(whole).join(format!("{tile}_label.tif")), full.clone());
            write(&root.join(no_boundary).join(format!("{tile}_label_noBoundary.tif")), eroded.clone());
        }
    }
}

/// Writes `top_mosaic_09cm_area*` with heights, and labels for participants, complete and eroded.
pub(crate) fn write_vaihingen(root: &Path, unpacked: Unpacked) {
    let legend = Legend::builtin("vaihingen").expect("known");
    let archive = |name: &str| match unpacked {
        Unpacked::Flat => root.join(name),
        Unpacked::Doubled => root.join(name).join(name),
    };
    let main = archive("ISPRS_semantic_labeling_Vaihingen");
    let complete = archive("ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE");
    let eroded = archive("ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE");
    for (number, area) in VAIHINGEN.iter().enumerate() {
        let ids = classes(number + 2, legend.len());
        let name = format!("top_mosaic_09cm_area{area}");
        write(&main.join("top").join(format!("{name}.tif")), image(&legend, &ids, number));
        write_text(&main.join("dsm").join(format!("dsm_09cm_matching_area{area}.tif")), "no raster");
        if number < VAIHINGEN_TRAIN {
            write(&main.join("gts_for_participants").join(format!("{name}.tif")), colors(&legend, &ids));
        }
        write(&complete.join(format!("{name}.tif")), colors(&legend, &ids));
        let ids = without_borders(&ids);
        write(&eroded.join(format!("{name}_noBoundary.tif")), colors(&legend, &ids));
    }
    // The eroded archive has one more, which has no use.
    let ids = classes(0, legend.len());
    write(&eroded.join("top_mosaic_09cm_area9_noBoundary.tif"), colors(&legend, &ids));
}

/// Writes images and masks of both kinds for training and validation, and images for the test; the first pixel
/// of every mask has no data. Urban and rural images have the same numbers here, which they have not there.
pub(crate) fn write_loveda(root: &Path) {
    let legend = Legend::builtin("loveda").expect("known");
    for (seed, split) in ["Train", "Val", "Test"].into_iter().enumerate() {
        for (more, kind) in ["Urban", "Rural"].into_iter().enumerate() {
            let folder = root.join(split).join(kind);
            let ids = classes(seed + 2 * more, legend.len());
            let name = format!("{}.png", 2522 + seed);
            write(&folder.join("images_png").join(&name), image(&legend, &ids, seed));
            if split != "Test" {
                let mut mask: Vec<u8> = ids.iter().map(|id| id + 1).collect();
                mask[0] = 0;
                write(&folder.join("masks_png").join(&name), vec![mask]);
            }
        }
    }
}

/// Writes images and labels in the ids of a legend, split by their names.
pub(crate) fn write_folder(root: &Path, legend: &Legend) {
    for (seed, name) in ["train", "val", "test"].into_iter().enumerate() {
        let places = classes(seed, legend.len());
        write(&root.join("images").join(format!("{name}.png")), image(legend, &places, seed));
        let ids = places.iter().map(|&place| legend.classes()[usize::from(place)].id.0).collect();
        write(&root.join("labels").join(format!("{name}.png")), vec![ids]);
    }
}

/// Three bands in dimmed colors with some noise.
fn image(legend: &Legend, ids: &Array2<u8>, seed: usize) -> Vec<Vec<u8>> {
    let noise = |i: usize| ((i * 7919 + seed * 104_729) % 25) as f32 - 12.0;
    let band = |c: usize| {
        let value =
            |(i, id): (usize, &u8)| (dimmed(legend.classes()[usize::from(*id)].color)[c] + noise(i)) as u8;
        ids.iter().enumerate().map(value).collect()
    };
    (0..3).map(band).collect()
}

/// Three bands in the legend's colors, black for what is no class.
fn colors(legend: &Legend, ids: &Array2<u8>) -> Vec<Vec<u8>> {
    let color = |id: u8| legend.classes().get(usize::from(id)).map_or(Rgb::new(0, 0, 0), |class| class.color);
    let band = |channel: fn(Rgb) -> u8| ids.iter().map(|&id| channel(color(id))).collect();
    vec![band(|color| color.r), band(|color| color.g), band(|color| color.b)]
}

fn without_borders(ids: &Array2<u8>) -> Array2<u8> {
    let mut eroded = ids.clone();
    erode_borders(&mut eroded, 3);
    eroded
}

fn world_file(row: u32, column: u32) -> String {
    let (east, north) = (366_000.0 + 4.8 * f64::from(column), 5_808_000.0 - 4.8 * f64::from(row));
    format!("0.05\n0\n0\n-0.05\n{east}\n{north}\n")
}

/// Writes bytes, band by band, as a GeoTIFF without a place or a PNG, by the name's ending.
fn write(path: &Path, bands: Vec<Vec<u8>>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes a folder");
    let size = Size::square(SIDE);
    let interpretations = match bands.len() {
        1 => &[Interpretation::Gray][..],
        3 => &[Interpretation::Red, Interpretation::Green, Interpretation::Blue],
        _ => &[Interpretation::Red, Interpretation::Green, Interpretation::Blue, Interpretation::Undefined],
    };
    let band = |(position, (values, &interpretation)): (usize, (Vec<u8>, &Interpretation))| {
        let profile = BandProfile {
            index: BandIndex::from_position(position),
            dtype: Some(DataType::UInt8),
            nodata: None,
            interpretation,
            description: String::new(),
            mask: MaskKind::AllValid,
            block: size,
            palette: None,
        };
        (profile, RawValues::UInt8(values))
    };
    let bands = bands.into_iter().zip(interpretations).enumerate().map(band).collect();
    let format =
        if path.extension().is_some_and(|e| e == "png") { ChipFormat::Png } else { ChipFormat::GTiff };
    write_chip(path, RawPatch { size, bands }, &GridReference::unplaced(size), format, &[])
        .expect("writes a raster");
}

fn write_text(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes a folder");
    fs::write(path, text).expect("writes a file");
}
