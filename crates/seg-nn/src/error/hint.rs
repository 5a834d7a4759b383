//! What can be done about an error.

use std::io;

use super::Error;

/// The least that a TorchScript file's description holds.
const MINIMAL_DESCRIPTION: &str = "\
[model]
output = \"logits\"
[input]
bands = 3
divide = 255.0
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
[[class]]
id = 0
name = \"background\"
color = \"#000000\"
[[class]]
id = 1
name = \"building\"
color = \"#0000ff\"";

impl Error {
    /// What the user can do about it, where there is something.
    ///
    /// # Examples
    /// ```
    /// use seg_nn::Error;
    ///
    /// let error = Error::UnknownFormat { path: "net.onnx".into() };
    /// assert!(error.hint().unwrap().contains(".safetensors"));
    /// ```
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path: a network is a checkpoint (.safetensors) or a TorchScript file (.pt)"
            }
            Self::UnknownFormat { .. } => {
                "give a checkpoint (.safetensors) or a TorchScript file (.pt, .ts, .torchscript)"
            }
            Self::NoDescription { toml, .. } => {
                return Some(format!(
                    "of a file of weights, such as RN50.pt or a state dict, `rs-seg model import` makes a network or \
                     the start of a training (`rs-seg train --init`); for a TorchScript network write {} with at \
                     least:\n{MINIMAL_DESCRIPTION}",
                    toml.display()
                ));
            }
            Self::Script(error) => return error.hint(),
            Self::ScriptOutput { .. } => {
                "the network must return (B, K, H, W) with one channel for each [[class]] of its .toml"
            }
            Self::Compute { reason, .. } if is_out_of_memory(reason) => {
                "use a smaller --tile, fewer --threads or a smaller --batch"
            }
            Self::Prompt { .. } => "shorten the class's prompt or raise model.text.n-tok",
            Self::NotSafetensors { .. } => {
                "a checkpoint is a .safetensors file; if this is one, it may be cut short: copy or download it again"
            }
            Self::NotACheckpoint { .. } => {
                "give a checkpoint that rs-seg wrote, or export the network as TorchScript with a .toml beside it"
            }
            Self::WeightsOnly { path, .. } => {
                return Some(format!(
                    "a training begins with it: `rs-seg train --init {} --config FILE`",
                    path.display()
                ));
            }
            Self::Import { problem, .. } => problem.hint(),
            Self::MissingWeights { .. } => {
                "they belong to another network than the configuration's, or the file is not complete; `rs-seg model \
                 import --allow-missing` takes what is there"
            }
            Self::Schema { .. } => "use the rs-seg that wrote it, or a newer one",
            Self::Keys { .. } | Self::Shape { .. } => {
                "the weights and the [model] section belong to different networks"
            }
            Self::Bands { .. } => "give [input] as many bands as that network has, or train from nothing",
            Self::Structure { .. } => {
                "start from a network with the same [model] section, or train from nothing"
            }
            Self::NotAGolden { .. } => {
                "such a file is made with the weights' seed and the network's description in its metadata; tests/data/parity has three and the script that makes them"
            }
            Self::Labels { .. } => "labels are class indices, 255 where a pixel is ignored",
            Self::Device { help: Some(help), .. } => return Some(help.clone()),
            Self::Device { .. } => "`rs-seg doctor` tells which devices there are; --device cpu always works",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Whether libtorch failed, with this reason, for want of memory.
pub fn is_out_of_memory(reason: &str) -> bool {
    reason.contains("allocate") || reason.contains("out of memory")
}
