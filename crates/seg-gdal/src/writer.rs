use crate::messages::watched;
use crate::raster::open_dataset;
use crate::raster_spec::{Content, OutputFormat, RasterSpec};
use crate::side_car::{Counts, SideCar};
use crate::written::{Scratch, Written, remove_if_there, sync, with_ending};
use crate::{Error, GdalMessage, GridReference, RasterProfile, georeference};
use gdal::errors::GdalError;
use gdal::raster::{
    Buffer, ColorEntry, ColorTable, GdalDataType, GdalType, RasterBand, RasterCreationOptions,
};
use gdal::{Dataset, DriverManager, Metadata};
use ndarray::{Array2, ArrayView2, s};
use seg_grid::{Block, Size, Window};
use std::fs;
use std::path::{Path, PathBuf};

/// Side of the blocks that outputs are stored in.
const BLOCK: &str = "512";
/// Options of the GeoTIFF that is written; threads would leave the order of blocks to chance.
const TILED: [&str; 8] = [
    "PHOTOMETRIC=MINISBLACK",
    "ALPHA=NO",
    "TILED=YES",
    "BLOCKXSIZE=512",
    "BLOCKYSIZE=512",
    "COMPRESS=DEFLATE",
    "BIGTIFF=IF_SAFER",
    "INTERLEAVE=BAND",
];

/// Writes a raster of classes, probabilities or confidence, built from nothing but the input's place.
///
/// The same blocks in the same order make the same bytes.
///
/// ```
/// use ndarray::Array3;
/// use seg_gdal::{ClassEntry, Content, GridReference, OutputFormat, RasterSpec, RasterWriter};
/// use seg_grid::{Block, Size, Window};
///
/// let folder = tempfile::tempdir()?;
/// let reference = GridReference::unplaced(Size::square(4));
/// let spec = RasterSpec {
///     reference: &reference,
///     content: Content::Classes,
///     classes: &[ClassEntry { id: 0, name: "water", color: [0, 0, 255] }],
///     format: OutputFormat::GTiff,
///     creation_options: &[],
///     metadata: &[],
/// };
/// let mut writer = RasterWriter::create(&folder.path().join("classes.tif.part"), &spec)?;
/// writer.write(Window::whole(reference.size), &Block::U8(Array3::zeros((1, 4, 4))))?;
/// writer.finish()?.rename(&folder.path().join("classes.tif"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RasterWriter<'a> {
    dataset: Dataset,
    spec: RasterSpec<'a>,
    /// What the caller gets.
    path: PathBuf,
    /// What is written first: the same, or the source of a COG.
    first: PathBuf,
    scratch: Option<Scratch>,
    counts: Box<Counts>,
}

impl<'a> RasterWriter<'a> {
    /// Creates the file; `path` should be a temporary name in the folder of the final one.
    ///
    /// # Errors
    /// If it cannot be created or cannot hold the georeference.
    pub fn create(path: &Path, spec: &RasterSpec<'a>) -> Result<Self, Error> {
        crate::install_log_handler();
        let first = match spec.format {
            OutputFormat::GTiff => path.to_path_buf(),
            OutputFormat::Cog => with_ending(path, ".tiled"),
        };
        let scratch = (first != path).then(|| Scratch(first.clone()));
        let mut dataset = create(&first, spec)
            .map_err(|error| Error::CreateRaster { path: first.clone(), source: error.into() })?;
        georeference::set(&mut dataset, &first, spec.reference)?;
        describe(&mut dataset, spec)
            .map_err(|error| Error::CreateRaster { path: first.clone(), source: error.into() })?;
        Ok(Self {
            dataset,
            spec: *spec,
            path: path.to_path_buf(),
            first,
            scratch,
            counts: Box::new([0; 256]),
        })
    }

