use super::Job;
use anyhow::Context as _;
use seg_gdal::{ClassEntry, Content, GridReference, RasterSpec, RasterWriter, Written};
use seg_grid::{Block, IoError, Layer, Observer, RasterSink, Window};
use seg_label::Legend;
use seg_run::{NODATA, Output, Plan, ProbabilityType, WorkFolder};
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
}

/// The outputs of a run: made under temporary names, given their own when all are whole.
pub(crate) struct OutputFiles<'a> {
    wanted: &'a Wanted,
    rasters: RefCell<Vec<(Written, PathBuf)>>,
    preview: RefCell<Option<(PathBuf, PathBuf)>>,
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
        let mut files = vec![("classes", self.classes.as_path())];
        files.extend(self.probabilities.as_ref().map(|(path, _)| ("probabilities", path.as_path())));
        files.extend(self.confidence.as_deref().map(|path| ("confidence", path)));
        files.extend(self.preview.as_deref().map(|path| ("preview", path)));
        files
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
        Self { wanted, rasters: RefCell::default(), preview: RefCell::default() }
    }

    /// Makes every raster from its strips; returns pixels by class, and without data at the end.
    pub(crate) fn assemble(
        &self,
        job: &Job,
        legend: &Legend,
        reference: &GridReference,
        work: &WorkFolder,
        plan: &Plan,
        observer: &dyn Observer,
    ) -> anyhow::Result<Vec<u64>> {
        let entries: Vec<ClassEntry<'_>> = legend
            .classes()
            .iter()
            .map(|c| ClassEntry { id: c.id.0, name: &c.name, color: [c.color.r, c.color.g, c.color.b] })
            .collect();
        let software = [("TIFFTAG_SOFTWARE".to_owned(), format!("rs-seg {}", env!("CARGO_PKG_VERSION")))];
        let mut counts = [0_u64; 256];
        for output in &plan.outputs {
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
                format: job.format,
                creation_options: &job.creation_options,
                metadata: &software,
            };
            // Listed before it is made, so that a failure on the way removes what was begun.
            let half = Written { raster: staged.clone(), side_car: Some(side_car(&staged)) };
            self.rasters.borrow_mut().push((half, path.to_path_buf()));
            let mut sink = Counting { writer: RasterWriter::create(&staged, &spec)?, counts: [0; 256] };
            seg_run::assemble(work, plan, *output, &mut sink, observer)?;
            if output.layer() == Layer::Classes {
                counts = sink.counts;
            }
            let written = sink.writer.finish()?;
            if let Some(last) = self.rasters.borrow_mut().last_mut() {
                last.0 = written;
            }
        }
        let ids = legend.classes().iter().map(|class| class.id.0).chain([NODATA]);
        Ok(ids.map(|id| counts[usize::from(id)]).collect())
    }

    /// The class raster while it has its temporary name.
    pub(crate) fn staged_classes(&self) -> PathBuf {
        staged(&self.wanted.classes)
    }

    /// Stores the preview under a temporary name.
    pub(crate) fn stage_preview(&self, png: Vec<u8>, path: &Path) -> anyhow::Result<()> {
        let staged = staged(path);
        self.preview.replace(Some((staged.clone(), path.to_path_buf())));
        fs::write(&staged, png).with_context(|| format!("cannot write {}", staged.display()))
    }

    /// Gives everything its final name, the class raster last; what fails on the way stays staged.
    pub(crate) fn publish(&self) -> anyhow::Result<()> {
        if let Some((from, to)) = self.preview.borrow().as_ref() {
            fs::rename(from, to).with_context(|| format!("cannot rename {}", from.display()))?;
        }
        self.preview.take();
        let last = || self.rasters.borrow().last().cloned();
        while let Some((written, path)) = last() {
            written.rename(&path)?;
            self.rasters.borrow_mut().pop();
        }
        Ok(())
    }

    /// Removes what has not got its final name.
    pub(crate) fn remove_staged(&self) {
        let rasters = self.rasters.take();
        let rasters = rasters.into_iter().flat_map(|(written, _)| [Some(written.raster), written.side_car]);
        for path in rasters.flatten().chain(self.preview.take().map(|(from, _)| from)) {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a temporary file stays");
            }
        }
    }
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
}

impl RasterSink for Counting<'_> {
    fn write(&mut self, layer: Layer, window: Window, block: &Block) -> Result<(), IoError> {
        if let (Layer::Classes, Block::U8(ids)) = (layer, block) {
            for &id in ids {
                self.counts[usize::from(id)] += 1;
            }
        }
        self.writer.write(window, block).map_err(IoError::from)
    }
}
