//! `rs-seg model fetch`.

use crate::cli::ModelFetchArgs;
use crate::context::{Context, ResultFormat};
use crate::progress::Stage;
use crate::value::FetchChoice;
use crate::weights::{self, Download, Fetched};
use seg_nn::import::CLIP_RN50_SHA256;
use serde_json::json;

/// Where OpenAI has its network.
const CLIP_RN50_URL: &str = "https://openaipublic.azureedge.net/clip/models/afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt";

/// Downloads weights.
pub(super) fn run(args: &ModelFetchArgs, context: &Context) -> anyhow::Result<()> {
    let (url, sha256) = match args.name {
        FetchChoice::ClipRn50 => (CLIP_RN50_URL, CLIP_RN50_SHA256),
    };
    let url = args.url.as_deref().unwrap_or(url);
    let sha256 = args.sha256.as_ref().map_or(sha256, |given| &given.0);
    let out = match &args.out {
        Some(out) => out.clone(),
        None => weights::cache_folder()?.join(weights::file_name(url)),
    };
    let download = Download { url, sha256, out: &out };
    context.progress.start("model fetch", &[Stage { name: weights::STAGE, weight: 1.0 }]);
    let fetched = if let Some(present) = weights::look(&download)? {
        present
    } else {
        // Another file of that name is only replaced where that is allowed.
        context.check_output(&out)?;
        weights::download(&download, &context.progress)?
    };
    match fetched {
        Fetched::Present { .. } => context.printer.note("it is there already, and its sha256 is right"),
        Fetched::Downloaded { .. } => context.printer.note("its sha256 is right"),
    }
    context.progress.result(&json!({"model": out.display().to_string()}));
    let (bytes, downloaded) = match fetched {
        Fetched::Present { bytes } => (bytes, 0),
        Fetched::Downloaded { bytes, downloaded } => (bytes, downloaded),
    };
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "path": out.display().to_string(), "sha256": sha256, "bytes": bytes, "downloaded": downloaded,
        })),
        ResultFormat::Text => context.printer.data(out.display()),
    }
}
