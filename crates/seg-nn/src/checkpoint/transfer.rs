//! Starting a network from another one's weights, though its classes differ.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::TensorView;
use tch::nn::VarStore;
use tch::{TchError, Tensor};

use super::read::Checkpoint;
use super::{EMBEDDINGS_KEY, is_text_tower};
use crate::card::ClassSpec;
use crate::config::Config;
use crate::error::Error;
use crate::import::check_finite;
use crate::safetensors_file;

/// What a network took from a checkpoint.
///
/// Every weight of the network is in one of `taken`, `reinitialized` and `partial`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// How many weights are wholly the checkpoint's.
    pub taken: usize,
    /// Weights that kept their first values.
    pub reinitialized: Vec<String>,
    /// Weights of which the new classes' part kept its first values.
    pub partial: Vec<String>,
    /// Weights that the network does not have.
    pub unused: Vec<String>,
    /// Whether the network has a text tower and the checkpoint none: it kept its first values then.
    pub missing_text_tower: bool,
    /// Classes that both have by name.
    pub classes_kept: Vec<String>,
    /// Classes that only the network has.
    pub classes_new: Vec<String>,
}

/// Where a weight has one slice for each class.
#[derive(Debug, Clone, Copy)]
struct ClassAxis {
    dim: i64,
    /// How many slices stand before those of the classes.
    before: i64,
}

/// Which class of the checkpoint each class of the network is.
struct ClassMap {
    old_classes: i64,
    new_classes: i64,
    /// New index and old index of the classes that both have.
    kept: Vec<(i64, i64)>,
}

/// Gives a checkpoint's weights to a network whose classes may differ, built from `config` and initialized.
///
/// Weights that have one slice for each class, such as the classifier's, take the slices of classes that both
/// have by name; the others keep their first values. A text tower that the checkpoint was saved without does so
/// too. Nothing is changed when an error is returned before the first weight is set.
///
/// # Errors
/// When the network differs from the checkpoint's in anything but its classes, or a weight is not finite.
///
/// # Examples
/// ```
/// use seg_nn::{BemSeg, Checkpoint, Config, TextPart, init_untrained, initialize, transfer};
/// use tch::{Device, nn::VarStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("base.safetensors");
/// let text = include_str!("../../../../configs/bemseg-small.toml");
/// let mut config = Config::parse(text, "bemseg-small.toml".as_ref())?;
/// # init_untrained(&config, 0, &path)?;
/// config.class[1].name = "meadow".to_owned();
/// let vs = VarStore::new(Device::Cpu);
/// let network = BemSeg::new(&vs.root(), &config, TextPart::Tower)?;
/// initialize(&vs, 1)?;
/// let transfer = transfer(&Checkpoint::read(&path)?, &config, &vs)?;
/// assert_eq!(transfer.classes_new, ["meadow"]);
/// assert_eq!(transfer.partial, ["fpn.lateral.3.weight", "head.classify.bias", "head.classify.weight"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn transfer(checkpoint: &Checkpoint, config: &Config, vs: &VarStore) -> Result<Transfer, Error> {
    let _no_grad = tch::no_grad_guard();
    check_structure(checkpoint, config)?;
    let stored = checkpoint.weights()?;
    let variables = vs.variables().into_iter().collect::<BTreeMap<_, _>>();
    let missing_text_tower =
        variables.keys().any(|key| is_text_tower(key)) && !stored.keys().any(|key| is_text_tower(key));
    let stays = |key: &str| missing_text_tower && is_text_tower(key);
    check_keys(checkpoint, &stored, variables.keys().filter(|key| !stays(key)))?;
    let classes = ClassMap::new(&checkpoint.config.class, &config.class);
    for (key, variable) in variables.iter().filter(|(key, _)| !stays(key)) {
        let expected = classes.old_shape(variable.size(), ClassAxis::of(key, config));
        let found = safetensors_file::shape(&stored[key]);
        if found != expected {
            return Err(Error::Shape {
                path: checkpoint.path().to_owned(),
                key: key.clone(),
                expected,
                found,
            });
        }
    }

    let (mut taken, mut reinitialized, mut partial) = (0, Vec::new(), Vec::new());
    for (key, mut variable) in variables {
        if stays(&key) {
            reinitialized.push(key);
            continue;
        }
        let tensor = safetensors_file::to_weight(&key, &stored[&key], checkpoint.path())?;
        check_finite(&key, &tensor, checkpoint.path())?;
        let axis = ClassAxis::of(&key, config);
        let copied =
            classes.copy(&mut variable, &tensor, axis).map_err(Error::compute("transfer weights"))?;
        match copied {
            Copied::All => taken += 1,
            Copied::Part => partial.push(key),
            Copied::Nothing => reinitialized.push(key),
        }
    }
    let (classes_kept, classes_new) = classes.names(&config.class);
    let unused = Vec::new();
    Ok(Transfer { taken, reinitialized, partial, unused, missing_text_tower, classes_kept, classes_new })
}

