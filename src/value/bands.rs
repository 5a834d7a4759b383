//! `--bands 1,2,3`.

/// Bands in the model's order, counted from 1; a band can come more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BandList(pub Vec<usize>);

/// Reads a list such as `3,2,1`.
pub(crate) fn band_list(text: &str) -> Result<BandList, String> {
    let bands: Option<Vec<usize>> =
        text.split(',').map(|band| band.trim().parse().ok().filter(|&number: &usize| number > 0)).collect();
    bands
        .map(BandList)
        .ok_or_else(|| "bands are numbers from 1 with commas between, such as 1,2,3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_count_from_one_and_can_repeat() {
        assert_eq!(band_list("1,1, 4").unwrap(), BandList(vec![1, 1, 4]));
        for wrong in ["", "0", "1,,2", "-1", "red", "1;2"] {
            assert!(band_list(wrong).unwrap_err().contains("1,2,3"), "{wrong}");
        }
    }
}
