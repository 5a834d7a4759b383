//! `--tolerance 1e-4`.

/// Reads an error that passes: a number above 0.
pub(crate) fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a tolerance is a number above 0, such as 1e-4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::tolerance;

    #[test]
    fn a_tolerance_is_above_zero() {
        assert_eq!(tolerance("1e-4"), Ok(1e-4));
        for wrong in ["0", "-1", "nan", "inf", ""] {
            assert!(tolerance(wrong).is_err(), "{wrong}");
        }
    }
}
