//! `--scaling model|none|divide=V|minmax=LO,HI|percentile=LO,HI`.

use seg_run::Scaling;

/// Reads how values meet the model.
pub(crate) fn scaling(text: &str) -> Result<Scaling, String> {
    match text.split_once('=') {
        None if text == "model" => Ok(Scaling::Model),
        None if text == "none" => Ok(Scaling::None),
        Some(("divide", value)) => match value.parse::<f64>() {
            Ok(by) if by.is_finite() && by > 0.0 => Ok(Scaling::Divide(by)),
            _ => Err("divide= takes a number above 0, such as divide=65535".to_owned()),
        },
        Some(("minmax", value)) => match range(value) {
            Some((low, high)) => Ok(Scaling::MinMax { low, high }),
            None => Err("minmax= takes two numbers, the lower first, such as minmax=0,10000".to_owned()),
        },
        Some(("percentile", value)) => match range(value) {
            Some((low, high)) if low >= 0.0 && high <= 100.0 => Ok(Scaling::Percentile { low, high }),
            _ => Err("percentile= takes two numbers from 0 to 100, the lower first, such as percentile=2,98"
                .to_owned()),
        },
        _ => Err("scaling is model, none, divide=V, minmax=LO,HI or percentile=LO,HI".to_owned()),
    }
}

fn range(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once(',')?;
    let (low, high): (f64, f64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low.is_finite() && high.is_finite() && low < high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["model", "none", "divide=65535", "minmax=-10,10000", "percentile=2,98"] {
            assert_eq!(scaling(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_value_is_told_its_own_rule() {
        for (wrong, rule) in [
            ("divide=0", "above 0"),
            ("divide", "scaling is"),
            ("minmax=5,5", "lower first"),
            ("minmax=5", "two numbers"),
            ("percentile=2,101", "0 to 100"),
            ("percentile=nan,9", "0 to 100"),
            ("auto", "scaling is"),
        ] {
            assert!(scaling(wrong).unwrap_err().contains(rule), "{wrong}");
        }
    }
}
