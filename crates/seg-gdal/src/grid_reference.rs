use crate::{ControlPoint, Crs, RasterProfile};
use seg_grid::{GeoTransform, Size, Window};
use serde::{Deserialize, Serialize};

/// Where a raster lies: all that an output takes over from its input, and nothing else.
///
/// ```
/// use seg_gdal::GridReference;
/// use seg_grid::{GeoTransform, Size, Window};
/// let mut whole = GridReference::unplaced(Size::square(100));
/// whole.transform = Some(GeoTransform::from_gdal([500.0, 2.0, 0.0, 900.0, 0.0, -2.0]));
/// let part = whole.for_window(Window { x: 10, y: 20, width: 30, height: 30 });
/// assert_eq!(part.transform.map(|t| (t.origin_x, t.origin_y)), Some((520.0, 860.0)));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridReference {
    /// Width and height.
    pub size: Size,
    /// The CRS of the geotransform.
    pub crs: Option<Crs>,
    /// The map from pixel corners to the world.
    pub transform: Option<GeoTransform>,
    /// Ground control points.
    pub gcps: Vec<ControlPoint>,
    /// The CRS of the ground control points.
    pub gcp_crs: Option<Crs>,
    /// Rational polynomial coefficients, as `KEY=VALUE`.
    pub rpc: Vec<String>,
}

impl GridReference {
    /// A raster without a place in the world.
    pub const fn unplaced(size: Size) -> Self {
        Self { size, crs: None, transform: None, gcps: Vec::new(), gcp_crs: None, rpc: Vec::new() }
    }

    /// The reference of a window cut out of the raster.
    #[must_use]
    pub fn for_window(&self, window: Window) -> Self {
        let (x, y) = (window.x as f64, window.y as f64);
        let moved =
            |gcp: &ControlPoint| ControlPoint { column: gcp.column - x, row: gcp.row - y, ..gcp.clone() };
        Self {
            size: window.size(),
            crs: self.crs.clone(),
            transform: self.transform.map(|transform| transform.for_window(window)),
            gcps: self.gcps.iter().map(moved).collect(),
            gcp_crs: self.gcp_crs.clone(),
            rpc: self.rpc.iter().map(|item| moved_rpc(item, x, y)).collect(),
        }
    }

    /// Whether both are told in the same words too: GeoTIFF keys can rename the parts of a CRS that they keep.
    pub(crate) fn reads_like(&self, other: &Self) -> bool {
        let alike = |a: &Option<Crs>, b: &Option<Crs>| match (a, b) {
            (Some(a), Some(b)) => a.reads_like(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.difference(other).is_none()
            && alike(&self.crs, &other.crs)
            && alike(&self.gcp_crs, &other.gcp_crs)
    }

    /// What of `other` is not as here, `None` if nothing.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let same_crs = |a: &Option<Crs>, b: &Option<Crs>| match (a, b) {
            (Some(a), Some(b)) => a.is_same(b) && a.epoch() == b.epoch(),
            (a, b) => a.is_none() && b.is_none(),
        };
        let same_transform = match (self.transform, other.transform) {
            (Some(a), Some(b)) => a.agrees_with(b, self.size.width, self.size.height, 1e-6),
            (a, b) => a.is_none() && b.is_none(),
        };
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        let same_point = |(a, b): (&ControlPoint, &ControlPoint)| {
            near(a.column, b.column)
                && near(a.row, b.row)
                && near(a.x, b.x)
                && near(a.y, b.y)
                && near(a.z, b.z)
        };
        if self.size != other.size {
            Some("size")
        } else if !same_transform {
            Some("geotransform")
        } else if self.gcps.len() != other.gcps.len() || !self.gcps.iter().zip(&other.gcps).all(same_point) {
            Some("control points")
        } else if !same_crs(&self.gcp_crs, &other.gcp_crs) {
            Some("CRS of the control points")
        } else if !same_crs(&self.crs, &other.crs) {
            Some("CRS")
        } else {
            None
        }
    }
}

impl From<&RasterProfile> for GridReference {
    fn from(profile: &RasterProfile) -> Self {
        Self {
            size: profile.size,
            crs: profile.crs.clone(),
            transform: profile.transform,
            gcps: profile.gcps.clone(),
            gcp_crs: profile.gcp_crs.clone(),
            rpc: profile.rpc.clone(),
        }
    }
}

/// One rational polynomial coefficient for a window whose corner lies at (x, y).
fn moved_rpc(item: &str, x: f64, y: f64) -> String {
    let Some((key, value)) = item.split_once('=') else { return item.to_owned() };
    let shift = match key {
        "SAMP_OFF" => x,
        "LINE_OFF" => y,
        _ => return item.to_owned(),
    };
    match value.trim().split(' ').next().and_then(|number| number.parse::<f64>().ok()) {
        Some(offset) => format!("{key}={}", offset - shift),
        None => item.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_points_and_polynomials_move_with_a_window() {
        let point = ControlPoint {
            id: "1".to_owned(),
            info: String::new(),
            column: 15.0,
            row: 8.5,
            x: 1.0,
            y: 2.0,
            z: 0.0,
        };
        let whole = GridReference {
            gcps: vec![point],
            rpc: vec!["SAMP_OFF=100 pixels".to_owned(), "LINE_OFF=50".to_owned(), "ERR_BIAS=1".to_owned()],
            ..GridReference::unplaced(Size::square(40))
        };
        let part = whole.for_window(Window { x: 5, y: 8, width: 4, height: 4 });
        assert_eq!((part.gcps[0].column, part.gcps[0].row), (10.0, 0.5));
        assert_eq!(part.rpc, ["SAMP_OFF=95", "LINE_OFF=42", "ERR_BIAS=1"]);
    }
}
