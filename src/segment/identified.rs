use super::input::Input;
use super::manifest::Manifest;
use super::part;
use super::tiling::{self, Tiling};
use super::{Job, OverlapChoice, fit, record};
use crate::precision;
use seg_gdal::{BandSelection, Crs, ReadOptions};
use seg_grid::{Observer, SourceProfile, Window};
use seg_label::{Class, ClassId, Legend, Rgb};
use seg_nn::{InferencePrecision, ModelCard, NetworkFile};
use seg_run::{Network, Normalizer, Passes, RunKey};
use tch::Device;

/// A raster and a network that were found to fit: all that decides the result is known, and the network has not run.
///
/// Whoever finds that the result is there already is done with that; building and trying a large network takes
/// seconds.
pub(crate) struct Identified {
    pub(super) input: Input,
    pub(super) legend: Legend,
    pub(super) card: ModelCard,
    pub precision: InferencePrecision,
    pub(super) tiling: Tiling,
    pub(super) key: RunKey,
    /// GDAL's cache in bytes.
    pub(super) cache: u64,
    pub(super) network: Unbuilt,
    /// What was decided for the user, in lines.
    pub notes: Vec<String>,
    /// The part of the result that is computed here, where it has a pixel.
    pub window: Option<Window>,
}

/// A network that is built when it is needed.
pub(super) enum Unbuilt {
    /// It was not needed yet.
    Recipe(Box<Recipe>),
    /// It was.
    Built(Network),
}

/// What a network is built from.
pub(super) struct Recipe {
    file: NetworkFile,
    device: Device,
    precision: InferencePrecision,
    normalizer: Normalizer,
    passes: Option<Passes>,
}

/// Limits of GDAL's cache for decoded blocks.
const LEAST_CACHE: u64 = 16 << 20;
pub(crate) const MOST_CACHE: u64 = 128 << 20;

/// Opens everything, and finds out all that decides the result.
pub(crate) fn identify(job: &Job, observer: &dyn Observer) -> anyhow::Result<Identified> {
    tiling::check(job)?;
    seg_torch::share_heap();
    // Before the trial, so that its need is that of the run: each tile takes again what the one before freed.
    seg_torch::keep_freed_memory();
    // Threads inside operators wait for each other busily, which is slow where another program has the processor.
    seg_torch::set_intra_op_threads(1);
    let file = job.model.read()?;
    let (card, fingerprint) = (file.card.clone(), file.fingerprint.clone());
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
        parameters.push((part::CUT.0, part::CUT.1.to_owned()));
        // What stands in a part's record is not made again with the part.
        parameters.push(("legend", legend.to_toml()));
    }
    let build = seg_torch::build_info();
    parameters.push(("libtorch", format!("{} {}", build.version, build.cpu_capability)));
    let passes = job.passes.plan(tiling::side(job, &card));
    parameters.extend(passes.as_ref().map(|passes| ("passes", format!("{passes:?}"))));
    let recipe = Recipe { file, device: job.device, precision, normalizer, passes };
    let mut network = Unbuilt::Recipe(Box::new(recipe));
    let mut reach = None;
    if job.overlap == OverlapChoice::Auto {
        let built = network.build()?;
        reach = Some(tiling::reach(job, &card, &built, &mut *input.source, observer)?);
        network = Unbuilt::Built(built);
    }
    let tiling = tiling::lay(job, &card, reach, input.source.profile())?;
    parameters.push(("blend", format!("{:?}", tiling.blend)));
    let overlap = tiling::overlap(&tiling.grid);
    notes.extend(reach.map(|reach| tiling::told(reach, overlap, tiling.blend)));
    parameters.push(("tile", tiling.grid.tile_size().to_string()));
    parameters.push(("overlap", overlap.to_string()));
    let key = RunKey(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let window = match job.shard {
        None => Some(Window::whole(input.reference.size)),
        Some(shard) => {
            let (window, note) = part::window(shard, &tiling.grid, &mut input)?;
            notes.push(note);
            window
        }
    };
    Ok(Identified { input, legend, card, precision, tiling, key, cache, network, notes, window })
}

impl Identified {
    /// How many tiles the part that a job asks for is made of, if it is whole already.
    pub(crate) fn found_part(&self, job: &Job) -> anyhow::Result<Option<u64>> {
        part::found(job, self)
    }

    /// Whether the class raster that stands there was made of the same, in the same way.
    pub(crate) fn is_made(&mut self, job: &Job) -> anyhow::Result<bool> {
        if job.outputs.manifest.is_none() {
            return Ok(false);
        }
        let Ok(there) = Manifest::read(&job.outputs.classes) else { return Ok(false) };
        let Self { input, card, tiling, key, legend, precision, .. } = self;
        let run = record::Run { job, card, tiling, key, legend, precision: *precision };
        Ok(record::of_run(&run, input)?.is_of_same_run(&there))
    }
}

impl Unbuilt {
    /// Builds it, unless somebody has.
    pub(super) fn build(self) -> anyhow::Result<Network> {
        let Recipe { file, device, precision, normalizer, passes } = match self {
            Self::Built(network) => return Ok(network),
            Self::Recipe(recipe) => *recipe,
        };
        let network = Network::new(file.build(device)?.at_precision(precision)?, normalizer);
        Ok(match passes {
            None => network,
            Some(passes) => network.with_passes(passes)?,
        })
    }
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
