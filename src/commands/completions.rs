//! `rs-seg completions`.

use crate::cli::{Cli, CompletionsArgs};
use crate::context::Context;
use clap::CommandFactory as _;

/// Prints a shell's completions.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rs-seg", &mut script);
    context.printer.data(String::from_utf8_lossy(&script).trim_end())
}
