use crate::{Error, Plan};
use seg_grid::{Observer, RasterSource, Selection};

/// How many of a plan's tiles hold a pixel that the user wants; the others are neither read nor computed.
///
/// Tiles that column strips share count once for each, as they are computed.
///
/// # Errors
/// If it cannot be told, or the observer cancels.
pub fn wanted_tiles(
    plan: &Plan,
    source: &mut dyn RasterSource,
    observer: &dyn Observer,
) -> Result<u64, Error> {
    let mut count = 0;
    for columns in &plan.columns {
        for row in plan.tile_rows(plan.part.rows()) {
            for column in plan.tile_columns(columns.clone()) {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let tile = plan.grid.at(column, row);
                count += u64::from(source.selection(tile.read)? != Selection::Nothing);
            }
        }
    }
    Ok(count)
}
