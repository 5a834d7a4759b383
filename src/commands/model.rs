//! `rs-seg model`.

use super::model_check;
use crate::cli::{ModelArgs, ModelCommand, ModelInfoArgs, ModelInitArgs, ModelPackArgs};
use crate::context::{Context, ResultFormat};
use crate::network::NetworkName;
use seg_nn::{Config, InputFacts, ModelFacts, Packing, StoredTower};
use serde_json::{Value, json};
use tch::Device;

/// Looks at networks and makes them.
pub(crate) fn run(args: &ModelArgs, context: &Context) -> anyhow::Result<()> {
    match &args.command {
        ModelCommand::Info(args) => info(args, context),
        ModelCommand::Init(args) => init(args, context),
        ModelCommand::Pack(args) => pack(args, context),
        ModelCommand::Check(args) => model_check::run(args, context),
    }
}

fn info(args: &ModelInfoArgs, context: &Context) -> anyhow::Result<()> {
    let ending = match &args.model {
        NetworkName::Default => Some("safetensors"),
        NetworkName::File(path) => path.extension().and_then(|ending| ending.to_str()),
    };
    let facts = match (ending, &args.model) {
        (Some("toml"), NetworkName::File(path)) => seg_nn::describe(&Config::read(path)?, args.size)?,
        (Some("safetensors"), name) => of_checkpoint(name, args.size)?,
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

fn init(args: &ModelInitArgs, context: &Context) -> anyhow::Result<()> {
    context.check_output(&args.out)?;
    let config = Config::read(&args.config)?;
    seg_nn::init_untrained(&config, args.seed, &args.out)?;
    context.printer.note("untrained: what it predicts means nothing before it is trained");
    let outputs = json!({"model": args.out.display().to_string()});
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"outputs": outputs, "seed": args.seed})),
        ResultFormat::Text => context.printer.data(args.out.display()),
    }
}

fn pack(args: &ModelPackArgs, context: &Context) -> anyhow::Result<()> {
    context.check_output(&args.out)?;
    let checkpoints = args.models.iter().map(NetworkName::checkpoint).collect::<Result<Vec<_>, _>>()?;
    let text_tower = if args.keep_text_tower { StoredTower::Kept } else { StoredTower::LeftOut };
    seg_nn::pack(&checkpoints, Packing { precision: args.store.precision(), text_tower }, &args.out)?;
    let outputs = json!({"model": args.out.display().to_string()});
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({"outputs": outputs})),
        ResultFormat::Text => context.printer.data(args.out.display()),
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
