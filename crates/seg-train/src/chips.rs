//! The chips that a training reads.

use std::path::Path;
use std::sync::Arc;

use seg_data::{BandValues, ChipSet, Manifest, band_values, check_chips};
use seg_nn::SeenBand;

use crate::trainer::TrainJob;
use crate::{Error, TrainObserver, TrainSettings, classes};

/// The chips that a training reads, all checked.
pub(crate) struct Chips {
    pub(crate) train: Arc<ChipSet>,
    pub(crate) val: Option<ChipSet>,
    /// A hash of what they are.
    pub(crate) fingerprint: String,
}

impl Chips {
    /// Opens and checks everything that samples come from.
    pub(crate) fn open(job: &TrainJob, observer: &dyn TrainObserver) -> Result<Self, Error> {
        let (data, settings) = (&job.settings.data, &job.settings);
        let (names, dtypes) = (classes::names(&job.config), &job.config.input.dtypes);
        let open = |split| {
            let set = ChipSet::open(&job.data, split, &names, job.config.input.bands, data)?;
            Ok::<_, Error>(set.accepting(dtypes))
        };
        let train = open(data.train)?;
        train.check_all_classes_occur()?;
        // What needs no file is refused before all of them are read.
        if settings.loss.class_weight_power > 0.0 {
            train.check_counted("loss.class-weight-power")?;
        }
        let val = (settings.train.validate_every > 0).then(|| open(data.val)).transpose()?;
        check_chips(&train, observer)?;
        val.as_ref().map_or(Ok(()), |val| check_chips(val, observer))?;
        let fingerprint = fingerprint(&job.data, [Some(&train), val.as_ref()])?;
        Ok(Self { train: Arc::new(train), val, fingerprint })
    }

    /// The values that the network learns from, which its checkpoints remember.
    pub(crate) fn seen(&self) -> Result<Vec<SeenBand>, Error> {
        // So short that text brings them back as they were.
        let short = |number: f64| format!("{number:.5e}").parse().unwrap_or(number);
        let band = |BandValues { mean, std, p1, p99 }: &BandValues| SeenBand {
            mean: short(*mean),
            std: short(*std),
            p1: short(*p1),
            p99: short(*p99),
        };
        Ok(band_values(&self.train)?.iter().map(band).collect())
    }

    /// The job's settings, with class weights that follow from the chips.
    pub(crate) fn settings(&self, job: &TrainJob) -> TrainSettings {
        let loss = job.settings.loss.weighted(&self.train.shown_class_pixels());
        TrainSettings { loss, ..job.settings.clone() }
    }
}

/// A hash of manifest, legend and the sizes of all files of the chips.
fn fingerprint(folder: &Path, sets: [Option<&ChipSet>; 2]) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    for name in [Manifest::NAME, Manifest::LEGEND] {
        let path = folder.join(name);
        hasher.update(&std::fs::read(&path).map_err(Error::file("read", &path))?);
    }
    for set in sets.into_iter().flatten() {
        for path in set.files() {
            let metadata = std::fs::metadata(&path).map_err(Error::file("read", &path))?;
            hasher.update(&metadata.len().to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