    /// Writes a window; give windows in row-major order and aligned to blocks of 512 pixels.
    ///
    /// # Errors
    /// If the values do not fit the raster or the disk.
    pub fn write(&mut self, window: Window, block: &Block) -> Result<(), Error> {
        let bands = self.dataset.raster_count();
        match (block, self.spec.content) {
            (Block::U8(values), Content::ProbabilitiesU8 | Content::Confidence | Content::Classes)
                if values.dim() == (bands, window.height, window.width) =>
            {
                if self.spec.content == Content::Classes {
                    values.iter().for_each(|&id| self.counts[usize::from(id)] += 1);
                }
                for (position, plane) in values.outer_iter().enumerate() {
                    self.write_band(position, window, &plane, u8::MAX)?;
                }
                Ok(())
            }
            (Block::F32(values), Content::ProbabilitiesF32)
                if values.dim() == (bands, window.height, window.width) =>
            {
                for (position, plane) in values.outer_iter().enumerate() {
                    self.write_band(position, window, &plane, f32::NAN)?;
                }
                Ok(())
            }
            _ => Err(self.shape_error(window, block)),
        }
    }

    /// Closes the file, checks that it reads back as it should, and writes what belongs beside it.
    ///
    /// # Errors
    /// If anything of this fails; then nothing usable stands under the temporary name.
    pub fn finish(self) -> Result<Written, Error> {
        let Self { dataset, spec, path, first, scratch, counts } = self;
        let failed = |source| Error::FinishRaster { path: path.clone(), source };
        watched(|| drop(dataset)).map_err(failed)?;
        if spec.format == OutputFormat::Cog {
            cloud_optimize(&first, &path, &spec).map_err(failed)?;
        }
        drop(scratch);
        sync(&path)?;
        let beside = with_ending(&path, ".aux.xml");
        // What GDAL put there for lack of a tag is part of the text that replaces it.
        remove_if_there(&beside)?;
        let mut side_car = SideCar::default();
        if !read_back(&path)?.reads_like(spec.reference) {
            side_car = side_car.with_reference(spec.reference);
        }
        if spec.content == Content::Classes {
            side_car = side_car.with_classes(spec.classes, &counts);
        }
        if side_car.is_empty() {
            return Ok(Written { raster: path, side_car: None });
        }
        fs::write(&beside, side_car.to_xml()).map_err(|source| Error::File {
            action: "write",
            path: beside.clone(),
            source,
        })?;
        match read_back(&path)?.difference(spec.reference) {
            Some(what) => Err(Error::ReadBack { path, what }),
            None => Ok(Written { raster: path, side_car: Some(beside) }),
        }
    }

    fn write_band<T: GdalType + Copy>(
        &mut self,
        position: usize,
        window: Window,
        plane: &ArrayView2<'_, T>,
        outside: T,
    ) -> Result<(), Error> {
        let size = self.spec.reference.size;
        let interleaved =
            self.spec.creation_options.iter().any(|o| o.eq_ignore_ascii_case("INTERLEAVE=PIXEL"));
        let outcome = self.dataset.rasterband(position + 1).and_then(|mut band| {
            let (width, height) = band.block_size();
            let block = Size { width, height };
            if !interleaved && is_aligned(window, block, size) {
                write_blocks(&mut band, block, window, plane, outside)
            } else {
                write_window(&mut band, window, plane)
            }
        });
        outcome.map_err(|error| Error::WriteWindow { path: self.first.clone(), window, source: error.into() })
    }

    fn shape_error(&self, window: Window, block: &Block) -> Error {
        let bands = self.dataset.raster_count();
        let kind = if self.spec.content == Content::ProbabilitiesF32 { "floats" } else { "bytes" };
        let got = match block {
            Block::U8(values) => format!("{:?} bytes", values.dim()),
            Block::F32(values) => format!("{:?} floats", values.dim()),
        };
        let expected = format!("{:?} {kind}", (bands, window.height, window.width));
        Error::BlockShape { path: self.path.clone(), window, expected, got }
    }
}

fn create(path: &Path, spec: &RasterSpec<'_>) -> Result<Dataset, GdalError> {
    let driver = DriverManager::get_driver_by_name("GTiff")?;
    let Size { width, height } = spec.reference.size;
    let bands = spec.content.bands(spec.classes.len());
    let ours = match spec.format {
        OutputFormat::GTiff => spec.options(&TILED),
        // The user's options are the COG driver's; the file it is made from is short-lived.
        OutputFormat::Cog => TILED.map(str::to_owned).to_vec(),
    };
    let options: RasterCreationOptions = ours.iter().map(String::as_str).collect();
    if spec.content == Content::ProbabilitiesF32 {
        driver.create_with_band_type_with_options::<f32, _>(path, width, height, bands, &options)
    } else {
        driver.create_with_band_type_with_options::<u8, _>(path, width, height, bands, &options)
    }
}

