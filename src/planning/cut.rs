//! Tiles and shards in whole numbers: what an area costs beyond its pixels.

use super::ground::Outline;
use super::simulate::ShardWork;
use seg_grid::{EdgePolicy, Error, Size, TileGrid, Window};

/// Side of the blocks that results are stored in: shards begin with them, and strips are as high.
const STRIP: usize = 512;

/// Tiles in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiles {
    pub side: usize,
    pub overlap: usize,
}

/// What is segmented, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scene {
    /// Pixels that are wanted.
    pub pixels: f64,
    /// The raster around them.
    pub width: f64,
    pub height: f64,
    /// How far borders of the area run along rows and columns, halved; `None` where all of the raster is wanted.
    pub borders: Option<Borders>,
}

/// Borders of an area, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Borders {
    pub across: f64,
    pub along: f64,
    pub pieces: u64,
}

/// How the scene is stored, and with it how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// One mosaic: shards are windows of it.
    Mosaic,
    /// Sheets of so many pixels a side, each segmented by itself: shards are some of them.
    Sheets(usize),
}

/// The tiles of a scene and how they are dealt to shards.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cut {
    /// Tiles that the scene has, each once.
    pub tiles: f64,
    /// What that would be if parts of tiles and of sheets could be computed.
    pub tiles_in_parts: f64,
    /// Tiles that shards compute again since they share them with a neighbor.
    pub repeated: f64,
    /// Pixels that are written.
    pub written: f64,
    /// Pixels of a row that a shard reads, at most.
    pub row: f64,
    /// Tiles and strips of each shard.
    pub shards: Vec<ShardTiles>,
}

/// What a shard computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShardTiles {
    pub tiles: f64,
    pub strips: u32,
}

impl Tiles {
    /// From one tile to the next.
    pub(crate) fn stride(self) -> usize {
        self.side.saturating_sub(self.overlap).max(1)
    }

    /// Those of a raster.
    fn grid(self, raster: Size) -> Result<TileGrid, Error> {
        TileGrid::new(raster, Size::square(self.side), self.overlap, EdgePolicy::Shift)
    }
}

impl Scene {
    /// A square of so many pixels.
    pub(crate) fn square(pixels: f64) -> Self {
        Self { pixels, width: pixels.sqrt(), height: pixels.sqrt(), borders: None }
    }

    /// An area on the ground, at so many meters a pixel.
    pub(crate) fn of_outline(outline: &Outline, meters: f64) -> Self {
        let borders = Borders {
            across: outline.across / meters,
            along: outline.along / meters,
            pieces: outline.pieces.max(1),
        };
        Self {
            pixels: outline.area / (meters * meters),
            width: outline.width / meters,
            height: outline.height / meters,
            borders: Some(borders),
        }
    }

    /// Squares of `side` pixels, one every `step`, that touch the area, on average over where they begin.
    ///
    /// A square touches an area where its corner lies in the area grown by the square, whose size is
    /// that of the area, of a strip along its borders, and of the square (Steiner's formula for mixed areas;
    /// Schneider 2014, Convex Bodies, doi:10.1017/CBO9781139003858). Where borders bend within a square it is more
    /// than there are.
    fn touched(&self, side: f64, step: f64, all: f64) -> f64 {
        let Some(Borders { across, along, pieces }) = self.borders else { return all };
        let grown = self.pixels + side * (across + along) + pieces as f64 * side * side;
        (grown / (step * step)).ceil().min(all)
    }
}

