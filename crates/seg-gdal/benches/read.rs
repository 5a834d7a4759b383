//! Reading a compressed raster tile by tile: `cargo bench -p seg-gdal`.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array3;
use seg_gdal::{
    BandIndex, BandSelection, ClassEntry, Content, GeoRaster, GridReference, OutputFormat, RasterSpec,
    RasterWriter, ReadOptions,
};
use seg_grid::{Block, EdgePolicy, RasterSource as _, Size, TileGrid, Window};
use std::hint::black_box;
use std::path::Path;

const RASTER: Size = Size { width: 4096, height: 4096 };
const BLOCK: usize = 512;

/// Classes in blocks of some pixels, as a tiled and compressed GeoTIFF.
fn write(path: &Path) {
    let reference = GridReference::unplaced(RASTER);
    let spec = RasterSpec {
        reference: &reference,
        content: Content::Classes,
        classes: &[ClassEntry { id: 0, name: "all", color: [0, 0, 0] }],
        format: OutputFormat::GTiff,
        creation_options: &[],
        metadata: &[],
    };
    let mut writer = RasterWriter::create(path, &spec).expect("a file");
    for y in (0..RASTER.height).step_by(BLOCK) {
        for x in (0..RASTER.width).step_by(BLOCK) {
            let window = Window { x, y, width: BLOCK, height: BLOCK };
            let values = Array3::from_shape_fn((1, BLOCK, BLOCK), |(_, r, c)| {
                (((x + c) / 9 + (y + r) / 13) % 6) as u8
            });
            writer.write(window, &Block::U8(values)).expect("written");
        }
    }
    writer.finish().expect("a whole file");
}

fn reading(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("classes.tif");
    write(&path);
    c.bench_function("blocks written and read back", |b| b.iter(|| write(&path)));
    let options =
        ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
    let grid = TileGrid::new(RASTER, Size::square(512), 128, EdgePolicy::Shift).expect("a valid layout");
    c.bench_function("121 tiles read, overlap 128", |b| {
        b.iter(|| {
            let mut raster = GeoRaster::open(&path.to_string_lossy(), &options).expect("opens");
            for tile in grid.iter() {
                black_box(raster.read(tile.read).expect("reads"));
            }
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = reading
}
criterion_main!(benches);
