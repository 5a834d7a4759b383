use super::pair::OpenPair;
use super::{CompareJob, Comparison};
use crate::Error;
use ndarray::{Array2, Array3};
use seg_gdal::{BandSelection, GeoRaster, ReadOptions};
use seg_grid::{RasterSource as _, Window};
use seg_label::{ClassCounts, Convention};

/// A spot of a scene, and how well it was predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// The scene's number.
    pub scene: usize,
    /// Its pixels, in the prediction's.
    pub window: Window,
    /// Share of its pixels that are right.
    pub accuracy: f64,
    /// Its pixels with a truth.
    pub pixels: u64,
}

/// What is to be seen at a spot.
#[derive(Debug, Clone)]
pub struct SpotMaps {
    /// Class ids of the truth, (H, W).
    pub truth: Array2<u8>,
    /// Class ids of the prediction, (H, W).
    pub prediction: Array2<u8>,
    /// The image, (C, H, W), and where it has data, (H, W).
    pub image: Option<(Array3<f32>, Array2<bool>)>,
}

/// Pixels along a side of a spot.
const SIDE: usize = 256;
/// A spot has a truth in this share of its pixels, if any has.
const LEAST_LABELED: f64 = 0.5;

impl Comparison {
    /// The worst and the best spots, `count` of each and none twice, worst first.
    ///
    /// Among the best, those with several classes come first: a spot of one class is easy.
    pub fn spots(&self, count: usize) -> (Vec<Spot>, Vec<Spot>) {
        let mut all: Vec<(Spot, usize)> = Vec::new();
        for (i, scene) in self.scenes.iter().enumerate() {
            let side = SIDE.max(scene.cells.grid().side());
            for ([x, y], counts) in scene.cells.blocks(side) {
                if counts.pixels() > 0 {
                    let window = around(x, y, scene.compared);
                    let accuracy = counts.right() as f64 / counts.pixels() as f64;
                    let spot = Spot { scene: i, window, accuracy, pixels: counts.pixels() };
                    all.push((spot, classes(&counts)));
                }
            }
        }
        let most = all.iter().map(|(spot, _)| spot.pixels).max().unwrap_or(0);
        all.retain(|(spot, _)| spot.pixels as f64 >= LEAST_LABELED * most as f64);
        all.sort_by(|(a, _), (b, _)| {
            a.accuracy
                .total_cmp(&b.accuracy)
                .then((a.scene, a.window.y, a.window.x).cmp(&(b.scene, b.window.y, b.window.x)))
        });
        // Of few, half are called the worst.
        let half = count.min(all.len().div_ceil(2));
        let worst: Vec<Spot> =
            all.iter().map(|(spot, _)| *spot).filter(|spot| spot.accuracy < 1.0).take(half).collect();
        all.retain(|(spot, _)| !worst.contains(spot));
        all.sort_by(|(a, a_classes), (b, b_classes)| {
            (*a_classes > 1).cmp(&(*b_classes > 1)).reverse().then(b.accuracy.total_cmp(&a.accuracy))
        });
        let mut best: Vec<Spot> = all.into_iter().map(|(spot, _)| spot).take(count).collect();
        best.reverse();
        (worst, best)
    }
}

fn classes(counts: &ClassCounts) -> usize {
    (0..counts.classes()).filter(|&class| counts.support(class) > 0).count()
}

/// A square around a pixel of what is compared, moved so that it lies inside.
fn around(x: usize, y: usize, compared: Window) -> Window {
    let (width, height) = (SIDE.min(compared.width), SIDE.min(compared.height));
    Window {
        x: compared.x + x.saturating_sub(width / 2).min(compared.width - width),
        y: compared.y + y.saturating_sub(height / 2).min(compared.height - height),
        width,
        height,
    }
}

/// Reads what is to be seen at a spot; an image that cannot be read is left out.
///
/// # Errors
/// If truth or prediction cannot be read.
pub fn read_spot(job: &CompareJob, convention: &Convention, spot: &Spot) -> Result<SpotMaps, Error> {
    let (open, _) = OpenPair::open(job, spot.scene, convention)?;
    let [truth, prediction] = open.read(spot.window, convention)?;
    let image = job.known(spot.scene).image.and_then(|name| read_image(&name, spot.window, open.plan.size));
    Ok(SpotMaps { truth, prediction, image })
}

fn read_image(name: &str, window: Window, size: seg_grid::Size) -> Option<(Array3<f32>, Array2<bool>)> {
    let options = ReadOptions { bands: BandSelection::Auto { needed: 3 }, ..ReadOptions::default() };
    let mut raster = GeoRaster::open(name, &options)
        .or_else(|_| GeoRaster::open(name, &ReadOptions::default()))
        .ok()
        .filter(|raster| raster.raster_profile().size == size)?;
    let patch = raster.read(window).ok()??;
    Some((patch.values, patch.valid))
}
