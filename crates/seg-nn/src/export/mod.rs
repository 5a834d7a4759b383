//! A checkpoint as a TorchScript file that needs no other program of ours, with what others read beside it.

mod describe;

use std::fs;
use std::path::{Path, PathBuf};

use tch::nn::VarStore;
use tch::{CModule, Device, Kind, Tensor};

use crate::bemseg::{BemSeg, InferencePrecision};
use crate::card::{InputSpec, ModelCard, OutputKind};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::model::SegModel as _;

/// A file of an export, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// `network`, `description`, `metadata` or `mlm`.
    pub what: &'static str,
    /// Where it lies.
    pub path: PathBuf,
}

/// The example that a network is traced with: two images of no square, so that neither the batch nor any side is
/// taken for a constant.
const EXAMPLE: [i64; 3] = [2, 96, 160];

/// The files that [`export`] writes: `M.pt`, `M.toml`, which `rs-seg` and people read, `M.metadata.json` with the
/// keys of QGIS plugins, and `M.mlm.json` with those of STAC.
pub fn export_files(out: &Path) -> [ExportedFile; 4] {
    let file = |what, ending| ExportedFile { what, path: out.with_extension(ending) };
    [
        ExportedFile { what: "network", path: out.to_owned() },
        file("description", "toml"),
        file("metadata", "metadata.json"),
        file("mlm", "mlm.json"),
    ]
}

/// Writes a checkpoint's network as TorchScript, with normalization and soft-max inside: pixels (B, C, H, W) as they
/// stand in a raster, of any size whose sides are multiples of 32 → probabilities (B, K, H, W).
///
/// All files appear when all are whole, the network last.
///
/// # Errors
/// When the network cannot be built or traced, or a file cannot be written.
pub fn export(checkpoint: &Checkpoint, out: &Path) -> Result<[ExportedFile; 4], Error> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staging = tempfile::tempdir_in(folder).map_err(Error::write(out))?;
    // The archive has a folder of the file's name, so it is written under that.
    let staged = staging.path().join(out.file_name().unwrap_or_default());
    trace(checkpoint)?.save(&staged).map_err(Error::compute("save the network as TorchScript"))?;
    let card = card(&checkpoint.config.card(), checkpoint);
    let [_, description, metadata, mlm] = export_files(&staged);
    let texts = [
        (description, describe::toml(&card)?),
        (metadata, describe::plugin_metadata(&card)),
        (mlm, describe::mlm(&card, checkpoint, out)?),
    ];
    for (file, text) in texts {
        fs::write(&file.path, text).map_err(Error::write(&file.path))?;
    }
    let files = export_files(out);
    for (from, to) in export_files(&staged).iter().zip(&files).rev() {
        fs::rename(&from.path, &to.path).map_err(Error::write(&to.path))?;
    }
    Ok(files)
}

/// What the exported network is, whose normalization is inside.
fn card(own: &ModelCard, checkpoint: &Checkpoint) -> ModelCard {
    let InputSpec { divide, mean, .. } = &own.input;
    ModelCard {
        input: InputSpec {
            divide: 1.0,
            mean: vec![0.0; own.input.bands],
            std: vec![1.0; own.input.bands],
            // What becomes 0, the mean of the training, inside.
            fill: mean.iter().map(|mean| mean * divide).collect(),
            ..own.input.clone()
        },
        output: OutputKind::Probabilities,
        seen: crate::SeenBand::of(&checkpoint.provenance),
        ..own.clone()
    }
}

fn trace(checkpoint: &Checkpoint) -> Result<CModule, Error> {
    let vs = VarStore::new(Device::Cpu);
    let network = BemSeg::new(&vs.root(), &checkpoint.config, checkpoint.text_part())?;
    checkpoint.fill(&vs)?;
    let network = network.prepare(InferencePrecision::F32)?;
    let _no_grad = tch::no_grad_guard();
    let input = &checkpoint.config.input;
    let [batch, height, width] = EXAMPLE;
    let example = Tensor::zeros([batch, input.bands as i64, height, width], (Kind::Float, Device::Cpu));
    // As rs-seg normalizes, to the bit: one product and one sum in single precision.
    let of_bands = |number: &dyn Fn(f64, f64) -> f64| {
        let numbers: Vec<f32> =
            input.mean.iter().zip(&input.std).map(|(&mean, &std)| number(mean, std) as f32).collect();
        Tensor::from_slice(&numbers).view([1, -1, 1, 1]) // (1, C, 1, 1)
    };
    let scale = of_bands(&|_, std| 1.0 / (input.divide * std));
    let shift = of_bands(&|mean, std| -mean / std);
    let mut failed = None;
    let mut forward = |images: &[Tensor]| -> Vec<Tensor> {
        let run = || {
            let failed = Error::compute("normalize an image");
            let image = images[0].f_to_kind(Kind::Float).map_err(&failed)?;
            let image = image.f_mul(&scale).and_then(|image| image.f_add(&shift)).map_err(&failed)?;
            network.forward(&image)?.into_probabilities() // (B, C, H, W) -> (B, K, H, W)
        };
        match run() {
            Ok(probabilities) => vec![probabilities],
            Err(error) => {
                failed = Some(error);
                vec![images[0].shallow_clone()]
            }
        }
    };
    let module = CModule::create_by_tracing("network", "forward", &[example], &mut forward);
    match failed {
        Some(error) => Err(error),
        None => module.map_err(Error::compute("trace the network")),
    }
}

#[cfg(test)]
mod tests;
