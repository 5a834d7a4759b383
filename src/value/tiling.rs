//! `--overlap 128|25%` and `--batch auto|N`.

use crate::segment::OverlapChoice;
use seg_run::{Batch, Overlap};

/// Reads an overlap in pixels or percent of the tile's side.
pub(crate) fn overlap(text: &str) -> Result<OverlapChoice, String> {
    let refuse = || {
        "an overlap is a number of pixels, such as 128, a share below 100%, such as 25%, or auto".to_owned()
    };
    if text == "auto" {
        return Ok(OverlapChoice::Auto);
    }
    match text.strip_suffix('%') {
        Some(share) => match share.trim().parse::<f64>() {
            Ok(percent) if (0.0..100.0).contains(&percent) => {
                Ok(OverlapChoice::Told(Overlap::Percent(percent)))
            }
            _ => Err(refuse()),
        },
        None => text.parse().map(|pixels| OverlapChoice::Told(Overlap::Pixels(pixels))).map_err(|_| refuse()),
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
    fn overlaps_are_pixels_shares_or_measured() {
        let told = |overlap| Ok(OverlapChoice::Told(overlap));
        assert_eq!(overlap("128"), told(Overlap::Pixels(128)));
        assert_eq!(overlap("0"), told(Overlap::Pixels(0)));
        assert_eq!(overlap("12.5%"), told(Overlap::Percent(12.5)));
        assert_eq!(overlap("auto"), Ok(OverlapChoice::Auto));
        for wrong in ["", "-1", "100%", "%", "nan%", "half"] {
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
