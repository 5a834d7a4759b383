use crate::slots::Slots;
use crate::split::ChipPlace;
use crate::tile::job::TileJob;
use crate::tile::source::{Source, open_image};
use crate::{Error, labels::opening};
use rayon::prelude::*;
use seg_grid::{Observer, Progress, Window};
use std::sync::atomic::{AtomicU64, Ordering};

/// The chips that have enough data, and how many have not.
///
/// Only rasters that can have holes are read. What has no data is sorted out before chips are dealt out, so that
/// an empty corner takes no split's share and no neighbor's place.
pub(crate) fn survey(
    job: &TileJob,
    sources: &[Source],
    observer: &dyn Observer,
) -> Result<(Vec<ChipPlace>, usize), Error> {
    let all: Vec<_> = sources
        .iter()
        .enumerate()
        .flat_map(|(source, of)| of.grid.iter().map(move |tile| (source, tile.read)))
        .collect();
    let (slots, done, total) = (Slots::new(), AtomicU64::new(0), all.len() as u64);
    let valid: Vec<u64> = all
        .par_iter()
        .map(|&(i, window)| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let source = &sources[i];
            let valid = if source.has_holes {
                let validity = slots.with(
                    i,
                    || open_image(&source.name),
                    |raster| raster.read_validity(window).map_err(opening(&source.name)),
                )?;
                validity.iter().filter(|&&valid| valid).count() as u64
            } else {
                window.clip(source.grid.raster()).map_or(0, Window::area)
            };
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            observer.progress(Progress { stage: "survey", done, total });
            Ok(valid)
        })
        .collect::<Result<_, _>>()?;
    let enough =
        |valid: u64, pixels: u64| valid > 0 && 1.0 - (valid as f64 / pixels as f64) < job.skip_nodata;
    let chips: Vec<_> = all
        .iter()
        .zip(valid)
        .filter(|((_, window), valid)| enough(*valid, window.area()))
        .map(|(&(source, window), weight)| ChipPlace { source, window, weight })
        .collect();
    let skipped = all.len() - chips.len();
    Ok((chips, skipped))
}
