//! Makes training samples out of rasters and their labels, and compares class rasters with their truth.
//!
//! * [`tile`] does a [`TileJob`]: it cuts rasters into chips with a [`Manifest`], a legend and [`Statistics`].
//! * [`assign_splits`] deals chips out by ground, file or pattern so that no [`Split`] has seen another's ground;
//!   [`check_no_leak`] checks that on any manifest.
//! * [`expand`] and [`pair`] find the files a user means, [`DataSet`] knows the layout of public data sets, and
//!   [`find_convention`] how their labels write classes.
//! * [`Loader`] turns a [`ChipSet`] into an endless stream of augmented [`Batch`]es, the same for any number of
//!   threads.
//! * [`PredictionFolder`] takes what a network sees in chips.
//! * [`ClassFile`] is a class raster on disk, read in rows, for polygons.
//! * [`compare`] counts a [`CompareJob`]'s pixels by truth and prediction.
//!
//! Labels are never resampled and codes off the legend never silently mapped: what does not lie on the image's
//! grid is refused, what means nothing is counted and told. The same job makes the same bytes for any number of
//! threads.
//!
//! ```
//! use seg_data::{ChipPlace, Place, Shares, SplitBy, SplitPlan, SplitSource, assign_splits};
//! use seg_grid::{EdgePolicy, Size, TileGrid};
//!
//! let grid = TileGrid::new(Size::square(4000), Size::square(256), 32, EdgePolicy::Shift)?;
//! let chips: Vec<_> =
//!     grid.iter().map(|tile| ChipPlace { source: 0, window: tile.read, weight: tile.read.area() }).collect();
//! let source = SplitSource { name: "scene".to_owned(), place: Place { crs: None, transform: None } };
//! let plan = SplitPlan { shares: Shares::default(), by: SplitBy::Block, buffer: 32, seed: 0 };
//! let assignment = assign_splits(&[source], &chips, &plan, 256)?;
//! assert_eq!(assignment.splits.len(), chips.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod class_file;
mod class_names;
mod compare;
mod convention;
mod error;
mod formats;
mod inputs;
mod labels;
mod made_folder;
mod manifest;
mod notes;
mod pairs;
mod predictions;
mod slots;
mod split;
mod statistics;
mod tile;
mod training;
mod windows;

pub use class_file::{ClassFile, LegendOrigin};
pub use compare::{
    CompareJob, Comparison, Grids, Known, Scene, Spot, SpotMaps, TileLines, compare, read_spot,
    write_error_map,
};
pub use convention::find_convention;
pub use error::Error;
pub use formats::{DataSet, ImageVariant, LabelVariant, Variants};
pub use inputs::{Kind, expand};
pub use labels::{LabelFile, class_entry};
pub use made_folder::MadeFolder;
pub use manifest::{ChipRecord, Manifest};
pub use pairs::pair;
pub use predictions::{PredictionFolder, PredictionStyle};
pub use split::{
    Assignment, ChipPlace, Leak, Place, Shares, Split, SplitBy, SplitPlan, SplitSource, assign_splits,
    check_no_leak,
};
pub use statistics::{BandStatistics, Statistics};
pub use tile::{Existing, LabelInput, SplitRequest, TileJob, TileSummary, tile};
pub use training::{
    AbsentClasses, AugmentSettings, BandValues, Batch, BatchShare, ChipSet, DataSettings, InputScale, Loader,
    LoaderPlan, Sample, ScaleDistribution, band_values, check_chips, sample,
};
