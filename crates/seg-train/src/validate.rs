//! How good a network is on chips that it does not learn from.

use ndarray::{Array2, Array3, Axis, s};
use seg_data::{BatchShare, ChipSet, InputScale};
use seg_grid::{EdgePolicy, Observer, Size, TileGrid, Window};
use seg_label::{ConfusionMatrix, Legend};
use seg_nn::{BemSeg, InferencePrecision, SegModel};

use crate::chip_work::ChipWork;
use crate::{Error, tensor};

/// What a validation counts.
#[derive(Debug)]
pub(crate) struct Validation {
    pub(crate) matrix: ConfusionMatrix,
    /// The first tile, to look at.
    pub(crate) picture: Option<Picture>,
}

/// A tile as it is, as it should be and as it is seen.
#[derive(Debug)]
pub(crate) struct Picture {
    /// (3, H, W), 0 to 1.
    pub(crate) image: Array3<f32>,
    pub(crate) truth: Array2<u8>,
    pub(crate) predicted: Array2<u8>,
}

/// What validation needs besides network and chips.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValidationPlan<'a> {
    pub(crate) scale: &'a InputScale,
    /// The classes, numbered in the order of the network's channels.
    pub(crate) legend: &'a Legend,
    pub(crate) tile_px: usize,
    pub(crate) threads: usize,
    /// Which chips: those whose number this share has, as if each were a batch of one.
    pub(crate) share: BatchShare,
}

/// Runs a network on all chips of a share, each pixel counted once, tile by tile as inference does without overlap.
///
/// Every tile is computed on one thread, so that the counts do not depend on the number of threads.
pub(crate) fn validate(
    network: &BemSeg,
    chips: &ChipSet,
    plan: &ValidationPlan,
    observer: &dyn Observer,
) -> Result<Validation, Error> {
    let network = network.prepare(InferencePrecision::F32)?;
    let mut total = Validation { matrix: ConfusionMatrix::new(plan.legend), picture: None };
    let work = ChipWork {
        network: &network,
        chips: (chips.len() + plan.share.of - 1 - plan.share.place) / plan.share.of,
        threads: plan.threads,
        stage: "validate",
        observer,
    };
    work.run(
        |network, own| validate_chip(network, chips, plan.share.number(own as u64, 1) as usize, plan),
        |(matrix, picture)| {
            total.picture = total.picture.take().or(picture);
            Ok(total.matrix.merge(&matrix)?)
        },
    )?;
    Ok(total)
}

fn validate_chip(
    network: &dyn SegModel,
    chips: &ChipSet,
    chip: usize,
    plan: &ValidationPlan,
) -> Result<(ConfusionMatrix, Option<Picture>), Error> {
    let multiple = network.input_multiple();
    let (size, tile) = (chips.size(chip), Size::square(plan.tile_px));
    let mut matrix = ConfusionMatrix::new(plan.legend);
    let mut picture = None;
    let grid = TileGrid::new(size, tile, 0, EdgePolicy::Fit { multiple });
    let grid = grid.map_err(|source| Error::Compute { action: "lay tiles", reason: source.to_string() })?;
    for tile in grid.iter() {
        let Some(read) = tile.read.clip(size) else { continue };
        let (mut values, valid, truth) = chips.read(chip, read)?;
        let shown = (chip == 0 && tile.index == 0).then(|| values.mapv(|v| v / plan.scale.divide as f32));
        plan.scale.normalize(&mut values, &valid);
        // Padding is the training mean, 0, as in training and inference.
        let mut padded = Array3::zeros((values.dim().0, tile.read.height, tile.read.width)); // (C, H, W)
        padded.slice_mut(s![.., ..read.height, ..read.width]).assign(&values);
        let scores = tch::no_grad(|| {
            let image = tensor::image(&padded, network.device()).map_err(Error::torch("copy a tile"))?;
            network.forward(&image).map_err(Error::from)
        })?; // (1, K, H, W)
        let predicted = tensor::classes(scores.tensor()).map_err(Error::torch("read the classes"))?; // (H, W)
        let core = Window { x: tile.core.x - read.x, y: tile.core.y - read.y, ..tile.core };
        let inside = s![core.y..core.bottom(), core.x..core.right()];
        matrix.add_arrays(&truth.slice(inside), &predicted.slice(inside))?;
        if let Some(image) = shown {
            let predicted = predicted.slice(s![..read.height, ..read.width]).to_owned();
            // Of fewer than three bands the last is shown again.
            let bands = image.len_of(Axis(0));
            let image = image.select(Axis(0), &[0, 1, 2].map(|band: usize| band.min(bands - 1))); // (3, H, W)
            picture = Some(Picture { image, truth, predicted });
        }
    }
    Ok((matrix, picture))
}

#[cfg(test)]
mod tests {
    use seg_data::Split;
    use seg_grid::Silent;
    use seg_nn::{Mode, TextPart, hash_fill_all};
    use tch::Device;
    use tch::nn::VarStore;

    use super::*;
    use crate::classes;
    use crate::testing::{tiny, write_chips};

