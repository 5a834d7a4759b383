//! `--gsd native|model|METERS`.

use crate::segment::PixelSize;

/// Reads the pixel size at which a network sees a raster.
pub(crate) fn gsd(text: &str) -> Result<PixelSize, String> {
    match text {
        "native" => return Ok(PixelSize::Native),
        "model" => return Ok(PixelSize::Model),
        _ => {}
    }
    let meters = text.strip_suffix('m').unwrap_or(text).trim().parse();
    let meters = meters.ok().filter(|meters: &f64| meters.is_finite() && *meters > 0.0);
    meters
        .map(PixelSize::Meters)
        .ok_or_else(|| "a pixel size is native, model, or a length in meters above 0, such as 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_size_is_a_word_or_meters() {
        assert_eq!(gsd("native"), Ok(PixelSize::Native));
        assert_eq!(gsd("model"), Ok(PixelSize::Model));
        assert_eq!(gsd("0.5"), Ok(PixelSize::Meters(0.5)));
        assert_eq!(gsd("0.5m"), Ok(PixelSize::Meters(0.5)));
        for wrong in ["", "0", "-1", "nan", "inf", "half", "5cm"] {
            assert!(gsd(wrong).unwrap_err().contains("meters"), "{wrong}");
        }
    }
}
