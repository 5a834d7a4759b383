//! Hue, saturation and value of bytes as `OpenCV` has them: hue from 0 to 179, the others from 0 to 255.
//!
//! The way back rounds, as `OpenCV` does for single pixels; on whole images it cuts off, which is 1 less at most.

const SHIFT: i32 = 12;
const HALF: i32 = 1 << (SHIFT - 1);

/// Divides by table, in fixed point.
#[derive(Debug, Clone)]
pub(crate) struct Hsv {
    by_value: [i32; 256],
    by_range: [i32; 256],
}

impl Hsv {
    pub(crate) fn new() -> Self {
        let table = |of: f64| {
            let mut table = [0; 256];
            for (i, entry) in (0_u16..).zip(&mut table).skip(1) {
                *entry = (of * f64::from(1 << SHIFT) / f64::from(i)).round_ties_even() as i32;
            }
            table
        };
        Self { by_value: table(255.0), by_range: table(30.0) }
    }

    /// Hue, saturation and value of red, green and blue.
    #[inline]
    pub(crate) fn of_rgb(&self, [r, g, b]: [u8; 3]) -> [u8; 3] {
        let (value, least) = (r.max(g).max(b), r.min(g).min(b));
        let range = value - least;
        let saturation = (i32::from(range) * self.by_value[usize::from(value)] + HALF) >> SHIFT;
        let (red, green, blue, wide) = (i32::from(r), i32::from(g), i32::from(b), i32::from(range));
        let sector = if value == r {
            green - blue
        } else if value == g {
            blue - red + 2 * wide
        } else {
            red - green + 4 * wide
        };
        let hue = (sector * self.by_range[usize::from(range)] + HALF) >> SHIFT;
        let hue = if hue < 0 { hue + 180 } else { hue };
        [hue as u8, saturation as u8, value]
    }
}

/// Red, green and blue of hue, saturation and value.
#[inline]
pub(crate) fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    let sector = f32::from(hue) / 30.0;
    let (saturation, value) = (f32::from(saturation) / 255.0, f32::from(value));
    // How far each primary is from the hue, without a branch for every sector.
    let red = ((sector - 3.0).abs() - 1.0).clamp(0.0, 1.0);
    let green = (2.0 - (sector - 2.0).abs()).clamp(0.0, 1.0);
    let blue = (2.0 - (sector - 4.0).abs()).clamp(0.0, 1.0);
    [red, green, blue].map(|share| (value * (1.0 - saturation * (1.0 - share)) + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_opencv() {
        let tables = Hsv::new();
        for (rgb, hsv) in [
            ([255, 0, 0], [0, 255, 255]),
            ([0, 255, 0], [60, 255, 255]),
            ([0, 0, 255], [120, 255, 255]),
            ([255, 255, 0], [30, 255, 255]),
            ([255, 0, 255], [150, 255, 255]),
            ([0, 0, 0], [0, 0, 0]),
            ([90, 90, 90], [0, 0, 90]),
            ([128, 64, 32], [10, 191, 128]),
        ] {
            assert_eq!(tables.of_rgb(rgb), hsv, "{rgb:?}");
        }
        assert_eq!(to_rgb([10, 191, 128]), [128, 64, 32]);
        assert_eq!(to_rgb([150, 255, 200]), [200, 0, 200]);
    }

    #[test]
    fn a_color_survives_the_way_there_and_back() {
        let tables = Hsv::new();
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    let hsv = tables.of_rgb([r, g, b]);
                    assert!(hsv[0] < 180);
                    let back = to_rgb(hsv);
                    // A step of hue is a thirtieth of a sector.
                    let apart = [r, g, b].iter().zip(back).map(|(a, b)| a.abs_diff(b)).max();
                    assert!(apart <= Some(5), "{r} {g} {b} came back as {back:?}");
                }
            }
        }
    }
}
