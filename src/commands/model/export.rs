//! `rs-seg model export`.

use crate::cli::ModelExportArgs;
use crate::context::{Context, ResultFormat};
use crate::diagnostic::Advice;
use crate::network::NetworkName;
use seg_nn::{ExportedFile, export, export_files};
use serde_json::{Map, Value, json};

/// Writes a network for other programs.
pub(super) fn run(args: &ModelExportArgs, context: &Context) -> anyhow::Result<()> {
    if args.out.extension().is_none_or(|ending| ending != "pt") {
        let what = format!("cannot export to {}: its name does not end in .pt", args.out.display());
        return Err(
            Advice::new(what, "give --out a name such as net.pt; net.toml is written beside it").into()
        );
    }
    for ExportedFile { path, .. } in export_files(&args.out) {
        context.check_output(&path)?;
    }
    if let NetworkName::File(path) = &args.model
        && path.extension().is_some_and(|ending| ["pt", "ts", "torchscript"].iter().any(|e| ending == *e))
    {
        let what = format!("{} is no checkpoint (.safetensors)", path.display());
        let hint = "TorchScript files run elsewhere as they are; `rs-seg model import` makes a checkpoint of weights";
        return Err(Advice::new(what, hint).into());
    }
    let checkpoint = args.model.checkpoint()?;
    let files = export(&checkpoint, &args.out)?;
    let outputs: Map<String, Value> =
        files.iter().map(|file| (file.what.to_owned(), json!(file.path.display().to_string()))).collect();
    let outputs = Value::Object(outputs);
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"outputs": outputs})),
        ResultFormat::Text => files.iter().try_for_each(|file| context.printer.data(file.path.display())),
    }
}
