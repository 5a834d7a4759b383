//! From scores to strips to a raster, without a network: `cargo bench -p seg-run`.

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use seg_grid::{
    Blend, Block, Finished, IoError, Layer, MemoryRaster, RasterSink, RasterSource as _, Silent, Size, Window,
};
use seg_nn::{InferencePrecision, InputSpec, Logits, Scores, SegModel};
use seg_run::{
    Batch, Footprint, Fresh, Network, Normalizer, Output, Overlap, Plan, PlanRequest, RunKey, Scaling,
    WorkFolder, assemble, predict, values,
};
use std::collections::BTreeMap;
use std::hint::black_box;
use tch::{Device, Tensor};

const CLASSES: usize = 6;
const RASTER: Size = Size { width: 2048, height: 2048 };

/// A network that costs next to nothing: its logits are its bands.
#[derive(Clone, Copy)]
struct Bands;

impl SegModel for Bands {
    fn forward(&self, xs: &Tensor) -> Result<Scores, seg_nn::Error> {
        Ok(Scores::Logits(Logits(Tensor::cat(&[xs, &(xs * 0.5)], 1)))) // (B, 3, H, W) -> (B, 6, H, W)
    }

    fn num_classes(&self) -> usize {
        CLASSES
    }

    fn bands(&self) -> usize {
        3
    }

    fn input_multiple(&self) -> usize {
        1
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(*self)
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn at_precision(&self, _: InferencePrecision) -> Result<Box<dyn SegModel>, seg_nn::Error> {
        Ok(self.fork())
    }
}

/// Counts what it is given.
struct Nothing(u64);

impl RasterSink for Nothing {
    fn write(&mut self, _: Layer, window: Window, _: &Block) -> Result<(), IoError> {
        self.0 += window.area();
        Ok(())
    }
}

fn argmax(c: &mut Criterion) {
    let scores = Array3::from_shape_fn((CLASSES, 512, 512), |(k, y, x)| ((k * 7 + y * 3 + x) % 11) as f32); // (K, H, W)
    let finished = Finished { window: Window { x: 0, y: 0, width: 512, height: 512 }, scores };
    let valid = Array2::from_elem((512, 512), true); // (H, W)
    let ids: Vec<u8> = (0..CLASSES as u8).collect();
    let mut group = c.benchmark_group("values of a tile");
    for (name, output) in [("classes", Output::Classes), ("confidence", Output::Confidence)] {
        group.bench_function(name, |b| b.iter(|| black_box(values(output, &finished, &valid.view(), &ids))));
    }
    group.finish();
}

fn pipeline(c: &mut Criterion) {
    let values = Array3::from_shape_fn((3, RASTER.height, RASTER.width), |(c, y, x)| {
        ((x / 50 + y / 40 + c * 3) % 7) as f32
    }); // (C, H, W)
    let mut source = MemoryRaster::new(values);
    let input = InputSpec {
        bands: 3,
        divide: 7.0,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
        gsd_m: None,
        dtypes: Vec::new(),
        fill: Vec::new(),
    };
    let normalizer = Normalizer::new(Scaling::Model, &input, &mut source).expect("bands fit");
    let network = Network::new(Box::new(Bands), normalizer);
    let grid = Plan::lay_tiles(source.profile(), 512, Overlap::Pixels(128), 1).expect("tiles fit");
    let footprint =
        Footprint::measure(&network, grid.tile_size(), seg_run::Trial::Timed(1)).expect("the network runs");
    let plan = Plan::new(&PlanRequest {
        profile: source.profile(),
        native: None,
        grid,
        blend: Blend::Hann,
        classes: CLASSES,
        outputs: &[Output::Classes],
        footprint,
        threads: 2,
        batch: Batch::Auto,
        device: Device::Cpu,
        max_memory: None,
        cache: 0,
        columns: None,
        part: None,
    })
    .expect("it fits the memory");
    let folder = tempfile::tempdir().expect("a folder");
    let key = RunKey(BTreeMap::new());
    let ids: Vec<u8> = (0..CLASSES as u8).collect();
    let open = || {
        let work = WorkFolder::open(folder.path().join("work"), &key, Fresh::Discard).expect("a folder");
        work.begin(&key, &plan.columns).expect("a journal");
        work
    };
    let compute = |work: &WorkFolder| predict(&network, &source, &plan, &ids, work, &Silent).expect("runs");
    c.bench_function("25 tiles to strips", |b| b.iter(|| compute(&open())));
    let work = open();
    compute(&work);
    c.bench_function("strips to a raster", |b| {
        b.iter(|| {
            let mut sink = Nothing(0);
            assemble(&seg_run::Strips::of_run(&work, &plan), Output::Classes, &mut sink, &Silent)
                .expect("strips are whole");
            assert_eq!(sink.0, RASTER.area());
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = argmax, pipeline
}
criterion_main!(benches);
