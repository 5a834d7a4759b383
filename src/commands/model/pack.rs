//! `rs-seg model pack`.

use super::tell_made;
use crate::cli::ModelPackArgs;
use crate::context::Context;
use crate::network::NetworkName;
use seg_nn::{Packing, StoredTower};
use serde_json::Value;

/// Makes a small network of checkpoints.
pub(super) fn run(args: &ModelPackArgs, context: &Context) -> anyhow::Result<()> {
    context.check_output(&args.out)?;
    let checkpoints = args.models.iter().map(NetworkName::checkpoint).collect::<Result<Vec<_>, _>>()?;
    let text_tower = if args.keep_text_tower { StoredTower::Kept } else { StoredTower::LeftOut };
    seg_nn::pack(&checkpoints, Packing { precision: args.store.precision(), text_tower }, &args.out)?;
    tell_made(&args.out, Value::Null, context)
}
