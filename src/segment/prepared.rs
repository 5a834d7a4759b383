use super::Job;
use super::identified::{Identified, identify};
use super::input::Input;
use super::tiling::Tiling;
use anyhow::Context as _;
use seg_grid::{Observer, RasterSource, SourceProfile, Window};
use seg_label::Legend;
use seg_nn::{InferencePrecision, ModelCard};
use seg_run::{Footprint, Fresh, Network, Plan, PlanRequest, RunKey, WorkFolder};

/// A raster and a network that were found to fit, and what will be done with them.
pub(crate) struct Prepared {
    pub(super) input: Input,
    pub legend: Legend,
    pub plan: Plan,
    pub footprint: Footprint,
    pub(super) tiling: Tiling,
    pub precision: InferencePrecision,
    /// What was decided for the user, in lines.
    pub notes: Vec<String>,
    pub(super) card: ModelCard,
    /// The part of the result that is computed here, where it has a pixel.
    pub window: Option<Window>,
    pub(super) network: Network,
    pub(super) key: RunKey,
}

/// Opens everything, runs the network once on an empty tile, and plans.
pub(crate) fn prepare(job: &Job, observer: &dyn Observer) -> anyhow::Result<Prepared> {
    identify(job, observer)?.prepare(job)
}

impl Identified {
    /// Runs the network once on an empty tile, and plans.
    pub(crate) fn prepare(self, job: &Job) -> anyhow::Result<Prepared> {
        let Self { input, legend, card, precision, tiling, key, cache, network, notes, window } = self;
        let network = network.build()?;
        let tile = tiling.grid.tile_size();
        let footprint = Footprint::measure(&network, tile, job.trial)
            .with_context(|| format!("{} does not run on tiles of {tile} pixels", job.model))?;
        let kept = match job.fresh {
            Fresh::Resume => WorkFolder::columns_of(&job.work_folder()),
            _ => None,
        };
        let plan = Plan::new(&PlanRequest {
            profile: input.source.profile(),
            native: input.regrid.zip(input.source.native().map(RasterSource::profile)),
            grid: tiling.grid,
            blend: tiling.blend,
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
        Ok(Prepared { input, legend, plan, footprint, tiling, precision, notes, card, window, network, key })
    }
}

impl Prepared {
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
