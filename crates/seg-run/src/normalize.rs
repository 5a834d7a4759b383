use crate::Error;
use ndarray::{Array3, Zip};
use seg_grid::{Patch, RasterSource, Size, Window};
use seg_nn::InputSpec;
use std::fmt;

/// How the values of a raster meet the model, told by the user or by the model, never guessed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// As the model's own description says; refused for data types that the model has not seen.
    Model,
    /// Values go to mean and standard deviation as they are.
    None,
    /// Values are divided by this.
    Divide(f64),
    /// This range becomes 0 to 1, and values outside are cut off.
    MinMax {
        /// Becomes 0.
        low: f64,
        /// Becomes 1.
        high: f64,
    },
    /// The range between two percentiles of each band, from one decimated read, becomes 0 to 1.
    Percentile {
        /// Lower percentile, 0 to 100.
        low: f64,
        /// Upper percentile, 0 to 100.
        high: f64,
    },
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::None => f.write_str("none"),
            Self::Divide(by) => write!(f, "divide={by}"),
            Self::MinMax { low, high } => write!(f, "minmax={low},{high}"),
            Self::Percentile { low, high } => write!(f, "percentile={low},{high}"),
        }
    }
}

/// How one band's values become a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Channel {
    low: f64,
    range: f64,
    limits: Option<(f32, f32)>,
    mean: f64,
    std: f64,
    /// What a pixel that was not measured becomes.
    fill: f32,
}

/// Turns values into what the network was trained on; decided once for a raster, never for a tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalizer {
    channels: Vec<Channel>,
}

/// The longest side of the decimated read that percentiles are taken from.
const SAMPLE_SIDE: usize = 1024;

impl Normalizer {
    /// For a raster and a model.
    ///
    /// # Errors
    /// If bands or data type do not fit the model, the limits leave no range, or the raster cannot be read.
    pub fn new(scaling: Scaling, input: &InputSpec, source: &mut dyn RasterSource) -> Result<Self, Error> {
        let profile = source.profile().clone();
        if profile.bands != input.bands {
            return Err(Error::Bands { name: profile.name, needed: input.bands, got: profile.bands });
        }
        let seen = |name: &str| input.dtypes.is_empty() || input.dtypes.iter().any(|d| d == name);
        if scaling == Scaling::Model && !seen(profile.dtype.name()) {
            return Err(Error::DataType {
                name: profile.name,
                got: profile.dtype.name(),
                seen: input.dtypes.join(" or "),
            });
        }
        let ranges: Vec<(f64, f64, Limits)> = match scaling {
            Scaling::Model => vec![(0.0, input.divide, Limits::Open); input.bands],
            Scaling::None => vec![(0.0, 1.0, Limits::Open); input.bands],
            Scaling::Divide(by) => vec![(0.0, by, Limits::Open); input.bands],
            Scaling::MinMax { low, high } => vec![(low, high, Limits::Cut); input.bands],
            Scaling::Percentile { low, high } => {
                percentiles(source, low, high)?.into_iter().map(|(l, h)| (l, h, Limits::Cut)).collect()
            }
        };
        let mut channels = Vec::with_capacity(ranges.len());
        for (band, (low, high, limits)) in ranges.into_iter().enumerate() {
            let range = high - low;
            if !range.is_finite() || range <= 0.0 {
                return Err(Error::EmptyRange { name: profile.name, band: band + 1, low, high });
            }
            let (mean, std) = (input.mean[band], input.std[band]);
            let at = |v: f64| ((v - mean) / std) as f32;
            let limits = (limits == Limits::Cut).then(|| (at(0.0), at(1.0)));
            let fill = input.fill.get(band).map_or(0.0, |&fill| at(fill));
            channels.push(Channel { low, range, limits, mean, std, fill });
        }
        Ok(Self { channels })
    }

    /// Values (C, H, W) to network input, in place; what was not measured becomes the training mean, 0, or what the
    /// model names.
    pub fn apply(&self, patch: &mut Patch) {
        for (mut plane, channel) in patch.values.outer_iter_mut().zip(&self.channels) {
            let scale = (1.0 / (channel.range * channel.std)) as f32;
            let shift = ((-channel.low / channel.range - channel.mean) / channel.std) as f32;
            let (floor, ceiling) = channel.limits.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
            Zip::from(&mut plane).and(&patch.valid).for_each(|v, &valid| {
                *v = if valid { (*v * scale + shift).clamp(floor, ceiling) } else { channel.fill };
            });
        }
    }

