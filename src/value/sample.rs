//! `--sample N|all`.

/// How many tiles are computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// So many, spread over the raster.
    Tiles(u64),
    /// All of them.
    All,
}

/// Reads a number of tiles, or `all`.
pub(crate) fn sample(text: &str) -> Result<Sample, String> {
    match text {
        "all" => Ok(Sample::All),
        _ => match text.parse() {
            Ok(tiles) if tiles > 0 => Ok(Sample::Tiles(tiles)),
            _ => Err("a sample is a number of tiles from 1, or all".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_tiles_or_all() {
        assert_eq!(sample("16"), Ok(Sample::Tiles(16)));
        assert_eq!(sample("all"), Ok(Sample::All));
        for wrong in ["", "0", "-1", "some", "10%"] {
            assert!(sample(wrong).unwrap_err().contains("or all"), "{wrong}");
        }
    }
}
