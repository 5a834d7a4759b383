//! Networks by the names that users give them.

mod embedded;

use seg_nn::import::Origin;
use seg_nn::{Checkpoint, LoadedModel, NetworkFile};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use tch::Device;

/// A network: the one that comes with the program, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NetworkName {
    /// The embedded network.
    Default,
    /// A file.
    File(PathBuf),
}

/// What the embedded network is called; a file of that name is `./default`.
pub(crate) const DEFAULT: &str = "default";

impl FromStr for NetworkName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == DEFAULT { Self::Default } else { Self::File(text.into()) })
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(DEFAULT),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl NetworkName {
    /// The network, ready for inference.
    pub(crate) fn load(&self, device: Device) -> Result<LoadedModel, seg_nn::Error> {
        match self {
            Self::Default => seg_nn::load_bytes(embedded::NETWORK.to_vec(), DEFAULT, device),
            Self::File(path) => seg_nn::load(path, device),
        }
    }

    /// The same before it is built, for whoever may not need it.
    pub(crate) fn read(&self) -> Result<NetworkFile, seg_nn::Error> {
        match self {
            Self::Default => NetworkFile::from_bytes(embedded::NETWORK, DEFAULT),
            Self::File(path) => NetworkFile::read(path),
        }
    }

    /// What a training can begin with: the network as it was stored, or weights of another program.
    pub(crate) fn origin(&self) -> Result<Origin, seg_nn::Error> {
        match self {
            Self::Default => self.checkpoint().map(Origin::from),
            Self::File(path) => Origin::read(path),
        }
    }

    /// The network as it was stored.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint, seg_nn::Error> {
        match self {
            Self::Default => Checkpoint::from_bytes(embedded::NETWORK.to_vec(), DEFAULT),
            Self::File(path) => Checkpoint::read(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_data::InputScale;
    use seg_gdal::{BandIndex, BandSelection, GeoRaster, ReadOptions};
    use seg_grid::{RasterSource as _, Window};
    use seg_nn::{BemSeg, SegModel as _, TextPart};
    use tch::nn::VarStore;
    use tch::{Kind, Tensor};

    #[test]
    fn only_the_bare_word_is_the_embedded_network() {
        let name = |text: &str| text.parse::<NetworkName>().unwrap();
        assert_eq!(name("default"), NetworkName::Default);
        assert_eq!(name("./default"), NetworkName::File("./default".into()));
        for text in ["default", "a b/net.pt"] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    /// The classes that the embedded network sees in a piece of the scene in examples/data.
    fn classes(change: fn(&mut VarStore)) -> Tensor {
        let checkpoint = NetworkName::Default.checkpoint().unwrap();
        let mut vs = VarStore::new(Device::Cpu);
        let network = BemSeg::new(&vs.root(), &checkpoint.config, TextPart::Embeddings).unwrap();
        checkpoint.fill(&vs).unwrap();
        change(&mut vs);
        let options = ReadOptions {
            bands: BandSelection::Explicit(
                [3, 2, 1].map(|band| BandIndex::from_number(band).unwrap()).to_vec(),
            ),
            ..ReadOptions::default()
        };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/haiti.tif");
        let mut scene = GeoRaster::open(path, &options).unwrap();
        let mut patch = scene.read(Window { x: 100, y: 0, width: 384, height: 384 }).unwrap().unwrap();
        let scale = InputScale {
            divide: checkpoint.config.input.divide,
            mean: checkpoint.config.input.mean.clone(),
            std: checkpoint.config.input.std.clone(),
        };
        scale.normalize(&mut patch.values, &patch.valid);
        let image = Tensor::from_slice(patch.values.as_slice().unwrap()).view([1, 3, 384, 384]); // (B, C, H, W)
        network.forward(&image).unwrap().tensor().argmax(1, false) // (B, H, W)
    }

    #[test]
    fn the_embedded_network_reads_its_class_embeddings() {
        let seen = classes(|_| ());
        let blind = classes(|vs| {
            let mut embeddings = vs.variables().remove("class_embeddings").unwrap();
            let _zero = tch::no_grad(|| embeddings.zero_());
        });
        let changed = seen.ne_tensor(&blind).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        assert!(changed > 0.005, "without the embeddings only {changed} of the pixels change their class");
    }

    #[test]
    fn the_embedded_network_is_small_and_whole() {
        assert!(embedded::NETWORK.len() < 12_000_000, "{} bytes", embedded::NETWORK.len());
        let checkpoint = NetworkName::Default.checkpoint().unwrap();
        let facts = seg_nn::describe(&checkpoint.config, 512).unwrap();
        assert!(facts.macs_image_only < 4_000_000_000, "{}", facts.macs_image_only);
        assert_eq!(checkpoint.config.input.gsd_m, None, "its scenes' pixel sizes are not known");
        let loaded = NetworkName::Default.load(Device::Cpu).unwrap();
        let names: Vec<_> = loaded.card.classes.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["building", "land", "road", "vegetation", "water"]);
    }
}
