//! `rs-seg model import`.

use super::tell_made;
use crate::cli::ModelImportArgs;
use crate::context::Context;
use seg_grid::Observer as _;
use seg_nn::import::{
    CLIP_RN50_SHA256, Filled, Import, ImportProblem, MissingWeights, StateDict, Weights, WeightsKind,
    import_network, missing_of_encoders, save_weights,
};
use seg_nn::{Config, Error};
use serde_json::json;

/// Names that are told one by one before the rest becomes a count; `--json` has all.
const TOLD_NAMES: usize = 40;

/// Takes the weights of another program's file.
pub(super) fn run(args: &ModelImportArgs, context: &Context) -> anyhow::Result<()> {
    context.check_output(&args.out)?;
    let config = args.config.as_deref().map(Config::read).transpose()?;
    let state = StateDict::read(&args.input)?;
    if let Some(expected) = args.sha256.as_ref().filter(|expected| expected.0 != state.sha256) {
        let problem = ImportProblem::Checksum { found: state.sha256, expected: expected.0.clone() };
        return Err(Error::Import { path: args.input.clone(), problem }.into());
    }
    let (file, beside, unread) = (state.kind, state.beside.clone(), state.unread.clone());
    let weights = Weights::of(state)?;
    let naming = weights.naming.map(|naming| naming.to_string());
    context.printer.note(format_args!(
        "{file} with {}: {} tensors, named as in {}",
        weights.kind.text(),
        weights.len(),
        naming.as_deref().unwrap_or("rs-seg"),
    ));
    list("beside them and not read", &beside, context);
    warn("not read, since they are sparse or without numbers", &unread, context);
    match weights.is_clip_rn50(file) {
        Some(true) => context.printer.note("OpenAI's RN50.pt by its sha256"),
        Some(false) => context.progress.warning(&format!(
            "not OpenAI's RN50.pt (sha256 {}, expected {CLIP_RN50_SHA256})",
            weights.sha256
        )),
        None => {}
    }
    let filled = if weights.kind == WeightsKind::Network || config.is_some() {
        let missing = if args.allow_missing { MissingWeights::Drawn } else { MissingWeights::Refused };
        let import = Import { config: config.as_ref(), missing, precision: args.store.precision() };
        import_network(&weights, import, &args.out)?
    } else {
        save_encoders(&weights, args, context)?;
        Filled { taken: weights.len(), ..Filled::default() }
    };
    let unused = [weights.unknown.clone(), filled.unused].concat();
    warn("not used", &unused, context);
    let unused = [unread, unused].concat();
    list("brought to the network's size", &filled.resized, context);
    if !filled.kept.is_empty() {
        context.progress.warning(&format!("{} weights are missing and were drawn", filled.kept.len()));
    }
    list("drawn", &filled.kept, context);
    let more = json!({
        "weights": weights.kind,
        "file": file.to_string(),
        "names": naming,
        "sha256": weights.sha256,
        "taken": filled.taken,
        "unused": unused,
        "resized": filled.resized,
        "drawn": filled.kept,
        "beside": beside,
    });
    tell_made(&args.out, more, context)
}

/// Writes what a training begins with, and says so if one does.
fn save_encoders(weights: &Weights, args: &ModelImportArgs, context: &Context) -> anyhow::Result<()> {
    let missing = missing_of_encoders(weights)?;
    if !missing.is_empty() && !args.allow_missing {
        return Err(Error::MissingWeights { path: args.input.clone(), missing }.into());
    }
    save_weights(weights, args.store.precision(), &args.out)?;
    if missing.is_empty() {
        context.printer.note("a training begins with it: `rs-seg train --init`");
    } else {
        warn("no training begins with it alone; missing", &missing, context);
    }
    Ok(())
}

fn list(what: &str, names: &[String], context: &Context) {
    if !names.is_empty() {
        context.printer.note(told(what, names));
    }
}

fn warn(what: &str, names: &[String], context: &Context) {
    if !names.is_empty() {
        context.progress.warning(&told(what, names));
    }
}

fn told(what: &str, names: &[String]) -> String {
    let told = names[..names.len().min(TOLD_NAMES)].join(", ");
    match names.len().saturating_sub(TOLD_NAMES) {
        0 => format!("{what}: {told}"),
        more => format!("{what}: {told} and {more} more"),
    }
}
