//! `rs-seg doctor`.

use crate::accelerator::Accelerator;
use crate::cli::DoctorArgs;
use crate::context::{Context, ResultFormat};
use crate::network::NetworkName;
use crate::precision::{self, Verdicts};
use seg_torch::BuildInfo;
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::Path;

/// A library that this program runs with.
#[derive(Debug, Serialize)]
struct Library {
    version: String,
    /// The file that was loaded.
    path: Option<String>,
    /// What else matters about it.
    details: String,
}

/// Something that is missing, and what cures it.
#[derive(Debug, Serialize)]
struct Problem {
    what: String,
    hint: String,
}

/// Tells what this program runs with.
pub(crate) fn run(args: &DoctorArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(model) = &args.precision_check {
        return check_precision(model, args.precision_image.as_deref(), context);
    }
    // First, for it loads a library that has to come before all else that is asked of libtorch.
    let accelerator = Accelerator::look(context.device);
    let loaded = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let versions = seg_gdal::versions();
    let build = seg_torch::build_info();
    let gdal = Library {
        version: versions.gdal,
        path: loaded_path(&loaded, "libgdal.so"),
        details: "rasters and vectors".to_owned(),
    };
    let proj = Library {
        version: versions.proj,
        path: loaded_path(&loaded, "libproj.so"),
        details: format!("data in {}", versions.proj_data),
    };
    let libtorch = Library {
        version: build.version.clone(),
        path: loaded_path(&loaded, "libtorch_cpu.so"),
        details: format!(
            "{}, {}",
            build.cpu_capability,
            [("MKL", build.mkl), ("oneDNN", build.mkldnn), ("OpenMP", build.openmp)]
                .map(|(name, there)| if there { name.to_owned() } else { format!("no {name}") })
                .join(", ")
        ),
    };
    let devices = &accelerator.devices;
    let problems = problems(&accelerator, &build);
    if context.format == ResultFormat::Json {
        let devices: Vec<_> = devices
            .iter()
            .map(|device| json!({"id": device.id, "name": device.name, "usable": device.usable, "why": device.why}))
            .collect();
        return context.printer.json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "gdal": gdal, "proj": proj, "libtorch": libtorch, "cuda": accelerator.json(),
            "devices": devices, "device": accelerator.in_use(), "problems": problems,
        }));
    }
    context.printer.data(format!("rs-seg    {}", env!("CARGO_PKG_VERSION")))?;
    for (name, library) in [("GDAL", &gdal), ("PROJ", &proj), ("libtorch", &libtorch)] {
        let path = library.path.as_deref().unwrap_or("linked into the program");
        context
            .printer
            .data(format!("{name:9} {}  {path}\n          {}", library.version, library.details))?;
    }
    let (cuda, more) = accelerator.text();
    context.printer.data(format!("CUDA      {cuda}"))?;
    more.iter().try_for_each(|line| context.printer.data(format!("          {line}")))?;
    for device in devices {
        let state =
            device.why.as_ref().map_or_else(|| "usable".to_owned(), |why| format!("not usable: {why}"));
        context.printer.data(format!("device    {:7} {}, {state}", device.id, device.name))?;
    }
    let in_use = accelerator.in_use().unwrap_or("no device");
    context.printer.data(format!("with --device {} networks run on {in_use}", context.device))?;
    for problem in &problems {
        context.printer.data(format!("problem: {}\nhint: {}", problem.what, problem.hint))?;
    }
    if problems.is_empty() {
        context.printer.data("nothing is missing")?;
    }
    Ok(())
}

/// Runs a network in both precisions and remembers whether it decides alike.
fn check_precision(model: &NetworkName, image: Option<&Path>, context: &Context) -> anyhow::Result<()> {
    let device = context.network_device()?;
    let (key, verdict) = precision::check(model, image, device, &context.progress)?;
    Verdicts::open()?.put(key, verdict.clone())?;
    match context.format {
        ResultFormat::Json => context.printer.json(&verdict.json(model)),
        ResultFormat::Text => context.printer.data(verdict.text(model)),
    }
}

fn problems(accelerator: &Accelerator, build: &BuildInfo) -> Vec<Problem> {
    let of_gdal = seg_gdal::problems().into_iter().map(|problem| (problem.what, problem.hint));
    let mut problems: Vec<_> = of_gdal.chain(accelerator.problems.iter().cloned()).collect();
    if build.version != build.compiled_for {
        let what =
            format!("rs-seg was built for libtorch {} and runs with {}", build.compiled_for, build.version);
        problems.push((what, "take the other one out of LD_LIBRARY_PATH".to_owned()));
    }
    problems.into_iter().map(|(what, hint)| Problem { what, hint }).collect()
}

/// The file that a library was loaded from, out of the memory map of this process.
fn loaded_path(maps: &str, library: &str) -> Option<String> {
    let path = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    let mut named = path.filter(|path| path.rsplit('/').next().is_some_and(|file| file.starts_with(library)));
    named.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_by_its_file_name() {
        let maps = "7f00-7f01 r-xp 0 fe:00 12  /opt/libgdal.so.d/x.so\n\
                    7f02-7f03 r-xp 0 fe:00 13  /usr/lib/libgdal.so.32.3.6.2\n7f04-7f05 rw-p 0 00:00 0";
        assert_eq!(loaded_path(maps, "libgdal.so").as_deref(), Some("/usr/lib/libgdal.so.32.3.6.2"));
        assert_eq!(loaded_path(maps, "libproj.so"), None);
    }
}
