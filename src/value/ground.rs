//! `--min-area 10m2` and `--simplify 2px`.

/// A number of pixels, or of meters or square meters on the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OnGround {
    Pixels(f64),
    Meters(f64),
}

/// An area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroundArea(pub OnGround);

/// A length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroundLength(pub OnGround);

/// Reads `10m2`, `0.5ha` or `40px`.
pub(crate) fn ground_area(text: &str) -> Result<GroundArea, String> {
    let units = [("m2", 1.0), ("m²", 1.0), ("ha", 10_000.0), ("km2", 1e6)];
    read(text, &units).map(GroundArea).ok_or_else(|| {
        "an area is a number and a unit: square meters (10m2), hectares (0.5ha) or pixels (40px)".to_owned()
    })
}

/// Reads `0.5m` or `2px`.
pub(crate) fn ground_length(text: &str) -> Result<GroundLength, String> {
    let units = [("m", 1.0), ("cm", 0.01), ("km", 1000.0)];
    read(text, &units).map(GroundLength).ok_or_else(|| {
        "a length is a number and a unit: meters (0.5m), centimeters (20cm) or pixels (2px)".to_owned()
    })
}

fn read(text: &str, units: &[(&str, f64)]) -> Option<OnGround> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim();
    if unit == "px" {
        return Some(OnGround::Pixels(number));
    }
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(OnGround::Meters(number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(ground_area("10m2"), Ok(GroundArea(OnGround::Meters(10.0))));
        assert_eq!(ground_area("0.5 ha"), Ok(GroundArea(OnGround::Meters(5000.0))));
        assert_eq!(ground_area("40px"), Ok(GroundArea(OnGround::Pixels(40.0))));
        assert_eq!(ground_length("2px"), Ok(GroundLength(OnGround::Pixels(2.0))));
        assert_eq!(ground_length(".5m"), Ok(GroundLength(OnGround::Meters(0.5))));
        for wrong in ["", "10", "m2", "-1m2", "1m", "1e3m2", "10 pixels"] {
            assert!(ground_area(wrong).unwrap_err().contains("10m2"), "{wrong}");
        }
        for wrong in ["2", "2m2", "-1px", "x"] {
            assert!(ground_length(wrong).unwrap_err().contains("2px"), "{wrong}");
        }
    }
}
