use crate::raster_spec::ClassEntry;
use crate::{BandIndex, BandProfile, Interpretation, MaskKind, Palette, RawValues};
use ndarray::Array2;
use seg_grid::{DataType, Size};

/// The pixels of a window in the types they have on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct RawPatch {
    /// Width and height.
    pub size: Size,
    /// Each band's values, and what the band is made of.
    pub bands: Vec<(BandProfile, RawValues)>,
}

impl RawPatch {
    /// One band of class ids in the classes' colors, (H, W); 255 is nodata.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use seg_gdal::{ClassEntry, RawPatch};
    /// let classes = [ClassEntry { id: 0, name: "water", color: [0, 0, 255] }];
    /// let patch = RawPatch::of_classes(Array2::zeros((2, 3)), &classes);
    /// assert_eq!(patch.size.width, 3);
    /// ```
    pub fn of_classes(ids: Array2<u8>, classes: &[ClassEntry<'_>]) -> Self {
        let (height, width) = ids.dim();
        // PNG has no nodata value, and GDAL takes the one transparent entry for it.
        let mut entries = vec![[0, 0, 0, 255]; 256];
        entries[255] = [0; 4];
        for class in classes {
            let [r, g, b] = class.color;
            entries[usize::from(class.id)] = [r, g, b, 255];
        }
        let band = BandProfile {
            index: BandIndex::FIRST,
            dtype: Some(DataType::UInt8),
            nodata: Some(255.0),
            interpretation: Interpretation::Palette,
            description: "class".to_owned(),
            mask: MaskKind::Nodata,
            block: Size { width, height },
            palette: Some(Palette { entries }),
        };
        let values = RawValues::UInt8(ids.into_iter().collect());
        Self { size: Size { width, height }, bands: vec![(band, values)] }
    }

    /// The type that holds the values of all bands.
    pub fn dtype(&self) -> DataType {
        self.bands
            .iter()
            .map(|(_, values)| values.dtype())
            .reduce(crate::bands::wider)
            .unwrap_or(DataType::UInt8)
    }
}
