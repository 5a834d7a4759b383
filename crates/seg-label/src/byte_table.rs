use crate::{Code, IGNORE_INDEX, Relabel, Tally};
use ndarray::Array2;

/// Pixels that are looked at together: labels come in long runs.
const RUN: usize = 16;

impl Relabel {
    /// Decodes a raster of bytes (H, W) by a table, in place; `code` says what a byte is, `None` that it is no label.
    ///
    /// It decides as [`Relabel::apply`] does, and is several times as quick.
    ///
    /// ```
    /// use ndarray::array;
    /// use seg_label::{Code, Legend, Relabel, Tally};
    /// let relabel = Relabel::new(&Legend::builtin("dubai").expect("known"));
    /// let mut tally = Tally::default();
    /// let code = |byte: u8| (byte != 7).then(|| Code::from_id(byte.into()));
    /// assert_eq!(relabel.apply_bytes(array![[0, 4, 7, 9]], code, &mut tally), array![[0, 4, 255, 255]]);
    /// assert_eq!((tally.labeled, tally.ignored, tally.unknown_pixels()), (2, 1, 1));
    /// ```
    pub fn apply_bytes(
        &self,
        mut values: Array2<u8>,
        code: impl Fn(u8) -> Option<Code>,
        tally: &mut Tally,
    ) -> Array2<u8> {
        let mut pixels = [0_u64; 256];
        match values.as_slice() {
            Some(values) => count(values, &mut pixels),
            None => values.iter().for_each(|&value| pixels[usize::from(value)] += 1),
        }
        let mut table = [IGNORE_INDEX; 256];
        for (byte, (&pixels, value)) in (0..=u8::MAX).zip(pixels.iter().zip(&mut table)) {
            if pixels > 0 {
                *value = self.decode_many(code(byte), pixels, tally);
            }
        }
        // Most labels are ids already.
        if (0..=u8::MAX).any(|byte| pixels[usize::from(byte)] > 0 && table[usize::from(byte)] != byte) {
            values.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
        }
        values
    }
}

fn count(values: &[u8], pixels: &mut [u64; 256]) {
    let (runs, rest) = values.as_chunks::<RUN>();
    for run in runs {
        if *run == [run[0]; RUN] {
            pixels[usize::from(run[0])] += RUN as u64;
        } else {
            for &value in run {
                pixels[usize::from(value)] += 1;
            }
        }
    }
    for &value in rest {
        pixels[usize::from(value)] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColorMatch, Legend};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_table_decides_as_pixels_by_themselves(
            values in proptest::collection::vec(0_u8..12, 0..200), nodata in 0_u8..12, colored: bool,
        ) {
            let legend = Legend::builtin("potsdam").expect("known");
            let relabel = Relabel::new(&legend).matching(ColorMatch::Threshold).ignoring(Code::Id(9));
            // Colors near those of the legend, and far.
            let rgb = |byte: u8| u32::from(byte / 2 * 51) << 16 | u32::from(byte % 2 * 250) << 8;
            let code = |number: u32| if colored { Code::from_rgb(rgb(number as u8)) } else { Code::from_id(number) };
            let width = values.len();
            let codes = Array2::from_shape_vec((1, width), values.iter().map(|&v| u32::from(v)).collect()).expect("fits");
            let valid = codes.mapv(|v| v != u32::from(nodata));
            let (mut one, mut other) = (Tally::default(), Tally::default());
            let expected = relabel.apply(&codes.view(), &valid.view(), code, &mut one);
            let bytes = Array2::from_shape_vec((1, width), values).expect("fits");
            let got = relabel.apply_bytes(bytes, |byte| (byte != nodata).then(|| code(byte.into())), &mut other);
            prop_assert_eq!(got, expected);
            prop_assert_eq!(one, other);
        }
    }
}
