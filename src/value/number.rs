//! Numbers with limits: `--failure-rate 0.01`, `--spread 10%`, `--gsd 0.2`, `--workers 50`.

/// More of anything is a slip of the finger.
pub(crate) const MOST_COUNTED: usize = 1_000_000;
/// More workers than anybody has.
pub(crate) const MOST_WORKERS: usize = 100_000;

/// Reads a number of things.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    up_to(MOST_COUNTED, text)
}

/// Reads a number of machines.
pub(crate) fn workers(text: &str) -> Result<usize, String> {
    up_to(MOST_WORKERS, text)
}

fn up_to(most: usize, text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from 1 to {most}"))
}

/// Reads a number from 0.
pub(crate) fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "a number from 0, such as 0.01 or 3".to_owned())
}

/// Reads a number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    amount(text)
        .ok()
        .filter(|number| *number > 0.0)
        .ok_or_else(|| "a number above 0, such as 0.5 or 3".to_owned())
}

/// Reads the side of a pixel on the ground in meters.
pub(crate) fn ground_sample_distance(text: &str) -> Result<f64, String> {
    let (number, factor) = match (text.strip_suffix("cm"), text.strip_suffix('m')) {
        (Some(number), _) => (number, 0.01),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let meters = positive(number.trim()).map(|number| number * factor);
    meters.map_err(|_| "the side of a pixel in meters, above 0, such as 0.2 or 20cm".to_owned())
}

/// Reads a share: `10%` or `0.1`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, factor) = text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim(), 0.01));
    let share = amount(number).map(|number| number * factor).ok().filter(|share| *share <= 2.0);
    share.ok_or_else(|| "a share such as 10% or 0.1, at most 200%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_limits() {
        assert_eq!(count("50"), Ok(50));
        assert!(
            count("0").is_err() && count("-1").is_err() && count("1000001").is_err() && count("2.5").is_err()
        );
        assert_eq!((workers("100000"), workers("0").is_err()), (Ok(100_000), true));
        assert_eq!(workers("100001").unwrap_err(), "a whole number from 1 to 100000");
        assert_eq!((amount("0"), positive("2.5")), (Ok(0.0), Ok(2.5)));
        assert!(amount("-1").is_err() && amount("nan").is_err() && amount("inf").is_err());
        assert!(positive("0").unwrap_err().contains("above 0"));
        assert_eq!(ground_sample_distance("0.2"), Ok(0.2));
        assert_eq!(ground_sample_distance("20cm"), Ok(0.2));
        assert_eq!(ground_sample_distance("1 m"), Ok(1.0));
        for wrong in ["0", "-0.2", "0m", "km", ""] {
            assert!(ground_sample_distance(wrong).unwrap_err().contains("20cm"), "{wrong}");
        }
        assert_eq!((share("10%"), share("0.1")), (Ok(0.1), Ok(0.1)));
        assert!(share("300%").is_err() && share("x").is_err());
    }
}
