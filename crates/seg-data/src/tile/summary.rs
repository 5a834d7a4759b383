use crate::split::Assignment;
use crate::statistics::Moments;
use crate::tile::cut::Cut;
use crate::tile::job::{TileJob, TileSummary};
use crate::tile::out_folder::OutFolder;
use crate::tile::source::Source;
use crate::{ChipRecord, Error, Manifest, Split};
use seg_grid::{DataType, Observer};
use seg_label::Tally;
use std::collections::BTreeMap;

/// All that the cutting found out.
#[derive(Debug)]
pub(crate) struct Gathered {
    manifest: Manifest,
    moments: Moments,
    /// By label raster.
    tallies: BTreeMap<String, Tally>,
    dtype: Option<DataType>,
    sources: usize,
    candidates: usize,
    skipped: usize,
    dropped: usize,
    block: Option<usize>,
}

impl Gathered {
    /// Puts the chips together in their order, so that the sums are the same for any number of threads.
    pub(crate) fn new(
        sources: &[Source],
        assignment: &Assignment,
        skipped: usize,
        tallies: BTreeMap<String, Tally>,
        cuts: Vec<Cut>,
    ) -> Self {
        let first = sources.first();
        let dtype = first.map(|s| s.dtype).filter(|dtype| sources.iter().all(|s| s.dtype == *dtype));
        let mut moments = Moments::new(first.map_or(0, |s| s.bands));
        cuts.iter().filter_map(|cut| cut.moments.as_ref()).for_each(|chip| moments.add(chip));
        Self {
            manifest: Manifest { chips: cuts.into_iter().map(|cut| cut.record).collect() },
            moments,
            tallies,
            dtype,
            sources: sources.len(),
            candidates: assignment.splits.len() + skipped,
            skipped,
            dropped: assignment.splits.iter().filter(|split| split.is_none()).count(),
            block: assignment.block,
        }
    }

    /// Judges the whole, says what the user should know, and gives the folder its files.
    pub(crate) fn finish(
        self,
        job: &TileJob,
        out: OutFolder,
        observer: &dyn Observer,
    ) -> Result<TileSummary, Error> {
        self.check_splits(job, observer)?;
        let statistics = self.moments.finish(self.dtype);
        // Chips without labels are predicted by its classes.
        if let Some(convention) = &job.convention {
            out.write(Manifest::LEGEND, &convention.legend.to_toml())?;
        }
        if let Some(statistics) = &statistics {
            // Numbers only: nothing that JSON cannot hold.
            let text = serde_json::to_string_pretty(statistics).unwrap_or_default();
            out.write("statistics.json", &(text + "\n"))?;
        }
        out.write(Manifest::NAME, &self.manifest.to_jsonl())?;
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        out.publish()?;
        let worth_telling = |tally: &Tally| tally.inexact > 0 || !tally.unknown.is_empty();
        Ok(TileSummary {
            out: job.out.clone(),
            sources: self.sources,
            candidates: self.candidates,
            chips: self.count_splits(),
            skipped_nodata: self.skipped,
            dropped_by_buffer: self.dropped,
            buffer: job.own_split().is_none().then(|| job.buffer()),
            block: self.block,
            histogram: histogram(&self.manifest.chips),
            labels: self.tallies.into_iter().filter(|(_, tally)| worth_telling(tally)).collect(),
            statistics,
        })
    }

    /// Every split with a share has a chip: without one for training there is no use in the set.
    fn check_splits(&self, job: &TileJob, observer: &dyn Observer) -> Result<(), Error> {
        let nothing =
            || Error::NoChips { candidates: self.candidates, nodata: self.skipped, buffer: self.dropped };
        if self.manifest.chips.is_empty() {
            return Err(nothing());
        }
        if job.own_split().is_some() {
            return Ok(());
        }
        let shares = job.split.shares.unwrap_or_default();
        for (split, chips) in self.count_splits() {
            match split {
                _ if chips > 0 || shares.of(split) == 0.0 => {}
                Split::Train => return Err(nothing()),
                _ => observer.warning(&format!(
                    "no chip is left for {split}: the rasters are too small for this split"
                )),
            }
        }
        Ok(())
    }

    fn count_splits(&self) -> BTreeMap<Split, usize> {
        let count = |split| self.manifest.chips.iter().filter(|chip| chip.split == split).count();
        Split::ALL.into_iter().map(|split| (split, count(split))).collect()
    }
}

fn histogram(chips: &[ChipRecord]) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (name, pixels) in chips.iter().flat_map(|chip| &chip.histogram) {
        *sum.entry(name.clone()).or_default() += pixels;
    }
    sum
}
