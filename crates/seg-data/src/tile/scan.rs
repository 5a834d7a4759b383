use crate::labels::LabelReader;
use crate::slots::Slots;
use crate::tile::job::TileJob;
use crate::tile::source::Source;
use crate::windows::windows;
use crate::{Error, LabelFile};
use rayon::prelude::*;
use seg_grid::{Observer, Progress};
use seg_label::{Code, Tally};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads every label raster once, before any chip is cut, and counts what its codes are, by file.
///
/// Chips overlap and some are dropped: only this counts every pixel once.
///
/// # Errors
/// If a raster cannot be read, holds nothing of the legend, or the observer cancels.
pub(crate) fn scan(
    job: &TileJob,
    sources: &[Source],
    observer: &dyn Observer,
) -> Result<BTreeMap<String, Tally>, Error> {
    let Some(convention) = &job.convention else { return Ok(BTreeMap::new()) };
    let orders: Vec<_> = sources
        .iter()
        .enumerate()
        .filter_map(|(i, source)| match &source.label {
            Some(LabelFile::Raster(name)) => Some((i, name, source.grid.raster())),
            _ => None,
        })
        .flat_map(|(i, name, size)| windows(size).map(move |window| (i, name, window)))
        .collect();
    let (slots, done, total) = (Slots::new(), AtomicU64::new(0), orders.len() as u64);
    let tallies: Vec<Tally> = orders
        .par_iter()
        .map(|&(i, name, window)| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let mut tally = Tally::default();
            slots.with(
                i,
                || LabelReader::open_raster(name, convention).map(|(reader, ..)| reader),
                |reader| reader.read(window, &convention.relabel, &mut tally),
            )?;
            observer.progress(Progress {
                stage: "labels",
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
            });
            Ok(tally)
        })
        .collect::<Result<_, _>>()?;
    let mut by_file: BTreeMap<String, Tally> = BTreeMap::new();
    for ((_, name, _), tally) in orders.iter().zip(tallies) {
        by_file.entry((*name).clone()).or_default().merge(tally);
    }
    for (name, tally) in &by_file {
        judge(name, tally, observer)?;
        if job.is_in_doubt() && tally.unknown.contains_key(&Code::Id(convention.legend.len() as i64)) {
            // The id after the last: these labels count from 1, and all their classes would be wrong.
            return Err(Error::UnknownCodes { name: name.clone(), codes: tally.describe_unknown() });
        }
    }
    Ok(by_file)
}

/// Codes that mean nothing are told; a file of nothing else is refused.
fn judge(name: &str, tally: &Tally, observer: &dyn Observer) -> Result<(), Error> {
    if tally.labeled == 0 && !tally.unknown.is_empty() {
        return Err(Error::NothingLabeled { name: name.to_owned(), codes: describe(tally) });
    }
    if !tally.unknown.is_empty() {
        observer
            .warning(&format!("{name} has {} that are not in the legend and are ignored", describe(tally)));
    }
    if tally.inexact > 0 {
        observer.warning(&format!(
            "{name}: {} pixels are not exactly in the legend's colors (off by {} at most) and were mended",
            tally.inexact, tally.largest_distance
        ));
    }
    Ok(())
}

/// The unknown codes with their kind and pixels.
fn describe(tally: &Tally) -> String {
    let kind = match tally.unknown.keys().next() {
        Some(Code::Color(_)) => "colors",
        _ => "ids",
    };
    format!("{kind} {}", tally.describe_unknown())
}
