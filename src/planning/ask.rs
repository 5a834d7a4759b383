//! The question that the flags ask, with where each of its figures comes from.

use super::cut::{Scene, Storage, Tiles};
use super::estimate::SHARDS_A_WORKER;
use super::ground::measure;
use super::text::{bytes, short, time};
use super::{Bytes, Figure, FleetSize, Machine, Measured, Origin, Prices, Question, Trials};
use crate::cli::PlanArgs;
use crate::diagnostic::Advice;
use crate::segment::{MOST_CACHE, OverlapChoice};
use crate::value::{GroundArea, OnGround};
use seg_run::Overlap;

/// A question, and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub question: Question,
    pub figures: Vec<Figure>,
}

/// Figures that are looked up: given, else measured, else assumed.
struct Lookup(Vec<Figure>);

/// Tiles and bands where nobody says otherwise, as `rs-seg infer` has them.
const SIDE: usize = 512;
const OVERLAP: usize = 128;
const BANDS: usize = 3;
const BLOCK: usize = 512;

/// All of the Earth in pixels of a centimeter is half as many.
const MOST_PIXELS: f64 = 1e19;

impl Ask {
    /// Puts a question together.
    ///
    /// # Errors
    /// If flags contradict each other, polygons cannot be read, or what is needed is missing.
    pub(crate) fn new(args: &PlanArgs, measured: Option<&Measured>) -> anyhow::Result<Self> {
        let mut found = Lookup(Vec::new());
        let known = |part: fn(&Measured) -> Option<usize>| measured.and_then(part);
        let bands = found.number("bands", args.bands, known(|m| m.bands), BANDS);
        let sample = found.number("bytes of a value", args.sample_bytes, known(|m| m.sample_bytes), 1);
        let decoded = (bands * sample) as f64;
        let stored = decoded / args.compression;
        let origin = if args.compression.total_cmp(&1.0).is_eq() { Origin::Assumed } else { Origin::Given };
        found.tell("compression", format!("stored {} times smaller", short(args.compression)), origin);
        // What is segmented comes first, though pixels of bytes need the bands.
        let of_pixels = found.0.split_off(0);
        let scene = scene(args, measured, stored, &mut found)?;
        found.0.extend(of_pixels);
        let storage = if let Some(side) = args.sheet {
            found.tell("sheets", format!("{side} px a side, each by itself"), Origin::Given);
            Storage::Sheets(side)
        } else {
            let size = format!("one, {} x {} px", short(scene.width), short(scene.height));
            found.tell("mosaic", size, if args.aoi.is_some() { Origin::Measured } else { Origin::Assumed });
            Storage::Mosaic
        };
        let tiles = tiles(args, measured, &mut found)?;
        let tile_seconds = tile_seconds(args, measured, &mut found)?;
        let machine = machine(args, measured, &mut found);
        let block = found.number("stored blocks, px", args.block, known(|m| m.block), BLOCK);
        let size = match (args.workers, args.deadline) {
            (None, Some(deadline)) => FleetSize::Deadline(deadline.0),
            (workers, deadline) => {
                let workers = found.number("workers", workers, None, 1);
                FleetSize::Workers(workers, deadline.map(|deadline| deadline.0))
            }
        };
        match args.shards {
            Some(shards) => found.tell("shards", shards.to_string(), Origin::Given),
            None => found.tell("shards", format!("{SHARDS_A_WORKER} a worker"), Origin::Assumed),
        }
        if let Some(deadline) = args.deadline {
            found.tell("done within", time(deadline.0), Origin::Given);
        }
        let question = Question {
            scene,
            storage,
            tiles,
            tile_seconds,
            size,
            shards: args.shards.map(|shards| shards as u64),
            machine,
            bytes: Bytes { stored, decoded, result: args.result_bytes as f64, block, cache: MOST_CACHE },
            prices: Prices { hour: args.price_hour, gigabyte: args.price_gb },
            trials: Trials { runs: args.runs, seed: args.seed },
        };
        Ok(Self { question, figures: found.0 })
    }
}

impl Lookup {
    fn tell(&mut self, what: &'static str, value: String, origin: Origin) {
        self.0.push(Figure { what, value, origin });
    }

    fn number(
        &mut self,
        what: &'static str,
        given: Option<usize>,
        measured: Option<usize>,
        usual: usize,
    ) -> usize {
        let (number, origin) = match (given, measured) {
            (Some(number), _) => (number, Origin::Given),
            (None, Some(number)) => (number, Origin::Measured),
            (None, None) => (usual, Origin::Assumed),
        };
        self.tell(what, number.to_string(), origin);
        number
    }
}

