//! Commands about rs-seg itself.

use crate::network::NetworkName;
use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Tell versions and places of GDAL, PROJ and libtorch, and what each device can do
///
/// Ends with a hint for everything that is missing. Its text is what a report of a fault should begin with.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// Compare the classes of a network in bfloat16 with those in float32, and remember the outcome for
    /// `rs-seg infer --precision auto`
    #[arg(long, value_name = "NAME|FILE")]
    pub precision_check: Option<NetworkName>,
    /// Raster to compare on [default: a made-up scene]
    #[arg(long, value_name = "FILE", requires = "precision_check")]
    pub precision_image: Option<PathBuf>,
}

/// List all commands with all their parameters, with `--json` for programs that build dialogs
#[derive(Debug, Clone, Args)]
pub(crate) struct DescribeArgs {}

/// Print completions for a shell
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "For bash: rs-seg completions bash > ~/.local/share/bash-completion/completions/rs-seg"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Print the man page, or write one for each command
#[derive(Debug, Clone, Args)]
pub(crate) struct ManArgs {
    /// Folder to write all pages to
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
