use crate::source::{Block, DataType, IoError, Layer, Patch, RasterSink, RasterSource, SourceProfile};
use crate::{Size, Window};
use ndarray::{Array2, Array3, s};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A raster that lives in memory: a source of pixels, and a sink for finished windows.
///
/// ```
/// use ndarray::Array3;
/// use seg_grid::{MemoryRaster, RasterSource, Window};
/// let mut raster = MemoryRaster::new(Array3::from_elem((3, 4, 5), 7.0));
/// let patch = raster.read(Window { x: 3, y: 0, width: 4, height: 4 })?.expect("has pixels");
/// assert!(patch.valid[[0, 1]] && !patch.valid[[0, 2]], "columns 5 and 6 lie outside");
/// # Ok::<(), seg_grid::IoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemoryRaster {
    profile: SourceProfile,
    values: Arc<Array3<f32>>,
    valid: Arc<Array2<bool>>,
    written: BTreeMap<Layer, Block>,
}

impl MemoryRaster {
    /// From values (C, H, W), all valid.
    pub fn new(values: Array3<f32>) -> Self {
        let (_, height, width) = values.dim();
        Self::with_mask(values, Array2::from_elem((height, width), true))
    }

    /// From values (C, H, W) and their validity (H, W).
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn with_mask(values: Array3<f32>, valid: Array2<bool>) -> Self {
        let (bands, height, width) = values.dim();
        assert_eq!(valid.dim(), (height, width), "mask and values differ in size");
        let size = Size { width, height };
        let profile = SourceProfile {
            name: "memory".to_owned(),
            size,
            bands,
            block: size,
            block_bytes: size.area() * bands as u64 * 4,
            dtype: DataType::UInt8,
            gsd: None,
            fingerprint: "memory".to_owned(),
        };
        Self { profile, values: Arc::new(values), valid: Arc::new(valid), written: BTreeMap::new() }
    }

    /// What was written to a layer so far.
    pub fn written(&self, layer: Layer) -> Option<&Block> {
        self.written.get(&layer)
    }
}

impl RasterSource for MemoryRaster {
    fn profile(&self) -> &SourceProfile {
        &self.profile
    }

    fn read(&mut self, window: Window) -> Result<Option<Patch>, IoError> {
        let mut values = Array3::zeros((self.profile.bands, window.height, window.width)); // (C, H, W)
        let mut valid = Array2::from_elem((window.height, window.width), false); // (H, W)
        if let Some(inside) = window.clip(self.profile.size) {
            let (rows, columns) = inside.ranges();
            let (to_rows, to_columns) = inside.relative_to(window).ranges();
            let from = s![.., rows.clone(), columns.clone()];
            values.slice_mut(s![.., to_rows.clone(), to_columns.clone()]).assign(&self.values.slice(from));
            valid.slice_mut(s![to_rows, to_columns]).assign(&self.valid.slice(s![rows, columns]));
        }
        Ok(valid.iter().any(|&v| v).then_some(Patch { values, valid }))
    }

    fn read_decimated(&mut self, window: Window, size: Size) -> Result<Patch, IoError> {
        let column = |x: usize| window.x + x * window.width / size.width;
        let row = |y: usize| window.y + y * window.height / size.height;
        Ok(Patch {
            values: Array3::from_shape_fn((self.profile.bands, size.height, size.width), |(c, y, x)| {
                self.values[[c, row(y), column(x)]]
            }),
            valid: Array2::from_shape_fn((size.height, size.width), |(y, x)| self.valid[[row(y), column(x)]]),
        })
    }

    fn reopen(&self) -> Result<Box<dyn RasterSource>, IoError> {
        Ok(Box::new(self.clone()))
    }
}

impl RasterSink for MemoryRaster {
    fn write(&mut self, layer: Layer, window: Window, block: &Block) -> Result<(), IoError> {
        let Size { width, height } = self.profile.size;
        let (rows, columns) = window.ranges();
        match block {
            Block::U8(values) => {
                let fresh = || Block::U8(Array3::from_elem((values.dim().0, height, width), 255));
                if let Block::U8(all) = self.written.entry(layer).or_insert_with(fresh) {
                    all.slice_mut(s![.., rows, columns]).assign(values);
                }
            }
            Block::F32(values) => {
                let fresh = || Block::F32(Array3::from_elem((values.dim().0, height, width), f32::NAN));
                if let Block::F32(all) = self.written.entry(layer).or_insert_with(fresh) {
                    all.slice_mut(s![.., rows, columns]).assign(values);
                }
            }
        }
        Ok(())
    }
}
