//! What is done to a chip so that no epoch shows the same twice.

mod crop;
mod hsv;
mod photometric;
mod resample;
mod sensor;
mod settings;
mod symmetry;

pub(crate) use crop::{crop_window, is_varied, resized};
pub(crate) use photometric::Photometric;
pub(crate) use resample::{LinearAxis, NearestAxis, bilinear, bilinear_valid};
pub(crate) use sensor::Sensor;
pub use settings::{AugmentSettings, ScaleDistribution};
pub(crate) use symmetry::Symmetry;
