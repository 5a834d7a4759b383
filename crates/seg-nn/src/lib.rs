//! The only crate that defines networks: BEMSeg, its parts, its checkpoints.
//!
//! * [`load`] reads a file, a checkpoint or a TorchScript program, as a [`LoadedModel`]: a [`SegModel`] that
//!   scores tiles, and a [`ModelCard`] that tells its classes and how pixels become its input.
//! * [`Config`] tells what network to build; [`BemSeg`] is the network, to train or to
//!   [`prepare`](BemSeg::prepare) for inference.
//! * [`save_checkpoint`] and [`Checkpoint`] write and read networks; [`init_untrained`] makes a new one.
//! * [`Criterion`] tells how far a network's output is from labels; [`trainable`] lists what may change.
//! * [`transfer`] starts a network from another one's weights.
//! * [`import`] reads weights out of other programs' files.
//! * [`describe`] counts parameters and multiplications.
//! * [`check_golden`] compares a network with a reference program, tensor by tensor; [`hash_fill`] makes the
//!   weights that both agree on.
//!
//! ```
//! use seg_nn::{Config, SegModel as _, init_untrained, load};
//! use tch::{Device, Kind, Tensor};
//!
//! let text = include_str!("../../../configs/bemseg-small.toml");
//! let config = Config::parse(text, "bemseg-small.toml".as_ref())?;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("untrained.safetensors");
//! init_untrained(&config, 0, &path)?;
//!
//! let model = load(&path, Device::Cpu)?;
//! let tile = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
//! let probabilities = model.network.forward(&tile)?.into_probabilities()?;
//! assert_eq!(probabilities.size(), [1, model.card.classes.len() as i64, 64, 64]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alignment;
mod bemseg;
mod card;
mod checkpoint;
mod clip;
mod complaint;
mod config;
mod context_decoder;
mod count;
mod decoder;
mod device;
mod error;
mod export;
mod golden;
mod groups;
mod hash_fill;
pub mod import;
mod init;
mod layers;
mod loss;
mod model;
mod resnet;
mod safetensors_file;
mod seen;
mod tap;
mod torchscript;

pub use alignment::TextPart;
pub use bemseg::{BemSeg, BemSegOutput, InferencePrecision};
pub use card::{ClassSpec, InputSpec, ModelCard, OutputKind};
pub use checkpoint::{
    Checkpoint, CheckpointContents, Packing, StoredPrecision, StoredTower, Transfer, init_untrained, pack,
    save_checkpoint, transfer,
};
pub use clip::tokenize;
pub use config::{
    AtrousPoolingConfig, BemSegConfig, Config, DecoderConfig, EncoderConfig, EncoderKind, FusionConfig,
    FusionKind, FusionStacks, PoolConfig, PyramidPoolingConfig, SemanticFpnConfig, TextConfig, TokenizerKind,
    TowerTraining,
};
pub use count::{InputFacts, ModelFacts, PartFacts, describe};
pub use device::{ChosenDevice, choose_device, parse_device};
pub use error::{Error, is_out_of_memory};
pub use export::{ExportedFile, export, export_files};
pub use golden::{GoldenReport, TensorCheck, check_golden};
pub use groups::{ParameterGroup, buffers, trainable};
pub use hash_fill::{fnv1a64, hash_fill, hash_fill_all, hash_uniform};
pub use init::initialize;
pub use layers::Mode;
pub use loss::{
    ContrastMemory, CpcAbsent, CpcCategory, CpcReduce, Criterion, Denominator, LossSettings, Losses,
};
pub use model::{LoadedModel, Logits, NetworkFile, Scores, SegModel, load, load_bytes};
pub use seen::SeenBand;
pub use tap::Tap;
