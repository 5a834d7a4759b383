//! The main job: a raster and a network in, a class raster on the same grid out.

pub(crate) mod conflicts;
pub(crate) mod each;
mod fit;
mod flags;
mod gsd;
mod input;
pub(crate) mod inputs;
pub(crate) mod manifest;
pub(crate) mod merge;
mod opened;
mod outputs;
pub(crate) mod part;
mod passes;
mod preview;
mod record;
pub(crate) mod report;
mod run;
mod sampled;
pub(crate) mod seams;
mod tile_tally;
mod tiling;
pub(crate) mod verify;
mod view;

pub(crate) use gsd::PixelSize;
pub(crate) use input::{AreaRequest, crs_of};
pub(crate) use outputs::{TraceLimits, Wanted};
pub(crate) use passes::PassChoice;
pub(crate) use run::{segment, segment_part};
pub(crate) use tiling::OverlapChoice;

use crate::network::NetworkName;
use crate::precision;
use crate::value::{PrecisionChoice, Shard};
use anyhow::Context as _;
use input::Input;
use seg_gdal::{BandSelection, Crs, OutputFormat, ReadOptions};
use seg_grid::{Blend, Observer, RasterSource, SeamReport, SourceProfile, Window};
use seg_label::{Class, ClassId, Legend, Rgb};
use seg_nn::{InferencePrecision, LoadedModel, ModelCard};
use seg_run::{
    Batch, Footprint, Fresh, Network, Normalizer, Outcome, Plan, PlanRequest, Reach, RunKey, Scaling, Trial,
    WorkFolder,
};
use std::path::PathBuf;
use tch::Device;
use tiling::Tiling;

/// All that decides how a raster is segmented.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Any names that GDAL can open; several are one mosaic.
    pub inputs: Vec<String>,
    pub model: NetworkName,
    pub outputs: Wanted,
    pub format: OutputFormat,
    pub creation_options: Vec<String>,
    pub legend: Option<Legend>,
    pub bands: Option<Vec<seg_gdal::BandIndex>>,
    /// The part that is wanted; all if not given.
    pub area: Option<AreaRequest>,
    pub scaling: Scaling,
    pub pixel_size: PixelSize,
    /// The CRS of the outputs, if not the input's.
    pub t_srs: Option<Crs>,
    pub tile: Option<usize>,
    pub overlap: OverlapChoice,
    pub blend: Blend,
    pub margin: Option<usize>,
    pub passes: PassChoice,
    pub precision: PrecisionChoice,
    pub seams: SeamCheck,
    pub batch: Batch,
    pub threads: usize,
    pub device: Device,
    pub max_memory: Option<u64>,
    /// How the network is tried for the plan.
    pub trial: Trial,
    pub fresh: Fresh,
    pub on_cancel: OnCancel,
    /// The part that is computed here; all of it if not given.
    pub shard: Option<Shard>,
}

impl Job {
    /// Where finished strips wait.
    pub(crate) fn work_folder(&self) -> PathBuf {
        match self.shard {
            Some(shard) => part::folder(&self.outputs.classes, shard),
            None => WorkFolder::path_for(&self.outputs.classes),
        }
    }
}

/// Whether the result is looked at for seams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeamCheck {
    None,
    Count,
}

/// What becomes of finished strips when the user interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnCancel {
    /// They stay for `--resume`.
    Keep,
    /// Nothing is left.
    Discard,
}

/// A raster and a network that were found to fit, and what will be done with them.
pub(crate) struct Prepared {
    input: Input,
    pub legend: Legend,
    pub plan: Plan,
    pub footprint: Footprint,
    pub reach: Option<Reach>,
    pub precision: InferencePrecision,
    /// What was decided for the user, in lines.
    pub notes: Vec<String>,
    pub card: ModelCard,
    /// The part of the result that is computed here, where it has a pixel.
    pub window: Option<Window>,
    network: Network,
    key: RunKey,
}

/// What was made.
pub(crate) struct Done {
    pub outcome: Outcome,
    /// Pixels by class, in the legend's order, and those without data at the end.
    pub pixels: Vec<u64>,
    /// What the look for seams found.
    pub seams: Option<SeamReport>,
}