    /// A text that changes when the numbers do, for the run's key.
    pub fn fingerprint(&self) -> String {
        let parts = self
            .channels
            .iter()
            .map(|c| format!("{:?}/{:?}/{:?}/{:?}/{:?}", c.low, c.range, c.mean, c.std, c.fill));
        parts.collect::<Vec<_>>().join(";")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limits {
    Open,
    Cut,
}

/// The values at two percentiles of each band.
fn percentiles(source: &mut dyn RasterSource, low: f64, high: f64) -> Result<Vec<(f64, f64)>, Error> {
    let size = source.profile().size;
    let sample = source.read_decimated(Window::whole(size), thumbnail(size))?;
    let bands = sample.values.dim().0;
    Ok((0..bands).map(|band| band_percentiles(&sample.values, &sample, band, low, high)).collect())
}

fn thumbnail(size: Size) -> Size {
    size.fit_within(SAMPLE_SIDE)
}

fn band_percentiles(values: &Array3<f32>, sample: &Patch, band: usize, low: f64, high: f64) -> (f64, f64) {
    let plane = values.index_axis(ndarray::Axis(0), band);
    let mut measured: Vec<f32> =
        plane.iter().zip(&sample.valid).filter(|(_, valid)| **valid).map(|(v, _)| *v).collect();
    measured.sort_by(f32::total_cmp);
    let at = |percent: f64| {
        let last = measured.len().saturating_sub(1) as f64;
        measured.get((percent / 100.0 * last).round() as usize).copied().map_or(f64::NAN, f64::from)
    };
    if measured.is_empty() {
        // Nothing measured: no pixel will be scaled, so any range will do.
        return (0.0, 1.0);
    }
    let (low, high) = (at(low), at(high));
    // A constant band carries no information: it becomes 0 everywhere instead of an error.
    if low < high { (low, high) } else { (low, low + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use seg_grid::MemoryRaster;

    fn input(bands: usize) -> InputSpec {
        InputSpec {
            bands,
            divide: 255.0,
            mean: vec![0.5; bands],
            std: vec![0.25; bands],
            gsd_m: None,
            dtypes: vec!["uint8".to_owned()],
            fill: Vec::new(),
        }
    }

    fn normalized(scaling: Scaling) -> Vec<f32> {
        let values = array![[[0.0, 51.0, 255.0, 1000.0]]];
        let mut raster = MemoryRaster::with_mask(values, array![[true, true, true, false]]);
        let normalizer = Normalizer::new(scaling, &input(1), &mut raster).unwrap();
        let mut patch = raster.read(Window::whole(raster.profile().size)).unwrap().unwrap();
        normalizer.apply(&mut patch);
        patch.values.iter().copied().collect()
    }

    #[test]
    fn values_meet_the_model_as_told() {
        let close = |got: Vec<f32>, expected: [f32; 4]| {
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?} for {expected:?}");
        };
        close(normalized(Scaling::Model), [-2.0, -1.2, 2.0, 0.0]);
        close(normalized(Scaling::None), [-2.0, 202.0, 1018.0, 0.0]);
        close(normalized(Scaling::Divide(510.0)), [-2.0, -1.6, 0.0, 0.0]);
        close(normalized(Scaling::MinMax { low: 51.0, high: 102.0 }), [-2.0, -2.0, 2.0, 0.0]);
        close(normalized(Scaling::Percentile { low: 0.0, high: 100.0 }), [-2.0, -1.2, 2.0, 0.0]);
    }

    #[test]
    fn a_type_the_model_never_saw_is_refused_until_scaling_is_told() {
        let mut spec = input(1);
        spec.dtypes = vec!["uint16".to_owned()];
        let mut raster = MemoryRaster::new(Array3::zeros((1, 2, 2)));
        let error = Normalizer::new(Scaling::Model, &spec, &mut raster).unwrap_err();
        assert!(
            error.to_string().contains("uint8") && error.hint().unwrap().contains("--scaling"),
            "{error}"
        );
        assert!(Normalizer::new(Scaling::Divide(255.0), &spec, &mut raster).is_ok());
    }

    #[test]
    fn limits_without_a_range_are_refused() {
        let mut raster = MemoryRaster::with_mask(Array3::zeros((1, 2, 2)), Array2::from_elem((2, 2), true));
        let error =
            Normalizer::new(Scaling::MinMax { low: 3.0, high: 3.0 }, &input(1), &mut raster).unwrap_err();
        assert!(matches!(error, Error::EmptyRange { band: 1, .. }), "{error}");
        assert!(
            Normalizer::new(Scaling::Percentile { low: 2.0, high: 98.0 }, &input(1), &mut raster).is_ok()
        );
    }
}
