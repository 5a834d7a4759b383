use crate::strip_rows::STRIP_ROWS;
use crate::{Error, Output, Strips};
use ndarray::s;
use seg_grid::{Block, Observer, Progress, RasterSink, Window};

/// Puts the strips of one output together, in block order, into a sink.
///
/// A single run, a resumed one and a merge share this, which makes them equal to the byte. One strip is in
/// memory at a time.
///
/// # Errors
/// If a strip is missing or damaged, the sink cannot be written, or the observer cancels.
pub fn assemble(
    strips: &Strips,
    output: Output,
    sink: &mut dyn RasterSink,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let rows: Vec<Window> = strips.rows().collect();
    let total = rows.len() as u64;
    for (done, row) in rows.into_iter().enumerate() {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        for (piece, columns) in strips.in_row(row) {
            let window = Window { x: columns.start, width: columns.len(), ..row };
            let strip = piece.read(output.layer(), window)?;
            // One block column at a time, so that the order of writes does not depend on the column strips.
            for x in columns.clone().step_by(STRIP_ROWS) {
                let part = Window { x, width: STRIP_ROWS.min(columns.end - x), ..row };
                sink.write(output.layer(), part, &cut(&strip, part.relative_to(window)))?;
            }
        }
        observer.progress(Progress { stage: "assemble", done: done as u64 + 1, total });
    }
    Ok(())
}

fn cut(block: &Block, window: Window) -> Block {
    let (rows, columns) = window.ranges();
    match block {
        Block::U8(values) => Block::U8(values.slice(s![.., rows, columns]).to_owned()),
        Block::F32(values) => Block::F32(values.slice(s![.., rows, columns]).to_owned()),
    }
}