fn scene(
    args: &PlanArgs,
    measured: Option<&Measured>,
    stored: f64,
    found: &mut Lookup,
) -> anyhow::Result<Scene> {
    let gsd = match (args.gsd, measured.and_then(|m| m.gsd)) {
        (Some(meters), _) => Some((meters, Origin::Given)),
        (None, Some(meters)) => Some((meters, Origin::Measured)),
        (None, None) => None,
    };
    if let Some((meters, origin)) = gsd {
        found.tell("pixel on the ground", format!("{} m", short(meters)), origin);
    }
    let needed = || {
        gsd.map(|(meters, _)| meters).ok_or_else(|| {
            Advice::new("the size of a pixel on the ground is not known", "give it in meters: --gsd 0.2")
        })
    };
    let km2 = |area: f64| format!("{} km2", short(area / 1e6));
    let scene = match (args.area, &args.aoi, args.bytes) {
        (Some(GroundArea(OnGround::Pixels(pixels))), ..) => {
            found.tell("pixels", short(pixels), Origin::Given);
            Scene::square(pixels)
        }
        (Some(GroundArea(OnGround::Meters(area))), ..) => {
            let meters = needed()?;
            found.tell("area", km2(area), Origin::Given);
            Scene::square(area / (meters * meters))
        }
        (None, Some(name), _) => {
            let meters = needed()?;
            let outline = measure(&seg_gdal::polygon_rings(name)?);
            found.tell("area of the polygons", km2(outline.area), Origin::Measured);
            Scene::of_outline(&outline, meters)
        }
        (None, None, size) => {
            let size = size.map_or(0.0, |size| size.0 as f64);
            found.tell("imagery as stored", bytes(size), Origin::Given);
            Scene::square(size / stored)
        }
    };
    if scene.pixels < 1.0 || !scene.pixels.is_finite() {
        let what = format!("there is less than one pixel to segment: {}", short(scene.pixels));
        return Err(Advice::new(what, "look at the area and at --gsd, which is in meters").into());
    }
    if scene.pixels.max(scene.width * scene.height) > MOST_PIXELS {
        let what = format!("there are more than {MOST_PIXELS:e} pixels to segment, and the Earth has fewer");
        return Err(Advice::new(what, "look at the area and at --gsd, which is in meters").into());
    }
    Ok(scene)
}

fn tiles(args: &PlanArgs, measured: Option<&Measured>, found: &mut Lookup) -> Result<Tiles, Advice> {
    let side = found.number("tile, px", args.tile, measured.and_then(|m| m.side), SIDE);
    let given = match args.overlap {
        Some(OverlapChoice::Told(Overlap::Pixels(pixels))) => Some(pixels),
        Some(OverlapChoice::Told(Overlap::Percent(share))) => {
            Some((side as f64 * share / 100.0).round() as usize)
        }
        Some(OverlapChoice::Auto) => {
            let what = "--overlap auto: a plan does not measure how far a network looks";
            return Err(Advice::new(what, "`rs-seg infer --overlap auto --dry-run` tells the pixels"));
        }
        Some(OverlapChoice::Usual) | None => None,
    };
    let overlap = found.number("overlap, px", given, measured.and_then(|m| m.overlap), OVERLAP.min(side / 4));
    if overlap >= side {
        let what = format!("tiles of {side} pixels that overlap by {overlap} never get on");
        return Err(Advice::new(what, format!("--overlap is less than --tile: {} is usual", side / 4)));
    }
    Ok(Tiles { side, overlap })
}

fn tile_seconds(args: &PlanArgs, measured: Option<&Measured>, found: &mut Lookup) -> Result<f64, Advice> {
    match (args.tile_seconds, measured) {
        (Some(given), _) => {
            found.tell("a tile takes", time(given.0), Origin::Given);
            Ok(given.0)
        }
        (None, Some(measured)) => {
            let text = format!("{}, {}", time(measured.tile_seconds), measured.how);
            found.tell("a tile takes", text, Origin::Measured);
            Ok(measured.tile_seconds)
        }
        (None, None) => {
            Err(Advice::new("nobody says what a tile takes", "measure it with --from or --scene"))
        }
    }
}

fn machine(args: &PlanArgs, measured: Option<&Measured>, found: &mut Lookup) -> Machine {
    // Flags that have a default do not tell whether they were given.
    let told = |is_usual: bool| if is_usual { Origin::Assumed } else { Origin::Given };
    let is = |value: f64, usual: f64| value.total_cmp(&usual).is_eq();
    let (startup, delay) = (args.startup.0, args.restart_delay.0);
    let cores = measured.and_then(|m| m.cores).map(|cores| cores as usize);
    let cores = found.number("cores of a worker", args.cores, cores, 1);
    found.tell("start of a shard", time(startup), told(is(startup, 60.0)));
    let failures = format!("{} an hour of a worker", short(args.failure_rate));
    found.tell("failures", failures, told(is(args.failure_rate, 0.0)));
    found.tell("away after a failure", time(delay), told(is(delay, 60.0)));
    let spread = format!("{} %", short(100.0 * args.spread));
    found.tell("spread of shards", spread, told(is(args.spread, 0.1)));
    Machine {
        startup,
        restart_delay: delay,
        failures_per_hour: args.failure_rate,
        spread: args.spread,
        cores: cores as u64,
        gpus: args.gpus,
    }
}
