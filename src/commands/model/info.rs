//! `rs-seg model info`.

use crate::cli::ModelInfoArgs;
use crate::context::{Context, ResultFormat};
use crate::network::NetworkName;
use seg_nn::import::WeightsFacts;
use seg_nn::{Config, InputFacts, ModelFacts};
use seg_train::TrainSettings;
use serde_json::{Value, json};
use tch::Device;

/// Tells what a network is.
pub(super) fn run(args: &ModelInfoArgs, context: &Context) -> anyhow::Result<()> {
    let ending = match &args.model {
        NetworkName::Default => Some("safetensors"),
        NetworkName::File(path) => path.extension().and_then(|ending| ending.to_str()),
    };
    let facts = match (ending, &args.model) {
        (Some("toml"), NetworkName::File(path)) => {
            let config = Config::read(path)?;
            // A training would refuse what it does not know.
            TrainSettings::of(&config, path)?;
            seg_nn::describe(&config, args.size)?
        }
        (Some("safetensors"), name) => {
            if let NetworkName::File(path) = name
                && let Some(facts) = WeightsFacts::read(path)?
            {
                return weights_info(&facts, context);
            }
            of_checkpoint(name, args.size)?
        }
        (_, name) => return script_info(name, context),
    };
    match context.format {
        ResultFormat::Json => context.printer.json(&facts),
        ResultFormat::Text => context.printer.data(text(&facts, args.size)),
    }
}

fn of_checkpoint(name: &NetworkName, size: usize) -> anyhow::Result<ModelFacts> {
    let checkpoint = name.checkpoint()?;
    let mut facts = seg_nn::describe(&checkpoint.config, size)?;
    if let Value::Object(training) = &mut facts.training {
        training.insert("step".to_owned(), checkpoint.step.into());
        training.insert("metrics".to_owned(), checkpoint.metrics.into());
        training.insert("provenance".to_owned(), checkpoint.provenance.into());
    }
    Ok(facts)
}

/// What a file of weights says of itself: there is no network to be counted.
fn weights_info(facts: &WeightsFacts, context: &Context) -> anyhow::Result<()> {
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "weights": facts.kind,
            "source": facts.source,
            "sha256": facts.sha256,
            "tensors": facts.tensors,
            "parameters": facts.parameters,
        })),
        ResultFormat::Text => context.printer.data(format_args!(
            "weights of {}, to begin a training with (`rs-seg train --init`)\n  \
             parameters   {:.2} M in {} tensors\n  source       {}, sha256 {}",
            facts.kind.text(),
            facts.parameters as f64 / 1e6,
            facts.tensors,
            facts.source,
            facts.sha256,
        )),
    }
}

/// What the description beside a TorchScript file says; its program cannot be counted.
fn script_info(name: &NetworkName, context: &Context) -> anyhow::Result<()> {
    let card = name.load(Device::Cpu)?.card;
    let classes: Vec<_> = card.classes.iter().map(|class| class.name.as_str()).collect();
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "name": card.name,
            "parameters": null,
            "parameters_text_encoder": null,
            "macs": null,
            "macs_image_only": null,
            "classes": classes,
            "input": {
                "bands": card.input.bands, "gsd": card.input.gsd_m,
                "mean": card.input.mean, "std": card.input.std,
            },
            "training": null,
        })),
        ResultFormat::Text => {
            let input = InputFacts {
                bands: card.input.bands,
                gsd: card.input.gsd_m,
                mean: card.input.mean,
                std: card.input.std,
            };
            let lines = [card.name, "  TorchScript: parameters and operations cannot be counted".to_owned()];
            context.printer.data([lines.join("\n"), input_text(&input), classes_text(&classes)].join("\n"))
        }
    }
}

fn text(facts: &ModelFacts, size: usize) -> String {
    let million = |n: u64| n as f64 / 1e6;
    let billion = |n: u64| n as f64 / 1e9;
    let classes: Vec<_> = facts.classes.iter().map(String::as_str).collect();
    let mut lines = vec![
        facts.name.clone(),
        format!(
            "  parameters   {:.2} M, and {:.2} M in the text encoder",
            million(facts.parameters),
            million(facts.parameters_text_encoder)
        ),
        format!(
            "  operations   {:.2} G multiply-adds for {size} x {size} pixels, {:.2} G once classes are embedded",
            billion(facts.macs),
            billion(facts.macs_image_only)
        ),
        input_text(&facts.input),
        classes_text(&classes),
    ];
    lines.extend(facts.parts.iter().map(|part| {
        format!("    {:20} {:9.2} M {:9.2} G", part.name, million(part.parameters), billion(part.macs))
    }));
    lines.join("\n")
}

fn input_text(input: &InputFacts) -> String {
    let gsd = input.gsd.map_or_else(|| "any pixel size".to_owned(), |gsd| format!("{gsd} m pixels"));
    format!("  input        {} bands, {gsd}, mean {:?}, std {:?}", input.bands, input.mean, input.std)
}

fn classes_text(classes: &[&str]) -> String {
    format!("  classes      {}", classes.join(", "))
}