impl Prepared {
    /// Whether the class raster that stands there was made of the same, in the same way.
    pub(crate) fn is_made(&mut self, job: &Job) -> anyhow::Result<bool> {
        if job.outputs.manifest.is_none() {
            return Ok(false);
        }
        let Ok(there) = manifest::Manifest::read(&job.outputs.classes) else { return Ok(false) };
        let run = record::Run {
            job,
            card: &self.card,
            plan: &self.plan,
            key: &self.key,
            legend: &self.legend,
            precision: self.precision,
        };
        Ok(record::of_run(&run, &mut self.input)?.is_of_same_run(&there))
    }

    /// Tiles that touch the area that is wanted: all where none is given. That takes a moment for each.
    pub(crate) fn tiles_in_area(
        &mut self,
        job: &Job,
        observer: &dyn Observer,
    ) -> Result<u64, seg_run::Error> {
        match job.area {
            None => Ok(self.plan.tiles()),
            Some(_) => seg_run::wanted_tiles(&self.plan, &mut *self.input.source, observer),
        }
    }

    /// The raster as the network sees it.
    pub(crate) fn seen(&self) -> &SourceProfile {
        self.input.source.profile()
    }

    /// The side of a pixel as the network sees it, in meters; `None` if nobody knows, as in degrees.
    pub(crate) fn meters_per_pixel(&self) -> Option<f64> {
        let scale = self.input.reference.crs.as_ref()?.meters_per_unit()?;
        let gsd = self.seen().gsd?;
        Some((gsd.x * gsd.y).sqrt() * scale)
    }

    /// How long the network will take for so many tiles, from the timed ones.
    pub(crate) fn seconds(&self, tiles: u64) -> f64 {
        tiles as f64 * self.footprint.seconds.as_secs_f64() / self.plan.workers as f64
    }
}

/// Limits of GDAL's cache for decoded blocks.
const LEAST_CACHE: u64 = 16 << 20;
pub(crate) const MOST_CACHE: u64 = 128 << 20;

