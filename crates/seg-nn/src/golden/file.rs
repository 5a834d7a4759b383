//! Reference files, and what of them follows from their seed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tch::nn::VarStore;
use tch::{Device, Kind, TchError, Tensor};

use super::{Tensors, network};
use crate::alignment::TextPart;
use crate::bemseg::BemSeg;
use crate::card::ClassSpec;
use crate::clip::tokenize;
use crate::config::{Config, INPUT_MULTIPLE, TowerTraining};
use crate::error::Error;
use crate::hash_fill::{hash_fill, hash_fill_all, hash_uniform};
use crate::safetensors_file::{self, TensorFile};

/// Tensors that a network computes from, not what it computes.
const GIVEN: [&str; 3] = ["input", "label", "token_ids"];
/// The label of what is ignored.
const IGNORED: i64 = 255;
/// What the names of stored weights begin with.
const WEIGHTS: &str = "weights/";

/// A reference file.
pub(super) struct GoldenFile {
    path: PathBuf,
    /// Its network, without dropout and with a text tower that has gradients.
    pub(super) config: Config,
    pub(super) seed: u64,
    /// How the input and the labels were made.
    scene: Scene,
    /// The size of `gamma_t` and `gamma_v`.
    gamma: f64,
    weights: WeightSource,
    /// Whether its loss has a contrastive part.
    pub(super) contrasts: bool,
    /// Its tensors by name, on the processor.
    pub(super) tensors: Tensors,
}

/// Where a network's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WeightSource {
    /// From the seed.
    ClosedForm,
    /// From the file.
    File,
}

/// How an input follows from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    /// Noise over blocks, with labels in blocks.
    Blocks,
    /// Noise alone, without labels.
    Noise,
}

/// What a file's metadata tells.
pub(super) struct Description {
    pub(super) config: Config,
    pub(super) seed: u64,
    pub(super) scene: Scene,
    pub(super) gamma: f64,
    pub(super) weights: WeightSource,
    pub(super) contrasts: bool,
}

/// A file's network and its weights.
pub(super) struct GoldenNetwork {
    pub(super) network: BemSeg,
    pub(super) weights: VarStore,
    pub(super) device: Device,
}