    struct Fixture {
        network: BemSeg,
        chips: ChipSet,
        scale: InputScale,
        legend: Legend,
        folder: tempfile::TempDir,
        _vs: VarStore,
    }

    fn fixture(sizes: &[(usize, usize)]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let sizes: Vec<_> =
            sizes.iter().map(|&(width, height)| (Split::Val, Size { width, height })).collect();
        write_chips(folder.path(), &sizes);
        let (config, settings) = tiny("");
        let vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &config, TextPart::Tower).unwrap();
        hash_fill_all(&vs, 1, 0.5).unwrap();
        let names = classes::names(&config);
        Fixture {
            network,
            chips: ChipSet::open(folder.path(), Split::Val, &names, 3, &settings.data).unwrap(),
            scale: classes::input_scale(&config),
            legend: classes::legend(&config).unwrap(),
            folder,
            _vs: vs,
        }
    }

    fn run(fixture: &Fixture, tile_px: usize, threads: usize) -> Validation {
        let share = BatchShare::ALL;
        let plan = ValidationPlan { scale: &fixture.scale, legend: &fixture.legend, tile_px, threads, share };
        validate(&fixture.network, &fixture.chips, &plan, &Silent).unwrap()
    }

    #[test]
    fn every_labeled_pixel_is_counted_once_whatever_the_tiles() {
        let fixture = fixture(&[(64, 64), (70, 50), (130, 97), (20, 33)]);
        let labeled = 64 * 63 + 70 * 49 + 130 * 96 + 20 * 32;
        for tile_px in [32, 64, 96, 512] {
            let found = run(&fixture, tile_px, 1);
            assert_eq!(found.matrix.pixels(), labeled, "{tile_px}");
            let again = run(&fixture, tile_px, 3);
            assert_eq!(again.matrix.counts(), found.matrix.counts(), "{tile_px}");
            assert_eq!(again.picture.unwrap().truth, found.picture.unwrap().truth);
        }
    }

    #[test]
    fn a_chip_within_a_tile_is_seen_whole() {
        let fixture = fixture(&[(70, 50)]);
        let (mut values, valid, truth) =
            fixture.chips.read(0, Window { x: 0, y: 0, width: 70, height: 50 }).unwrap();
        fixture.scale.normalize(&mut values, &valid);
        let mut padded = Array3::zeros((3, 64, 96)); // (C, H, W)
        padded.slice_mut(s![.., ..50, ..70]).assign(&values);
        let image = tensor::image(&padded, Device::Cpu).unwrap();
        let output = tch::no_grad(|| fixture.network.forward_with(&image, Mode::Eval, &mut ())).unwrap();
        let scores = output.logits4.upsample_bilinear2d([64, 96], false, None, None); // -> (1, K, H, W)
        let predicted = tensor::classes(&scores).unwrap();
        let mut expected = ConfusionMatrix::new(&fixture.legend);
        expected.add_arrays(&truth.view(), &predicted.slice(s![..50, ..70])).unwrap();
        let found = run(&fixture, 512, 1);
        // Folded batch norms differ in the last bits, which turns a pixel at most here and there.
        let difference = &found.matrix.counts().mapv(|v| v as i64) - &expected.counts().mapv(|v| v as i64);
        assert!(difference.iter().all(|d| d.abs() <= 3), "{difference}");
        let picture = found.picture.unwrap();
        assert_eq!((picture.image.dim(), picture.truth.dim()), ((3, 50, 70), (50, 70)));
        assert!(picture.image.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(picture.predicted.dim(), (50, 70));
    }

    #[test]
    fn shares_count_together_what_one_counts_alone() {
        let fixture = fixture(&[(64, 64), (70, 50), (130, 97), (20, 33)]);
        let alone = run(&fixture, 64, 1);
        // More processes than chips too: one has none then.
        for of in [2, 3, 5] {
            let (mut sum, mut pictures) = (alone.matrix.emptied(), 0);
            for place in 0..of {
                let share = BatchShare { place, of };
                let plan = ValidationPlan {
                    scale: &fixture.scale,
                    legend: &fixture.legend,
                    tile_px: 64,
                    threads: 2,
                    share,
                };
                let part = validate(&fixture.network, &fixture.chips, &plan, &Silent).unwrap();
                sum.add_numbers(&part.matrix.numbers()).unwrap();
                pictures += usize::from(part.picture.is_some());
            }
            assert_eq!((sum == alone.matrix, pictures), (true, 1), "{of}");
        }
    }

    #[test]
    fn a_chip_that_is_gone_is_an_error() {
        let fixture = fixture(&[(64, 64), (64, 64)]);
        let path = fixture.folder.path().join("labels/1.pgm");
        std::fs::remove_file(path).unwrap();
        let share = BatchShare::ALL;
        let plan =
            ValidationPlan { scale: &fixture.scale, legend: &fixture.legend, tile_px: 64, threads: 2, share };
        let error = validate(&fixture.network, &fixture.chips, &plan, &Silent).unwrap_err();
        assert!(matches!(error, Error::Data(_)), "{error}");
    }
}
