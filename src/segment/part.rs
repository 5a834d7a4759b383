//! Parts of a result that were computed apart, each in a folder of its own, and what is known of each.

use super::Job;
use super::identified::Identified;
use super::input::Input;
use super::manifest::Manifest;
use super::record::Run;
use crate::diagnostic::Advice;
use crate::value::Shard;
use anyhow::Context as _;
use seg_gdal::GridReference;
use seg_grid::{Size, TileGrid, Window};
use seg_label::Legend;
use seg_run::{Cuts, Fresh, Outcome, Output, Piece, Plan, RunKey, WantedTiles, WorkFolder};
use serde::{Deserialize, Serialize};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A part that is whole.
pub(crate) enum Part {
    /// It was made now.
    Made(Outcome),
    /// It was there.
    Found,
}

/// All that is needed to put a part together with the others, beside its strips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    kind: String,
    schema: u32,
    pub shard: Shard,
    /// What of the result it is; nothing where there are more parts than blocks.
    pub window: Option<Window>,
    pub columns: Vec<Range<usize>>,
    pub result: Size,
    /// The tiles, where they have the result's own pixels.
    pub tiles: Option<TileGrid>,
    pub outputs: Vec<Output>,
    pub legend: Legend,
    pub reference: GridReference,
    /// Whether only an area of the raster is wanted.
    pub in_area: bool,
    pub key: RunKey,
    /// The manifest of the whole, before anything was counted.
    pub manifest: Manifest,
    pub tiles_computed: u64,
    pub tiles_skipped: u64,
}

/// What the file's first entry says.
const KIND: &str = "rs-seg part";
/// The schema that is written and read.
const SCHEMA: u32 = 1;
/// The file in a part's folder that is there when its strips are.
pub(super) const FILE: &str = "part.json";

/// What the name of the folder of all parts ends with.
const PARTS: &str = ".rs-seg-parts";
/// What a part's key says of the way that results are cut: parts of another way do not fit, though all else is equal.
pub(super) const CUT: (&str, &str) = ("cut", "wanted tiles, evenly");
/// What a part is where nothing is left for it.
const NOTHING: Window = Window { x: 0, y: 0, width: 0, height: 0 };

/// The folder that holds the folders of all parts of an output, `OUT.rs-seg-parts` beside it.
fn parts_folder(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(PARTS);
    output.with_file_name(name)
}

/// The folder of one part of an output.
pub(crate) fn folder(output: &Path, shard: Shard) -> PathBuf {
    parts_folder(output).join(shard.folder_name())
}

/// The window of a shard, if anything is left for it, and what is to be told of it.
pub(super) fn window(
    shard: Shard,
    grid: &TileGrid,
    input: &mut Input,
) -> Result<(Option<Window>, String), seg_run::Error> {
    let wanted = WantedTiles::of(*grid, &mut *input.source)?;
    let (regrid, result) = (input.regrid.as_ref(), input.reference.size);
    let cuts = Cuts::through(input.original.profile());
    let windows = seg_run::shards(&wanted, regrid, result, cuts, shard.count);
    let all: u64 = windows.iter().map(|&window| wanted.count(regrid, window)).sum();
    let again = 100.0 * (all as f64 / wanted.total().max(1) as f64 - 1.0).max(0.0);
    let window = windows.get(shard.index).copied().filter(|window| window.area() > 0);
    let note = window.map_or_else(
        || format!("shard {shard}: nothing is left for it, since what is wanted has too few blocks"),
        |part| format!("shard {shard}: {part}; all shards together compute {again:.1} % of the tiles again"),
    );
    Ok((window, note))
}

/// How many tiles the part that a job asks for is made of, if it is whole already.
pub(super) fn found(job: &Job, identified: &Identified) -> anyhow::Result<Option<u64>> {
    let folder = job.work_folder();
    // Without a record there is nothing to find, and no folder is to be made for that.
    if job.fresh == Fresh::Discard || Record::read(&folder)?.is_none() {
        return Ok(None);
    }
    let Identified { key, window, tiling, input, .. } = identified;
    let work = WorkFolder::open(folder, key, job.fresh)?;
    let Some(record) = finished(&work, key, *window)? else { return Ok(None) };
    let strips = record.columns.iter().map(|columns| Window {
        x: columns.start,
        width: columns.len(),
        ..window.unwrap_or(NOTHING)
    });
    Ok(Some(strips.map(|strip| seg_run::tiles_of(&tiling.grid, input.regrid.as_ref(), strip)).sum()))
}

