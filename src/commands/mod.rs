//! One file for each command: read the arguments, call the crates, print.

mod completions;
mod describe;
mod doctor;
mod eval;
mod infer;
mod man;
mod merge;
mod model;
mod plan;
mod tile;
mod train;
mod vectorize;
mod verify;

use crate::cli::Command;
use crate::context::Context;

/// Does what the command line says.
pub(crate) fn run(command: &Command, context: &Context) -> anyhow::Result<()> {
    match command {
        Command::Tile(args) => tile::run(args, context),
        Command::Train(args) => train::run(args, context),
        Command::Infer(args) => infer::run(args, context),
        Command::Merge(args) => merge::run(args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Eval(args) => eval::run(args, context),
        Command::Vectorize(args) => vectorize::run(args, context),
        Command::Model(args) => model::run(args, context),
        Command::Doctor(args) => doctor::run(args, context),
        Command::Describe(args) => describe::run(args, context),
        Command::Completions(args) => completions::run(args, context),
        Command::Man(args) => man::run(args, context),
    }
}
