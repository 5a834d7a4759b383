use crate::{ClassId, Code, IGNORE_INDEX, Legend, Tally};
use ndarray::{Array2, ArrayView2, Zip};
use std::collections::HashMap;

/// How near a color must be to one of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorMatch {
    /// Equal.
    Exact,
    /// Equal after every channel is set to 0 or 255: mends labels that were stored with loss, where
    /// all colors of the legend are corners of the color cube (ISPRS).
    Threshold,
}

/// Turns what a label file writes into class ids.
///
/// A code that it does not know becomes [`IGNORE_INDEX`] and is counted, so that the caller can report it.
///
/// ```
/// use ndarray::array;
/// use seg_label::{Code, Legend, Relabel, Tally};
/// let legend = Legend::builtin("dubai").expect("known");
/// let relabel = Relabel::new(&legend).ignoring(Code::Id(7));
/// let mut tally = Tally::default();
/// let valid = array![[true, true], [true, true]];
/// let ids = relabel.apply(&array![[0, 4], [7, 9]].view(), &valid.view(), Code::from_id, &mut tally);
/// assert_eq!(ids, array![[0, 4], [255, 255]]);
/// assert_eq!((tally.labeled, tally.ignored, tally.unknown_pixels()), (2, 1, 1));
/// ```
#[derive(Debug, Clone)]
pub struct Relabel {
    codes: HashMap<Code, u8>,
    color_match: ColorMatch,
}

impl Relabel {
    /// The ids and the colors of a legend mean its classes, the id 255 is ignored.
    pub fn new(legend: &Legend) -> Self {
        let both = |class: &crate::Class| {
            [(Code::Id(class.id.0.into()), class.id.0), (Code::Color(class.color), class.id.0)]
        };
        let codes: HashMap<_, _> = legend.classes().iter().flat_map(both).collect();
        Self { codes, color_match: ColorMatch::Exact }.ignoring(Code::Id(IGNORE_INDEX.into()))
    }

    /// A code that means a class.
    #[must_use]
    pub fn mapping(mut self, code: Code, class: ClassId) -> Self {
        self.codes.insert(code, class.0);
        self
    }

    /// A code that is known to be no class.
    #[must_use]
    pub fn ignoring(mut self, code: Code) -> Self {
        self.codes.insert(code, IGNORE_INDEX);
        self
    }

    /// How near a color must be.
    #[must_use]
    pub fn matching(mut self, color_match: ColorMatch) -> Self {
        self.color_match = color_match;
        self
    }

    /// Forgets what ids mean, before [`Relabel::mapping`] says it anew.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.codes.retain(|code, _| matches!(code, Code::Color(_)));
        self
    }

    /// Whether a code means anything, ignored included.
    pub fn knows(&self, code: Code) -> bool {
        self.codes.contains_key(&code)
    }

    /// The value of one code, and what it adds to the tally.
    pub fn decode(&self, code: Code, tally: &mut Tally) -> u8 {
        let (value, added) = self.look_up(code);
        added.count(Some(code), 1, tally);
        value
    }

    /// The same for many pixels of one code; `None` are pixels without a label.
    pub(crate) fn decode_many(&self, code: Option<Code>, pixels: u64, tally: &mut Tally) -> u8 {
        let (value, found) = code.map_or((IGNORE_INDEX, Found::Ignored), |code| self.look_up(code));
        found.count(code, pixels, tally);
        value
    }

    /// Decodes a raster of codes (H, W), which `code` makes of its numbers: [`Code::from_id`] or
    /// [`Code::from_rgb`]. Pixels that are not valid are ignored.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn apply(
        &self,
        codes: &ArrayView2<'_, u32>,
        valid: &ArrayView2<'_, bool>,
        code: impl Fn(u32) -> Code,
        tally: &mut Tally,
    ) -> Array2<u8> {
        let mut run = Run { relabel: self, tally, current: None, pixels: 0 };
        let decoded =
            Zip::from(codes).and(valid).map_collect(|&number, &valid| run.next(valid.then(|| code(number))));
        run.finish();
        decoded
    }

    fn look_up(&self, code: Code) -> (u8, Found) {
        if let Some(&value) = self.codes.get(&code) {
            return (
                value,
                if value == IGNORE_INDEX { Found::Ignored } else { Found::Class { distance: 0 } },
            );
        }
        if let (ColorMatch::Threshold, Code::Color(color)) = (self.color_match, code) {
            let corner = color.thresholded();
            if let Some(&value) = self.codes.get(&Code::Color(corner)) {
                let distance = color.distance(corner);
                let found = if value == IGNORE_INDEX {
                    Found::IgnoredNear { distance }
                } else {
                    Found::Class { distance }
                };
                return (value, found);
            }
        }
        (IGNORE_INDEX, Found::Nothing)
    }
}