/// Sets what must stand before the first pixel: nodata, names and the color table.
fn describe(dataset: &mut Dataset, spec: &RasterSpec<'_>) -> Result<(), GdalError> {
    dataset.set_metadata_item("AREA_OR_POINT", "Area", "")?;
    for (key, value) in spec.metadata {
        dataset.set_metadata_item(key, value, "")?;
    }
    for position in 0..dataset.raster_count() {
        let mut band = dataset.rasterband(position + 1)?;
        band.set_description(spec.content.band_name(position, spec.classes))?;
        let nodata = if band.band_type() == GdalDataType::Float32 { f64::NAN } else { 255.0 };
        band.set_no_data_value(Some(nodata))?;
        match spec.content {
            Content::Classes => band.set_color_table(&color_table(spec)),
            Content::ProbabilitiesU8 | Content::Confidence => {
                band.set_scale(1.0 / f64::from(Content::PROBABILITY_STEPS))?;
            }
            Content::ProbabilitiesF32 => {}
        }
    }
    Ok(())
}

fn color_table(spec: &RasterSpec<'_>) -> ColorTable<'static> {
    let mut table = ColorTable::default();
    for class in spec.classes {
        let [r, g, b] = class.color.map(i16::from);
        table.set_color_entry(u16::from(class.id), &ColorEntry::rgba(r, g, b, 255));
    }
    table.set_color_entry(255, &ColorEntry::rgba(0, 0, 0, 0));
    table
}

/// Whether a window begins and ends with blocks, so that each can be written once and for all.
fn is_aligned(window: Window, block: Size, raster: Size) -> bool {
    window.x.is_multiple_of(block.width)
        && window.y.is_multiple_of(block.height)
        && (window.right().is_multiple_of(block.width) || window.right() == raster.width)
        && (window.bottom().is_multiple_of(block.height) || window.bottom() == raster.height)
}

/// Writes whole blocks past GDAL's cache, whose order of eviction would be the order in the file.
fn write_blocks<T: GdalType + Copy>(
    band: &mut RasterBand<'_>,
    block: Size,
    window: Window,
    plane: &ArrayView2<'_, T>,
    outside: T,
) -> Result<(), GdalError> {
    for top in (0..window.height).step_by(block.height) {
        for left in (0..window.width).step_by(block.width) {
            let (bottom, right) =
                ((top + block.height).min(window.height), (left + block.width).min(window.width));
            let mut whole = Array2::from_elem((block.height, block.width), outside);
            whole
                .slice_mut(s![..bottom - top, ..right - left])
                .assign(&plane.slice(s![top..bottom, left..right]));
            let index = ((window.x + left) / block.width, (window.y + top) / block.height);
            band.write_block(index, &mut Buffer::from(whole))?;
        }
    }
    Ok(())
}

fn write_window<T: GdalType + Copy>(
    band: &mut RasterBand<'_>,
    window: Window,
    plane: &ArrayView2<'_, T>,
) -> Result<(), GdalError> {
    let mut buffer = Buffer::from(plane.to_owned());
    band.write((window.x as isize, window.y as isize), (window.width, window.height), &mut buffer)
}

/// Makes a COG of the tiled file.
fn cloud_optimize(from: &Path, to: &Path, spec: &RasterSpec<'_>) -> Result<(), GdalMessage> {
    let resampling = format!("OVERVIEW_RESAMPLING={}", spec.content.overview_resampling());
    let size = format!("BLOCKSIZE={BLOCK}");
    let ours = ["COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER", &size, &resampling];
    let options = spec.options(&ours);
    let source = Dataset::open(from)?;
    let driver = DriverManager::get_driver_by_name("COG")?;
    watched(|| {
        let options: RasterCreationOptions = options.iter().map(String::as_str).collect();
        source.create_copy(&driver, to, &options).map(drop)
    })??;
    Ok(())
}

fn read_back(path: &Path) -> Result<GridReference, Error> {
    let name = path.to_string_lossy();
    let dataset = open_dataset(&name)?;
    Ok(GridReference::from(&RasterProfile::of(&dataset, &name)?))
}
