use super::*;
use crate::testing::Marked;
use crate::{Overlap, Plan, Strips, tiles_of};
use proptest::prelude::*;
use seg_grid::{EdgePolicy, RasterSource, Selection, SourceProfile, TileGrid};

fn usual(size: Size) -> TileGrid {
    Plan::lay_tiles(Marked::new(size, &[]).profile(), 512, Overlap::Pixels(128), 32).unwrap()
}

fn tiles(grid: &TileGrid, windows: &[Window]) -> Vec<u64> {
    windows.iter().map(|window| tiles_of(grid, None, *window)).collect()
}

/// The tiles of a window that a run computes.
fn computed(grid: &TileGrid, source: &mut Marked, window: &Window) -> u64 {
    let (x, y) = (grid.x().touching(window.columns()), grid.y().touching(window.rows()));
    let all = y.flat_map(|row| x.clone().map(move |column| grid.at(column, row)));
    all.filter(|tile| source.selection(tile.read).unwrap() != Selection::Nothing).count() as u64
}

fn piece(x: usize, y: usize, width: usize, height: usize) -> Window {
    Window { x, y, width, height }
}

#[track_caller]
fn covers_once(result: Size, windows: &[Window]) {
    let piece = |&window: &Window| crate::Piece {
        folder: std::path::PathBuf::new(),
        window,
        columns: vec![window.columns()],
    };
    Strips::of_parts(result, windows.iter().map(piece).collect()).unwrap();
    assert_eq!(windows.iter().map(|window| window.area()).sum::<u64>(), result.area());
}

#[test]
fn few_tiles_are_computed_twice_and_no_window_has_most_of_them() {
    for (side, count, most) in
        [(8192, 8, 1.2), (16384, 8, 1.1), (16384, 7, 1.12), (40960, 64, 1.15), (81920, 400, 1.2)]
    {
        let size = Size::square(side);
        let grid = usual(size);
        let tiles = tiles(&grid, &shards(&WantedTiles::all(grid), None, size, Cuts::Anywhere, count));
        let (sum, largest) = (tiles.iter().sum::<u64>(), *tiles.iter().max().unwrap());
        let repeated = sum as f64 / grid.len() as f64;
        assert!(repeated <= most, "{side} in {count}: {repeated}");
        assert!(largest as f64 <= 1.3 * sum as f64 / count as f64, "{side} in {count}: {tiles:?}");
    }
}

#[test]
fn the_tiles_of_an_area_are_dealt_out_evenly() {
    let size = Size { width: 60_000, height: 50_000 };
    let grid = usual(size);
    let corner = vec![piece(41_000, 33_000, 9000, 14_000)];
    let islands = vec![piece(700, 900, 8000, 7000), piece(47_000, 42_000, 12_000, 6000)];
    let side_by_side = vec![piece(3000, 20_000, 6000, 15_000), piece(30_000, 21_000, 9000, 6000)];
    let angle = vec![piece(5000, 5000, 30_000, 4000), piece(5000, 9000, 4000, 30_000)];
    let stairs: Vec<_> = (0..40).map(|step| piece(1300 * step, 1100 * step, 4000, 4000)).collect();
    for (name, pieces) in [
        ("corner", corner),
        ("islands", islands),
        ("side by side", side_by_side),
        ("angle", angle),
        ("stairs", stairs),
    ] {
        let mut source = Marked::new(size, &pieces);
        let wanted = WantedTiles::of(grid, &mut source).unwrap();
        let all = computed(&grid, &mut source, &Window::whole(size));
        for (cuts, count) in [(Cuts::Anywhere, 8), (Cuts::Anywhere, 12), (Cuts::BetweenRows, 5)] {
            let windows = shards(&wanted, None, size, cuts, count);
            covers_once(size, &windows);
            let tiles: Vec<u64> = windows.iter().map(|w| computed(&grid, &mut source, w)).collect();
            let (sum, largest) = (tiles.iter().sum::<u64>() as f64, *tiles.iter().max().unwrap() as f64);
            let even = shards(&WantedTiles::all(grid), None, size, cuts, count);
            let before = even.iter().map(|w| computed(&grid, &mut source, w)).max().unwrap();
            assert!(largest <= 1.35 * sum / count as f64, "{name}, {count}: {tiles:?}");
            assert!(sum <= 1.35 * all as f64, "{name}, {count}: {tiles:?} instead of {all}");
            assert!(
                largest < before as f64,
                "{name}, {count}: an even cut of the raster has {before} at most"
            );
        }
    }
}

