//! The command line of rs-seg: arguments, settings, messages and exit codes; the work is done in `crates/`.

mod accelerator;
mod checksum;
mod cli;
mod commands;
mod context;
mod describe;
mod diagnostic;
mod evaluation;
mod exit;
mod interrupt;
mod logging;
mod network;
mod planning;
mod polygons;
mod precision;
mod printer;
mod progress;
mod segment;
mod stderr;
mod training;
mod value;
mod weights;

use clap::Parser as _;

fn main() {
    exit::end(match cli::Cli::try_parse() {
        Err(error) => exit::usage(&error),
        Ok(arguments) => match context::Context::new(&arguments.global) {
            Ok(context) => exit::after(&context.progress, || commands::run(&arguments.command, &context)),
            Err(error) => exit::before(&error),
        },
    })
}
