use crate::{ClassId, Code, ColorMatch, IGNORE_INDEX, Legend, Relabel, Rgb};

/// A legend, and how label files write it.
///
/// ```
/// use seg_label::{Code, Convention, Tally};
/// let loveda = Convention::of_data_set("loveda").expect("known");
/// assert_eq!(loveda.relabel.decode(Code::Id(1), &mut Tally::default()), 0, "its masks count from 1");
/// ```
#[derive(Debug, Clone)]
pub struct Convention {
    /// The classes.
    pub legend: Legend,
    /// What the codes in label files mean.
    pub relabel: Relabel,
}

const BLACK: Rgb = Rgb::new(0, 0, 0);
/// "Unlabeled" of the Dubai data set.
const UNLABELED: Rgb = Rgb::new(155, 155, 155);

impl Convention {
    /// Label files that use the legend's own ids and colors.
    pub fn new(legend: Legend) -> Self {
        Self { relabel: Relabel::new(&legend), legend }
    }

    /// Label files that use the ids and colors of a built-in legend; the colors that its data set has for
    /// "no class" are ignored.
    pub fn of_builtin_legend(name: &str) -> Option<Self> {
        let mut convention = Self::new(Legend::builtin(name)?);
        for &color in no_class_colors(name) {
            convention.relabel = convention.relabel.ignoring(Code::Color(color));
        }
        Some(convention)
    }

    /// The label files of a public data set, as they are distributed and as the usual converters write them:
    /// ids count from 1 with 0 for "no class", and damaged ISPRS colors are mended.
    pub fn of_data_set(name: &str) -> Option<Self> {
        if !Self::data_sets().contains(&name) {
            return None;
        }
        let Self { legend, relabel } = Self::of_builtin_legend(name)?;
        let no_class = relabel.without_ids().ignoring(Code::Id(0)).ignoring(Code::Id(255));
        let mut relabel = (1..)
            .zip(legend.classes())
            .fold(no_class, |relabel, (id, class)| relabel.mapping(Code::Id(id), class.id));
        if name != "loveda" {
            relabel = relabel.matching(ColorMatch::Threshold);
        }
        Some(Self { legend, relabel })
    }

    /// The same colors, but ids are the legend's own: how class rasters that are made from it are written.
    #[must_use]
    pub fn in_own_ids(&self) -> Self {
        let colors = self.relabel.clone().without_ids();
        let relabel = self.legend.classes().iter().fold(colors, |relabel, class| {
            relabel.mapping(Code::Id(class.id.0.into()), class.id).mapping(Code::Color(class.color), class.id)
        });
        Self { legend: self.legend.clone(), relabel: relabel.ignoring(Code::Id(IGNORE_INDEX.into())) }
    }

    /// The names that [`Convention::of_data_set`] knows.
    pub const fn data_sets() -> &'static [&'static str] {
        &["potsdam", "vaihingen", "loveda"]
    }

    /// The legend id that a label id means, if any.
    pub fn class_of(&self, code: Code) -> Option<ClassId> {
        let value = self.relabel.decode(code, &mut crate::Tally::default());
        self.legend.get(ClassId(value)).map(|class| class.id)
    }
}

fn no_class_colors(name: &str) -> &'static [Rgb] {
    match name {
        "potsdam" | "vaihingen" => &[BLACK],
        "dubai" => &[BLACK, UNLABELED],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tally;

    #[test]
    fn public_data_sets_count_from_one() {
        for &name in Convention::data_sets() {
            let convention = Convention::of_data_set(name).expect("known");
            let mut tally = Tally::default();
            assert_eq!(convention.relabel.decode(Code::Id(0), &mut tally), 255, "{name}");
            assert_eq!(convention.class_of(Code::Id(1)), Some(ClassId(0)), "{name}");
            let last = convention.legend.len() as i64;
            assert_eq!(convention.class_of(Code::Id(last)), Some(ClassId(last as u8 - 1)), "{name}");
            assert_eq!(convention.class_of(Code::Id(last + 1)), None, "{name}");
            assert_eq!((tally.ignored, tally.unknown_pixels()), (1, 0), "{name}");
        }
        assert!(Convention::of_data_set("dubai").is_none());
    }

    #[test]
    fn class_rasters_count_from_zero_whatever_the_data_set_s_files_do() {
        let own = Convention::of_data_set("potsdam").expect("known").in_own_ids();
        assert_eq!(own.class_of(Code::Id(0)), Some(ClassId(0)));
        assert_eq!(own.class_of(Code::Id(6)), None);
        let mut tally = Tally::default();
        own.relabel.decode(Code::Color(BLACK), &mut tally);
        own.relabel.decode(Code::Id(255), &mut tally);
        assert_eq!(tally.ignored, 2);
    }

    #[test]
    fn dubai_ignores_gray_and_black() {
        let dubai = Convention::of_builtin_legend("dubai").expect("known");
        let mut tally = Tally::default();
        for color in [BLACK, UNLABELED] {
            assert_eq!(dubai.relabel.decode(Code::Color(color), &mut tally), 255);
        }
        assert_eq!(tally.ignored, 2);
        assert_eq!(dubai.class_of(Code::Color(Rgb::new(226, 169, 41))), Some(ClassId(4)));
    }
}