/// What a code turned out to be.
#[derive(Debug, Clone, Copy)]
enum Found {
    Class { distance: u8 },
    Ignored,
    IgnoredNear { distance: u8 },
    Nothing,
}

impl Found {
    fn count(self, code: Option<Code>, pixels: u64, tally: &mut Tally) {
        let mut near = |distance: u8| {
            if distance > 0 {
                tally.inexact += pixels;
                tally.largest_distance = tally.largest_distance.max(distance);
            }
        };
        match self {
            Self::Class { distance } => {
                near(distance);
                tally.labeled += pixels;
            }
            Self::IgnoredNear { distance } => {
                near(distance);
                tally.ignored += pixels;
            }
            Self::Ignored => tally.ignored += pixels,
            Self::Nothing => {
                if let Some(code) = code {
                    *tally.unknown.entry(code).or_default() += pixels;
                }
            }
        }
    }
}

/// Labels come in long runs of one code: each run is looked up and counted once.
struct Run<'a> {
    relabel: &'a Relabel,
    tally: &'a mut Tally,
    current: Option<(Option<Code>, u8, Found)>,
    pixels: u64,
}

impl Run<'_> {
    /// The value of the next pixel; `None` is one without a label.
    fn next(&mut self, code: Option<Code>) -> u8 {
        if let Some((current, value, _)) = self.current
            && current == code
        {
            self.pixels += 1;
            return value;
        }
        self.finish();
        let (value, found) = code.map_or((IGNORE_INDEX, Found::Ignored), |code| self.relabel.look_up(code));
        self.current = Some((code, value, found));
        self.pixels = 1;
        value
    }

    fn finish(&mut self) {
        if let Some((code, _, found)) = self.current.take() {
            found.count(code, self.pixels, self.tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rgb;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn potsdam() -> Relabel {
        Relabel::new(&Legend::builtin("potsdam").expect("known")).ignoring(Code::Color(Rgb::new(0, 0, 0)))
    }

    fn decode(relabel: &Relabel, colors: &[u32], tally: &mut Tally) -> Vec<u8> {
        let codes = Array2::from_shape_vec((1, colors.len()), colors.to_vec()).expect("fits");
        let valid = codes.mapv(|_| true);
        relabel.apply(&codes.view(), &valid.view(), Code::from_rgb, tally).into_iter().collect()
    }

    #[test]
    fn damaged_isprs_colors_are_mended_and_the_damage_is_told() {
        let colors = [0x00fc_ff02, 0x0003_0102, 0x00fa_0209, 0x0009_fbf9];
        let mut tally = Tally::default();
        let ids = decode(&potsdam().matching(ColorMatch::Threshold), &colors, &mut tally);
        assert_eq!(ids, [4, 255, 5, 2]);
        assert_eq!((tally.labeled, tally.ignored, tally.inexact, tally.largest_distance), (3, 1, 4, 9));
        assert!(tally.unknown.is_empty());
        let mut exact = Tally::default();
        decode(&potsdam(), &colors, &mut exact);
        assert_eq!(exact.unknown_pixels(), 4);
    }

    #[test]
    fn off_palette_colors_are_counted_each() {
        let mut tally = Tally::default();
        let ids = decode(&potsdam(), &[0, 0, 0x009b_9b9b, 0x009b_9b9b, 0x009c_9c9c, 0], &mut tally);
        assert_eq!(ids, [IGNORE_INDEX; 6]);
        let gray = |v| Code::Color(Rgb::new(v, v, v));
        assert_eq!(tally.unknown, BTreeMap::from([(gray(155), 2), (gray(156), 1)]));
        assert_eq!(tally.ignored, 3);
    }

    proptest! {
        /// Every pixel is counted exactly once, and counting by runs equals counting one by one.
        #[test]
        fn every_pixel_is_counted_once(ids in proptest::collection::vec((0_u8..12, any::<bool>()), 1..60)) {
            let relabel = potsdam().ignoring(Code::Id(11));
            let codes = Array2::from_shape_fn((1, ids.len()), |(_, x)| u32::from(ids[x].0));
            let valid = Array2::from_shape_fn((1, ids.len()), |(_, x)| ids[x].1);
            let (mut by_runs, mut singly) = (Tally::default(), Tally::default());
            let decoded = relabel.apply(&codes.view(), &valid.view(), Code::from_id, &mut by_runs);
            for (&(id, valid), &value) in ids.iter().zip(&decoded) {
                prop_assert_eq!(value, if valid && id < 6 { id } else { IGNORE_INDEX });
                if valid {
                    prop_assert_eq!(relabel.decode(Code::Id(id.into()), &mut singly), value);
                } else {
                    singly.ignored += 1;
                }
            }
            prop_assert_eq!(by_runs.labeled + by_runs.ignored + by_runs.unknown_pixels(), ids.len() as u64);
            prop_assert_eq!(by_runs, singly);
        }
    }
}
