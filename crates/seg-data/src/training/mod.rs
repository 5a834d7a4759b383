//! Turns chips into augmented samples for training.
//!
//! A sample is a pure function of the set, the settings, the seed and its number, so that a stream does not depend
//! on threads and can be taken up anywhere.
//!
//! ```no_run
//! use seg_data::{
//!     AugmentSettings, BatchShare, ChipSet, DataSettings, InputScale, Loader, LoaderPlan, Split, check_chips,
//! };
//! use seg_grid::Silent;
//! use std::{path::Path, sync::Arc};
//!
//! let classes = ["building".to_owned(), "road".to_owned()];
//! let set = ChipSet::open(Path::new("chips"), Split::Train, &classes, 3, &DataSettings::default())?;
//! set.check_all_classes_occur()?;
//! check_chips(&set, &Silent)?;
//! let scale = InputScale { divide: 255.0, mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] };
//! let share = BatchShare::ALL;
//! let plan = LoaderPlan { seed: 0, batch: 8, crop: 512, share, first_sample: 0, workers: 2, queue: 2 };
//! let mut loader = Loader::start(Arc::new(set), AugmentSettings::default(), scale, plan)?;
//! let batch = loader.next()?;
//! assert_eq!(batch.images.dim(), (8, 3, 512, 512));
//! # Ok::<(), seg_data::Error>(())
//! ```

mod augment;
mod balance;
mod check;
mod chip_set;
mod class_map;
mod input_scale;
mod loader;
mod order;
mod queue;
mod random;
mod sample;
mod settings;
mod values;

pub use augment::{AugmentSettings, ScaleDistribution};
pub use check::check_chips;
pub use chip_set::ChipSet;
pub use input_scale::InputScale;
pub use loader::{Batch, BatchShare, Loader, LoaderPlan};
pub use sample::{Sample, sample};
pub use settings::{AbsentClasses, DataSettings};
pub use values::{BandValues, band_values};
