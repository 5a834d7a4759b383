//! What a user asks of polygons.

use crate::value::OnGround;
use seg_gdal::Layers;
use seg_label::Convention;
use seg_vector::{Connectedness, Method, Outer};
use std::path::PathBuf;

/// Which polygons are wanted.
#[derive(Debug, Clone)]
pub(crate) struct PolygonJob {
    /// Any name that GDAL can open.
    pub classes: String,
    /// What the raster's values mean; what it carries along if not given.
    pub convention: Option<Convention>,
    /// A raster of confidence.
    pub confidence: Option<String>,
    pub out: PathBuf,
    pub connectedness: Connectedness,
    pub min_area: Option<OnGround>,
    pub fill_holes: Option<OnGround>,
    pub simplify: Option<(OnGround, Method, Outer)>,
    /// Names or ids of the classes that are written; all if empty.
    pub only: Vec<String>,
    pub layers: Layers,
    pub layer_options: Vec<String>,
    pub threads: usize,
    pub max_memory: Option<u64>,
}

impl PolygonJob {
    /// Every area as it is.
    pub(crate) fn plain(classes: String, out: PathBuf, threads: usize) -> Self {
        Self {
            classes,
            convention: None,
            confidence: None,
            out,
            connectedness: Connectedness::Four,
            min_area: None,
            fill_holes: None,
            simplify: None,
            only: Vec::new(),
            layers: Layers::Single,
            layer_options: Vec::new(),
            threads,
            max_memory: None,
        }
    }
}
