//! A scene with known classes, and the probe: a network that is right on every pixel, or the pipeline is wrong.

use seg_label::{Class, ClassId, Legend, Rgb};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tch::{CModule, Device, Kind, Tensor};

/// The ISPRS colors, dimmed so that noise fits on both sides.
const PALETTE: [[f32; 3]; 6] = [
    [255.0, 255.0, 255.0],
    [0.0, 0.0, 255.0],
    [0.0, 255.0, 255.0],
    [0.0, 255.0, 0.0],
    [255.0, 255.0, 0.0],
    [255.0, 0.0, 0.0],
];

/// A scene on disk: `scene.vrt` on `scene.ppm`, and the class of every pixel.
pub(crate) struct Scene {
    pub width: usize,
    pub height: usize,
    pub classes: Vec<u8>,
}

fn noise(x: usize, y: usize) -> u64 {
    let mut z = (x as u64) << 32 | y as u64;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn color(class: u8) -> [f32; 3] {
    PALETTE[usize::from(class)].map(|v| v * 0.8 + 25.0)
}

impl Scene {
    /// Writes a scene of blocks and single pixels with some noise.
    pub(crate) fn write(folder: &Path, width: usize, height: usize) -> Self {
        let class = |x: usize, y: usize| {
            let speckle = noise(x, y).is_multiple_of(50);
            let block = noise(x / 37 + 1, y / 23 + 1);
            ((if speckle { noise(y, x) } else { block }) % 6) as u8
        };
        let classes: Vec<u8> = (0..width * height).map(|i| class(i % width, i / width)).collect();
        let mut ppm = format!("P6\n{width} {height}\n255\n").into_bytes();
        for (i, &class) in classes.iter().enumerate() {
            let shift = (noise(i % width + 7, i / width) % 25) as f32 - 12.0;
            ppm.extend(color(class).map(|v| (v + shift) as u8));
        }
        fs::write(folder.join("scene.ppm"), ppm).expect("writes the scene");
        let mut vrt = format!(
            "<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\"><SRS>EPSG:25832</SRS>\
             <GeoTransform>500000, 0.08, 0.04, 5400000, 0.04, -0.08</GeoTransform>"
        );
        for (band, name) in ["Red", "Green", "Blue"].iter().enumerate() {
            write!(
                vrt,
                "<VRTRasterBand dataType=\"Byte\" band=\"{n}\"><ColorInterp>{name}</ColorInterp><SimpleSource>\
                 <SourceFilename relativeToVRT=\"1\">scene.ppm</SourceFilename><SourceBand>{n}</SourceBand>\
                 </SimpleSource></VRTRasterBand>",
                n = band + 1
            )
            .expect("writes to a string");
        }
        vrt.push_str("</VRTDataset>");
        fs::write(folder.join("scene.vrt"), vrt).expect("writes the scene");
        Self { width, height, classes }
    }
}

/// Writes `probe.pt` and `probe.toml`: the nearest color as a 1 x 1 convolution.
pub(crate) fn write_probe(folder: &Path) {
    write_probe_of(folder, &legend());
}

/// The classes of scenes.
fn legend() -> Legend {
    let class = |id: u8| {
        let [r, g, b] = PALETTE[usize::from(id)].map(|v| v as u8);
        Class { id: ClassId(id), name: format!("class {id}"), prompt: None, color: Rgb { r, g, b } }
    };
    Legend::new((0..6).map(class).collect()).expect("a legend")
}

/// The same for the classes of a legend, whose colors are dimmed as in a scene.
pub(crate) fn write_probe_of(folder: &Path, legend: &Legend) {
    let probe = nearest(legend);
    write_network(folder, "probe", legend, &mut |xs| vec![probe(&xs[0])]);
}

/// Writes `blur.pt` and `blur.toml`: the probe on an image that was averaged twice over 15 x 15 pixels, so that it
/// sees 14 pixels far.
pub(crate) fn write_blur(folder: &Path) {
    let legend = legend();
    let probe = nearest(&legend);
    let mean = |xs: &Tensor| xs.avg_pool2d([15, 15], [1, 1], [7, 7], false, true, None); // (B, C, H, W)
    write_network(folder, "blur", &legend, &mut |xs| {
        vec![probe(&(&xs[0] * 0.5 + mean(&mean(&xs[0])) * 0.5))]
    });
}

/// How near each pixel's color is to those of the classes: (B, C, H, W) -> (B, K, H, W).
fn nearest(legend: &Legend) -> impl Fn(&Tensor) -> Tensor {
    let classes = legend.classes();
    let colors: Vec<f32> = classes.iter().flat_map(|class| dimmed(class.color)).map(|v| v / 255.0).collect();
    let colors = Tensor::from_slice(&colors).view([classes.len() as i64, 3, 1, 1]); // (K, C, 1, 1)
    let weight = &colors * 40.0; // (K, C, 1, 1)
    let bias = (&colors * &colors).sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float) * -20.0; // (K)
    move |xs| xs.conv2d(&weight, Some(&bias), [1, 1], [0, 0], [1, 1], 1)
}

fn write_network(
    folder: &Path,
    name: &str,
    legend: &Legend,
    network: &mut dyn FnMut(&[Tensor]) -> Vec<Tensor>,
) {
    let example = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
    let mut network = network;
    let module = CModule::create_by_tracing("Network", "forward", &[example], &mut network).expect("traces");
    module.save(folder.join(name).with_extension("pt")).expect("saves the network");
    let description = "[model]\noutput = \"logits\"\n[input]\nbands = 3\ndivide = 255.0\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
    fs::write(folder.join(name).with_extension("toml"), format!("{description}{}", legend.to_toml()))
        .expect("writes the description");
}

/// A color with room for noise on both sides.
pub(crate) fn dimmed(color: Rgb) -> [f32; 3] {
    [color.r, color.g, color.b].map(|v| f32::from(v) * 0.8 + 25.0)
}
