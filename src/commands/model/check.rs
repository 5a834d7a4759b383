//! `rs-seg model check`.

use crate::cli::ModelCheckArgs;
use crate::context::{Context, ResultFormat};
use crate::diagnostic::Advice;
use seg_nn::{GoldenReport, TensorCheck, check_golden};
use serde_json::json;

/// What a tensor's name starts with, and what such tensors are.
const GROUPS: [(&str, &str); 7] = [
    ("weights/", "weights"),
    ("eval/", "eval mode"),
    ("cpc_unit/", "contrastive loss"),
    ("train/grad", "gradients"),
    ("train/after/", "statistics"),
    ("train/", "train mode"),
    ("", "input"),
];
/// Tensors that are told one by one before the rest becomes a count.
const LISTED: usize = 8;

/// Compares a network with a reference.
pub(super) fn run(args: &ModelCheckArgs, context: &Context) -> anyhow::Result<()> {
    let device = context.network_device()?;
    if context.threads < 2 {
        context.printer.note(
            "two threads compute, not one: alone libtorch takes other routines, whose rounding gradients show a \
             hundredfold",
        );
    }
    seg_torch::set_intra_op_threads(context.threads.clamp(2, usize::from(u16::MAX)) as u16);
    context.progress.start("check", &[]);
    let report = check_golden(&args.golden, device)?;
    context.progress.result(&json!({}));
    match context.format {
        ResultFormat::Json => context.printer.json(&report)?,
        ResultFormat::Text => context.printer.data(text(&report, args.tolerance))?,
    }
    let wrong = report.above(args.tolerance).count();
    if wrong == 0 {
        return Ok(());
    }
    let (file, all, tolerance) = (args.golden.display(), report.tensors.len(), args.tolerance);
    let what = format!("{wrong} of {all} tensors are not those of {file} within {tolerance:e}");
    Err(Advice::new(what, "the first in the order of computation tells where the networks part").into())
}

fn text(report: &GoldenReport, tolerance: f64) -> String {
    let mut lines: Vec<_> = GROUPS.iter().filter_map(|(prefix, name)| group(report, prefix, name)).collect();
    let wrong: Vec<_> = report.above(tolerance).collect();
    lines.extend(wrong.iter().take(LISTED).map(|tensor| line(tensor)));
    if let Some(more) = wrong.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
    if !report.unused.is_empty() {
        lines.push(format!("weights that the network has no part for: {}", report.unused.len()));
    }
    let count = report.tensors.len();
    lines.push(match report.largest {
        Some(largest) => format!("{count} tensors, largest error {largest:.1e}"),
        None => format!("{count} tensors, not all of which could be compared"),
    });
    lines.join("\n")
}

/// The first group that a name fits is its own.
fn group_of(name: &str) -> &'static str {
    GROUPS.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("", |(prefix, _)| prefix)
}

fn group(report: &GoldenReport, prefix: &str, name: &str) -> Option<String> {
    let tensors = report.tensors.iter().filter(|tensor| group_of(&tensor.name) == prefix);
    let errors: Vec<_> = tensors.map(|tensor| tensor.max_relative_error).collect();
    let known = errors.iter().flatten().copied().fold(0.0, f64::max);
    (!errors.is_empty()).then(|| format!("{name:17} {:4} tensors  {known:.1e}", errors.len()))
}

fn line(tensor: &TensorCheck) -> String {
    match (&tensor.problem, tensor.max_relative_error) {
        (Some(problem), _) => format!("  {}: {problem}", tensor.name),
        (None, error) => format!("  {}: {:.1e}", tensor.name, error.unwrap_or(f64::NAN)),
    }
}
