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

/// The pixels of a window in the types they have on disk, and which of them were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredPatch {
    /// The pixels; where nothing was measured they hold anything.
    pub raw: RawPatch,
    /// (H, W); false outside of the raster and where any band has nodata, NaN, a mask or alpha 0.
    pub valid: Array2<bool>,
    /// Red, green and blue where the raster is read through its palette.
    colors: Option<[RawValues; 3]>,
}

impl MeasuredPatch {
    pub(crate) fn new(raw: RawPatch, valid: Array2<bool>, palette: Option<&Palette>) -> Self {
        let indices = raw.bands.first().map(|(_, values)| values);
        let colors = palette.zip(indices).map(|(palette, indices)| indices.colors(palette));
        Self { raw, valid, colors }
    }

    /// The values that a network sees, band by band: colors where the raster is read through its palette.
    pub fn seen(&self) -> Vec<&RawValues> {
        match &self.colors {
            Some(colors) => colors.iter().collect(),
            None => self.raw.bands.iter().map(|(_, values)| values).collect(),
        }
    }
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