impl GoldenFile {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let file = TensorFile::new(fs::read(path).map_err(Error::read(path))?.into(), path)?;
        let Description { mut config, seed, scene, gamma, weights, contrasts } =
            describe(&file.metadata, path)?;
        if let Some(fusion) = &mut config.model.fusion {
            fusion.dropout = 0.0;
        }
        if let Some(text) = &mut config.model.text {
            text.tower = TowerTraining::Trained;
        }
        *config.model.decoder.dropout_mut() = 0.0;
        let stored = file.tensors(path)?;
        let tensors = stored
            .iter()
            .map(|(name, view)| Ok((name.clone(), safetensors_file::to_tensor(name, view, path)?)))
            .collect::<Result<Tensors, Error>>()?;
        let path = path.to_owned();
        let golden = Self { path, config, seed, scene, gamma, weights, contrasts, tensors };
        golden.check().map_err(|reason| not_a_golden(&golden.path, reason))?;
        Ok(golden)
    }

    /// Whether there is something to compare, and its network takes what it is to be computed of.
    fn check(&self) -> Result<(), String> {
        let Some(image) = self.tensors.get("input") else {
            return Err("it has no tensor \"input\"".to_owned());
        };
        let is_given = |name: &String| GIVEN.contains(&name.as_str()) || name.starts_with(WEIGHTS);
        if self.tensors.keys().all(is_given) {
            return Err("it holds nothing that the network computes".to_owned());
        }
        let (size, bands) = (image.size(), self.config.input.bands as i64);
        let fits = |side: i64| side > 0 && side % INPUT_MULTIPLE as i64 == 0;
        let [batch, _, height, width] = match size[..] {
            [batch, given, height, width] if batch > 0 && given == bands && fits(height) && fits(width) => {
                [batch, given, height, width]
            }
            _ => {
                return Err(format!(
                    "its input has the shape {size:?}, and the network takes (B, {bands}, H, W) with sides that \
                     are multiples of {INPUT_MULTIPLE}"
                ));
            }
        };
        if image.kind() != Kind::Float {
            return Err(format!("its input is of type {:?}, not Float", image.kind()));
        }
        self.tensors.get("label").map_or(Ok(()), |labels| self.check_labels(labels, &[batch, height, width]))
    }

    fn check_labels(&self, labels: &Tensor, expected: &[i64]) -> Result<(), String> {
        if labels.size() != expected || labels.kind() != Kind::Int64 {
            let (size, kind) = (labels.size(), labels.kind());
            return Err(format!(
                "its labels are {kind:?} of shape {size:?}, not Int64 of shape {expected:?}"
            ));
        }
        let classes = self.config.class.len() as i64;
        let values = Vec::<i64>::try_from(labels.flatten(0, -1)).map_err(|error| error.to_string())?; // (B H W)
        match values.iter().find(|label| !(0..classes).contains(*label) && **label != IGNORED) {
            Some(label) => {
                let last = classes - 1;
                Err(format!("its labels hold {label}, and classes are 0 to {last}, or {IGNORED} for ignored"))
            }
            None => Ok(()),
        }
    }

    /// One of its tensors, which it cannot be checked without.
    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor, Error> {
        self.tensors.get(name).ok_or_else(|| not_a_golden(&self.path, format!("it has no tensor \"{name}\"")))
    }

    /// Builds the network and gives it its weights.
    pub(super) fn network(&self, device: Device) -> Result<GoldenNetwork, Error> {
        let weights = VarStore::new(device);
        let network = BemSeg::new(&weights.root(), &self.config, TextPart::Tower)?;
        match self.weights {
            WeightSource::ClosedForm => hash_fill_all(&weights, self.seed, self.gamma)?,
            WeightSource::File => self.fill(&weights)?,
        }
        Ok(GoldenNetwork { network, weights, device })
    }

    fn fill(&self, weights: &VarStore) -> Result<(), Error> {
        let _no_grad = tch::no_grad_guard();
        for (key, mut variable) in weights.variables() {
            let stored = self.tensor(&format!("{WEIGHTS}{key}"))?;
            if stored.size() != variable.size() {
                let (path, expected, found) = (self.path.clone(), variable.size(), stored.size());
                return Err(Error::Shape { path, key, expected, found });
            }
            variable.f_copy_(stored).map_err(Error::compute("set the reference's weights"))?;
        }
        Ok(())
    }

    /// Input, labels and tokens as they follow from the seed and the classes.
    pub(super) fn inputs(&self) -> Result<Tensors, Error> {
        let image = self.tensor("input")?;
        let size = image.size();
        let [batch, bands, height, width] = size[..] else {
            return Err(not_a_golden(&self.path, format!("its input has the shape {size:?}")));
        };
        let failed = Error::compute("compute the reference's input");
        let mut inputs = Tensors::new();
        let noise = uniform("input", self.seed, &size).map_err(&failed)?; // (B, bands, H, W)
        match self.scene {
            Scene::Noise => {
                inputs.insert("input".to_owned(), noise.f_mul_scalar(2.0).map_err(&failed)?);
            }
            Scene::Blocks => {
                let image = blocks(&noise, self.seed, [batch, bands, height, width]).map_err(&failed)?;
                inputs.insert("input".to_owned(), image);
                let classes = self.config.class.len() as i64;
                let labels = label_blocks(self.seed, classes, [batch, height, width]).map_err(&failed)?;
                inputs.insert("label".to_owned(), labels);
            }
        }
        if let Some(text) = &self.config.model.text {
            let rows = tokenize(self.config.class.iter().map(ClassSpec::prompt_text), text)?;
            let ids = Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1]); // (K n-tok) -> (K, n-tok)
            inputs.insert("token_ids".to_owned(), ids);
        }
        Ok(inputs)
    }

    /// Adds the weights that the file holds, as the network has them, and returns the names of those that it has
    /// no part for.
    pub(super) fn weights(
        &self,
        network: &GoldenNetwork,
        computed: &mut Tensors,
    ) -> Result<Vec<String>, Error> {
        let variables = network.weights.variables();
        let mut unused = Vec::new();
        for (name, stored) in &self.tensors {
            let Some(key) = name.strip_prefix(WEIGHTS) else { continue };
            match (variables.get(key), self.weights) {
                (Some(variable), _) => {
                    // The running statistics change before anything is compared.
                    computed.insert(name.clone(), variable.detach().copy());
                }
                (None, WeightSource::ClosedForm) => {
                    computed.insert(name.clone(), hash_fill(key, &stored.size(), self.seed, self.gamma)?);
                }
                (None, WeightSource::File) => unused.push(name.clone()),
            }
        }
        Ok(unused)
    }
}

