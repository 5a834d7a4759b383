//! From a class raster to a file of polygons.

mod job;
mod memory;
mod ready;
mod review;
mod scale;
mod size;

pub(crate) use job::PolygonJob;
pub(crate) use memory::MemoryPlan;

use crate::diagnostic::Advice;
use crate::progress::Stage;
use crate::segment::conflicts::is_read_from;
use crate::value::OnGround;
use anyhow::Context as _;
use ready::Ready;
use scale::Scale;
use seg_data::{ClassFile, LegendOrigin, class_entry};
use seg_gdal::{
    ClassEntry, ConfidenceFields, Layers, PolygonKind, PolygonSpec, ReviewFields, StyledClasses,
    VectorFormat, WrittenPolygons, write_polygons,
};
use seg_grid::Observer;
use seg_label::{Class, Legend};
use seg_vector::{
    Area, Connectedness, Generalize, PolygonizeSettings, Recode, Shape, Simplify, Work, generalize,
    polygonize,
};
use std::collections::BTreeSet;
use std::path::Path;

/// Classes that a hint lists.
const MOST_NAMES: usize = 20;

/// A raster that is open, and what will be done with it.
pub(crate) struct Prepared<'a> {
    job: &'a PolygonJob,
    format: VectorFormat,
    raster: ClassFile,
    scale: Scale,
    wanted: BTreeSet<u8>,
    pub memory: MemoryPlan,
    /// What was decided for the user, in lines.
    pub notes: Vec<String>,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub file: WrittenPolygons,
    /// Polygons and square meters of each class, in the legend's order.
    pub classes: Vec<ClassTotal>,
    pub merged: usize,
    pub filled: usize,
}

/// What polygons of one class come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClassTotal {
    pub id: u8,
    pub name: String,
    pub polygons: u64,
    pub pixels: u64,
    pub area_m2: Option<f64>,
}

/// The stages of making polygons, by what they take.
pub(crate) fn stages(job: &PolygonJob, weight: f64) -> Vec<Stage> {
    let looks = (job.min_area.is_some() || job.fill_holes.is_some()).then_some(("look", 30.0));
    let sizes = VectorFormat::of(&job.out).is_ok_and(|format| format.limit().is_some());
    let all = looks.into_iter().chain(sizes.then_some((size::STAGE, 50.0))).chain([("trace", 70.0)]);
    let total: f64 = all.clone().map(|(_, share)| share).sum();
    all.map(|(name, share)| Stage { name, weight: weight * share / total }).collect()
}

/// Those of polygons of every area as it is.
pub(crate) fn plain_stages(out: &Path, weight: f64) -> Vec<Stage> {
    stages(&PolygonJob::plain(String::new(), out.to_path_buf(), 1), weight)
}

/// Opens the raster and plans.
pub(crate) fn prepare(job: &PolygonJob) -> anyhow::Result<Prepared<'_>> {
    let format = VectorFormat::of(&job.out)?;
    let read = std::iter::once(&job.classes).chain(&job.confidence);
    if let Some(name) = read.into_iter().find(|name| is_read_from(Path::new(name), &job.out)) {
        let what = format!("the polygons would replace what they are made of, {name}");
        return Err(Advice::new(what, "write to another file").into());
    }
    if job.layers == Layers::PerClass && !format.has_layers() {
        let what = format!("{} holds one layer", format.driver());
        return Err(Advice::new(what, "--layer-per-class wants a GeoPackage: --out polygons.gpkg").into());
    }
    let mut raster = ClassFile::open(&job.classes, job.convention.clone())?;
    if let Some(confidence) = &job.confidence {
        raster = raster.with_confidence(confidence)?;
    }
    if job.layers == Layers::PerClass && raster.legend_origin() == LegendOrigin::Ids {
        let what = format!("{} carries no class names to call layers by", job.classes);
        return Err(Advice::new(what, "tell them: --legend FILE").into());
    }
    let wanted = wanted(&job.only, raster.legend())?;
    let profile = raster.raster_profile();
    let scale = Scale::of(profile);
    scale.check()?;
    let mut notes: Vec<String> = raster.notes().to_vec();
    notes.extend(scale.note(profile, format));
    notes.extend(scale.distortion(profile));
    let areas = [("--min-area", job.min_area), ("--fill-holes", job.fill_holes)];
    notes.extend(areas.into_iter().filter_map(|(flag, area)| Some(scale.area_in_words(flag, area?))));
    notes.extend(job.simplify.map(|(length, ..)| scale.length_in_words("--simplify", length)));
    let memory = MemoryPlan::new(job, profile)?;
    Ok(Prepared { job, format, raster, scale, wanted, memory, notes })
}

/// The ids of the classes that are written.
fn wanted(only: &[String], legend: &Legend) -> anyhow::Result<BTreeSet<u8>> {
    let all = || legend.classes().iter().map(|class| class.id.0).collect();
    if only.is_empty() {
        return Ok(all());
    }
    let id = |text: &String| {
        let by_id = || legend.classes().iter().find(|class| class.id.0.to_string() == text.trim());
        legend.by_name(text.trim()).or_else(by_id).map(|class| class.id.0).ok_or_else(|| {
            let what = match text.trim() {
                "" => "a class without a name was asked for".to_owned(),
                text => format!("there is no class {text}"),
            };
            Advice::new(what, known_classes(legend))
        })
    };
    only.iter().map(|text| Ok(id(text)?)).collect()
}