/// Opens everything, runs the network once on an empty tile, and plans.
pub(crate) fn prepare(job: &Job, observer: &dyn Observer) -> anyhow::Result<Prepared> {
    seg_torch::share_heap();
    // Before the trial, so that its need is that of the run: each tile takes again what the one before freed.
    seg_torch::keep_freed_memory();
    // Threads inside operators wait for each other busily, which is slow where another program has the processor.
    seg_torch::set_intra_op_threads(1);
    let LoadedModel { card, network, fingerprint } = job.model.load(job.device)?;
    let legend = legend_of(job, &card.classes)?;
    let (precision, note) = precision::resolve(job.precision, &job.model, &fingerprint, job.device);
    let mut notes: Vec<String> = note.into_iter().collect();
    let bands = match &job.bands {
        Some(bands) => BandSelection::Explicit(bands.clone()),
        None => BandSelection::Auto { needed: card.input.bands },
    };
    let budget = job.max_memory.unwrap_or_else(|| seg_run::total_memory() / 2);
    let options = ReadOptions { bands, block_budget: (budget / 4).min(ReadOptions::default().block_budget) };
    let mut cache = 0;
    let mut before_reading = |raster: Option<&SourceProfile>| {
        // What a warper reads for a row of tiles is not known before.
        let raster = raster.filter(|_| job.t_srs.is_none());
        let wanted = raster.map_or(MOST_CACHE, |raster| tiling::cache(raster, tiling::side(job, &card)));
        cache = set_cache(wanted.min(budget / 8))?;
        Ok(())
    };
    let mut input = Input::open(job, card.input.gsd_m, &options, &mut before_reading, observer)?;
    let normalizer = Normalizer::new(job.scaling, &card.input, &mut *input.original)?;
    for warning in fit::warnings(&card, job.pixel_size, &normalizer, &mut input)? {
        observer.warning(&warning);
    }
    let mut parameters = vec![
        ("model", fingerprint),
        ("normalization", normalizer.fingerprint()),
        ("scaling", job.scaling.to_string()),
        ("bands", format!("{:?}", job.bands)),
        ("outputs", format!("{:?}", job.outputs.list())),
        ("classes", legend.classes().iter().map(|c| c.id.0.to_string()).collect::<Vec<_>>().join(",")),
        ("device", format!("{:?}", job.device)),
        ("precision", format!("{precision:?}")),
    ];
    parameters.append(&mut input.parameters);
    if job.shard.is_some() {
        // Machines may have copies, under other names.
        let pixels = input.pixels()?;
        let (crs, transform) = (input.own.crs.as_ref().map(Crs::wkt), input.own.transform);
        parameters.retain(|(name, _)| *name != "input");
        parameters.push(("input", format!("{pixels} {crs:?} {transform:?}")));
    }
    let build = seg_torch::build_info();
    parameters.push(("libtorch", format!("{} {}", build.version, build.cpu_capability)));
    let network = network.at_precision(precision)?;
    let network = Network::new(network, normalizer);
    let network = match job.passes.plan(tiling::side(job, &card)) {
        None => network,
        Some(passes) => {
            parameters.push(("passes", format!("{passes:?}")));
            network.with_passes(passes)?
        }
    };
    let Tiling { grid, blend, reach } = tiling::lay(job, &card, &network, &mut *input.source, observer)?;
    parameters.push(("blend", format!("{blend:?}")));
    let overlap = tiling::overlap(&grid);
    notes.extend(reach.map(|reach| tiling::told(reach, overlap, blend)));
    parameters.push(("tile", grid.tile_size().to_string()));
    parameters.push(("overlap", overlap.to_string()));
    let key = RunKey(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let footprint = Footprint::measure(&network, grid.tile_size(), job.trial)
        .with_context(|| format!("{} does not run on tiles of {} pixels", job.model, grid.tile_size()))?;
    let kept = match job.fresh {
        Fresh::Resume => WorkFolder::columns_of(&job.work_folder()),
        _ => None,
    };
    let window = match job.shard {
        None => Some(Window::whole(input.reference.size)),
        Some(shard) => {
            let (window, note) = part::window(shard, &grid, &input);
            notes.push(note);
            window
        }
    };
    let plan = Plan::new(&PlanRequest {
        profile: input.source.profile(),
        native: input.regrid.zip(input.source.native().map(RasterSource::profile)),
        grid,
        blend,
        classes: legend.len(),
        outputs: &job.outputs.list(),
        footprint,
        threads: job.threads,
        batch: job.batch,
        device: job.device,
        max_memory: job.max_memory,
        cache,
        columns: kept.as_deref(),
        part: window,
    })?;
    Ok(Prepared { input, legend, plan, footprint, reach, precision, notes, card, window, network, key })
}

/// Limits GDAL's cache, and tells what the limit is; GDAL looks at it once, before the first read.
fn set_cache(wanted: u64) -> Result<u64, seg_gdal::Error> {
    let cache = seg_gdal::set_cache_bytes(wanted.clamp(LEAST_CACHE, MOST_CACHE))?;
    Ok(cache.bytes(seg_run::total_memory()))
}

/// The model's classes, in the order of its channels, with the user's names and colors if given.
fn legend_of(job: &Job, classes: &[seg_nn::ClassSpec]) -> anyhow::Result<Legend> {
    let own = classes.iter().map(|class| {
        let [r, g, b] = class.color;
        let (name, prompt) = (class.name.clone(), class.prompt.clone());
        Class { id: ClassId(class.id), name, prompt, color: Rgb { r, g, b } }
    });
    let own: Vec<Class> = own.collect();
    let Some(given) = &job.legend else { return Ok(Legend::new(own)?) };
    let mut renamed = Vec::with_capacity(own.len());
    for class in own {
        let Some(named) = given.get(class.id) else {
            let (id, name, model) = (class.id.0, class.name, &job.model);
            anyhow::bail!("the legend has no class {id}, which {model} calls {name}");
        };
        renamed.push(named.clone());
    }
    Ok(Legend::new(renamed)?)
}
