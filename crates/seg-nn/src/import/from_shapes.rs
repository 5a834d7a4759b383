//! The configuration of a network that its weights' shapes tell.

use std::path::Path;

use toml::{Table, Value};

use super::fill::grid_side;
use super::names::Naming;
use super::problem::ImportProblem;
use super::weights::{CLASSIFIER, Weights};
use crate::config::Config;
use crate::error::Error;

/// Configurations that tell what shapes do not, by the number of their classes.
const BASES: [(i64, &str); 2] = [
    (6, include_str!("../../../../configs/bemseg-rn50-potsdam.toml")),
    (7, include_str!("../../../../configs/bemseg-rn50-loveda.toml")),
];
/// The width of an attention head, in CLIP and in the authors' fusion.
const HEAD_WIDTH: i64 = 64;
/// Tokens of CLIP's vocabulary.
const CLIP_VOCAB: i64 = 49_408;

/// The configuration of a whole network: texts are in CLIP's vocabulary, and the decoder is Semantic FPN.
///
/// Classes and input are those of Potsdam where there are six classes, and of `LoveDA` where there are seven.
///
/// # Errors
/// When the weights do not tell it.
pub fn config_of(weights: &Weights) -> Result<Config, Error> {
    let shapes = Shapes(weights);
    let problem = |problem| Error::Import { path: weights.path.clone(), problem };
    let text = shapes.table().map_err(problem)?.to_string();
    let unfit = |error: Error| problem(ImportProblem::Configuration(error.to_string()));
    Config::parse(&text, Path::new("its shapes")).map_err(unfit)
}

/// A configuration whose encoders are those of the weights; where one is not among them, it is some other.
///
/// # Errors
/// When the shapes of the weights do not go together.
pub(super) fn encoders_of(weights: &Weights) -> Result<Config, Error> {
    let shapes = Shapes(weights);
    let problem = |problem| Error::Import { path: weights.path.clone(), problem };
    let text = shapes.encoders().map_err(problem)?.to_string();
    let unfit = |error: Error| problem(ImportProblem::Sizes(error.to_string()));
    Config::parse(&text, Path::new("its shapes")).map_err(unfit)
}

/// Sizes of weights.
struct Shapes<'a>(&'a Weights);

