//! Lengths of time: `--deadline 7d`, `--startup 90s`, `--dist-timeout 30m`.

use std::time::Duration;

const UNITS: [(&str, f64); 6] =
    [("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 7.0 * 86_400.0)];

/// A length of time in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub f64);

/// Reads `90s`, `45min`, `36h`, `7d` or `2w`; a plain number is seconds.
pub(crate) fn span(text: &str) -> Result<Seconds, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[end..].trim() {
        "" => Some(1.0),
        unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor),
    };
    let seconds = text[..end].parse::<f64>().ok().zip(factor).map(|(number, factor)| number * factor);
    seconds
        .filter(|seconds| seconds.is_finite())
        .map(Seconds)
        .ok_or_else(|| "a time is a number and a unit: 90s, 45min, 36h, 7d or 2w".to_owned())
}

/// The same, but not nothing.
pub(crate) fn positive_span(text: &str) -> Result<Seconds, String> {
    span(text).and_then(|seconds| match seconds.0 {
        s if s > 0.0 => Ok(seconds),
        _ => Err("a time above 0, such as 0.02s, 36h or 7d".to_owned()),
    })
}

/// The same as what a clock counts, from a millisecond to a year.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let Seconds(seconds) = span(text)?;
    if (0.001..366.0 * 86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("a time from a millisecond to a year, such as 90s, 30m or 2h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("1.5 min", 90.0),
            ("30m", 1800.0),
            ("36h", 129_600.0),
            ("7d", 604_800.0),
            ("2w", 1_209_600.0),
            ("30", 30.0),
            ("0", 0.0),
        ] {
            assert_eq!(span(text), Ok(Seconds(seconds)), "{text}");
        }
        for wrong in ["", "d", "-1h", "7 days", "1e3", "1:30", "nanh", "1 m m"] {
            assert!(span(wrong).unwrap_err().contains("36h"), "{wrong}");
        }
        assert!(positive_span("0s").unwrap_err().contains("above 0"));
        assert_eq!(positive_span("0.02s"), Ok(Seconds(0.02)));
    }

    #[test]
    fn what_a_clock_counts() {
        let seconds = |text| duration(text).map(|time| time.as_secs_f64());
        assert_eq!((seconds("90s"), seconds("1.5m"), seconds("2h")), (Ok(90.0), Ok(90.0), Ok(7200.0)));
        for wrong in ["s", "0s", "-1s", "53w", "9000000000h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
