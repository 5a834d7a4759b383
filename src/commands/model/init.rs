//! `rs-seg model init`.

use super::tell_made;
use crate::cli::ModelInitArgs;
use crate::context::Context;
use seg_nn::Config;
use serde_json::json;

/// Writes an untrained network.
pub(super) fn run(args: &ModelInitArgs, context: &Context) -> anyhow::Result<()> {
    context.check_output(&args.out)?;
    let config = Config::read(&args.config)?;
    seg_nn::init_untrained(&config, args.seed, &args.out)?;
    context.printer.note("untrained: what it predicts means nothing before it is trained");
    tell_made(&args.out, json!({"seed": args.seed}), context)
}
