use crate::{Error, GridReference};
use gdal::errors::GdalError;
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Gcp, Metadata};
use std::path::Path;

/// Gives a new raster its place; where a tag is lacking, the side-car written later holds it.
pub(crate) fn set(dataset: &mut Dataset, path: &Path, reference: &GridReference) -> Result<(), Error> {
    let failed = |what: &'static str| {
        move |error: GdalError| Error::SetReference { path: path.to_path_buf(), what, source: error.into() }
    };
    for item in &reference.rpc {
        if let Some((key, value)) = item.split_once('=') {
            dataset.set_metadata_item(key, value, "RPC").map_err(failed("polynomial coefficients"))?;
        }
    }
    if let Some(crs) = &reference.crs {
        dataset.set_spatial_ref(&crs.to_spatial_ref()?).map_err(failed("CRS"))?;
    }
    if let Some(transform) = reference.transform {
        dataset.set_geo_transform(&transform.to_gdal()).map_err(failed("geotransform"))?;
    } else if !reference.gcps.is_empty() {
        let crs = match &reference.gcp_crs {
            Some(crs) => crs.to_spatial_ref()?,
            None => SpatialRef::new().map_err(failed("CRS of the control points"))?,
        };
        dataset.set_gcps(control_points(reference), &crs).map_err(failed("control points"))?;
    }
    Ok(())
}

fn control_points(reference: &GridReference) -> Vec<Gcp> {
    let point = |gcp: &crate::ControlPoint| Gcp {
        // A zero byte cannot come from GDAL, but it can from a file of ours.
        id: gcp.id.replace('\0', ""),
        info: gcp.info.replace('\0', ""),
        pixel: gcp.column,
        line: gcp.row,
        x: gcp.x,
        y: gcp.y,
        z: gcp.z,
    };
    reference.gcps.iter().map(point).collect()
}
