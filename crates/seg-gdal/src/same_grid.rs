use crate::{Crs, Error, Note, RasterProfile};
use seg_grid::{GeoTransform, Size, Window};

/// Pixels by which two grids may differ and still be called the same.
const TOLERANCE: f64 = 0.01;

/// The pixels that two rasters on one grid have in common, as each numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridOverlap {
    /// Those of the image.
    pub image: Window,
    /// Those of the label.
    pub label: Window,
}

/// Whether a label raster lies on its image's pixels; gives what the user should be told if so.
///
/// A label raster without a place of its own is laid over an image of its size.
///
/// # Errors
/// If the CRS, the size or the place differ; the hint brings the labels to the image's grid.
pub fn check_same_grid(image: &RasterProfile, label: &RasterProfile) -> Result<Vec<Note>, Error> {
    let names = || (image.name.clone(), label.name.clone());
    if let (Some(a), Some(b)) = (&image.crs, &label.crs)
        && !a.is_same(b)
    {
        let (image_name, label_name) = names();
        return Err(Error::CrsMismatch {
            image: image_name,
            label: label_name,
            image_crs: a.to_string(),
            label_crs: b.to_string(),
            remedy: remedy(image, label),
        });
    }
    if image.size != label.size {
        let (image_name, label_name) = names();
        return Err(Error::SizeMismatch {
            image: image_name,
            label: label_name,
            image_size: image.size,
            label_size: label.size,
            remedy: remedy(image, label),
        });
    }
    let name = label.name.clone();
    match (image.transform, label.transform) {
        (Some(a), Some(b)) if !a.agrees_with(b, image.size.width, image.size.height, TOLERANCE) => {
            Err(place_mismatch(image, label, a, b))
        }
        (Some(_), None) => Ok(vec![Note::LabelsWithoutPlace { name }]),
        (None, Some(_)) if image.gcps.is_empty() => {
            Ok(vec![Note::ImageWithoutPlace { name: image.name.clone() }])
        }
        (Some(_), Some(_)) if image.crs.is_some() && label.crs.is_none() => {
            Ok(vec![Note::LabelsWithoutCrs { name }])
        }
        _ => Ok(Vec::new()),
    }
}

/// Where a label raster and its image overlap, if their pixels are the same; they may be of different extents. Gives
/// what the user should be told too.
///
/// Rasters without a place are laid over each other if they are of one size.
///
/// # Errors
/// If the CRS or the pixels differ, which `remedy` says how to mend, or if nothing overlaps.
pub fn overlap_on_grid(
    image: &RasterProfile,
    label: &RasterProfile,
    remedy: &str,
) -> Result<(GridOverlap, Vec<Note>), Error> {
    let with_remedy = |mut error: Error| {
        if let Error::CrsMismatch { remedy: told, .. }
        | Error::SizeMismatch { remedy: told, .. }
        | Error::PlaceMismatch { remedy: told, .. } = &mut error
        {
            remedy.clone_into(told);
        }
        error
    };
    let whole = |size: Size| GridOverlap { image: Window::whole(size), label: Window::whole(size) };
    let error = match check_same_grid(image, label) {
        Ok(notes) => return Ok((whole(image.size), notes)),
        Err(error) => error,
    };
    let (Some(a), Some(b), Error::SizeMismatch { .. } | Error::PlaceMismatch { .. }) =
        (image.transform, label.transform, &error)
    else {
        return Err(with_remedy(error));
    };
    let Some((x, y)) = whole_pixels_between(
        a,
        b,
        image.size.width.max(label.size.width),
        image.size.height.max(label.size.height),
    ) else {
        return Err(with_remedy(place_mismatch(image, label, a, b)));
    };
    overlap(image.size, label.size, x, y)
        .map(|found| (found, Vec::new()))
        .ok_or_else(|| Error::NoOverlap { image: image.name.clone(), label: label.name.clone() })
}