#[test]
fn an_area_of_few_blocks_leaves_the_last_windows_empty() {
    let size = Size { width: 9000, height: 9000 };
    let grid = usual(size);
    let mut source = Marked::new(size, &[piece(3200, 4700, 1500, 300)]);
    let wanted = WantedTiles::of(grid, &mut source).unwrap();
    let windows = shards(&wanted, None, size, Cuts::Anywhere, 50);
    covers_once(size, &windows);
    let busy = windows.iter().filter(|window| window.area() > 0);
    let tiles: Vec<u64> = busy.map(|window| computed(&grid, &mut source, window)).collect();
    assert!((4..=12).contains(&tiles.len()) && tiles.iter().all(|&tiles| tiles > 0), "{tiles:?}");
    assert!(windows[tiles.len()..].iter().all(|window| window.area() == 0));
    // Nothing at all: what is left is to write that down, and all can do that.
    let nothing = WantedTiles::of(grid, &mut Marked::new(size, &[])).unwrap();
    let all = WantedTiles::all(grid);
    assert_eq!((nothing.total(), all.total()), (0, grid.len()));
    let cut = |wanted| shards(wanted, None, size, Cuts::Anywhere, 6);
    assert_eq!(cut(&nothing), cut(&all));
}

#[test]
fn blocks_that_span_the_raster_are_not_cut_through() {
    let size = Size::square(9000);
    let marked = Marked::new(size, &[]);
    let rows = SourceProfile { block: Size { width: 9000, height: 1 }, ..marked.profile().clone() };
    assert_eq!(Cuts::through(marked.profile()), Cuts::Anywhere);
    let windows = shards(&WantedTiles::all(usual(size)), None, size, Cuts::through(&rows), 6);
    assert!(windows.iter().all(|window| window.width == 9000));
    assert_eq!(windows.len(), 6);
}

proptest! {
    #[test]
    fn windows_cover_every_result_once(
        width in 1_usize..9000,
        height in 1_usize..9000,
        count in 1_usize..40,
        magnification in prop::option::of(0.3..3.0),
        spans in any::<bool>(),
        area in prop::option::of(prop::collection::vec((0.0..1.0, 0.0..1.0, 0.0..0.5, 0.0..0.5), 0..4)),
        most in 100.0..1e5_f64,
    ) {
        let result = Size { width, height };
        let seen = |side: usize, m: f64| ((side as f64 / m).ceil() as usize).max(1);
        let regrid = magnification.map(|m| {
            Regrid::new(Size { width: seen(width, m), height: seen(height, m) }, result, 1.0 / m, 1.0 / m)
        });
        let size = regrid.map_or(result, |_| {
            let m = magnification.unwrap_or(1.0);
            Size { width: seen(width, m), height: seen(height, m) }
        });
        let grid = TileGrid::new(size, Size::square(64), 16, EdgePolicy::Fit { multiple: 1 }).unwrap();
        let cuts = if spans { Cuts::BetweenRows } else { Cuts::Anywhere };
        let pixels = |share: f64, side: usize| (share * side as f64) as usize;
        let pieces: Option<Vec<Window>> = area.map(|area: Vec<(f64, f64, f64, f64)>| {
            let piece = |(x, y, w, h)| {
                let (w, h) = (pixels(w, size.width) + 1, pixels(h, size.height) + 1);
                Window { x: pixels(x, size.width), y: pixels(y, size.height), width: w, height: h }
            };
            area.into_iter().map(piece).collect()
        });
        let wanted = match &pieces {
            Some(pieces) => WantedTiles::looked_at(grid, &mut Marked::new(size, pieces), most).unwrap(),
            None => WantedTiles::all(grid),
        };
        let windows = shards(&wanted, regrid.as_ref(), result, cuts, count);
        prop_assert_eq!(windows.len(), count);
        covers_once(result, &windows);
        if wanted.total() > 0 {
            let idle = |w: &&Window| w.area() > 0 && wanted.count(regrid.as_ref(), **w) == 0;
            prop_assert_eq!(windows.iter().find(idle), None);
        }
    }
}
