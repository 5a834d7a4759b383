use seg_gdal::{BandIndex, BandSelection, GeoRaster, ReadOptions};
use seg_grid::{RasterSource, SeamReport, Seams, TileGrid, Window};
use serde_json::{Value, json};
use std::path::Path;

/// Rows that are read at once; the blocks of outputs have as many.
const ROWS: usize = 512;

/// Counts changes of class along tile lines and elsewhere, in a finished class raster.
pub(super) fn check(classes: &Path, grid: &TileGrid) -> anyhow::Result<SeamReport> {
    let options =
        ReadOptions { bands: BandSelection::Explicit(vec![BandIndex::FIRST]), ..ReadOptions::default() };
    let mut raster = GeoRaster::open(&classes.to_string_lossy(), &options)?;
    let size = raster.profile().size;
    let mut seams = Seams::new(grid, seg_run::NODATA);
    let mut row = Vec::with_capacity(size.width);
    for y in (0..size.height).step_by(ROWS) {
        let window = Window { x: 0, y, width: size.width, height: ROWS.min(size.height - y) };
        // Rows without a class are rows of nodata.
        let patch = raster.read(window)?;
        for line in 0..window.height {
            row.clear();
            row.extend((0..size.width).map(|x| match &patch {
                Some(patch) if patch.valid[[line, x]] => patch.values[[0, line, x]] as u8,
                _ => seg_run::NODATA,
            }));
            seams.row(&row);
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
