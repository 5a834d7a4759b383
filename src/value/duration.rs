//! Lengths of time.

use std::time::Duration;

/// Reads seconds, minutes or hours: `90s`, `30m`, `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number above 0 with s, m or h, such as 90s, 30m or 2h".to_owned();
    let (number, seconds) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    // A year is more than anybody waits, and less than any clock overflows at.
    let seconds = number * seconds;
    if (0.001..366.0 * 86400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        let seconds = |text| duration(text).map(|time| time.as_secs_f64());
        assert_eq!((seconds("90s"), seconds("1.5m"), seconds("2h")), (Ok(90.0), Ok(90.0), Ok(7200.0)));
        for wrong in ["", "s", "30", "0s", "-1s", "1d", "nanh", "infm", "9e9h", "1 m m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