/// Cuts a scene into shards, as even as whole blocks of strips or whole sheets allow.
///
/// More shards than there are blocks or sheets are of no use: the rest is empty and left out.
///
/// # Errors
/// If tiles and overlap leave no step.
pub(crate) fn cut(scene: &Scene, tiles: Tiles, storage: Storage, shards: u64) -> Result<Cut, Error> {
    let stride = tiles.stride() as f64;
    // The last tile of a row is all new, its neighbors only up to their overlap.
    let parts_along = |pixels: f64| {
        let whole = (pixels - tiles.overlap as f64) / stride;
        whole.max(pixels / tiles.side as f64).min(pixels / stride)
    };
    match storage {
        Storage::Mosaic => {
            let size = Size { width: whole(scene.width), height: whole(scene.height) };
            let grid = tiles.grid(size)?;
            let all = grid.len() as f64;
            let count = scene.touched(tiles.side as f64, stride, all);
            // An area is taken to be spread evenly over the raster around it.
            let inside = count / all;
            let tiles_in_parts = match scene.borders {
                None => parts_along(scene.width) * parts_along(scene.height),
                Some(_) => scene.pixels / (stride * stride),
            };
            let windows = windows(size, shards);
            let row = windows.iter().map(|window| window.width).max().unwrap_or(0) as f64;
            let shards: Vec<_> = windows
                .iter()
                .map(|window| {
                    let columns = grid.x().touching(window.x..window.right()).len();
                    let rows = grid.y().touching(window.y..window.bottom()).len();
                    let tiles = columns as f64 * rows as f64 * inside;
                    ShardTiles { tiles, strips: strips(window.height.div_ceil(STRIP) as u64) }
                })
                .collect();
            let computed: f64 = shards.iter().map(|shard| shard.tiles).sum();
            Ok(Cut {
                tiles: count,
                tiles_in_parts,
                repeated: (computed - count).max(0.0),
                written: scene.width * scene.height,
                row,
                shards,
            })
        }
        Storage::Sheets(side) => {
            let pixels = side as f64;
            let all = (scene.width / pixels).ceil() * (scene.height / pixels).ceil();
            let sheets = match scene.borders {
                None => (scene.pixels / (pixels * pixels)).ceil(),
                Some(_) => scene.touched(pixels, pixels, all),
            };
            let grid = tiles.grid(Size::square(side))?;
            let tiles_in_parts = scene.pixels / (pixels * pixels) * parts_along(pixels).powi(2);
            let sheet = grid.len() as f64;
            let shards = shards.clamp(1, (sheets as u64).max(1));
            let shard = |sheets: u64| ShardTiles {
                tiles: sheets as f64 * sheet,
                strips: strips(sheets.saturating_mul(side.div_ceil(STRIP) as u64)),
            };
            Ok(Cut {
                tiles: sheets * sheet,
                tiles_in_parts,
                repeated: 0.0,
                written: sheets * pixels * pixels,
                row: pixels,
                shards: deal(sheets as u64, shards).map(shard).collect(),
            })
        }
    }
}

impl Cut {
    /// What each shard is for a worker that takes so many seconds for a tile.
    pub(crate) fn work(&self, tile_seconds: f64) -> Vec<ShardWork> {
        let work =
            |shard: &ShardTiles| ShardWork { seconds: shard.tiles * tile_seconds, strips: shard.strips };
        self.shards.iter().map(work).collect()
    }
}

/// Windows as square as whole blocks allow, as `seg_run::shards` cuts them, which tries more ways than are worth it here.
fn windows(size: Size, count: u64) -> Vec<Window> {
    let blocks = |side: usize| side.div_ceil(STRIP) as u64;
    let bands = (count as f64 * size.height as f64 / size.width as f64).sqrt().round() as u64;
    let bands = bands.clamp(1, count.min(blocks(size.height)));
    let ends = |side: usize, parts: u64| {
        let mut at = 0;
        deal(blocks(side), parts).map(move |blocks| {
            let start = at;
            at = (at + blocks as usize * STRIP).min(side);
            start..at
        })
    };
    let mut windows = Vec::new();
    for (rows, across) in ends(size.height, bands).zip(deal(count, bands)) {
        for columns in ends(size.width, across.clamp(1, blocks(size.width))) {
            windows.push(Window {
                x: columns.start,
                y: rows.start,
                width: columns.len(),
                height: rows.len(),
            });
        }
    }
    windows
}

/// Whole pixels of a side.
fn whole(side: f64) -> usize {
    side.ceil().max(1.0) as usize
}

/// Units dealt to shards: the larger ones are spread over all.
fn deal(units: u64, shards: u64) -> impl Iterator<Item = u64> {
    let part = move |number: u64| (u128::from(number) * u128::from(units) / u128::from(shards)) as u64;
    (0..shards).map(move |number| part(number + 1) - part(number))
}