/// How much of a weight came from the checkpoint.
enum Copied {
    All,
    Part,
    Nothing,
}

impl ClassAxis {
    fn of(key: &str, config: &Config) -> Option<Self> {
        match key {
            "head.classify.weight"
            | "head.classify.bias"
            | "aux.classify.weight"
            | "aux.classify.bias"
            | EMBEDDINGS_KEY => Some(Self { dim: 0, before: 0 }),
            // The score map stands behind the last stage's channels.
            "fpn.lateral.3.weight" if config.model.text.is_some() => {
                Some(Self { dim: 1, before: config.model.stage_channels()[3] })
            }
            _ => None,
        }
    }
}

impl ClassMap {
    fn new(old: &[ClassSpec], new: &[ClassSpec]) -> Self {
        let kept = new.iter().enumerate().filter_map(|(at, class)| {
            let before = old.iter().position(|before| before.name == class.name)?;
            Some((at as i64, before as i64))
        });
        Self { old_classes: old.len() as i64, new_classes: new.len() as i64, kept: kept.collect() }
    }

    /// The shape that a weight of this shape has in the checkpoint.
    fn old_shape(&self, mut shape: Vec<i64>, axis: Option<ClassAxis>) -> Vec<i64> {
        if let Some(ClassAxis { dim, before }) = axis {
            shape[dim as usize] = before + self.old_classes;
        }
        shape
    }

    fn copy(
        &self,
        variable: &mut Tensor,
        tensor: &Tensor,
        axis: Option<ClassAxis>,
    ) -> Result<Copied, TchError> {
        let all = self.kept.len() as i64 == self.new_classes;
        let Some(ClassAxis { dim, before }) = axis else {
            variable.f_copy_(tensor)?;
            return Ok(Copied::All);
        };
        variable.f_narrow(dim, 0, before)?.f_copy_(&tensor.f_narrow(dim, 0, before)?)?;
        for (new, old) in &self.kept {
            let (mut to, from) =
                (variable.f_narrow(dim, before + new, 1)?, tensor.f_narrow(dim, before + old, 1)?);
            to.f_copy_(&from)?;
        }
        Ok(match (all, before == 0 && self.kept.is_empty()) {
            (true, _) => Copied::All,
            (false, true) => Copied::Nothing,
            (false, false) => Copied::Part,
        })
    }

    /// Names of the classes that both have, and of the new ones.
    fn names(&self, classes: &[ClassSpec]) -> (Vec<String>, Vec<String>) {
        let is_kept = |at: usize| self.kept.iter().any(|(new, _)| *new == at as i64);
        let names = |kept: bool| {
            let classes = classes.iter().enumerate().filter(|(at, _)| is_kept(*at) == kept);
            classes.map(|(_, class)| class.name.clone()).collect()
        };
        (names(true), names(false))
    }
}

/// What weights do not tell by their shapes.
fn check_structure(checkpoint: &Checkpoint, config: &Config) -> Result<(), Error> {
    let path = checkpoint.path();
    let (found, expected) = (checkpoint.config.input.bands as i64, config.input.bands as i64);
    if found != expected {
        return Err(Error::Bands { path: path.to_owned(), expected, found });
    }
    let facts = |config: &Config| {
        let model = &config.model;
        let fact = |value: Option<String>| value.unwrap_or_else(|| "not there".to_owned());
        [
            ("model.encoder.kind", model.encoder.kind.to_string()),
            ("model.encoder.output-stride", model.encoder.output_stride.to_string()),
            ("model.pool.heads", fact(model.pool.as_ref().map(|pool| pool.heads.to_string()))),
            ("model.text.heads", fact(model.text.as_ref().map(|text| text.heads.to_string()))),
            ("model.text.tokenizer", fact(model.text.as_ref().map(|text| text.tokenizer.to_string()))),
            ("model.fusion.heads", fact(model.fusion.as_ref().map(|fusion| fusion.heads.to_string()))),
        ]
    };
    for ((key, found), (_, expected)) in facts(&checkpoint.config).into_iter().zip(facts(config)) {
        if found != expected {
            return Err(Error::Structure { path: path.to_owned(), key, expected, found });
        }
    }
    Ok(())
}

fn check_keys<'a>(
    checkpoint: &Checkpoint,
    stored: &BTreeMap<String, TensorView>,
    wanted: impl Iterator<Item = &'a String>,
) -> Result<(), Error> {
    let wanted = wanted.collect::<BTreeSet<_>>();
    let missing = wanted.iter().filter(|key| !stored.contains_key(**key));
    let missing = missing.map(|key| (*key).clone()).collect::<Vec<_>>();
    let beside = |key: &str| is_text_tower(key) || key == EMBEDDINGS_KEY;
    let unexpected = stored.keys().filter(|key| !wanted.contains(key) && !beside(key));
    let unexpected = unexpected.cloned().collect::<Vec<_>>();
    if missing.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    Err(Error::Keys { path: checkpoint.path().to_owned(), missing, unexpected })
}
