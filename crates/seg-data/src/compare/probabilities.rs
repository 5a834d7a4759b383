use crate::Error;
use crate::labels::opening;
use ndarray::ArrayView2;
use seg_gdal::{GeoRaster, RasterProfile, RawValues, ReadOptions};
use seg_grid::{DataType, Window};
use seg_label::{Calibration, IGNORE_INDEX, Legend};

/// The value of a byte that stands for probability 1; the one above is nodata.
const FULL: f64 = 254.0;
/// What `rs-seg infer` calls the band of the highest probability.
const HIGHEST: &str = "confidence";

/// Probabilities that are open, for one thread.
#[derive(Debug)]
pub(super) struct Probabilities {
    raster: GeoRaster,
    bands: Bands,
}

/// What the bands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bands {
    /// One for each class, in the legend's order.
    Classes,
    /// The first is that of the class that was predicted.
    Highest,
}

impl Probabilities {
    /// Opens a raster on the prediction's own grid.
    pub(super) fn open(name: &str, prediction: &RasterProfile, legend: &Legend) -> Result<Self, Error> {
        let raster = GeoRaster::open(name, &ReadOptions::default()).map_err(opening(name))?;
        let profile = raster.raster_profile();
        let refused = |reason: String| Error::Probabilities { name: name.to_owned(), reason };
        if profile.size != prediction.size {
            return Err(refused(format!(
                "it is {} pixels, but {} is {} pixels",
                profile.size, prediction.name, prediction.size
            )));
        }
        let highest = profile.bands.first().is_some_and(|band| band.description == HIGHEST);
        let bands = match profile.band_count {
            count if count == legend.len() && !highest => Bands::Classes,
            1 | 2 => Bands::Highest,
            count => {
                return Err(refused(format!("it has {count} bands, but there are {} classes", legend.len())));
            }
        };
        let dtype = profile.bands.first().and_then(|band| band.dtype);
        if !matches!(dtype, Some(DataType::UInt8 | DataType::Float32 | DataType::Float64)) {
            return Err(refused(format!("it holds {} values", dtype.map_or("complex", DataType::name))));
        }
        Ok(Self { raster, bands })
    }

    /// Counts the pixels of a window by the probability of the class that they were given; bands are read one by one,
    /// so that memory does not grow with the classes.
    pub(super) fn count(
        &self,
        window: Window,
        legend: &Legend,
        truth: &ArrayView2<'_, u8>,
        prediction: &ArrayView2<'_, u8>,
    ) -> Result<Calibration, Error> {
        let mut calibration = Calibration::default();
        let mut comes = [false; 256];
        prediction.iter().for_each(|&id| comes[usize::from(id)] = true);
        let wanted: Vec<(usize, Option<u8>)> = match self.bands {
            Bands::Highest => vec![(0, None)],
            Bands::Classes => {
                let ids = legend.classes().iter().map(|class| class.id.0).enumerate();
                ids.filter(|(_, id)| comes[usize::from(*id)]).map(|(band, id)| (band, Some(id))).collect()
            }
        };
        for (band, id) in wanted {
            let values = self.raster.read_raw_band(band, window).map_err(|source| Error::Raster {
                action: "read probabilities of",
                name: self.raster.raster_profile().name.clone(),
                source: Box::new(source),
            })?;
            let pixels = truth.iter().zip(prediction).enumerate();
            let counted = pixels.filter(|(_, (truth, seen))| {
                **truth != IGNORE_INDEX && id.map_or(**seen != IGNORE_INDEX, |id| **seen == id)
            });
            match values {
                RawValues::UInt8(values) => counted.for_each(|(i, (truth, seen))| {
                    let value = f64::from(values[i]);
                    calibration.add(if value > FULL { f64::NAN } else { value / FULL }, truth == seen);
                }),
                RawValues::Float32(values) => counted
                    .for_each(|(i, (truth, seen))| calibration.add(f64::from(values[i]), truth == seen)),
                RawValues::Float64(values) => {
                    counted.for_each(|(i, (truth, seen))| calibration.add(values[i], truth == seen));
                }
                _ => {}
            }
        }
        Ok(calibration)
    }
}
