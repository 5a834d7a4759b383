//! Networks from elsewhere: a TorchScript file and the NET.toml that describes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seg_torch::{Autocast, ScriptModule};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::bemseg::InferencePrecision;
use crate::card::{ClassSpec, InputSpec, ModelCard, OutputKind, check_classes};
use crate::complaint::Complaint;
use crate::error::Error;
use crate::model::{Logits, Scores, SegModel, check_input};
use crate::seen::SeenBand;

/// The contents of NET.toml.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Description {
    #[serde(default)]
    model: ModelSection,
    input: InputSpec,
    class: Vec<ClassSpec>,
    #[serde(default)]
    seen: Vec<SeenBand>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ModelSection {
    name: Option<String>,
    output: OutputKind,
    stride: usize,
    tile_px: Option<usize>,
}

/// A TorchScript module with the interface of a network.
#[derive(Debug, Clone)]
struct ScriptNetwork {
    module: Arc<ScriptModule>,
    path: PathBuf,
    classes: usize,
    bands: usize,
    stride: usize,
    output: OutputKind,
    device: Device,
    precision: InferencePrecision,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self { name: None, output: OutputKind::Logits, stride: 1, tile_px: None }
    }
}

/// What is told of a TorchScript file in the description beside it, and a hash of both.
pub(crate) fn read(path: &Path) -> Result<(ModelCard, String), Error> {
    let toml_path = path.with_extension("toml");
    let text = match fs::read_to_string(&toml_path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoDescription { model: path.to_owned(), toml: toml_path });
        }
        other => other.map_err(Error::read(&toml_path))?,
    };
    let card = parse_description(&text, path, &toml_path)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fs::read(path).map_err(Error::read(path))?);
    hasher.update(text.as_bytes());
    Ok((card, hasher.finalize().to_hex().to_string()))
}

/// Makes the network of a TorchScript file ready.
pub(crate) fn build(path: PathBuf, card: &ModelCard, device: Device) -> Result<Box<dyn SegModel>, Error> {
    let module = Arc::new(ScriptModule::load(&path, device)?);
    Ok(Box::new(ScriptNetwork {
        module,
        path,
        classes: card.classes.len(),
        bands: card.input.bands,
        stride: card.input_multiple,
        output: card.output,
        device,
        precision: InferencePrecision::F32,
    }))
}

fn parse_description(text: &str, model: &Path, path: &Path) -> Result<ModelCard, Error> {
    let Description { model: section, input, class, seen } =
        toml::from_str(text).map_err(|error| Error::toml(path, text, &error))?;
    let in_file = |complaint: Complaint| complaint.in_file(path);
    let input = input.with_default_dtypes();
    input.check().map_err(in_file)?;
    check_classes(&class).map_err(in_file)?;
    if !seen.is_empty() && seen.len() != input.bands {
        let problem = format!("{} entries for {} bands", seen.len(), input.bands);
        return Err(in_file(Complaint::new("seen", problem)));
    }
    if section.stride == 0 {
        return Err(in_file(Complaint::new("model.stride", "a stride is at least 1")));
    }
    if let Some(tile) = section.tile_px.filter(|tile| *tile == 0 || tile % section.stride != 0) {
        let problem = format!("{tile} is not a multiple of the stride {}", section.stride);
        return Err(in_file(Complaint::new("model.tile-px", problem)));
    }
    let file_name = || model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(ModelCard {
        name: section.name.unwrap_or_else(file_name),
        classes: class,
        input,
        tile_px: section.tile_px,
        input_multiple: section.stride,
        output: section.output,
        seen,
    })
}

impl ScriptNetwork {
    /// Checks the module's output against its description and brings it to the input's size.
    fn at_input_size(&self, input: &[i64], output: &Tensor) -> Result<Tensor, Error> {
        let got = output.size();
        let problem = |problem: String| Error::ScriptOutput {
            path: self.path.clone(),
            input: input.to_vec(),
            got: got.clone(),
            problem,
        };
        let [batch, classes, height, width] = got[..] else {
            return Err(problem("expected (B, K, H, W)".to_owned()));
        };
        if classes != self.classes as i64 {
            return Err(problem(format!("expected {} channels, one a class", self.classes)));
        }
        let (in_height, in_width) = (input[2], input[3]);
        let whole_stride = height > 0
            && width > 0
            && in_height % height == 0
            && in_width % width == 0
            && in_height / height == in_width / width;
        if batch != input[0] || !whole_stride {
            return Err(problem("expected the input's size or a whole fraction of it".to_owned()));
        }
        if !output.is_floating_point() {
            return Err(problem(format!("expected floating-point numbers, got {:?}", output.kind())));
        }
        let resized = || {
            let output = output.f_to_kind(Kind::Float)?;
            if height == in_height {
                return Ok(output);
            }
            // (B, K, H / s, W / s) -> (B, K, H, W)
            output.f_upsample_bilinear2d([in_height, in_width], false, None, None)
        };
        resized().map_err(Error::compute("bring scores to the input's size"))
    }
}

impl SegModel for ScriptNetwork {
    fn forward(&self, xs: &Tensor) -> Result<Scores, Error> {
        let _no_grad = tch::no_grad_guard();
        check_input(xs, self)?;
        let scores = match self.precision {
            InferencePrecision::F32 => self.module.forward(xs)?,
            InferencePrecision::Bf16 => {
                let _autocast = Autocast::bf16(self.device)?;
                self.module.forward(xs)?
            }
        };
        let scores = self.at_input_size(&xs.size(), &scores)?;
        Ok(match self.output {
            OutputKind::Logits => Scores::Logits(Logits(scores)),
            OutputKind::Probabilities => Scores::Probabilities(scores),
        })
    }

    fn num_classes(&self) -> usize {
        self.classes
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn input_multiple(&self) -> usize {
        self.stride
    }

    fn fork(&self) -> Box<dyn SegModel> {
        Box::new(self.clone())
    }

    fn device(&self) -> Device {
        self.device
    }

    fn at_precision(&self, precision: InferencePrecision) -> Result<Box<dyn SegModel>, Error> {
        Ok(Box::new(Self { precision, ..self.clone() }))
    }
}
