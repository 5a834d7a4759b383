use crate::finish::Best;
use crate::{Error, Network};
use ndarray::Array3;
use seg_grid::{MemoryRaster, Observer, RasterSource, Size, Window};
use std::time::{Duration, Instant};

/// How far two networks decide alike, and how long each takes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreement {
    /// Pixels that both gave a class.
    pub pixels: u64,
    /// Pixels of the same class.
    pub equal: u64,
    /// Time that each took for all tiles.
    pub seconds: [Duration; 2],
}

impl Agreement {
    /// The share of equal classes; `None` if no pixel was compared.
    pub fn share(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.equal as f64 / self.pixels as f64)
    }
}

/// Runs two networks over `tiles` tiles spread over a raster and compares their classes.
///
/// # Errors
/// If a network or the raster fails, or the observer cancels.
pub fn agreement(
    networks: [&Network; 2],
    source: &mut dyn RasterSource,
    tile: Size,
    tiles: usize,
    observer: &dyn Observer,
) -> Result<Agreement, Error> {
    let raster = source.profile().size;
    let mut found = Agreement::default();
    for i in 0..tiles {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        // Along the golden section, so that any number of tiles is spread over rows and columns.
        let place = |room: usize, step: f64| (room as f64 * (step * (i as f64 + 0.5)).fract()) as usize;
        let window = Window {
            x: place(raster.width.saturating_sub(tile.width), 0.618_034),
            y: place(raster.height.saturating_sub(tile.height), 1.0 / tiles as f64),
            width: tile.width,
            height: tile.height,
        };
        let Some(mut patch) = source.read(window)? else { continue };
        networks[0].normalize(&mut patch);
        let mut classes = Vec::with_capacity(2);
        for (network, seconds) in networks.iter().zip(&mut found.seconds) {
            let start = Instant::now();
            let scores = network.one(&patch)?; // (K, H, W)
            *seconds += start.elapsed();
            classes.push(Best::of(&scores.view()).index); // (K, H, W) -> (H, W)
        }
        for (at, _) in patch.valid.indexed_iter().filter(|(_, valid)| **valid) {
            found.pixels += 1;
            found.equal += u64::from(classes[0][at] == classes[1][at]);
        }
    }
    Ok(found)
}

/// A made-up scene: flat regions with soft borders, texture and light, from 0 to `full` in every band.
pub fn made_up_scene(bands: usize, size: Size, full: f64) -> MemoryRaster {
    let wave = |x: f64, y: f64, band: usize, length: f64| {
        let turn = band as f64 * 1.3 + length;
        ((x / length + turn).sin() + (y / length - turn).cos() + ((x + y) / (1.7 * length)).sin()) / 6.0 + 0.5
    };
    let values = Array3::from_shape_fn((bands, size.height, size.width), |(band, y, x)| {
        let (x, y) = (x as f64, y as f64);
        // Regions are where slow waves pass steps.
        let region = (wave(x, y, 0, 41.0) * 5.0).floor() + (wave(y, x, 1, 23.0) * 3.0).floor() * 5.0;
        let color = (region * 12.9898 + band as f64 * 78.233).sin().abs();
        let value = 0.65 * color + 0.2 * wave(x, y, band, 300.0) + 0.15 * wave(x, y, band, 1.9);
        (value.clamp(0.0, 1.0) * full) as f32
    }); // (C, H, W)
    MemoryRaster::new(values)
}
