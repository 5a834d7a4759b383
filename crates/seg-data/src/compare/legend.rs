use super::CompareJob;
use crate::class_names::{legend_of_ids, legend_of_raster};
use crate::labels::LabelReader;
use crate::slots::Slots;
use crate::windows::windows;
use crate::{Error, LabelFile};
use rayon::prelude::*;
use seg_grid::Window;
use seg_label::{Code, Convention, Legend, Relabel, Tally};
use std::collections::BTreeSet;

/// The legend that the first prediction carries along, or else one of the ids that come in the rasters.
pub(super) fn find_legend(job: &CompareJob) -> Result<Legend, Error> {
    // Any legend will do to open rasters that are read by their ids.
    let any = legend_of_ids([0]).map(Convention::new).ok_or(Error::NoLegend)?;
    let first = job.predictions.first().ok_or(Error::NoInput)?;
    let (_, profile, _) = LabelReader::open_raster(first, &any)?;
    if let Some(legend) = legend_of_raster(&profile) {
        return Ok(legend);
    }
    let nothing_known = Relabel::new(&any.legend).without_ids();
    let mut ids = BTreeSet::new();
    for (prediction, truth) in job.predictions.iter().zip(&job.truths) {
        let LabelFile::Raster(truth) = truth else { return Err(Error::NoLegend) };
        for name in [prediction, truth] {
            let open = || {
                let (reader, profile, _) = LabelReader::open_raster(name, &any)?;
                Ok::<_, Error>((reader.by_id().ok_or(Error::NoLegend)?, profile.size))
            };
            let (_, size) = open()?;
            let (windows, slots) = (windows(size).collect::<Vec<_>>(), Slots::new());
            let read = |&window: &Window| {
                let mut tally = Tally::default();
                slots
                    .with(0, open, |(reader, _)| reader.read(window, &nothing_known, &mut tally).map(drop))?;
                Ok::<_, Error>(tally)
            };
            for tally in windows.par_iter().map(read).collect::<Result<Vec<_>, _>>()? {
                ids.extend(tally.unknown.keys().filter_map(|code| match code {
                    Code::Id(id) => u8::try_from(*id).ok(),
                    Code::Color(_) => None,
                }));
            }
        }
    }
    legend_of_ids(ids).ok_or(Error::NoLegend)
}
