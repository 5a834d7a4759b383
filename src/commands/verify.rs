//! `rs-seg verify`.

use crate::cli::{InferArgs, VerifyArgs};
use crate::context::{Context, ResultFormat};
use crate::diagnostic::Advice;
use crate::progress::Stage;
use crate::segment::manifest::Manifest;
use crate::segment::verify::{self, FileState, Named, Verdict};
use crate::value::{DeviceArg, Sample, device};
use clap::Parser;
use serde_json::json;
use std::fmt::Write as _;

/// Windows that are told one by one before the rest becomes a count.
const LISTED: usize = 20;

/// The flags of a manifest, as the command line reads them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    infer: InferArgs,
}

/// Compares a class raster with its manifest and with what is computed again.
pub(crate) fn run(args: &VerifyArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    let manifest = Manifest::read(&args.classes)?;
    let job = super::infer::job::job(&flags(args, &manifest)?, chosen_device(&manifest, context)?, context)?;
    let stages = [Stage { name: "infer", weight: 95.0 }, Stage { name: "assemble", weight: 5.0 }];
    match args.sample {
        Sample::All => context.progress.start("verify", &stages),
        Sample::Tiles(_) => context.progress.start("verify", &[Stage { name: "verify", weight: 1.0 }]),
    }
    let named = |given: bool| if given { Named::ByUser } else { Named::ByManifest };
    let claim = verify::Claim {
        classes: &args.classes,
        manifest: &manifest,
        sample: args.sample,
        seed: args.seed,
        model: named(args.model.is_some()),
        input: named(args.input.is_some()),
    };
    let verdict = verify::verify(&job, &claim, &context.progress)?;
    context.progress.result(&json!({}));
    match context.format {
        ResultFormat::Json => context.printer.json(&verdict)?,
        ResultFormat::Text => context.printer.data(text(&verdict))?,
    }
    if verdict.equal {
        return Ok(());
    }
    let altered = verdict.files.iter().filter(|file| file.state == FileState::Altered).count();
    let what = format!(
        "{} is not what its manifest says: {altered} files were altered, {} of {} pixels computed again differ",
        args.classes.display(),
        verdict.comparison.differing,
        verdict.comparison.pixels,
    );
    Err(Advice::new(what, "take the raster from where it came from again, or make it anew").into())
}

/// The arguments of the run that the manifest is of.
fn flags(args: &VerifyArgs, manifest: &Manifest) -> anyhow::Result<InferArgs> {
    let model = args.model.as_ref().map_or_else(|| manifest.model.name.clone(), ToString::to_string);
    let inputs =
        args.input.as_ref().map_or_else(|| manifest.input.files.clone(), |input| vec![input.clone()]);
    let flags = manifest.flags.iter().filter(|(name, _)| *name != "device");
    let line = flags.map(|(name, value)| format!("--{name}={value}"));
    let line =
        line.chain([format!("--model={model}"), "--dry-run".to_owned(), "--".to_owned()]).chain(inputs);
    let parsed = Flags::try_parse_from(line).map_err(|error| {
        let reason = error.to_string().lines().next().unwrap_or_default().replace("error: ", "");
        let what = format!("cannot repeat what the manifest of {} says: {reason}", args.classes.display());
        Advice::new(what, "use the rs-seg that wrote it")
    })?;
    Ok(parsed.infer)
}

/// Where the run computed, unless the user wants another place.
fn chosen_device(manifest: &Manifest, context: &Context) -> anyhow::Result<tch::Device> {
    let recorded = manifest.flags.get("device").and_then(|name| device(name).ok());
    context.choose_device(match (context.device, recorded) {
        (DeviceArg::Auto, Some(recorded)) => recorded,
        (asked, _) => asked,
    })
}

fn text(verdict: &Verdict) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for file in &verdict.files {
        let state = match file.state {
            FileState::AsRecorded => "checksum as recorded",
            FileState::Altered => "ALTERED: its checksum is another one",
            FileState::Missing => "not there, not checked",
        };
        let _ = writeln!(text, "{}: {state}", file.file.display());
    }
    let compared = &verdict.comparison;
    let _ = write!(
        text,
        "{} of {} tiles computed again: {} pixels compared, {} differ",
        verdict.tiles_checked, verdict.tiles, compared.pixels, compared.differing
    );
    for difference in compared.windows.iter().take(LISTED) {
        let _ = write!(text, "\n  {}: {} differ", difference.window, difference.pixels);
    }
    let more = compared.windows_differing.saturating_sub(LISTED as u64);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more windows");
    }
    text
}
