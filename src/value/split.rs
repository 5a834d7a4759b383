//! `--split train=.7,val=.15,test=.15` and `--split-by block|file|REGEX`.

use regex::Regex;
use seg_data::{Shares, SplitBy};

/// Reads shares; a split that is not named gets none.
pub(crate) fn split_shares(text: &str) -> Result<Shares, String> {
    let refuse = || "a split is shares that add up to 1, such as train=.7,val=.15,test=.15".to_owned();
    let mut shares = [None; 3];
    for part in text.split(',') {
        let (name, share) = part.split_once('=').ok_or_else(refuse)?;
        let index =
            ["train", "val", "test"].iter().position(|known| *known == name.trim()).ok_or_else(refuse)?;
        let share: f64 = share.trim().parse().map_err(|_| refuse())?;
        if shares[index].replace(share).is_some() {
            return Err(refuse());
        }
    }
    let [train, val, test] = shares.map(Option::unwrap_or_default);
    Shares::new(train, val, test).map_err(|_| refuse())
}

/// Reads what is kept together; anything but the two words is a pattern.
pub(crate) fn split_by(text: &str) -> Result<SplitBy, String> {
    match text {
        "block" => Ok(SplitBy::Block),
        "file" => Ok(SplitBy::File),
        pattern => match Regex::new(pattern) {
            Ok(pattern) => Ok(SplitBy::Pattern(pattern)),
            Err(error) => Err(format!("it is neither block nor file, and not a regular expression: {error}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seg_data::Split;

    #[test]
    fn shares_add_up_to_one() {
        let shares = split_shares("train=.7, val=.15,test=.15").unwrap();
        assert!((shares.of(Split::Train) - 0.7).abs() < 1e-9);
        assert!((split_shares("test=1").unwrap().of(Split::Test) - 1.0).abs() < 1e-9);
        for wrong in ["", "train=.7", "train=.5,train=.5", "all=1", "train=2,val=-1", "train"] {
            assert!(split_shares(wrong).unwrap_err().contains("add up to 1"), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_word_is_a_pattern() {
        assert!(matches!(split_by("block"), Ok(SplitBy::Block)));
        assert!(matches!(split_by("^area([0-9]+)"), Ok(SplitBy::Pattern(_))));
        assert!(split_by("(").unwrap_err().contains("regular expression"));
    }
}
