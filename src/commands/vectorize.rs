//! `rs-seg vectorize`.

use crate::cli::VectorizeArgs;
use crate::context::{Context, Existing, ResultFormat};
use crate::polygons::{self, ClassTotal, Made, PolygonJob};
use crate::value::{ConnectednessChoice, KeyValue, SimplifyChoice};
use seg_data::find_convention;
use seg_gdal::{Layers, VectorFormat};
use seg_run::Rss;
use seg_vector::{Connectedness, Method, Outer};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// Turns a class raster into polygons.
pub(crate) fn run(args: &VectorizeArgs, context: &Context) -> anyhow::Result<()> {
    Context::configure_gdal(&args.gdal)?;
    check_outputs(&args.out, context.existing)?;
    let started = Instant::now();
    seg_torch::share_heap();
    let job = job(args, context)?;
    let prepared = polygons::prepare(&job)?;
    context.progress.start("vectorize", &polygons::stages(&job, 100.0));
    for note in &prepared.notes {
        context.printer.note(note);
    }
    context.printer.note(prepared.memory.text());
    let made = prepared.make(&context.progress)?;
    let Made { file, classes, merged, filled } = made;
    let count = file.count;
    file.publish()?;
    let outputs = json!({"polygons": args.out.display().to_string()});
    context.progress.result(&outputs);
    match context.format {
        ResultFormat::Json => context.printer.json(&json!({
            "outputs": outputs,
            "polygons": count,
            "merged": merged,
            "holes_filled": filled,
            "seconds": started.elapsed().as_secs_f64(),
            "peak_memory_bytes": Rss::read().peak,
            "classes": classes.iter().map(class_json).collect::<Vec<_>>(),
        })),
        ResultFormat::Text => {
            let mut said = format!("{count} polygons in {:.1} s", started.elapsed().as_secs_f64());
            if merged + filled > 0 {
                // Writing to a string cannot fail.
                let _ = write!(said, "; {merged} small areas merged, {filled} holes filled");
            }
            context.printer.note(said);
            context.printer.data(table(&classes).trim_end())?;
            context.printer.data(args.out.display())
        }
    }
}

/// Refuses a file that exists without `--overwrite`, and those that a format has beside it.
pub(super) fn check_outputs(out: &Path, existing: Existing) -> anyhow::Result<()> {
    let parts = VectorFormat::of(out)?.parts().iter().map(|ending| out.with_extension(ending));
    std::iter::once(out.to_path_buf())
        .chain(parts)
        .try_for_each(|path| Context::check_writable(&path, existing))
}

fn job(args: &VectorizeArgs, context: &Context) -> anyhow::Result<PolygonJob> {
    let method = match args.simplify_method {
        SimplifyChoice::Visvalingam => Method::Visvalingam,
        SimplifyChoice::DouglasPeucker => Method::DouglasPeucker,
    };
    let outer = if args.simplify_outer { Outer::Free } else { Outer::Fixed };
    Ok(PolygonJob {
        convention: find_convention(args.legend.as_deref(), None)?,
        confidence: args.confidence.clone(),
        connectedness: match args.connectedness {
            ConnectednessChoice::Four => Connectedness::Four,
            ConnectednessChoice::Eight => Connectedness::Eight,
        },
        min_area: args.min_area.map(|area| area.0),
        fill_holes: args.fill_holes.map(|area| area.0),
        simplify: args.simplify.map(|length| (length.0, method, outer)),
        only: args.only.clone(),
        layers: if args.layer_per_class { Layers::PerClass } else { Layers::Single },
        layer_options: KeyValue::texts(&args.layer_options),
        max_memory: args.max_memory.map(|size| size.0),
        ..PolygonJob::plain(args.raster.clone(), args.out.clone(), context.threads)
    })
}

fn class_json(class: &ClassTotal) -> Value {
    json!({
        "id": class.id,
        "name": class.name,
        "polygons": class.polygons,
        "pixels": class.pixels,
        "area_m2": class.area_m2,
    })
}

/// Classes that have a polygon, with how many and how large they are.
fn table(classes: &[ClassTotal]) -> String {
    let present = || classes.iter().filter(|class| class.polygons > 0);
    let width = present().map(|class| class.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for class in present() {
        let (name, polygons) = (&class.name, class.polygons);
        let size = match class.area_m2 {
            Some(area) => format!("{area:>14.1} m2"),
            None => format!("{:>14} pixels", class.pixels),
        };
        let _ = writeln!(text, "{name:<width$} {polygons:>9} {size}");
    }
    text
}
