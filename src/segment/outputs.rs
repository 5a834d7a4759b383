use super::manifest::OutputFile;
use super::tile_tally::{TileTally, Tiles};
use crate::checksum::sha256_of;
use crate::polygons::PolygonJob;
use anyhow::Context as _;
use ndarray::Axis;
use seg_data::class_entry;
use seg_gdal::{
    BandIndex, BandSelection, ClassEntry, Content, GeoRaster, GridReference, OutputFormat, RasterSpec,
    RasterWriter, ReadOptions, Written, WrittenPolygons,
};
use seg_grid::{Block, IoError, Layer, Observer, RasterSink, TileGrid, Window};
use seg_label::{Convention, Legend};
use seg_run::{NODATA, Output, ProbabilityType, Strips};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

/// The files that the user wants.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub classes: PathBuf,
    pub probabilities: Option<(PathBuf, ProbabilityType)>,
    pub confidence: Option<PathBuf>,
    pub preview: Option<PathBuf>,
    /// Polygons of the class raster.
    pub vector: Option<PathBuf>,
    /// QGIS's style of the class raster.
    pub style: PathBuf,
    /// What made the outputs.
    pub manifest: Option<PathBuf>,
}

/// What the rasters are made of, besides where they go.
#[derive(Clone, Copy)]
pub(crate) struct Assembly<'a> {
    pub strips: &'a Strips,
    pub outputs: &'a [Output],
    /// Tiles of the result's own pixels; those of others are not where the classes are.
    pub tiles: Option<&'a TileGrid>,
    pub legend: &'a Legend,
    pub reference: &'a GridReference,
    pub format: OutputFormat,
    pub creation_options: &'a [String],
}

/// What polygons may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceLimits {
    pub threads: usize,
    pub max_memory: Option<u64>,
}

/// What went through to the class raster.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// Pixels by class, in the legend's order, and those without data at the end.
    pub pixels: Vec<u64>,
    pub tiles: Option<Tiles>,
}

/// The outputs of a run: made under temporary names, given their own when all are whole.
pub(crate) struct OutputFiles<'a> {
    wanted: &'a Wanted,
    rasters: RefCell<Vec<(Written, PathBuf)>>,
    /// Small files beside the rasters: temporary name, final name.
    small: RefCell<Vec<(PathBuf, PathBuf)>>,
    polygons: RefCell<Option<WrittenPolygons>>,
}

impl Wanted {
    /// What the network's scores are turned into.
    pub(crate) fn list(&self) -> Vec<Output> {
        let mut list = vec![Output::Classes];
        list.extend(self.probabilities.as_ref().map(|(_, kind)| Output::Probabilities(*kind)));
        list.extend(self.confidence.as_ref().map(|_| Output::Confidence));
        list
    }

    /// Every file by the flag that asked for it.
    pub(crate) fn files(&self) -> Vec<(&'static str, &Path)> {
        let mut files = vec![("classes", self.classes.as_path()), ("style", self.style.as_path())];
        files.extend(self.probabilities.as_ref().map(|(path, _)| ("probabilities", path.as_path())));
        files.extend(self.confidence.as_deref().map(|path| ("confidence", path)));
        files.extend(self.preview.as_deref().map(|path| ("preview", path)));
        files.extend(self.vector.as_deref().map(|path| ("vector", path)));
        files.extend(self.manifest.as_deref().map(|path| ("manifest", path)));
        files
    }

    /// Every file's name by what it is.
    pub(crate) fn json(&self) -> Value {
        let files = self.files().into_iter();
        Value::Object(
            files.map(|(what, path)| (what.to_owned(), json!(path.display().to_string()))).collect(),
        )
    }

    /// Those that were asked for by a flag of their own, besides the class raster.
    pub(crate) fn by_flag(&self) -> Vec<(&'static str, &Path)> {
        let named = |what: &str| matches!(what, "probabilities" | "confidence" | "preview" | "vector");
        self.files().into_iter().filter(|(what, _)| named(what)).collect()
    }

