use super::outputs::open_classes;
use ndarray::{Axis, Zip, s};
use seg_grid::{RasterSource, Window};
use seg_label::Legend;
use seg_report::{PANEL_SIDE, Preview, preview_png, stretch};
use std::path::Path;

/// Draws the input beside the classes; the first three bands read, or the first one thrice.
pub(super) fn draw(source: &dyn RasterSource, classes: &Path, legend: &Legend) -> anyhow::Result<Vec<u8>> {
    // The picture has the pixels of the classes.
    let mut source = source.native().unwrap_or(source).reopen()?;
    let size = source.profile().size;
    let (window, small) = (Window::whole(size), size.fit_within(PANEL_SIDE));
    let image = source.read_decimated(window, small)?; // (C, H, W)
    let shown: Vec<usize> = if image.values.dim().0 >= 3 { vec![0, 1, 2] } else { vec![0, 0, 0] };
    let rgb = image.values.select(Axis(0), &shown); // (3, H, W)
    let rgb = stretch(&rgb.view(), &image.valid.view());
    let mut classes = open_classes(classes)?;
    let read = classes.read_decimated(window, small)?; // (1, H, W)
    let mut ids = read.values.slice(s![0, .., ..]).mapv(|id| id as u8); // (H, W)
    Zip::from(&mut ids).and(&read.valid).for_each(|id, &valid| {
        if !valid {
            *id = seg_run::NODATA;
        }
    });
    let preview = Preview { image: rgb.view(), valid: image.valid.view(), classes: ids.view(), legend };
    Ok(preview_png(&preview)?)
}
