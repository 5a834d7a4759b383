//! `rs-seg model`.

mod check;
mod export;
mod fetch;
mod import;
mod info;
mod init;
mod pack;

use crate::cli::{ModelArgs, ModelCommand};
use crate::context::{Context, ResultFormat};
use serde_json::{Value, json};
use std::path::Path;

/// Looks at networks and makes them.
pub(crate) fn run(args: &ModelArgs, context: &Context) -> anyhow::Result<()> {
    match &args.command {
        ModelCommand::Info(args) => info::run(args, context),
        ModelCommand::Init(args) => init::run(args, context),
        ModelCommand::Pack(args) => pack::run(args, context),
        ModelCommand::Export(args) => export::run(args, context),
        ModelCommand::Check(args) => check::run(args, context),
        ModelCommand::Import(args) => import::run(args, context),
        ModelCommand::Fetch(args) => fetch::run(args, context),
    }
}

/// Tells that a file was made, and with JSON what else there is to know.
fn tell_made(out: &Path, more: Value, context: &Context) -> anyhow::Result<()> {
    let outputs = json!({"model": out.display().to_string()});
    context.progress.result(&outputs);
    match (context.format, more) {
        (ResultFormat::Json, Value::Object(more)) => {
            let mut result = serde_json::Map::from_iter([("outputs".to_owned(), outputs)]);
            result.extend(more);
            context.printer.json(&result)
        }
        (ResultFormat::Json, _) => context.printer.json(&json!({"outputs": outputs})),
        (ResultFormat::Text, _) => context.printer.data(out.display()),
    }
}
