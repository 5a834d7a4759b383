//! Parts that are computed apart.

use super::*;
use crate::{Cuts, Piece, WantedTiles, shards};
use seg_grid::{RasterSink, Resampled};

const RESULT: Size = Size { width: 1548, height: 1650 };

/// Computes all parts, each with its own settings and some of them killed on the way, and puts them together.
fn merged(
    count: usize,
    regrid: Option<Regrid>,
    native: &MemoryRaster,
    folder: &Path,
) -> Result<(MemoryRaster, u64), Error> {
    let (seen, network) = scene_and_network()?;
    let source: Box<dyn RasterSource> = match regrid {
        Some(_) => Box::new(Resampled::new(Box::new(seen.clone()), Box::new(native.clone()))),
        None => Box::new(seen.clone()),
    };
    let result = native.profile().size;
    let grid = Plan::lay_tiles(seen.profile(), 128, Overlap::Pixels(36), 4)?;
    let windows = shards(&WantedTiles::all(grid), regrid.as_ref(), result, Cuts::Anywhere, count);
    let (mut pieces, mut tiles) = (Vec::new(), 0);
    for (number, window) in windows.into_iter().enumerate().rev().filter(|(_, window)| window.area() > 0) {
        let setting = Setting {
            threads: 1 + number % 2,
            batch: Batch::Tiles(1 + number % 3),
            // Some machines have less memory, and cut once more.
            columns: (number % 2 == 1 && window.width > 512)
                .then(|| vec![window.x..window.x + 512, window.x + 512..window.right()]),
            device: Device::Cpu,
        };
        let folder = folder.join(number.to_string());
        let native = regrid.map(|regrid| (regrid, native.profile()));
        let plan = part_plan(&seen, native, &setting, &OUTPUTS, setting.columns.as_deref(), Some(window))?;
        for attempt in [number.is_multiple_of(2), false] {
            let work = WorkFolder::open(folder.clone(), &key(), Fresh::Resume)?;
            work.begin(&key(), &plan.columns)?;
            let stop: Box<dyn Observer> = if attempt {
                Box::new(After(AtomicUsize::new(plan.tiles() as usize / 2)))
            } else {
                Box::new(Silent)
            };
            match predict(&network, &*source, &plan, &[0, 1, 2], &work, &*stop) {
                Ok(outcome) if !attempt => tiles += outcome.computed + outcome.skipped,
                Ok(_) | Err(Error::Cancelled) => {}
                Err(error) => return Err(error),
            }
        }
        pieces.push(Piece { folder, window, columns: plan.columns.clone() });
    }
    let strips = Strips::of_parts(result, pieces)?;
    let mut out = native.clone();
    for output in OUTPUTS {
        assemble(&strips, output, &mut out as &mut dyn RasterSink, &Silent)?;
    }
    Ok((out, tiles))
}

#[test]
fn parts_make_the_same_bits_as_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Setting { threads: 2, batch: Batch::Auto, columns: None, device: Device::Cpu };
    let (whole, _) = segment(&plain, &folder.path().join("whole"), Fresh::Expected, &Silent).unwrap();
    for count in [2, 3, 5, 9] {
        let (parts, _) = merged(count, None, &scene(), &folder.path().join(count.to_string())).unwrap();
        assert!(same(&whole, &parts), "{count} parts");
    }
}

#[test]
fn parts_of_a_result_with_other_pixels_too() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Setting { threads: 2, batch: Batch::Auto, columns: None, device: Device::Cpu };
    let (whole, _) =
        regridded::segment(&plain, &folder.path().join("whole"), Fresh::Expected, &Silent).unwrap();
    let regrid = Regrid::new(RASTER, RESULT, 0.4, 2.0 / 3.0);
    for count in [2, 6] {
        let folder = folder.path().join(count.to_string());
        let (parts, _) = merged(count, Some(regrid), &regridded::native(), &folder).unwrap();
        assert!(same(&whole, &parts), "{count} parts");
    }
}
