use crate::ConfusionMatrix;

/// The sums of a confusion matrix that scores depend on: for each class the pixels that are right, predicted and
/// in the truth.
///
/// Of many small parts of a map these are kept where whole matrices would take too much memory.
///
/// ```
/// use seg_label::{ClassCounts, ConfusionMatrix, Legend};
/// let mut matrix = ConfusionMatrix::new(&Legend::builtin("dubai").expect("known"));
/// matrix.add(0, 1);
/// matrix.add(1, 1);
/// let counts = ClassCounts::of(&matrix);
/// assert_eq!((counts.hits(1), counts.predicted(1), counts.support(1)), (1, 2, 1));
/// assert_eq!((counts.right(), counts.pixels()), (1, 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCounts {
    /// Hits of all classes, then predicted, then support.
    sums: Vec<u64>,
}

impl ClassCounts {
    /// Without a pixel yet.
    pub fn new(classes: usize) -> Self {
        Self { sums: vec![0; 3 * classes] }
    }

    /// Of a matrix; pixels without a prediction are in the support alone.
    pub fn of(matrix: &ConfusionMatrix) -> Self {
        let mut counts = Self::new(matrix.ids().len());
        counts.add(matrix);
        counts
    }

    /// From sums as [`ClassCounts::sums`] gives them.
    pub(crate) fn from_sums(sums: &[u64]) -> Self {
        Self { sums: sums.to_vec() }
    }

    /// Adds what a matrix of the same classes counted.
    ///
    /// # Panics
    /// If it has more classes.
    pub fn add(&mut self, matrix: &ConfusionMatrix) {
        let classes = self.classes();
        let counts = matrix.counts();
        for (i, row) in counts.outer_iter().enumerate() {
            self.sums[i] += row[i];
            self.sums[2 * classes + i] += row.sum() + matrix.unpredicted()[i];
            for (predicted, pixels) in self.sums[classes..2 * classes].iter_mut().zip(row) {
                *predicted += pixels;
            }
        }
    }

    /// Adds another part of the map.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine += theirs;
        }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.sums.len() / 3
    }

    /// Pixels of a class that are right.
    pub fn hits(&self, class: usize) -> u64 {
        self.sums[class]
    }

    /// Pixels with a truth that a class was predicted for.
    pub fn predicted(&self, class: usize) -> u64 {
        self.sums[self.classes() + class]
    }

    /// Pixels of a class in the truth.
    pub fn support(&self, class: usize) -> u64 {
        self.sums[2 * self.classes() + class]
    }

    /// Pixels that are right.
    pub fn right(&self) -> u64 {
        self.sums[..self.classes()].iter().sum()
    }

    /// Pixels counted.
    pub fn pixels(&self) -> u64 {
        self.sums[2 * self.classes()..].iter().sum()
    }

    /// Pixels that are wrong, those without a prediction among them.
    pub fn wrong(&self) -> u64 {
        self.pixels() - self.right()
    }

    /// All sums, for adding them up.
    pub(crate) fn sums(&self) -> &[u64] {
        &self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Legend, Scores};

    #[test]
    fn parts_give_the_scores_of_the_whole() {
        let legend = Legend::builtin("dubai").expect("known");
        let mut whole = ConfusionMatrix::new(&legend);
        let mut sum = ClassCounts::new(5);
        for part in 0..7_u8 {
            let mut matrix = ConfusionMatrix::new(&legend);
            for i in 0..40_u8 {
                matrix.add((i * part) % 4, if i % 9 == 0 { 255 } else { (i + part) % 5 });
            }
            whole.merge(&matrix).expect("same classes");
            sum.merge(&ClassCounts::of(&matrix));
        }
        assert_eq!(sum, ClassCounts::of(&whole));
        assert_eq!(Scores::of_counts(whole.ids(), &sum, &[]), Scores::new(&whole));
        assert_eq!(sum.right() + sum.wrong(), whole.pixels());
    }
}
