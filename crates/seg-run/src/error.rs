use seg_grid::{IoError, Size};
use std::path::PathBuf;

/// What can go wrong between a raster and its classes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Pixels could not be read or written.
    #[error(transparent)]
    Raster(#[from] IoError),
    /// The network failed or returned something that is no score map.
    #[error("the network failed on {what}")]
    Network {
        /// Which tile.
        what: String,
        /// Why.
        source: Box<seg_nn::Error>,
    },
    /// libtorch gave up inside an operator.
    #[error("the network stopped on {what}: {reason}")]
    NetworkPanic {
        /// Which tile.
        what: String,
        /// The first line of libtorch's message.
        reason: String,
    },
    /// The raster has another number of bands than the network.
    #[error("the network reads {needed} bands, {name} gives {got}")]
    Bands {
        /// The raster.
        name: String,
        /// What the network wants.
        needed: usize,
        /// What there is.
        got: usize,
    },
    /// A data type that the model has not seen.
    #[error("{name} holds {got} values, the model was made for {seen}")]
    DataType {
        /// The raster.
        name: String,
        /// Its type.
        got: &'static str,
        /// The model's types.
        seen: String,
    },
    /// Limits that leave no range.
    #[error("cannot scale {name}: band {band} runs from {low} to {high}, which is no range")]
    EmptyRange {
        /// The raster.
        name: String,
        /// Band, counted from 1.
        band: usize,
        /// Lower limit.
        low: f64,
        /// Upper limit.
        high: f64,
    },
    /// Tiles that cannot be laid.
    #[error("cannot lay tiles over {name}")]
    Tiles {
        /// The raster.
        name: String,
        /// Why.
        source: seg_grid::Error,
    },
    /// Tiles came back in a wrong shape or order.
    #[error("cannot stitch the tiles")]
    Stitch(#[source] seg_grid::Error),
    /// The budget is too small even for one tile at a time.
    #[error("{} of memory are needed, {} are allowed", mib(*needed), mib(*budget))]
    Budget {
        /// The smallest plan.
        needed: u64,
        /// The limit.
        budget: u64,
    },
    /// A single block of the raster is larger than the budget allows.
    #[error(
        "{name} stores blocks of {block} pixels, {} each, of which the memory limit allows {}",
        mib(*bytes),
        mib(*allowed)
    )]
    BlockTooLarge {
        /// The raster.
        name: String,
        /// Its block.
        block: Size,
        /// Bytes decoded at once.
        bytes: u64,
        /// Bytes left for it.
        allowed: u64,
    },
    /// A file of the work folder could not be read or written.
    #[error("cannot {action} {path}")]
    Work {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A strip whose content does not match its checksum.
    #[error("{path} is damaged: {what}")]
    DamagedStrip {
        /// The strip.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
    /// Parts that do not make a whole.
    #[error("the parts do not fit together at column {column}, row {row}")]
    Gap {
        /// Column of the result.
        column: usize,
        /// Row of the result.
        row: usize,
    },
    /// A work folder of an earlier run is in the way.
    #[error("an unfinished run of {} lies in {path}", mib(*bytes))]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// What it takes on disk.
        bytes: u64,
    },
    /// Another run is at work in the folder.
    #[error("another rs-seg is writing this output, in {path}")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The unfinished run was another one.
    #[error("cannot resume {path}: {differing} differ from the run that began it")]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// The parameters that differ.
        differing: String,
    },
    /// Passes over a tile that make no sense.
    #[error("the network cannot be run so: {0}")]
    Passes(#[from] crate::BadPasses),
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Raster(error) => error.hint.clone(),
            Self::Network { source, .. } => source.hint(),
            Self::NetworkPanic { reason, .. } if reason.contains("memory") => {
                Some("use a smaller --tile or --batch, or a machine with more memory".to_owned())
            }
            Self::Bands { needed, .. } => Some(format!("choose {needed} bands with --bands")),
            Self::DataType { .. } => Some(
                "say how values meet the model: --scaling divide=V, minmax=LO,HI, percentile=2,98 or none"
                    .to_owned(),
            ),
            Self::EmptyRange { .. } => Some("give other limits with --scaling minmax=LO,HI".to_owned()),
            Self::Tiles { .. } => Some("choose another --tile or --overlap".to_owned()),
            Self::Budget { .. } => Some("raise --max-memory, or use a smaller --tile".to_owned()),
            Self::BlockTooLarge { name, .. } => Some(format!(
                "rewrite it once: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE {name} tiled.tif"
            )),
            Self::Work { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space and run again with --resume".to_owned())
            }
            Self::DamagedStrip { .. } => Some("start over with --discard".to_owned()),
            Self::Unfinished { .. } => Some("--resume goes on with it, --discard starts over".to_owned()),
            Self::Busy { .. } => Some("wait until it is done, or write to another file".to_owned()),
            Self::OtherRun { .. } => {
                Some("use the same input, model and parameters, or --discard".to_owned())
            }
            _ => None,
        }
    }
}

/// Bytes for people.
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