/// Pixels from the first's corner to the second's, if both have the same pixels.
fn whole_pixels_between(a: GeoTransform, b: GeoTransform, columns: usize, rows: usize) -> Option<(i64, i64)> {
    let (x, y) = a.invert(b.apply(0.0, 0.0))?;
    let (x, y) = (x.round(), y.round());
    let corner = a.apply(x, y);
    let moved = GeoTransform { origin_x: corner.x, origin_y: corner.y, ..a };
    moved.agrees_with(b, columns, rows, TOLERANCE).then_some((x as i64, y as i64))
}

/// The common part of two rasters of which the second begins `x` pixels right of and `y` below the first.
fn overlap(first: Size, second: Size, x: i64, y: i64) -> Option<GridOverlap> {
    let axis = |first: usize, second: usize, offset: i64| {
        let start = offset.max(0);
        let end = (first as i64).min(second as i64 + offset);
        (end > start).then(|| (start as usize, (start - offset) as usize, (end - start) as usize))
    };
    let (x_first, x_second, width) = axis(first.width, second.width, x)?;
    let (y_first, y_second, height) = axis(first.height, second.height, y)?;
    Some(GridOverlap {
        image: Window { x: x_first, y: y_first, width, height },
        label: Window { x: x_second, y: y_second, width, height },
    })
}

fn place_mismatch(image: &RasterProfile, label: &RasterProfile, a: GeoTransform, b: GeoTransform) -> Error {
    let (gsd, dx, dy) = (a.gsd(), b.origin_x - a.origin_x, b.origin_y - a.origin_y);
    Error::PlaceMismatch {
        image: image.name.clone(),
        label: label.name.clone(),
        detail: format!(
            "its corner is {:.3} pixels to the right and {:.3} up, and its pixels are {} x {} instead of {} x {}",
            dx / gsd.x,
            dy / gsd.y,
            b.gsd().x,
            b.gsd().y,
            gsd.x,
            gsd.y
        ),
        remedy: remedy(image, label),
    }
}

/// The command that brings the labels to the image's grid.
fn remedy(image: &RasterProfile, label: &RasterProfile) -> String {
    let (width, height) = (image.size.width, image.size.height);
    let Some(transform) = image.transform.filter(|t| t.row_x == 0.0 && t.column_y == 0.0) else {
        return format!("make the labels again on the pixels of {}", image.name);
    };
    let (a, b) = (transform.apply(0.0, 0.0), transform.apply(width as f64, height as f64));
    let crs = image.crs.as_ref().map(Crs::to_string).filter(|name| name.contains(':'));
    let crs = crs.map_or_else(String::new, |name| format!("-t_srs {name} "));
    format!(
        "`gdalwarp -r near {crs}-te {} {} {} {} -ts {width} {height} {} aligned.tif` brings the labels to the image's grid",
        a.x.min(b.x),
        a.y.min(b.y),
        a.x.max(b.x),
        a.y.max(b.y),
        label.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What both have in common is inside of both and in one place.
        #[test]
        fn the_overlap_is_in_both(
            (aw, ah, bw, bh) in (1_usize..50, 1_usize..50, 1_usize..50, 1_usize..50),
            (x, y) in (-60_i64..60, -60_i64..60),
        ) {
            let (a, b) = (Size { width: aw, height: ah }, Size { width: bw, height: bh });
            let common = |x: i64, y: i64, size: Size| {
                (0..size.width as i64).contains(&x) && (0..size.height as i64).contains(&y)
            };
            let pixels = (0..ah as i64)
                .flat_map(|v| (0..aw as i64).map(move |u| (u, v)))
                .filter(|(u, v)| common(u - x, v - y, b))
                .count() as u64;
            match overlap(a, b, x, y) {
                None => prop_assert_eq!(pixels, 0),
                Some(found) => {
                    prop_assert_eq!(found.image.area(), pixels);
                    prop_assert_eq!(found.image.size(), found.label.size());
                    prop_assert!(found.image.clip(a) == Some(found.image) && found.label.clip(b) == Some(found.label));
                    prop_assert_eq!(found.image.x as i64 - found.label.x as i64, x);
                }
            }
        }
    }
}