/// What is known of the part that a folder holds all of; a record of strips that are gone is removed.
pub(super) fn finished(
    work: &WorkFolder,
    key: &RunKey,
    window: Option<Window>,
) -> anyhow::Result<Option<Record>> {
    let Some(record) = Record::read(work.path())? else { return Ok(None) };
    let rows = window.unwrap_or(NOTHING).rows();
    if record.key == *key && record.window == window && work.is_whole(&record.outputs, &record.columns, &rows)
    {
        return Ok(Some(record));
    }
    let path = work.path().join(FILE);
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(None)
}

/// Removes the folder that holds parts once the last of them is gone.
pub(super) fn remove_if_empty(part: &Path) {
    let parent = part.parent().filter(|parent| parent.to_string_lossy().ends_with(PARTS));
    if let Some(parent) = parent {
        // It stays while another part is in it.
        let _ = fs::remove_dir(parent);
    }
}

impl Record {
    pub(super) fn new(
        run: &Run<'_>,
        plan: &Plan,
        window: Option<Window>,
        manifest: Manifest,
        input: &Input,
        outcome: &Outcome,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            kind: KIND.to_owned(),
            schema: SCHEMA,
            shard: run.job.shard.context("a part belongs to a shard")?,
            window,
            columns: window.map_or_else(Vec::new, |_| plan.columns.clone()),
            result: plan.result,
            tiles: plan.regrid.is_none().then_some(plan.grid),
            outputs: plan.outputs.clone(),
            legend: run.legend.clone(),
            reference: input.reference.clone(),
            in_area: run.job.area.is_some(),
            key: run.key.clone(),
            manifest,
            tiles_computed: outcome.computed,
            tiles_skipped: outcome.skipped,
        })
    }

    /// Writes it into the folder of the part, whose strips are whole.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let (path, temporary) = (folder.join(FILE), folder.join(format!("{FILE}.part")));
        let write = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            fs::write(&temporary, text)?;
            fs::File::open(&temporary)?.sync_data()?;
            fs::rename(&temporary, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads that of a folder; `None` where the part is not whole.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        if value["kind"] != KIND || value["schema"] != SCHEMA {
            let what = format!("{} is not what this rs-seg writes into the folder of a part", path.display());
            return Err(Advice::new(what, "compute and merge parts with the same rs-seg").into());
        }
        let record: Self =
            serde_json::from_value(value).with_context(|| format!("{} is damaged", path.display()))?;
        anyhow::ensure!(record.shard.index < record.shard.count, "{} is damaged", path.display());
        Ok(Some(record))
    }

    /// Where its strips are.
    pub(super) fn piece(&self, folder: &Path) -> Piece {
        let window = self.window.unwrap_or(NOTHING);
        Piece { folder: folder.to_path_buf(), window, columns: self.columns.clone() }
    }
}

/// Folders of parts that are whole and of those that are not, among what the user names: parts, and folders of parts.
pub(super) fn find(named: &[PathBuf]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for path in named {
        if !found.take(path)? {
            let entries =
                fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
            let mut inside = Vec::new();
            for entry in entries {
                inside.push(entry.with_context(|| format!("cannot read {}", path.display()))?.path());
            }
            inside.sort();
            let mut any = false;
            for folder in inside.into_iter().filter(|path| path.is_dir()) {
                any |= found.take(&folder)?;
            }
            if !any {
                let what = format!("{} holds no part", path.display());
                let hint =
                    "name folders that `rs-seg infer --shard` has made, or OUT.rs-seg-parts with all of them";
                return Err(Advice::new(what, hint).into());
            }
        }
    }
    Ok(found)
}

/// What lies in folders that were named.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub whole: Vec<(PathBuf, Record)>,
    pub begun: Vec<PathBuf>,
}

impl Found {
    /// Takes a folder if it is that of a part.
    fn take(&mut self, folder: &Path) -> anyhow::Result<bool> {
        let known = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let same = |other: &PathBuf| known(other) == known(folder);
        if self.whole.iter().any(|(other, _)| same(other)) || self.begun.iter().any(same) {
            return Ok(true);
        }
        if let Some(record) = Record::read(folder)? {
            self.whole.push((folder.to_path_buf(), record));
            return Ok(true);
        }
        let begun = WorkFolder::columns_of(folder).is_some();
        if begun {
            self.begun.push(folder.to_path_buf());
        }
        Ok(begun)
    }
}
