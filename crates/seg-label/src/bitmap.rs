use crate::IGNORE_INDEX;
use ndarray::ArrayView2;
use std::ops::Range;

/// One bit a pixel: 64 pixels are looked at together, so that neighborhoods cost little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    width: usize,
    height: usize,
    /// Words a row.
    stride: usize,
    words: Vec<u64>,
}

const BITS: usize = u64::BITS as usize;
/// One in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All but the highest bit of every byte.
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

impl Bitmap {
    /// Without a pixel.
    pub(crate) fn empty(height: usize, width: usize) -> Self {
        let stride = width.div_ceil(BITS);
        Self { width, height, stride, words: vec![0; stride * height] }
    }

    /// The pixels of ids (H, W) that have this id.
    pub(crate) fn of(ids: &ArrayView2<'_, u8>, id: u8) -> Self {
        let (height, width) = ids.dim();
        let mut bits = Self::empty(height, width);
        for (row, words) in ids.outer_iter().zip(bits.words.chunks_exact_mut(bits.stride.max(1))) {
            match row.as_slice() {
                Some(row) => fill(row, id, words),
                None => fill(&row.to_vec(), id, words),
            }
        }
        bits
    }

    /// The pixels that are not ignored.
    pub(crate) fn labeled(ids: &ArrayView2<'_, u8>) -> Self {
        let mut bits = Self::of(ids, IGNORE_INDEX);
        bits.words.iter_mut().for_each(|word| *word = !*word);
        bits.clear_tails();
        bits
    }

    /// The pixels of these that have one of `others` above, below, left or right.
    pub(crate) fn beside(&self, others: &Self) -> Self {
        let mut found = Self::empty(self.height, self.width);
        let row = |y: usize| &others.words[y * self.stride..(y + 1) * self.stride];
        for y in 0..self.height {
            let at = y * self.stride;
            let here = row(y);
            for i in 0..self.stride {
                let left = here[i] << 1 | if i > 0 { here[i - 1] >> (BITS - 1) } else { 0 };
                let right = here[i] >> 1 | here.get(i + 1).map_or(0, |next| next << (BITS - 1));
                let above = if y > 0 { row(y - 1)[i] } else { 0 };
                let below = if y + 1 < self.height { row(y + 1)[i] } else { 0 };
                found.words[at + i] = self.words[at + i] & (left | right | above | below);
            }
        }
        found
    }

    /// All pixels whose centers are within `radius` pixels of one of these.
    pub(crate) fn dilated(&self, radius: usize) -> Self {
        let mut grown = Self::empty(self.height, self.width);
        let widths = half_widths(radius);
        let mut wide = vec![0_u64; self.stride];
        for y in 0..self.height {
            let row = &self.words[y * self.stride..(y + 1) * self.stride];
            if row.iter().all(|&word| word == 0) {
                continue;
            }
            let mut current = None;
            for (dy, &half) in widths.iter().enumerate() {
                if current != Some(half) {
                    wide.copy_from_slice(row);
                    widen(&mut wide, half);
                    current = Some(half);
                }
                let above = y.checked_sub(dy).filter(|_| dy > 0);
                for y in above.into_iter().chain([y + dy]).filter(|&y| y < self.height) {
                    let out = &mut grown.words[y * self.stride..(y + 1) * self.stride];
                    out.iter_mut().zip(&wide).for_each(|(out, &word)| *out |= word);
                }
            }
        }
        grown.clear_tails();
        grown
    }

    /// Adds the pixels of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, &theirs)| *mine |= theirs);
    }

    /// Those that are in another too.
    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, &theirs)| *mine &= theirs);
        self
    }

    /// Those that are not in another.
    #[must_use]
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, &theirs)| *mine &= !theirs);
        self
    }

    /// How many pixels of a rectangle are among these.
    pub(crate) fn count(&self, rows: Range<usize>, columns: Range<usize>) -> u64 {
        let mut pixels = 0;
        for y in rows {
            for i in columns.start / BITS..columns.end.div_ceil(BITS) {
                let mut word = self.words[y * self.stride + i];
                if columns.start > i * BITS {
                    word &= u64::MAX << (columns.start - i * BITS);
                }
                if columns.end < (i + 1) * BITS {
                    word &= !(u64::MAX << (columns.end - i * BITS));
                }
                pixels += u64::from(word.count_ones());
            }
        }
        pixels
    }

    /// Calls `found` with row and column of each pixel.
    pub(crate) fn for_each(&self, mut found: impl FnMut(usize, usize)) {
        for (at, &word) in self.words.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                found(at / self.stride, at % self.stride * BITS + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }

    /// Unsets what lies right of the last column.
    fn clear_tails(&mut self) {
        let used = self.width % BITS;
        if used > 0 {
            for row in self.words.chunks_exact_mut(self.stride) {
                row[self.stride - 1] &= !(u64::MAX << used);
            }
        }
    }
}