    /// Whether every file exists.
    pub(crate) fn are_there(&self) -> bool {
        self.files().into_iter().all(|(_, path)| path.exists())
    }

    /// The rasters among them, which have a side-car each.
    pub(crate) fn rasters(&self) -> Vec<(&'static str, &Path)> {
        let raster = |what: &str| matches!(what, "classes" | "probabilities" | "confidence");
        self.files().into_iter().filter(|(what, _)| raster(what)).collect()
    }

    fn path(&self, output: Output) -> &Path {
        match (output, &self.probabilities, &self.confidence) {
            (Output::Probabilities(_), Some((path, _)), _) | (Output::Confidence, _, Some(path)) => path,
            _ => &self.classes,
        }
    }
}

impl<'a> OutputFiles<'a> {
    pub(crate) fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, rasters: RefCell::default(), small: RefCell::default(), polygons: RefCell::default() }
    }

    /// Makes every raster from its strips, and the style.
    pub(crate) fn assemble(
        &self,
        assembly: Assembly<'_>,
        observer: &dyn Observer,
    ) -> anyhow::Result<Counted> {
        let Assembly { strips, outputs, legend, reference, .. } = assembly;
        let entries: Vec<ClassEntry<'_>> = legend.classes().iter().map(class_entry).collect();
        let software = [("TIFFTAG_SOFTWARE".to_owned(), format!("rs-seg {}", env!("CARGO_PKG_VERSION")))];
        let mut counts = [0_u64; 256];
        let mut tiles = None;
        for output in outputs {
            let path = self.wanted.path(*output);
            let staged = staged(path);
            let spec = RasterSpec {
                reference,
                content: match output {
                    Output::Classes => Content::Classes,
                    Output::Probabilities(ProbabilityType::UInt8) => Content::ProbabilitiesU8,
                    Output::Probabilities(ProbabilityType::Float32) => Content::ProbabilitiesF32,
                    Output::Confidence => Content::Confidence,
                },
                classes: &entries,
                format: assembly.format,
                creation_options: assembly.creation_options,
                metadata: &software,
            };
            // Listed before it is made, so that a failure on the way removes what was begun.
            let half = Written { raster: staged.clone(), side_car: Some(side_car(&staged)) };
            self.rasters.borrow_mut().push((half, path.to_path_buf()));
            let writer = RasterWriter::create(&staged, &spec)?;
            let tally = assembly.tiles.map(TileTally::new);
            let mut sink = Counting { writer, counts: [0; 256], tally };
            seg_run::assemble(strips, *output, &mut sink, observer)?;
            if output.layer() == Layer::Classes {
                counts = sink.counts;
                tiles = sink.tally.map(TileTally::finish);
            }
            let written = sink.writer.finish()?;
            if let Some(last) = self.rasters.borrow_mut().last_mut() {
                last.0 = written;
            }
        }
        self.stage(seg_gdal::qml_style(&entries).as_bytes(), &self.wanted.style)?;
        let ids = legend.classes().iter().map(|class| class.id.0).chain([NODATA]);
        Ok(Counted { pixels: ids.map(|id| counts[usize::from(id)]).collect(), tiles })
    }

    /// The class raster while it has its temporary name.
    pub(crate) fn staged_classes(&self) -> PathBuf {
        staged(&self.wanted.classes)
    }

    /// Turns the class raster into polygons, if they are wanted.
    pub(crate) fn trace(
        &self,
        legend: &Legend,
        limits: TraceLimits,
        observer: &dyn Observer,
    ) -> anyhow::Result<()> {
        let Some(out) = &self.wanted.vector else { return Ok(()) };
        let name = |path: PathBuf| path.to_string_lossy().into_owned();
        let polygons = PolygonJob {
            convention: Some(Convention::new(legend.clone())),
            confidence: self.wanted.confidence.as_deref().map(staged).map(name),
            max_memory: limits.max_memory,
            ..PolygonJob::plain(name(self.staged_classes()), out.clone(), limits.threads)
        };
        let made = crate::polygons::prepare(&polygons)?.make(observer)?;
        *self.polygons.borrow_mut() = Some(made.file);
        Ok(())
    }

    /// Stores a small file under a temporary name.
    pub(crate) fn stage(&self, content: &[u8], path: &Path) -> anyhow::Result<()> {
        let staged = staged(path);
        self.small.borrow_mut().push((staged.clone(), path.to_path_buf()));
        fs::write(&staged, content).with_context(|| format!("cannot write {}", staged.display()))
    }

    /// What is staged, with the checksum of every file; by final name, as seen from the class raster's folder.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<OutputFile>> {
        let mut staged: Vec<(PathBuf, PathBuf)> = Vec::new();
        for (written, path) in self.rasters.borrow().iter() {
            staged.push((written.raster.clone(), path.clone()));
            staged.extend(written.side_car.iter().map(|from| (from.clone(), side_car(path))));
        }
        staged.extend(self.small.borrow().iter().cloned());
        staged.extend(self.polygons.borrow().iter().flat_map(WrittenPolygons::files));
        let (named, folder) = (self.wanted.files(), self.wanted.classes.parent());
        let file = |(from, to): (PathBuf, PathBuf)| {
            let what = named.iter().find(|(_, path)| **path == to).map_or("side-car", |(what, _)| what);
            let name = to.file_name().filter(|_| to.parent() == folder).unwrap_or(to.as_os_str());
            // JSON has no other bytes than those of texts.
            let file = PathBuf::from(name.to_string_lossy().into_owned());
            let (bytes, sha256) = sha256_of(&from)?;
            Ok(OutputFile { what: what.to_owned(), file, bytes, sha256 })
        };
        staged.into_iter().map(file).collect()
    }

    /// Gives everything its final name, the class raster last; what fails on the way stays staged.
    pub(crate) fn publish(&self) -> anyhow::Result<()> {
        if let Some(polygons) = self.polygons.take() {
            polygons.publish()?;
        }
        let last = || self.small.borrow().last().cloned();
        while let Some((from, to)) = last() {
            fs::rename(&from, &to).with_context(|| format!("cannot rename {}", from.display()))?;
            self.small.borrow_mut().pop();
        }
        let last = || self.rasters.borrow().last().cloned();
        while let Some((written, path)) = last() {
            written.rename(&path)?;
            self.rasters.borrow_mut().pop();
        }
        Ok(())
    }

    /// Removes what has not got its final name.
    pub(crate) fn remove_staged(&self) {
        drop(self.polygons.take());
        let rasters = self.rasters.take();
        let rasters = rasters.into_iter().flat_map(|(written, _)| [Some(written.raster), written.side_car]);
        for path in rasters.flatten().chain(self.small.take().into_iter().map(|(from, _)| from)) {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a temporary file stays");
            }
        }
    }
}

/// Opens a class raster.
pub(super) fn open_classes(path: &Path) -> Result<GeoRaster, seg_gdal::Error> {
    let options =
        ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
    GeoRaster::open(&path.to_string_lossy(), &options)
}

/// A temporary name in the folder of the final one.
fn staged(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

/// What lies beside a raster for its class names and statistics.
pub(super) fn side_car(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".aux.xml");
    PathBuf::from(name)
}

/// A raster on disk as a sink, counting the ids that go through.
struct Counting<'a> {
    writer: RasterWriter<'a>,
    counts: [u64; 256],
    tally: Option<TileTally<'a>>,
}

impl RasterSink for Counting<'_> {
    fn write(&mut self, layer: Layer, window: Window, block: &Block) -> Result<(), IoError> {
        if let (Layer::Classes, Block::U8(ids)) = (layer, block) {
            for &id in ids {
                self.counts[usize::from(id)] += 1;
            }
            if let Some(tally) = &mut self.tally {
                tally.add(window, &ids.index_axis(Axis(0), 0)); // (1, H, W) -> (H, W)
            }
        }
        self.writer.write(window, block).map_err(IoError::from)
    }
}
