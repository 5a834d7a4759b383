//! Laying tiles and adding them up: `cargo bench -p seg-grid`.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array3;
use seg_grid::{Blend, EdgePolicy, Size, Stitcher, TileGrid};
use std::hint::black_box;

const TILE: Size = Size { width: 512, height: 512 };

fn grid(raster: Size) -> TileGrid {
    TileGrid::new(raster, TILE, 128, EdgePolicy::Fit { multiple: 32 }).expect("a valid layout")
}

fn laying(c: &mut Criterion) {
    let country = Size::square(400_000);
    c.bench_function("a million tiles laid", |b| {
        b.iter(|| grid(black_box(country)).iter().map(|tile| tile.core.area()).sum::<u64>());
    });
}

fn stitching(c: &mut Criterion) {
    let grid = grid(Size { width: 2048, height: 2048 });
    let scores = Array3::from_elem((6, TILE.height, TILE.width), 0.5_f32); // (K, H, W)
    let mut group = c.benchmark_group("36 tiles of six classes stitched");
    for (name, blend) in [("hann", Blend::Hann), ("crop", Blend::Crop), ("average", Blend::Average)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut stitcher = Stitcher::new(&grid, blend, 6);
                for tile in grid.iter() {
                    black_box(stitcher.push(&tile, Some(scores.view())).expect("in order"));
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = laying, stitching
}
criterion_main!(benches);
