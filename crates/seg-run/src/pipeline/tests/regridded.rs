//! A network that sees other pixels than the result has.

use super::*;
use seg_grid::Resampled;

/// The result has 2.5 times as many columns, and 1.5 times as many rows.
const RESULT: Size = Size { width: 1548, height: 1650 };

pub(super) fn native() -> MemoryRaster {
    let values = Array3::zeros((3, RESULT.height, RESULT.width));
    let valid = Array2::from_shape_fn((RESULT.height, RESULT.width), |(y, x)| x < 1500 && (x + y) % 97 != 0);
    MemoryRaster::with_mask(values, valid)
}

pub(super) fn segment(
    setting: &Setting,
    folder: &Path,
    fresh: Fresh,
    observer: &dyn Observer,
) -> Result<(MemoryRaster, Outcome), Error> {
    let (seen, network) = scene_and_network()?;
    let regrid = Regrid::new(RASTER, RESULT, 0.4, 2.0 / 3.0);
    let mut out = native();
    let source = Resampled::new(Box::new(seen.clone()), Box::new(out.clone()));
    let work = WorkFolder::open(folder.to_path_buf(), &key(), fresh)?;
    let kept = WorkFolder::columns_of(folder).or_else(|| setting.columns.clone());
    let plan = plan(&seen, Some((regrid, out.profile())), setting, &OUTPUTS, kept.as_deref())?;
    work.begin(&key(), &plan.columns)?;
    let outcome = predict(&network, &source, &plan, &[0, 1, 2], &work, observer)?;
    for output in OUTPUTS {
        assemble(&Strips::of_run(&work, &plan), output, &mut out, observer)?;
    }
    Ok((out, outcome))
}

#[test]
fn scores_return_to_the_raster_s_own_grid_to_the_same_bits_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Setting { threads: 1, batch: Batch::Tiles(1), columns: None, device: Device::Cpu };
    let (whole, outcome) = segment(&plain, &folder.path().join("a"), Fresh::Expected, &Silent).unwrap();
    assert!(outcome.skipped > 0 && outcome.computed > outcome.skipped, "{outcome:?}");
    // Against the definition, from the scores on the network's own grid.
    let (seen, _) = super::segment(&plain, &folder.path().join("seen"), Fresh::Expected, &Silent).unwrap();
    let (Some(Block::F32(found)), Some(Block::F32(scores))) =
        (whole.written(Layer::Probabilities), seen.written(Layer::Probabilities))
    else {
        unreachable!("probabilities are floats")
    };
    let (shown, mask) = (native(), scene());
    let valid = |raster: &MemoryRaster, x: usize, y: usize| {
        let window = Window { x, y, width: 1, height: 1 };
        raster.clone().read(window).unwrap().is_some()
    };
    let mut compared = 0;
    for (x, y) in
        [(0_usize, 0_usize), (700, 900), (1499, 1649), (1400, 100), (826, 1000), (1520, 40), (1300, 1000)]
    {
        for x in x.saturating_sub(3)..(x + 3).min(RESULT.width) {
            let place = |i: usize, ratio: f64, length: usize| {
                ((i as f64 + 0.5) * ratio - 0.5).clamp(0.0, (length - 1) as f64)
            };
            let (px, py) = (place(x, 0.4, RASTER.width), place(y, 2.0 / 3.0, RASTER.height));
            let (mut sum, mut weight) = (0.0, 0.0);
            for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (column, row) = (px as usize + column, py as usize + row);
                if column < RASTER.width && row < RASTER.height && valid(&mask, column, row) {
                    let near = (1.0 - (column as f64 - px).abs()) * (1.0 - (row as f64 - py).abs());
                    sum += near * f64::from(scores[[1, row, column]]);
                    weight += near;
                }
            }
            let value = found[[1, y, x]];
            if weight > 1e-6 && valid(&shown, x, y) {
                assert!((f64::from(value) - sum / weight).abs() < 1e-5, "column {x}, row {y}");
                compared += 1;
            } else {
                assert!(value.is_nan(), "column {x}, row {y}");
            }
        }
    }
    assert!(compared > 10, "{compared}");

    let busy = Setting { threads: 2, batch: Batch::Tiles(7), columns: None, device: Device::Cpu };
    let columns = Some(vec![0..512, 512..1024, 1024..1548]);
    let strips = Setting { threads: 2, batch: Batch::Auto, columns, device: Device::Cpu };
    for (name, setting) in [("b", &busy), ("c", &strips)] {
        let (other, _) = segment(setting, &folder.path().join(name), Fresh::Expected, &Silent).unwrap();
        assert!(same(&whole, &other), "{name}");
    }
    for (stops, setting) in [(50, &busy), (60, &busy), (90, &strips)] {
        let path = folder.path().join(format!("d{stops}"));
        let cut = segment(setting, &path, Fresh::Expected, &After(AtomicUsize::new(stops)));
        assert!(matches!(cut, Err(Error::Cancelled)));
        let (other, rest) = segment(&busy, &path, Fresh::Resume, &Silent).unwrap();
        assert!(same(&whole, &other), "resume after {stops} tiles");
        assert!(rest.computed < 2 * outcome.computed);
    }
}