/// How far a disc reaches left and right, so many rows from its center.
fn half_widths(radius: usize) -> Vec<usize> {
    (0..=radius).map(|dy| (radius * radius - dy * dy).isqrt()).collect()
}

/// Sets the bits of a row where the id stands, eight bytes at a time.
fn fill(row: &[u8], id: u8, words: &mut [u64]) {
    let wanted = ONES * u64::from(id);
    for (pixels, word) in row.chunks(BITS).zip(words) {
        let (eights, rest) = pixels.as_chunks::<8>();
        for (i, eight) in eights.iter().enumerate() {
            let differs = u64::from_le_bytes(*eight) ^ wanted;
            // The highest bit of every byte that does not differ.
            let equal = !(((differs & LOW) + LOW) | differs | LOW);
            // These eight bits brought together.
            let bits = (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *word |= bits << (8 * i);
        }
        for (i, &pixel) in rest.iter().enumerate() {
            *word |= u64::from(pixel == id) << (8 * eights.len() + i);
        }
    }
}

/// Sets all bits that are at most `half` left or right of a set one; what is right of the row may be set too.
fn widen(row: &mut [u64], half: usize) {
    let mut reach = 0;
    while reach < half {
        let step = (reach + 1).min(half - reach);
        let (words, bits) = (step / BITS, step % BITS);
        for i in (words..row.len()).rev() {
            let low = if bits > 0 && i > words { row[i - words - 1] >> (BITS - bits) } else { 0 };
            row[i] |= row[i - words] << bits | low;
        }
        reach += step;
    }
    // Bits that went right are set from their left neighbors; the same to the left, from the widened row.
    let mut reach = 0;
    while reach < half {
        let step = (reach + 1).min(half - reach);
        let (words, bits) = (step / BITS, step % BITS);
        for i in 0..row.len().saturating_sub(words) {
            let high =
                if bits > 0 { row.get(i + words + 1).map_or(0, |next| next << (BITS - bits)) } else { 0 };
            row[i] |= row[i + words] >> bits | high;
        }
        reach += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn pixels(bits: &Bitmap) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        bits.for_each(|y, x| found.push((y, x)));
        found
    }

    #[test]
    fn a_disc_of_three_has_29_pixels() {
        let mut ids = Array2::zeros((9, 9));
        ids[[4, 4]] = 1;
        let disc = Bitmap::of(&ids.view(), 1).dilated(3);
        assert_eq!(pixels(&disc).len(), 29);
    }

    proptest! {
        #[test]
        fn neighborhoods_are_those_of_every_pixel_by_itself(
            (height, width) in (1_usize..6, 1_usize..200), radius in 0_usize..80,
            values in proptest::collection::vec(0_u8..60, 1000), (top, left) in (0_usize..3, 0_usize..90),
        ) {
            let ids = Array2::from_shape_fn((height, width), |(y, x)| values[(y * 200 + x) % 1000]);
            let bits = Bitmap::of(&ids.view(), 7);
            let is = |y: usize, x: usize| ids[[y, x]] == 7;
            let all = || (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
            prop_assert_eq!(pixels(&bits), all().filter(|&(y, x)| is(y, x)).collect::<Vec<_>>());
            let near = |(y, x): &(usize, usize)| {
                all().any(|(v, u)| is(v, u) && y.abs_diff(v).pow(2) + x.abs_diff(u).pow(2) <= radius * radius)
            };
            let grown = bits.dilated(radius);
            prop_assert_eq!(pixels(&grown), all().filter(near).collect::<Vec<_>>());
            let others = Bitmap::labeled(&ids.view()).without(&bits);
            let beside = |(y, x): &(usize, usize)| {
                is(*y, *x) && all().any(|(v, u)| !is(v, u) && y.abs_diff(v) + x.abs_diff(u) == 1)
            };
            prop_assert_eq!(pixels(&bits.beside(&others)), all().filter(beside).collect::<Vec<_>>());
            let (top, left) = (top.min(height), left.min(width));
            let inside = pixels(&grown).iter().filter(|(y, x)| *y >= top && *x >= left && *x < width).count();
            prop_assert_eq!(grown.count(top..height, left..width), inside as u64);
        }
    }
}
