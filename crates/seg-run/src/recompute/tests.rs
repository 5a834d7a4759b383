use super::*;
use crate::pipeline::tests::{Setting, key, plan, scene_and_network, segment};
use crate::{Batch, Fresh};
use ndarray::Array3;
use proptest::prelude::*;
use seg_grid::{EdgePolicy, MemoryRaster, Silent, Size};
use std::ops::Range;
use tch::Device;

fn setting(columns: Option<Vec<Range<usize>>>) -> Setting {
    Setting { threads: 2, batch: Batch::Auto, columns, device: Device::Cpu }
}

/// What a run makes of the scene, as one band (1, H, W).
fn made() -> Array3<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = segment(&setting(None), &folder.path().join("work"), Fresh::Expected, &Silent).unwrap();
    match whole.written(Layer::Classes) {
        Some(Block::U8(ids)) => ids.clone(),
        _ => unreachable!("classes are bytes"),
    }
}

fn on_disk(ids: &Array3<u8>) -> MemoryRaster {
    let valid = ids.index_axis(ndarray::Axis(0), 0).mapv(|id| id != NODATA); // (1, H, W) -> (H, W)
    MemoryRaster::with_mask(ids.mapv(f32::from), valid)
}

fn everything(found: &MemoryRaster, columns: Option<&[Range<usize>]>) -> Comparison {
    let folder = tempfile::tempdir().unwrap();
    let (scene, network) = scene_and_network().unwrap();
    let plan = plan(&scene, None, &setting(None), &[Output::Classes], columns).unwrap();
    let claim = Claim { network: &network, source: &scene, plan: &plan, ids: &[0, 1, 2], found };
    let work = WorkFolder::open(folder.path().join("work"), &key(), Fresh::Expected).unwrap();
    check_all(claim, &work, &Silent).unwrap()
}

/// Tile by tile; all of them where none are named.
fn sampled(found: &MemoryRaster, tiles: &[u64]) -> Comparison {
    let (scene, network) = scene_and_network().unwrap();
    let plan = plan(&scene, None, &setting(None), &[Output::Classes], None).unwrap();
    let claim = Claim { network: &network, source: &scene, plan: &plan, ids: &[0, 1, 2], found };
    let all: Vec<u64> = (0..plan.grid.len()).collect();
    check_tiles(claim, if tiles.is_empty() { &all } else { tiles }, &Silent).unwrap()
}

#[test]
fn what_a_run_made_is_made_again_to_the_pixel_and_one_altered_pixel_is_found() {
    let mut ids = made();
    let pixels = ids.len() as u64;
    let equal = Comparison { pixels, ..Comparison::default() };
    assert_eq!(everything(&on_disk(&ids), None), equal);
    assert_eq!(everything(&on_disk(&ids), Some(&[0..512, 512..620])), equal);
    assert_eq!(sampled(&on_disk(&ids), &[]), equal, "cores are every pixel once");

    let (x, y) = (300, 700);
    ids[[0, y, x]] = (ids[[0, y, x]] + 1) % 3;
    let difference = Difference { window: Window { x, y, width: 1, height: 1 }, pixels: 1 };
    let expected = Comparison { differing: 1, windows: vec![difference], windows_differing: 1, ..equal };
    assert_eq!(everything(&on_disk(&ids), None), expected);
    assert_eq!(sampled(&on_disk(&ids), &[]), expected);
    // Pixels that became nodata, and nodata that became a class.
    ids[[0, 600, 500]] = 1;
    ids[[0, 0, 0]] = NODATA;
    assert_eq!(everything(&on_disk(&ids), None).differing, 3);
    assert!(sampled(&on_disk(&ids), &[0]).differing == 1);
}

proptest! {
    #[test]
    fn sampled_tiles_are_spread_distinct_and_all_where_there_are_few(
        side in 1_usize..4000, count in 1_u64..60, seed in any::<u64>(),
    ) {
        let grid = TileGrid::new(Size::square(side), Size::square(128), 32, EdgePolicy::Shift).expect("valid");
        let tiles = sample_tiles(&grid, count, seed);
        prop_assert_eq!(tiles.len() as u64, count.min(grid.len()));
        prop_assert!(tiles.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(tiles.iter().all(|&tile| tile < grid.len()));
        if let [first, .., last] = tiles[..] {
            prop_assert!(first <= grid.len() / 2 && last >= grid.len() / 2, "{tiles:?} of {}", grid.len());
        }
    }
}