/// Noise at half its size over blocks of a quarter of the image: (B, bands, H, W).
fn blocks(noise: &Tensor, seed: u64, [batch, bands, height, width]: [i64; 4]) -> Result<Tensor, TchError> {
    let coarse = uniform("input_coarse", seed, &[batch, bands, 4, 4])?.f_mul_scalar(2.0)?;
    let coarse = coarse.f_upsample_nearest2d([height, width], None, None)?; // (B, bands, 4, 4) -> (B, bands, H, W)
    noise.f_mul_scalar(2.0)?.f_mul_scalar(0.5)?.f_add(&coarse)
}

/// Labels in 8 × 8 blocks, of which half a class' share is ignored: (B, H, W).
pub(super) fn label_blocks(
    seed: u64,
    classes: i64,
    [batch, height, width]: [i64; 3],
) -> Result<Tensor, TchError> {
    let blocks = uniform("label", seed, &[batch, 1, 8, 8])?;
    let blocks =
        blocks.f_add_scalar(1.0)?.f_div_scalar(2.0)?.f_mul_scalar(classes as f64 + 0.5)?.f_floor()?;
    let labels = blocks.f_upsample_nearest2d([height, width], None, None)?; // (B, 1, 8, 8) -> (B, 1, H, W)
    let labels = labels.f_squeeze_dim(1)?.f_to_kind(Kind::Int64)?; // (B, 1, H, W) -> (B, H, W)
    labels.f_masked_fill(&labels.f_ge(classes)?, 255)
}

/// Closed-form numbers of [-1, 1).
pub(super) fn uniform(key: &str, seed: u64, shape: &[i64]) -> Result<Tensor, TchError> {
    let count = shape.iter().product::<i64>().max(0) as usize;
    Tensor::f_from_slice(&hash_uniform(key, seed).take(count).collect::<Vec<_>>())?.f_reshape(shape)
}

fn describe(metadata: &HashMap<String, String>, path: &Path) -> Result<Description, Error> {
    match (metadata.get("args"), metadata.get("config")) {
        (Some(args), _) => network::of_arguments(args).map_err(|reason| not_a_golden(path, reason)),
        (None, Some(config)) => {
            let seed = metadata.get("seed").and_then(|seed| seed.parse().ok());
            let seed = seed.ok_or_else(|| not_a_golden(path, "its metadata has no seed".to_owned()))?;
            Ok(Description {
                config: Config::parse(config, path)?,
                seed,
                scene: Scene::Noise,
                gamma: 0.5,
                weights: WeightSource::ClosedForm,
                contrasts: false,
            })
        }
        (None, None) => Err(not_a_golden(path, "its metadata tell no network".to_owned())),
    }
}

fn not_a_golden(path: &Path, reason: String) -> Error {
    Error::NotAGolden { path: path.to_owned(), reason }
}