fn strips(rows: u64) -> u32 {
    u32::try_from(rows.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USUAL: Tiles = Tiles { side: 512, overlap: 128 };

    fn cut(scene: &Scene, tiles: Tiles, storage: Storage, shards: u64) -> Cut {
        super::cut(scene, tiles, storage, shards).unwrap()
    }

    #[track_caller]
    fn same(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    }

    #[test]
    fn a_square_has_the_tiles_that_rs_seg_lays() {
        for side in [1, 300, 512, 513, 897, 6000, 10_000] {
            let (raster, tile) = (Size::square(side), Size::square(USUAL.side));
            let grid = TileGrid::new(raster, tile, USUAL.overlap, EdgePolicy::Shift).unwrap();
            let expected = grid.len() as f64;
            let scene = Scene::square((side * side) as f64);
            same(cut(&scene, USUAL, Storage::Mosaic, 1).tiles, expected);
            same(cut(&scene, USUAL, Storage::Sheets(side), 1).tiles, expected);
        }
    }

    /// The shards of `rs-seg infer --shard`, which looks for the best way to cut.
    #[test]
    fn windows_cost_what_rs_seg_s_cost() {
        for (width, height) in [(100_000, 100_000), (40_000, 200_000), (300_000, 30_000)] {
            let size = Size { width, height };
            let grid = USUAL.grid(size).unwrap();
            for count in [1, 2, 7, 16, 60, 333] {
                let touched = |window: &Window| {
                    grid.x().touching(window.x..window.right()).len()
                        * grid.y().touching(window.y..window.bottom()).len()
                };
                let wanted = seg_run::WantedTiles::all(grid);
                let theirs = seg_run::shards(&wanted, None, size, seg_run::Cuts::Anywhere, count);
                let theirs: usize = theirs.iter().filter(|window| window.area() > 0).map(touched).sum();
                let ours = windows(size, count as u64);
                assert_eq!(ours.iter().map(|window| window.area()).sum::<u64>(), size.area());
                assert_eq!(ours.len(), count);
                let ours: usize = ours.iter().map(touched).sum();
                let off = ours as f64 / theirs as f64 - 1.0;
                assert!(off.abs() < 0.02, "{size}, {count} shards: {ours} tiles, not {theirs}");
            }
        }
    }

    #[test]
    fn windows_share_tiles_and_sheets_share_nothing() {
        let scene = Scene::square(1e10);
        let mosaic = cut(&scene, USUAL, Storage::Mosaic, 9);
        same(mosaic.tiles, 261.0 * 261.0);
        assert_eq!(mosaic.shards.len(), 9);
        // Two lines each way, along which one or two rows of tiles are computed on both sides.
        let lines = mosaic.repeated / 261.0;
        assert!((4.0..9.0).contains(&lines), "{lines}");
        let alone = cut(&scene, Tiles { overlap: 0, ..USUAL }, Storage::Mosaic, 9);
        same(alone.repeated, 0.0);
        let sheets = cut(&scene, USUAL, Storage::Sheets(10_000), 9);
        same(sheets.repeated, 0.0);
        same(sheets.written, 1e10);
        let most = sheets.shards.iter().map(|s| s.tiles).fold(0.0, f64::max);
        same(most, 12.0 * 26.0 * 26.0);
    }

    #[test]
    fn more_shards_than_blocks_or_sheets_are_left_out() {
        let scene = Scene::square(1e6);
        assert_eq!(cut(&scene, USUAL, Storage::Mosaic, 50).shards.len(), 4);
        assert_eq!(cut(&scene, USUAL, Storage::Sheets(500), 50).shards.len(), 4);
        assert_eq!(cut(&scene, USUAL, Storage::Sheets(5000), 50).shards.len(), 1);
    }

    #[test]
    fn a_part_of_a_sheet_is_a_sheet() {
        let two = cut(&Scene::square(1.1e6), USUAL, Storage::Sheets(1000), 2);
        same(two.written, 2e6);
        assert!(two.tiles > 2.0 * two.tiles_in_parts / 1.1);
    }

    proptest! {
        /// The formula for borders, against squares that are counted, over all places where they can begin.
        #[test]
        fn squares_that_touch_a_rectangle_are_as_many_on_average(
            width in 1_usize..60, height in 1_usize..60, side in 1_usize..20, step in 1_usize..20,
        ) {
            let touching = |length: usize, first: usize| {
                // Squares begin at first - k * step, k any whole number, and touch if they reach into 0..length.
                (-100_i64..100).filter(|k| {
                    let at = first as i64 + k * step as i64;
                    at < length as i64 && at + side as i64 > 0
                }).count()
            };
            let total = |length| (0..step).map(|first| touching(length, first)).sum::<usize>();
            // Whole pixels touch where they share one, so both grow by a pixel less than lines do.
            let counted = (total(width) * total(height)) as f64 / (step * step) as f64;
            let (w, h, s) = (width as f64 - 0.5, height as f64 - 0.5, side as f64 - 0.5);
            let borders = Some(Borders { across: w, along: h, pieces: 1 });
            let scene = Scene { pixels: w * h, width: w, height: h, borders };
            let found = scene.touched(s, step as f64, f64::INFINITY);
            prop_assert!(found - counted < 1.0 + 1e-9 && counted - found < 1e-9, "{found}, counted {counted}");
        }

        /// Every tile is in a shard, and repeated ones come on top.
        #[test]
        fn shards_are_the_scene(pixels in 1e4_f64..1e11, shards in 1_u64..400, overlap in 0_usize..511, sheet in 0_usize..9000) {
            let tiles = Tiles { side: 512, overlap };
            let storage = if sheet < 600 { Storage::Mosaic } else { Storage::Sheets(sheet) };
            let cut = cut(&Scene::square(pixels), tiles, storage, shards);
            let sum: f64 = cut.shards.iter().map(|shard| shard.tiles).sum();
            prop_assert!((sum - cut.tiles - cut.repeated).abs() < 1e-6 * sum);
            prop_assert!(cut.shards.len() as u64 <= shards && cut.shards.iter().all(|shard| shard.tiles > 0.0));
        }
    }
}
