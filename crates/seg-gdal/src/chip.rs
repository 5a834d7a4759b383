use crate::messages::watched;
use crate::side_car::SideCar;
use crate::written::with_ending;
use crate::{Error, GdalMessage, GridReference, Interpretation, Palette, RawPatch, georeference};
use gdal::raster::{ColorEntry, ColorTable, GdalType, RasterCreationOptions};
use gdal::{Dataset, DriverManager, Metadata};
use seg_grid::{DataType, GeoTransform, Size};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What chips are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChipFormat {
    /// GeoTIFF, any type and number of bands.
    #[default]
    GTiff,
    /// PNG with a world file, up to four bands of 8 or 16 bits.
    Png,
}

/// Writes a chip in the types of its source, with its place; it stands under its name only when whole.
///
/// `reference` is that of the chip: [`GridReference::for_window`] makes it.
///
/// # Errors
/// If it cannot be written, or the format cannot hold it.
pub fn write_chip(
    path: &Path,
    patch: RawPatch,
    reference: &GridReference,
    format: ChipFormat,
    creation_options: &[String],
) -> Result<(), Error> {
    crate::install_log_handler();
    let part = part_name(path);
    let written = match format {
        ChipFormat::GTiff => write_gtiff(&part, patch, reference, creation_options),
        ChipFormat::Png => write_png(path, &part, patch, reference, creation_options),
    };
    let done = written.and_then(|()| rename(&part, path));
    if done.is_err() && part.is_file() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    done
}

fn write_gtiff(
    path: &Path,
    patch: RawPatch,
    reference: &GridReference,
    creation_options: &[String],
) -> Result<(), Error> {
    let failed = |source| Error::CreateRaster { path: path.to_path_buf(), source };
    let mut options: Vec<&str> = creation_options.iter().map(String::as_str).collect();
    // Left alone, GDAL calls the last of four bands alpha, which may be near infrared.
    options.extend(["BIGTIFF=IF_SAFER", "ALPHA=NO", photometric(&patch)]);
    if patch.dtype() == DataType::Int8 {
        options.push("PIXELTYPE=SIGNEDBYTE");
    }
    let mut dataset = create("GTiff", path, &patch, &options).map_err(failed)?;
    georeference::set(&mut dataset, path, reference)?;
    fill(&mut dataset, patch).map_err(failed)?;
    watched(|| drop(dataset)).map_err(|source| Error::FinishRaster { path: path.to_path_buf(), source })
}

/// RGB if the first bands are red, green and blue.
fn photometric(patch: &RawPatch) -> &'static str {
    let first: Vec<Interpretation> =
        patch.bands.iter().take(3).map(|(band, _)| band.interpretation).collect();
    match first[..] {
        [Interpretation::Red, Interpretation::Green, Interpretation::Blue] => "PHOTOMETRIC=RGB",
        _ => "PHOTOMETRIC=MINISBLACK",
    }
}

/// PNG is made whole from memory; its place goes into a world file, and with the CRS into a side-car.
fn write_png(
    path: &Path,
    part: &Path,
    patch: RawPatch,
    reference: &GridReference,
    creation_options: &[String],
) -> Result<(), Error> {
    let (dtype, bands) = (patch.dtype(), patch.bands.len());
    if !matches!(dtype, DataType::UInt8 | DataType::UInt16) || !(1..=4).contains(&bands) {
        return Err(Error::NotForPng { path: path.to_path_buf(), bands, dtype });
    }
    let failed = |source| Error::CreateRaster { path: part.to_path_buf(), source };
    let mut memory = create("MEM", Path::new(""), &patch, &[]).map_err(failed)?;
    fill(&mut memory, patch).map_err(failed)?;
    let driver = DriverManager::get_driver_by_name("PNG").map_err(|error| failed(error.into()))?;
    let options: RasterCreationOptions = creation_options.iter().map(String::as_str).collect();
    watched(|| memory.create_copy(&driver, part, &options).map(drop).map_err(GdalMessage::from))
        .and_then(|result| result)
        .map_err(failed)?;
    // What PNG cannot hold GDAL puts beside it, under the temporary name.
    let beside = with_ending(part, ".aux.xml");
    if beside.is_file() {
        fs::remove_file(&beside).map_err(|source| Error::File { action: "remove", path: beside, source })?;
    }
    if let Some(transform) = reference.transform {
        write_text(&path.with_extension("pgw"), &world_file(transform))?;
    }
    let side_car = SideCar::default().with_reference(reference);
    if side_car.is_empty() { Ok(()) } else { write_text(&with_ending(path, ".aux.xml"), &side_car.to_xml()) }
}

