//! `--overlap 128|25%` and `--batch auto|N`.

use seg_run::{Batch, Overlap};

/// Reads an overlap in pixels or percent of the tile's side.
pub(crate) fn overlap(text: &str) -> Result<Overlap, String> {
    let refuse =
        || "an overlap is a number of pixels, such as 128, or a share below 100%, such as 25%".to_owned();
    match text.strip_suffix('%') {
        Some(share) => match share.trim().parse::<f64>() {
            Ok(percent) if (0.0..100.0).contains(&percent) => Ok(Overlap::Percent(percent)),
            _ => Err(refuse()),
        },
        None => text.parse().map(Overlap::Pixels).map_err(|_| refuse()),
    }
}

/// Reads how many tiles are on their way at once.
pub(crate) fn batch(text: &str) -> Result<Batch, String> {
    match text {
        "auto" => Ok(Batch::Auto),
        _ => match text.parse() {
            Ok(tiles) if (1..=1024).contains(&tiles) => Ok(Batch::Tiles(tiles)),
            _ => Err("a batch is auto or 1 to 1024 tiles".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_pixels_or_shares() {
        assert_eq!(overlap("128"), Ok(Overlap::Pixels(128)));
        assert_eq!(overlap("0"), Ok(Overlap::Pixels(0)));
        assert_eq!(overlap("12.5%"), Ok(Overlap::Percent(12.5)));
        for wrong in ["", "-1", "100%", "%", "nan%", "half", "auto"] {
            assert!(overlap(wrong).unwrap_err().contains("25%"), "{wrong}");
        }
    }

    #[test]
    fn batches_are_auto_or_tiles() {
        assert_eq!(batch("auto"), Ok(Batch::Auto));
        assert_eq!(batch("8"), Ok(Batch::Tiles(8)));
        for wrong in ["0", "-4", "1025", "all"] {
            assert!(batch(wrong).unwrap_err().contains("1 to 1024"), "{wrong}");
        }
    }
}