/// The classes there are, as far as anybody reads them.
fn known_classes(legend: &Legend) -> String {
    let names: Vec<_> = legend.names().take(MOST_NAMES).collect();
    let more = match legend.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("classes are {}{more}", names.join(", "))
}

impl Prepared<'_> {
    /// Makes the file under a temporary name.
    pub(crate) fn make(&self, observer: &dyn Observer) -> anyhow::Result<Made> {
        let work = Work { band_rows: self.memory.band_rows, workers: self.job.threads };
        let (min_area, fill_holes) = (self.area(self.job.min_area)?, self.area(self.job.fill_holes)?);
        let recode = if min_area.is_some() || fill_holes.is_some() {
            let settings = Generalize {
                connectedness: self.job.connectedness,
                min_area,
                fill_holes,
                ground: self.scale.ground(self.job.min_area.or(self.job.fill_holes))?,
                most_areas: self.memory.most_areas,
            };
            Some(generalize(&self.raster, &settings, work, observer)?)
        } else {
            None
        };
        let simplify = self.job.simplify.map(|(tolerance, method, outer)| {
            let ground = self.scale.ground(Some(tolerance))?;
            let (OnGround::Pixels(tolerance) | OnGround::Meters(tolerance)) = tolerance;
            anyhow::Ok(Simplify { method, tolerance, ground, outer })
        });
        let settings =
            PolygonizeSettings { connectedness: self.job.connectedness, simplify: simplify.transpose()? };
        if let Some(limit) = self.format.limit() {
            self.check_size(limit, recode.as_ref(), &settings, work, observer)?;
        }
        self.write(recode.as_ref(), &settings, work, observer)
    }

    /// An area in the units of its ground; both are of one kind, or the smaller unit wins.
    fn area(&self, area: Option<OnGround>) -> anyhow::Result<Option<f64>> {
        let first = self.job.min_area.or(self.job.fill_holes);
        area.map(|area| match (area, first) {
            (OnGround::Pixels(pixels), Some(OnGround::Meters(_))) => self.scale.pixels_in_meters(pixels),
            (OnGround::Meters(meters), Some(OnGround::Pixels(_))) => self.scale.meters_in_pixels(meters),
            (OnGround::Pixels(area) | OnGround::Meters(area), _) => Ok(area),
        })
        .transpose()
    }

    fn shape(&self) -> Shape {
        match self.job.connectedness {
            Connectedness::Four => Shape::Polygon,
            Connectedness::Eight => Shape::MultiPolygon,
        }
    }

    /// How these classes are laid out in the file.
    fn spec<'a>(&'a self, classes: &'a [ClassEntry<'a>], shape: Shape) -> PolygonSpec<'a> {
        PolygonSpec {
            format: self.format,
            crs: self.raster.raster_profile().crs.as_ref(),
            classes,
            styled: match self.raster.legend_origin() {
                LegendOrigin::Told => StyledClasses::All,
                LegendOrigin::Ids => StyledClasses::Used,
            },
            layers: self.job.layers,
            geometry: match shape {
                Shape::Polygon => PolygonKind::Polygon,
                Shape::MultiPolygon => PolygonKind::MultiPolygon,
            },
            confidence: match self.job.confidence {
                Some(_) => ConfidenceFields::Present,
                None => ConfidenceFields::Absent,
            },
            review: ReviewFields::Absent,
            layer_options: &self.job.layer_options,
            pixel: self.scale.pixel_in_degrees(),
        }
    }

    fn write(
        &self,
        recode: Option<&Recode>,
        settings: &PolygonizeSettings,
        work: Work,
        observer: &dyn Observer,
    ) -> anyhow::Result<Made> {
        let legend = self.raster.legend();
        let classes: Vec<&Class> =
            legend.classes().iter().filter(|class| self.wanted.contains(&class.id.0)).collect();
        let entries: Vec<ClassEntry<'_>> = classes.iter().map(|class| class_entry(class)).collect();
        let mut places = [None; 256];
        for (place, class) in classes.iter().enumerate() {
            places[usize::from(class.id.0)] = Some(place);
        }
        let shape = self.shape();
        let spec = self.spec(&entries, shape);
        let mut totals: Vec<ClassTotal> = classes
            .iter()
            .map(|class| ClassTotal {
                id: class.id.0,
                name: class.name.clone(),
                polygons: 0,
                pixels: 0,
                area_m2: self.scale.is_known().then_some(0.0),
            })
            .collect();
        let placement = self.scale.placement;
        let ready = |area: Area| {
            // What is not wanted is only in the way of what is.
            let class = places[usize::from(area.class)]?;
            Some(Ready::new(&area, class, placement, shape))
        };
        let file = write_polygons::<anyhow::Error>(&self.job.out, &spec, |sink| {
            polygonize(&self.raster, recode, settings, work, observer, ready, |ready| {
                let Some(ready) = ready else { return Ok(()) };
                let total = &mut totals[ready.class];
                total.polygons += 1;
                total.pixels += ready.pixels;
                if let (Some(sum), Some(measures)) = (&mut total.area_m2, ready.measures) {
                    *sum += measures.area;
                }
                Ok(sink.write(&ready.row(None))?)
            })
            .with_context(|| format!("cannot make polygons of {}", self.job.classes))
        })?;
        Ok(Made {
            file,
            classes: totals,
            merged: recode.map_or(0, Recode::merged),
            filled: recode.map_or(0, Recode::filled),
        })
    }
}
