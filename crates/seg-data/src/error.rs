use std::path::PathBuf;

/// What can go wrong between the rasters of a user and the chips of a training set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// A file operation that failed.
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A folder or list without what was looked for.
    #[error("{} holds no {what}", path.display())]
    NothingFound { path: PathBuf, what: &'static str },
    /// No input at all.
    #[error("no image was named")]
    NoInput,
    /// Images without a label.
    #[error("{} {} no label: {}", images.len(), if images.len() == 1 { "image has" } else { "images have" }, listed(images))]
    Unpaired { images: Vec<String>, labels: Vec<String> },
    /// An image with several labels.
    #[error("{image} has {} labels: {}", labels.len(), listed(labels))]
    SeveralLabels { image: String, labels: Vec<String> },
    /// Shares that are none.
    #[error("train {train}, val {val} and test {test} are no shares of a whole")]
    Shares { train: f64, val: f64, test: f64 },
    /// A name that a pattern does not match.
    #[error("the pattern \"{pattern}\" of --split-by does not match {name}")]
    PatternWithoutMatch { pattern: String, name: String },
    /// A line of a manifest that is no chip.
    #[error("line {line} of {} is no chip", path.display())]
    ManifestLine { path: PathBuf, line: usize, source: serde_json::Error },
    /// Something in the raster library.
    #[error("cannot {action} {name}")]
    Raster { action: &'static str, name: String, source: Box<seg_gdal::Error> },
    /// A window that could not be read.
    #[error("cannot read {name}")]
    Read { name: String, source: seg_grid::IoError },
    /// A raster that was not the same when it was read again.
    #[error("{name} changed while it was cut")]
    Changed { name: String },
    /// Labels on another grid.
    #[error("cannot use {label} as labels of {image}")]
    Grid { image: String, label: String, source: Box<seg_gdal::Error> },
    /// Files that a data set's own split does not name.
    #[error("no image has a place in the split of {data_set}")]
    NoOwnSplit { data_set: &'static str },
    /// A tiling that is none.
    #[error("cannot cut {name} into chips")]
    Tiling { name: String, source: seg_grid::Error },
    /// Labels without a legend.
    #[error("labels need a legend")]
    NoLegend,
    /// Labels of which nothing is in the legend.
    #[error("no pixel of {name} has a class of the legend; it holds {codes}")]
    NothingLabeled { name: String, codes: String },
    /// Codes that mean no class.
    #[error("{name} has codes that are no classes: {codes}")]
    UnknownCodes { name: String, codes: String },
    /// A legend that is neither built in nor a file.
    #[error("there is no legend {name}")]
    NoSuchLegend { name: String },
    /// A different number of truths and predictions.
    #[error("{predictions} predictions were named, but {truths} truths")]
    CountMismatch { predictions: usize, truths: usize },
    /// A legend that cannot be used.
    #[error("cannot use the legend {name}")]
    Legend { name: String, source: seg_label::Error },
    /// Comparing two class maps.
    #[error("cannot compare {prediction} with {truth}")]
    Compare { prediction: String, truth: String, source: seg_label::Error },
    /// Rasters of different kinds in one training set.
    #[error("{first} has {first_bands} bands, but {second} has {second_bands}")]
    MixedBands { first: String, first_bands: usize, second: String, second_bands: usize },
    /// An output that is there already.
    #[error("{} holds chips already", path.display())]
    Exists { path: PathBuf },
    /// An output folder with something else in it.
    #[error("{} is not empty and holds no {}", path.display(), crate::Manifest::NAME)]
    NotOurs { path: PathBuf },
    /// No chip left to train on.
    #[error(
        "no chip is left to train on: of {candidates}, {nodata} had no data and {buffer} lay too close to another split"
    )]
    NoChips { candidates: usize, nodata: usize, buffer: usize },
    /// A pool of threads that could not be made.
    #[error("cannot start {threads} threads")]
    Threads { threads: usize, source: rayon::ThreadPoolBuildError },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

/// How many names a message lists.
const LISTED: usize = 10;

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unpaired { labels, .. } => Some(format!(
                "a label has its image's name, or that name with an end such as _label, _mask or _gt; found {}",
                listed(labels)
            )),
            Self::CountMismatch { .. } => {
                Some("name as many files in the same order, or two folders with files of the same names".to_owned())
            }
            Self::SeveralLabels { .. } => Some("name a folder with one label an image".to_owned()),
            Self::Shares { .. } => Some("shares add up to 1, such as train=.7,val=.15,test=.15".to_owned()),
            Self::Raster { source, .. } | Self::Grid { source, .. } => source.hint(),
            Self::Read { source, .. } => source.hint.clone(),
            Self::NoOwnSplit { .. } => Some("`--split` deals them out, such as --split train=.7,val=.15,test=.15".to_owned()),
            Self::NoLegend | Self::NoSuchLegend { .. } => Some(format!(
                "`--legend` takes a file of [[class]] tables or one of {}; `--dataset` brings its own",
                seg_label::Legend::builtin_names().collect::<Vec<_>>().join(", ")
            )),
            Self::NothingLabeled { .. } => {
                Some("check `--legend`: its ids or colors are not those of the labels".to_owned())
            }
            Self::UnknownCodes { .. } => {
                Some("give the legend that both rasters follow with `--legend`, or the data set with `--dataset`".to_owned())
            }
            Self::Legend { source, .. } => source.hint(),
            Self::MixedBands { .. } => {
                Some("tile rasters of different bands one by one, into folders of their own".to_owned())
            }
            Self::Exists { .. } => Some("`--overwrite` replaces them".to_owned()),
            Self::NotOurs { .. } => Some("name a new or empty folder with `--out`".to_owned()),
            Self::NoChips { buffer: 0, .. } => {
                Some("check the rasters' nodata values and masks; `--skip-nodata` says how much may be missing".to_owned())
            }
            Self::NoChips { .. } => Some(
                "the rasters are too small for this split: take smaller chips (`--size`), a smaller `--buffer`, \
                 `--split train=1` or, with several files, `--split-by file`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