impl Shapes<'_> {
    fn table(&self) -> Result<Table, ImportProblem> {
        let unknown = |what: &str| Err(ImportProblem::Configuration(what.to_owned()));
        let classes = self.size(CLASSIFIER, 0)?;
        let Some((_, base)) = BASES.iter().find(|(count, _)| *count == classes) else {
            return unknown(&format!("there are {classes} classes, and names are known for 6 and 7"));
        };
        if self.size("visual.conv1.weight", 1)? != 3 {
            return unknown("its input has not three bands");
        }
        let mut table: Table =
            toml::from_str(base).map_err(|error| ImportProblem::Configuration(error.to_string()))?;
        let Some(Value::Table(model)) = table.get_mut("model") else { return unknown("no base has a model") };
        model.insert("name".to_owned(), self.name().into());
        model.insert("encoder".to_owned(), Value::Table(self.encoder()?));
        self.put(
            model,
            "decoder",
            &[("fpn-width", self.size("fpn.smooth.0.weight", 0)?), ("head-width", self.size(CLASSIFIER, 1)?)],
        );
        if self.has("visual.attnpool.") {
            self.texts(model)?;
        } else {
            for section in ["pool", "text", "fusion"] {
                model.remove(section);
            }
        }
        Ok(table)
    }

    fn encoders(&self) -> Result<Table, ImportProblem> {
        let mut table: Table =
            toml::from_str(BASES[0].1).map_err(|error| ImportProblem::Configuration(error.to_string()))?;
        let Some(Value::Table(model)) = table.get_mut("model") else { return Ok(table) };
        model.remove("fusion");
        let mut last = 0;
        if self.has("visual.") {
            model.insert("encoder".to_owned(), Value::Table(self.encoder()?));
            last = self.size("visual.layer4.0.conv1.weight", 0)?;
        }
        let (has_pool, has_text) = (self.has("visual.attnpool."), self.0.has_text_tower());
        if has_pool {
            self.pool(model)?;
        } else if has_text && last > 0 {
            self.put(model, "pool", &[("heads", 1)]);
        }
        if has_text {
            let vocab = self.size("token_embedding.weight", 0)?;
            let width = self.size("token_embedding.weight", 1)?;
            let rows = self.size("positional_embedding", 0)?;
            let layers = self.count("transformer.resblocks.");
            let sizes = [
                ("vocab", vocab),
                ("width", width),
                ("heads", heads(width)),
                ("layers", layers),
                ("context-length", rows),
                ("n-tok", rows),
                ("n-ctx", 0),
            ];
            self.put(model, "text", &sizes);
            if let Some(Value::Table(text)) = model.get_mut("text").filter(|_| vocab != CLIP_VOCAB) {
                text.insert("tokenizer".to_owned(), "words".into());
            }
        } else if !has_pool {
            model.remove("pool");
            model.remove("text");
        }
        Ok(table)
    }

    /// The file's name without its ending.
    fn name(&self) -> String {
        let stem = Path::new(&self.0.source).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    fn encoder(&self) -> Result<Table, ImportProblem> {
        let (mut widths, mut depths) = (Vec::new(), Vec::new());
        for stage in 1..=4 {
            widths.push(Value::from(self.size(&format!("visual.layer{stage}.0.conv1.weight"), 0)?));
            depths.push(Value::from(self.count(&format!("visual.layer{stage}."))));
        }
        let stem = self.size("visual.conv3.weight", 0)?;
        // Shapes do not tell them apart, names do.
        let kind = if self.0.naming.is_some_and(Naming::is_resnet) { "v1c" } else { "clip" };
        Ok(Table::from_iter([
            ("kind".to_owned(), kind.into()),
            ("stem-width".to_owned(), stem.into()),
            ("widths".to_owned(), widths.into()),
            ("depths".to_owned(), depths.into()),
        ]))
    }

    fn pool(&self, model: &mut Table) -> Result<(), ImportProblem> {
        let pool = |name: &str| format!("visual.attnpool.{name}");
        let rows = self.size(&pool("positional_embedding"), 0)?;
        let grid = grid_side(rows).ok_or_else(|| {
            let table = pool("positional_embedding");
            ImportProblem::Sizes(format!("{table} has {rows} rows, which are not one and a square"))
        })?;
        let channels = self.size(&pool("q_proj.weight"), 1)?;
        let embed_dim = self.size(&pool("c_proj.weight"), 0)?;
        let sizes = [("heads", heads(channels)), ("embed-dim", embed_dim), ("positional-grid", grid)];
        self.put(model, "pool", &sizes);
        Ok(())
    }

    fn texts(&self, model: &mut Table) -> Result<(), ImportProblem> {
        self.pool(model)?;
        let vocab = self.size("token_embedding.weight", 0)?;
        if vocab != CLIP_VOCAB {
            let problem = format!("its vocabulary of {vocab} tokens is not CLIP's");
            return Err(ImportProblem::Configuration(problem));
        }
        let width = self.size("token_embedding.weight", 1)?;
        let rows = self.size("positional_embedding", 0)?;
        let contexts = self.size("contexts", 1)?;
        let tokens = model.get("text").and_then(|text| text.get("n-tok")).and_then(Value::as_integer);
        // The authors keep just the rows that they use.
        let tokens = tokens.unwrap_or(rows).min(rows - contexts);
        self.put(
            model,
            "text",
            &[
                ("vocab", vocab),
                ("width", width),
                ("heads", heads(width)),
                ("layers", self.count("transformer.resblocks.")),
                ("context-length", rows),
                ("n-tok", tokens),
                ("n-ctx", contexts),
            ],
        );

        if !self.has("bff_text.") {
            model.remove("fusion");
            return Ok(());
        }
        let width = self.size("bff_text.kv_in_proj.weight", 0)?;
        let layers = self.count("bff_text.layers.");
        self.put(model, "fusion", &[("width", width), ("heads", heads(width)), ("layers", layers)]);
        if let Some(Value::Table(fusion)) = model.get_mut("fusion") {
            let kind = if self.has("gamma_v") { "both" } else { "text" };
            let stacks = if self.has("bff_image.") { "separate" } else { "shared" };
            fusion.insert("kind".to_owned(), kind.into());
            fusion.insert("stacks".to_owned(), stacks.into());
        }
        Ok(())
    }

    /// Sets numbers of a section.
    #[expect(clippy::unused_self, reason = "it reads as a sentence beside the other methods")]
    fn put(&self, model: &mut Table, section: &str, numbers: &[(&str, i64)]) {
        if let Some(Value::Table(section)) = model.get_mut(section) {
            section.extend(numbers.iter().map(|(key, number)| ((*key).to_owned(), Value::from(*number))));
        }
    }

    fn has(&self, prefix: &str) -> bool {
        self.0.tensors.keys().any(|key| key.starts_with(prefix))
    }

    fn size(&self, key: &str, dim: usize) -> Result<i64, ImportProblem> {
        let size = self.0.tensors.get(key).and_then(|tensor| tensor.size().get(dim).copied());
        size.ok_or_else(|| ImportProblem::Configuration(format!("{key} is missing")))
    }

    /// How many numbered parts there are below a prefix.
    fn count(&self, prefix: &str) -> i64 {
        let numbers =
            self.0.tensors.keys().filter_map(|key| key.strip_prefix(prefix)?.split('.').next()?.parse().ok());
        numbers.max().map_or(0, |last: i64| last.saturating_add(1))
    }
}

fn heads(width: i64) -> i64 {
    (width / HEAD_WIDTH).max(1)
}
