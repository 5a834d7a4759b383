use super::outputs::open_classes;
use seg_grid::{RasterSource, SeamReport, Seams, TileGrid, Window};
use serde_json::{Value, json};
use std::path::Path;

/// Rows that are read at once; the blocks of outputs have as many.
const ROWS: usize = 512;

/// Counts changes of class along tile lines and elsewhere, in a finished class raster.
pub(super) fn check(classes: &Path, grid: &TileGrid) -> anyhow::Result<SeamReport> {
    let mut raster = open_classes(classes)?;
    let size = raster.profile().size;
    let mut seams = Seams::new(grid, seg_run::NODATA);
    for y in (0..size.height).step_by(ROWS) {
        let window = Window { x: 0, y, width: size.width, height: ROWS.min(size.height - y) };
        for row in seg_run::read_ids(&mut raster, window)?.outer_iter() {
            seams.row(row.as_slice().unwrap_or_default());
        }
    }
    Ok(seams.report())
}

/// For machines.
pub(crate) fn json(report: &SeamReport) -> Value {
    json!({
        "tile_lines": report.tile_lines.rate(),
        "elsewhere": report.elsewhere.rate(),
        "ratio": report.ratio(),
        "counts": report,
    })
}

/// For people.
pub(crate) fn text(report: &SeamReport) -> String {
    let percent = |rate: Option<f64>| {
        rate.map_or_else(|| "no pair of pixels".to_owned(), |rate| format!("{:.3} %", 100.0 * rate))
    };
    let ratio =
        report.ratio().map_or_else(String::new, |ratio| format!(", {ratio:.2} times as many (1 is no seam)"));
    let worst = report.worst.map_or_else(String::new, |worst| {
        let line = match worst.line {
            seg_grid::Line::Column => "column",
            seg_grid::Line::Row => "row",
        };
        format!("; most at {line} {}, {}", worst.at, percent(worst.changes.rate()))
    });
    format!(
        "classes change between {} of neighbors along tile lines and {} elsewhere{ratio}{worst}",
        percent(report.tile_lines.rate()),
        percent(report.elsewhere.rate()),
    )
}
