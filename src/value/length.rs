//! `--tile 512` and `--size 512`.

/// Longer sides than this are a slip of the finger: one tile alone would take gigabytes.
const LONGEST: usize = 16_384;

/// Reads the side of a tile in pixels.
pub(crate) fn tile_side(text: &str) -> Result<usize, String> {
    let side = text.parse().ok().filter(|side| (1..=LONGEST).contains(side));
    side.ok_or_else(|| format!("a tile's side is 1 to {LONGEST} pixels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_have_limits() {
        assert_eq!(tile_side("512"), Ok(512));
        for wrong in ["0", "-1", "16385", "512px", ""] {
            assert!(tile_side(wrong).unwrap_err().contains("16384"), "{wrong}");
        }
    }
}
