use super::pair::OpenPair;
use super::{CompareJob, in_pool};
use crate::Error;
use crate::slots::Slots;
use ndarray::{Array2, Array3, Axis, Zip};
use rayon::prelude::*;
use seg_gdal::{ClassEntry, Content, GridReference, LabelRaster, OutputFormat, RasterSpec, RasterWriter};
use seg_grid::{Block, Observer, Progress, Window};
use seg_label::{Convention, IGNORE_INDEX, Legend};
use std::path::Path;

/// Blocks of the file.
const ROWS: usize = 512;
const COLUMNS: usize = 8192;

/// What a pixel of an error map says.
const ENTRIES: [ClassEntry<'static>; 3] = [
    ClassEntry { id: 0, name: "right", color: [235, 235, 235] },
    ClassEntry { id: 1, name: "wrong", color: [213, 94, 0] },
    ClassEntry { id: 2, name: "not predicted", color: [0, 0, 0] },
];

/// Writes where a prediction is right and where it is wrong, on its own grid: 0 right, 1 wrong, 2 with a truth but without
/// a prediction, 255 without a truth. The job has one pair; `path` is a temporary name, which is renamed to `name`.
///
/// Windows are computed side by side and written in order, so memory does not grow with the raster.
///
/// # Errors
/// If a raster cannot be read, the file cannot be written, or the observer cancels.
pub fn write_error_map(
    job: &CompareJob,
    legend: &Legend,
    name: &Path,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let convention = job.convention.clone().unwrap_or_else(|| Convention::new(legend.clone()));
    in_pool(job.threads, || {
        let (open, _) = OpenPair::open(job, 0, &convention)?;
        let written = |source| Error::Raster {
            action: "write the error map",
            name: name.display().to_string(),
            source: Box::new(source),
        };
        let prediction = &job.predictions[0];
        let raster = LabelRaster::open(prediction).map_err(crate::labels::opening(prediction))?;
        let reference = GridReference::from(raster.raster_profile());
        let spec = RasterSpec {
            reference: &reference,
            content: Content::Classes,
            classes: &ENTRIES,
            format: OutputFormat::GTiff,
            creation_options: &[],
            metadata: &[],
        };
        let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new().prefix(".rs-seg-").suffix(".tif.part").tempfile_in(folder);
        let temporary = temporary.map_err(|source| Error::File {
            action: "write to the folder",
            path: folder.to_path_buf(),
            source,
        })?;
        let mut writer = RasterWriter::create(temporary.path(), &spec).map_err(written)?;
        let size = reference.size;
        let windows: Vec<Window> = (0..size.height)
            .step_by(ROWS)
            .flat_map(|y| (0..size.width).step_by(COLUMNS).map(move |x| (x, y)))
            .filter_map(|(x, y)| Window { x, y, width: COLUMNS, height: ROWS }.clip(size))
            .collect();
        let (slots, total) = (Slots::new(), windows.len() as u64);
        let mut done = 0;
        for some in windows.chunks(rayon::current_num_threads().max(1)) {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let compared = open.plan.compared;
            let one = |&window: &Window| {
                slots.with(
                    0,
                    || OpenPair::open(job, 0, &convention).map(|(open, _)| open),
                    |open| errors(open, window, compared, &convention),
                )
            };
            let errors: Vec<Array2<u8>> = some.par_iter().map(one).collect::<Result<_, _>>()?;
            for (&window, errors) in some.iter().zip(errors) {
                let block: Array3<u8> = errors.insert_axis(Axis(0)); // (1, H, W)
                writer.write(window, &Block::U8(block)).map_err(written)?;
                done += 1;
            }
            observer.progress(Progress { stage: "error map", done, total });
        }
        writer.finish().map_err(written)?.rename(name).map_err(written)
    })
}

fn errors(
    open: &OpenPair,
    window: Window,
    compared: Window,
    convention: &Convention,
) -> Result<Array2<u8>, Error> {
    let mut errors = Array2::from_elem((window.height, window.width), IGNORE_INDEX);
    let Some(inside) = window.intersect(compared) else { return Ok(errors) };
    let [truth, seen] = open.read(inside, convention)?;
    let (rows, columns) = inside.relative_to(window).ranges();
    let part = errors.slice_mut(ndarray::s![rows, columns]);
    Zip::from(part).and(&truth).and(&seen).for_each(|error, &truth, &seen| {
        *error = match (truth, seen) {
            (IGNORE_INDEX, _) => IGNORE_INDEX,
            (_, IGNORE_INDEX) => 2,
            (truth, seen) => u8::from(truth != seen),
        };
    });
    Ok(errors)
}
