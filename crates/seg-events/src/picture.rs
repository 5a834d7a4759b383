use crate::message::Image;

/// What every PNG begins with: its signature and the length and name of the first chunk.
const START: &[u8; 16] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// A PNG as an image message, or what is wrong with it.
pub(crate) fn image(width: u32, height: u32, png: &[u8]) -> Result<Image, String> {
    let header: [u8; 10] = png
        .strip_prefix(START)
        .and_then(|rest| rest.first_chunk().copied())
        .ok_or_else(|| "it is no PNG".to_owned())?;
    let [w0, w1, w2, w3, h0, h1, h2, h3, _depth, color_type] = header;
    let got = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    if got != (width, height) {
        return Err(format!("it is {} x {} pixels, not {width} x {height}", got.0, got.1));
    }
    let (Ok(width), Ok(height)) = (i32::try_from(width), i32::try_from(height)) else {
        return Err("it is too large".to_owned());
    };
    let colorspace = match color_type {
        0 => 1,
        4 => 2,
        6 => 4,
        // RGB, from a palette or not.
        _ => 3,
    };
    Ok(Image { height, width, colorspace, encoded: png.to_vec() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The beginning of a PNG, which is all that is looked at.
    pub(crate) fn png(width: u32, height: u32, color_type: u8) -> Vec<u8> {
        let mut png = START.to_vec();
        png.extend(width.to_be_bytes());
        png.extend(height.to_be_bytes());
        png.extend([8, color_type, 0, 0, 0]);
        png
    }

    #[test]
    fn the_channels_are_read_off_the_header() {
        for (color_type, channels) in [(0, 1), (2, 3), (3, 3), (4, 2), (6, 4)] {
            let image = image(300, 20, &png(300, 20, color_type)).expect("a PNG");
            assert_eq!((image.width, image.height, image.colorspace), (300, 20, channels));
        }
    }

    #[test]
    fn what_is_no_png_of_that_size_is_refused() {
        assert_eq!(image(20, 300, &png(300, 20, 2)), Err("it is 300 x 20 pixels, not 20 x 300".to_owned()));
        assert_eq!(image(1, 1, b"GIF89a"), Err("it is no PNG".to_owned()));
        assert_eq!(image(300, 20, &png(300, 20, 2)[..20]), Err("it is no PNG".to_owned()));
        assert!(image(u32::MAX, 1, &png(u32::MAX, 1, 2)).is_err());
    }
}
