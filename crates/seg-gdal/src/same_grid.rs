use crate::{Crs, Error, Note, RasterProfile};

/// Pixels by which two grids may differ and still be called the same.
const TOLERANCE: f64 = 0.01;

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
            let (image_name, label_name) = names();
            let (gsd, dx, dy) = (a.gsd(), b.origin_x - a.origin_x, b.origin_y - a.origin_y);
            Err(Error::PlaceMismatch {
                image: image_name,
                label: label_name,
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
            })
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
