use super::input::Input;
use super::manifest::{self, ClassPixels, Grid, Manifest, Model, OutputFile, Software};
use super::outputs::Counted;
use super::tiling::Tiling;
use super::{Job, flags, part, report};
use crate::value::DeviceArg;
use seg_grid::{TileGrid, Window};
use seg_label::Legend;
use seg_nn::{InferencePrecision, ModelCard};
use seg_run::RunKey;

/// A run, before its outputs are made.
pub(crate) struct Run<'a> {
    pub job: &'a Job,
    pub card: &'a ModelCard,
    pub tiling: &'a Tiling,
    pub key: &'a RunKey,
    pub legend: &'a Legend,
    pub precision: InferencePrecision,
}

/// Parts of a run's key that have a better place, or do not decide the classes.
const ELSEWHERE: [&str; 5] = ["input", "model", "outputs", "legend", part::CUT.0];

/// Writes down all that makes the outputs, before they are made.
pub(crate) fn of_run(run: &Run<'_>, input: &mut Input) -> anyhow::Result<Manifest> {
    let (kind, schema) = Manifest::head();
    let mut parameters = run.key.0.clone();
    parameters.retain(|name, _| !ELSEWHERE.contains(&name.as_str()));
    let classes = run.legend.classes().iter().map(|class| ClassPixels {
        id: class.id.0,
        name: class.name.clone(),
        color: class.color.to_string(),
        pixels: 0,
    });
    Ok(Manifest {
        kind,
        schema,
        software: software(run.job, run.precision),
        input: of_input(run.job, input)?,
        model: Model {
            name: run.job.model.to_string(),
            title: run.card.name.clone(),
            fingerprint: run.key.0.get("model").cloned().unwrap_or_default(),
        },
        flags: flags::deciding(run.job, run.card, run.tiling, run.precision),
        parameters,
        grid: grid(&run.tiling.grid),
        classes: classes.collect(),
        nodata_pixels: 0,
        outputs: Vec::new(),
    })
}

/// Adds what was counted on the way to the outputs, and the outputs.
pub(crate) fn complete(manifest: &mut Manifest, counted: &Counted, outputs: Vec<OutputFile>) {
    for (class, &pixels) in manifest.classes.iter_mut().zip(&counted.pixels) {
        class.pixels = pixels;
    }
    manifest.nodata_pixels = counted.pixels.last().copied().unwrap_or(0);
    manifest.grid.computed = counted.tiles.map(|tiles| tiles.computed);
    manifest.grid.skipped = counted.tiles.map(|tiles| tiles.skipped);
    manifest.outputs = outputs;
}

/// What computes here.
pub(crate) fn software(job: &Job, precision: InferencePrecision) -> Software {
    let (gdal, torch) = (seg_gdal::versions(), seg_torch::build_info());
    Software {
        rs_seg: env!("CARGO_PKG_VERSION").to_owned(),
        gdal: gdal.gdal,
        proj: gdal.proj,
        libtorch: torch.version,
        cpu_capability: torch.cpu_capability,
        device: DeviceArg::from(job.device).to_string(),
        precision: report::precision(precision).to_owned(),
    }
}

/// The raster that is read.
pub(crate) fn of_input(job: &Job, input: &mut Input) -> anyhow::Result<manifest::Input> {
    let fingerprint = input.pixels()?;
    let (profile, own) = (input.original.profile(), &input.own);
    let Window { width, height, .. } = Window::whole(profile.size);
    Ok(manifest::Input {
        name: profile.name.clone(),
        files: job.inputs.clone(),
        fingerprint,
        width,
        height,
        bands: input.bands.clone(),
        data_type: profile.dtype.to_string(),
        crs: own.crs.as_ref().map(ToString::to_string),
        crs_wkt: own.crs.as_ref().map(|crs| crs.wkt().to_owned()),
        geotransform: own.transform.map(seg_grid::GeoTransform::to_gdal),
    })
}

fn grid(tiles: &TileGrid) -> Grid {
    let (x, y, tile) = (tiles.x(), tiles.y(), tiles.tile_size());
    Grid {
        tile_width: tile.width,
        tile_height: tile.height,
        step_x: x.stride(),
        step_y: y.stride(),
        columns: x.count(),
        rows: y.count(),
        computed: None,
        skipped: None,
    }
}
