use ndarray::Array2;

/// Which pixels of a window a user wants.
///
/// What is not selected is read like the rest where a tile needs it, so that a network sees the same
/// neighborhood as in a run over everything; it only leaves as nodata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// None: the window need not be read.
    Nothing,
    /// Those that are true, (H, W).
    Pixels(Array2<bool>),
}

impl Selection {
    /// From a mask (H, W).
    ///
    /// ```
    /// use ndarray::arr2;
    /// use seg_grid::Selection;
    /// assert_eq!(Selection::of(arr2(&[[false, false]])), Selection::Nothing);
    /// assert_eq!(Selection::of(arr2(&[[true, true]])), Selection::All);
    /// ```
    pub fn of(mask: Array2<bool>) -> Self {
        if mask.iter().all(|&wanted| wanted) {
            Self::All
        } else if mask.iter().any(|&wanted| wanted) {
            Self::Pixels(mask)
        } else {
            Self::Nothing
        }
    }

    /// Clears the pixels of a mask (H, W) that are not selected.
    pub fn restrict(&self, mask: &mut Array2<bool>) {
        match self {
            Self::All => {}
            Self::Nothing => mask.fill(false),
            Self::Pixels(wanted) => mask.zip_mut_with(wanted, |pixel, &wanted| *pixel &= wanted),
        }
    }
}
