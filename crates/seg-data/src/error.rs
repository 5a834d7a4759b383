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
    /// Images were found, and all of them were left out.
    #[error("none of the {images} images has a use")]
    NoneOfUse { images: usize },
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
    /// A variant that a data set does not have, or that is not there.
    #[error("no {what} of {data_set} is of the variant {variant}")]
    NoVariant { what: &'static str, data_set: &'static str, variant: &'static str },
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
    /// A raster of colors that nobody has named.
    #[error("{name} has colors, and nothing tells which classes they are")]
    ColorsAlone { name: String },
    /// A class raster with codes off its legend.
    #[error("{name} has codes that its legend lacks: {codes}")]
    NotOfLegend { name: String, codes: String },
    /// A raster that does not say how sure a network was.
    #[error("{name} is no raster of confidence: it has {has}")]
    NoConfidence { name: String, has: String },
    /// A legend that is neither built in nor a file.
    #[error("there is no legend {name}")]
    NoSuchLegend { name: String },
    /// A different number of truths and predictions.
    #[error("{predictions} predictions were named, but {truths} truths")]
    CountMismatch { predictions: usize, truths: usize },
    /// A legend that cannot be used.
    #[error("cannot use the legend {name}")]
    Legend { name: String, source: seg_label::Error },
    /// Probabilities that do not fit a prediction.
    #[error("cannot take {name} for probabilities: {reason}")]
    Probabilities { name: String, reason: String },
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
    /// A folder without chips.
    #[error("{} holds no {}", folder.display(), crate::Manifest::NAME)]
    NoManifest { folder: PathBuf },
    /// Chips without labels.
    #[error("{chips} of the {of} {split} chips of {} have no label", folder.display())]
    UnlabeledChips { folder: PathBuf, split: crate::Split, chips: usize, of: usize },
    /// A split without chips.
    #[error("{} has no {split} chips{}", folder.display(), excluded_in_words(*excluded))]
    EmptySplit { folder: PathBuf, split: crate::Split, excluded: usize, has: String },
    /// Classes that a model has and labels do not.
    #[error("the model has {}, the labels of {} do not", classes_in_words(missing), folder.display())]
    ClassesNotInLabels { folder: PathBuf, missing: Vec<String>, model: Vec<String>, labels: Vec<String> },
    /// Classes that labels have and a model does not.
    #[error("the labels of {} have {}, the model does not", folder.display(), classes_in_words(classes))]
    ClassesNotInModel { folder: PathBuf, classes: Vec<String>, model: Vec<String> },
    /// Classes that come nowhere in a split.
    #[error("no {split} chip shows {}", classes_in_words(classes))]
    AbsentClasses { split: crate::Split, classes: Vec<String> },
    /// A prediction that is there already.
    #[error("{} exists", path.display())]
    PredictionExists { path: PathBuf },
    /// Pictures that would lie among the predictions that replace others.
    #[error("{} holds {count} PNG files of no chip, such as {example}", folder.display())]
    AmongPictures { folder: PathBuf, count: usize, example: String },
    /// Predictions that would lie among the chips.
    #[error("{} holds the chips that predictions are made of", folder.display())]
    AmongChips { folder: PathBuf },
    /// Chips whose predictions would have one name.
    #[error("two chips would be written as {name}")]
    SameName { name: String },
    /// An input within the folder that is made.
    #[error("{name} is read and lies in {}, which is written", out.display())]
    InputInside { name: String, out: PathBuf },
    /// A chip of a data type that the model is not made for.
    #[error("{name} holds {dtype} values, the model takes {expected}")]
    ChipType { name: String, dtype: &'static str, expected: String },
    /// A setting that needs what a manifest does not tell.
    #[error("{key} needs the pixels of each class, which {} of {} does not count", crate::Manifest::NAME, folder.display())]
    NotCounted { folder: PathBuf, key: &'static str },
    /// A chip that the manifest names and that is not there.
    #[error("{} names the chip {chip}, which is not there", crate::Manifest::NAME)]
    MissingChip { chip: PathBuf },
    /// A chip of another size than the manifest says.
    #[error("{name} has {got} pixels, the manifest says {expected}")]
    ChipSize { name: String, got: seg_grid::Size, expected: seg_grid::Size },
    /// A window that reaches beyond its chip.
    #[error("{window} reaches beyond {name}")]
    OutsideChip { name: String, window: seg_grid::Window },
    /// Chips whose bands do not fit a model.
    #[error("cannot take {needed} bands from {name}")]
    ChipBands { name: String, needed: usize, source: Box<seg_gdal::Error> },
    /// A label chip that is not one band of bytes.
    #[error("{name} is no label chip: it has {has}")]
    NotALabelChip { name: String, has: String },
    /// Ids in a label chip that the folder's legend does not have.
    #[error("{name} has ids that legend.toml does not have: {}", listed(ids))]
    UnknownLabelIds { name: String, ids: Vec<String> },
    /// A setting that cannot be used.
    #[error("{key} must be {must}, not {got}")]
    Setting { key: &'static str, must: String, got: String },
    /// A pattern that is none.
    #[error("the pattern \"{pattern}\" of exclude cannot be used")]
    ExcludePattern { pattern: String, source: Box<regex::Error> },
    /// Changes of color for images that have none.
    #[error("photometric distortion needs red, green and blue, but the model takes {bands} bands")]
    PhotometricBands { bands: usize },
    /// A thread that could not be started.
    #[error("cannot start a thread that loads samples")]
    LoaderThread { source: std::io::Error },
    /// A thread that ended before its time.
    #[error("a thread that loads samples ended unexpectedly")]
    LoaderEnded,
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

fn classes_in_words(names: &[String]) -> String {
    match names {
        [only] => format!("the class {only}"),
        _ => format!("the classes {}", listed(names)),
    }
}

fn excluded_in_words(excluded: usize) -> String {
    if excluded == 0 { String::new() } else { format!(": `exclude` leaves out all {excluded}") }
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
            Self::NoVariant { what, .. } => {
                Some(format!("leave out `--{what}-variant`, or name the folder that holds it"))
            }
            Self::NoLegend | Self::NoSuchLegend { .. } => Some(format!(
                "`--legend` takes a file of [[class]] tables or one of {}; `--dataset` brings its own",
                seg_label::Legend::builtin_names().collect::<Vec<_>>().join(", ")
            )),
            Self::NothingLabeled { .. } => {
                Some("check `--legend`: its ids or colors are not those of the labels".to_owned())
            }
            Self::NotOfLegend { .. } | Self::ColorsAlone { .. } => {
                Some("give the legend that it follows: `--legend FILE|NAME`".to_owned())
            }
            Self::NoConfidence { .. } => Some(
                "confidence is what `rs-seg infer --confidence` writes: bytes of 0 to 254, or floats of 0 to 1".to_owned(),
            ),
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
            _ => self.training_hint(),
        }
    }

    /// See [`Error::hint`], for what comes up when samples are loaded.
    fn training_hint(&self) -> Option<String> {
        let text = match self {
            Self::NoManifest { .. } => {
                "`rs-seg tile IMAGES --labels LABELS --legend LEGEND --out FOLDER` makes one".to_owned()
            }
            Self::NoneOfUse { .. } => "name a folder that has images with labels too".to_owned(),
            Self::UnlabeledChips { .. } => {
                "tile again with `--labels`; `rs-seg eval --save-predictions` writes what a network sees in chips \
                 without"
                    .to_owned()
            }
            Self::EmptySplit { excluded: 0, has, .. } => {
                format!("the folder has {has}; `eval` chooses with --split, a training with `train` and `val` of [data]")
            }
            Self::EmptySplit { .. } => "check the patterns of `exclude` in [data]".to_owned(),
            Self::ClassesNotInLabels { model, labels, .. } => {
                format!("the model has {}; the labels have {}", listed(model), listed(labels))
            }
            Self::ClassesNotInModel { model, .. } => format!(
                "the model has {}; add the others to its classes, or tile with a legend that leaves them out, \
                 so that their pixels are ignored",
                listed(model)
            ),
            Self::AbsentClasses { .. } => {
                "split otherwise, take the classes out of the model, or set `absent-classes = \"allow\"` in [data]"
                    .to_owned()
            }
            Self::PredictionExists { .. } => "`--overwrite` replaces it when the new ones are whole".to_owned(),
            Self::SameName { .. } => "`rs-seg tile` names chips so that none is called as another".to_owned(),
            Self::InputInside { .. } => "choose another folder for --out".to_owned(),
            Self::AmongPictures { .. } => {
                "remove those of the earlier run, or choose another folder for --save-predictions".to_owned()
            }
            Self::AmongChips { .. } => "choose another folder for --save-predictions".to_owned(),
            Self::ChipType { dtype, .. } => format!(
                "tell how values become 0 to 1: set input.divide and input.dtypes = [\"{dtype}\"], with mean and std \
                 to match"
            ),
            Self::NotCounted { .. } => "`rs-seg tile` counts them; or leave the setting out".to_owned(),
            Self::MissingChip { .. } | Self::ChipSize { .. } | Self::UnknownLabelIds { .. } => {
                "the folder was changed after it was made: tile again".to_owned()
            }
            Self::NotALabelChip { .. } => "label chips are one band of bytes, as `rs-seg tile` makes them".to_owned(),
            Self::ChipBands { needed, .. } => {
                let bands: Vec<_> = (1..=*needed).map(|band| band.to_string()).collect();
                format!("`bands = [{}]` in [data] chooses bands by their numbers", bands.join(", "))
            }
            Self::PhotometricBands { .. } => "set `photometric = false` in [augment]".to_owned(),
            _ => return None,
        };
        Some(text)
    }
}