fn create(driver: &str, path: &Path, patch: &RawPatch, options: &[&str]) -> Result<Dataset, GdalMessage> {
    fn of_type<T: GdalType + Copy>(
        driver: &str,
        path: &Path,
        size: Size,
        bands: usize,
        options: &[&str],
    ) -> Result<Dataset, GdalMessage> {
        let options: RasterCreationOptions = options.iter().copied().collect();
        let driver = DriverManager::get_driver_by_name(driver)?;
        Ok(driver.create_with_band_type_with_options::<T, _>(
            path,
            size.width,
            size.height,
            bands,
            &options,
        )?)
    }
    let (size, bands) = (patch.size, patch.bands.len());
    match patch.dtype() {
        DataType::UInt8 | DataType::Int8 => of_type::<u8>(driver, path, size, bands, options),
        DataType::UInt16 => of_type::<u16>(driver, path, size, bands, options),
        DataType::Int16 => of_type::<i16>(driver, path, size, bands, options),
        DataType::UInt32 => of_type::<u32>(driver, path, size, bands, options),
        DataType::Int32 => of_type::<i32>(driver, path, size, bands, options),
        DataType::UInt64 => of_type::<u64>(driver, path, size, bands, options),
        DataType::Int64 => of_type::<i64>(driver, path, size, bands, options),
        DataType::Float32 => of_type::<f32>(driver, path, size, bands, options),
        DataType::Float64 => of_type::<f64>(driver, path, size, bands, options),
    }
}

/// Sets what the bands mean, which must come before the first pixel, then the pixels.
fn fill(dataset: &mut Dataset, patch: RawPatch) -> Result<(), GdalMessage> {
    for (position, (profile, _)) in patch.bands.iter().enumerate() {
        let mut band = dataset.rasterband(position + 1)?;
        if let Some(nodata) = profile.nodata {
            match profile.dtype {
                Some(DataType::UInt64) => band.set_no_data_value_u64(Some(nodata as u64))?,
                Some(DataType::Int64) => band.set_no_data_value_i64(Some(nodata as i64))?,
                _ => band.set_no_data_value(Some(nodata))?,
            }
        }
        if let Some(palette) = &profile.palette {
            band.set_color_table(&color_table(palette));
        } else if let Some(interpretation) = profile.interpretation.to_gdal() {
            band.set_color_interpretation(interpretation)?;
        }
        if !profile.description.is_empty() {
            band.set_description(&profile.description)?;
        }
    }
    let size = patch.size;
    for (position, (_, values)) in patch.bands.into_iter().enumerate() {
        values.write(&mut dataset.rasterband(position + 1)?, size)?;
    }
    Ok(())
}

fn color_table(palette: &Palette) -> ColorTable<'static> {
    let mut table = ColorTable::default();
    for (index, entry) in (0_u16..).zip(&palette.entries) {
        let [r, g, b, a] = entry.map(i16::from);
        table.set_color_entry(index, &ColorEntry::rgba(r, g, b, a));
    }
    if palette.entries.len() < 256 {
        // PNG refuses bytes beyond the table.
        table.set_color_entry(255, &ColorEntry::rgba(0, 0, 0, 0));
    }
    table
}

/// The six lines of a world file, which places the center of the first pixel.
fn world_file(transform: GeoTransform) -> String {
    let center = transform.apply(0.5, 0.5);
    let lines =
        [transform.pixel_x, transform.column_y, transform.row_x, transform.pixel_y, center.x, center.y];
    lines.map(|line| format!("{line:?}\n")).concat()
}

fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    let part = part_name(path);
    fs::write(&part, text).map_err(|source| Error::File { action: "write", path: part.clone(), source })?;
    rename(&part, path)
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::File { action: "rename", path: from.to_path_buf(), source })
}

/// A hidden name in the same folder.
fn part_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}
