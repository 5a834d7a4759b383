use crate::{Class, ClassId, Error, IGNORE_INDEX, Rgb};
use serde::{Deserialize, Serialize};

/// The classes of a task, in the order of their channels.
///
/// It has at least one class; ids, names and colors are unique, and no id is [`IGNORE_INDEX`].
///
/// ```
/// use seg_label::Legend;
/// let legend = Legend::from_toml_str(
///     r##"
///     [[class]]
///     id = 0
///     name = "building"
///     color = "#ff0000"
///     "##,
/// )?;
/// assert_eq!(legend.by_name("building").map(|class| class.id.0), Some(0));
/// # Ok::<(), seg_label::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LegendFile", into = "LegendFile")]
pub struct Legend {
    classes: Vec<Class>,
}

/// A legend file; other tables, as in a network's description, are passed over.
#[derive(Serialize, Deserialize)]
struct LegendFile {
    #[serde(default)]
    class: Vec<Class>,
}

const BUILTIN: [(&str, &str); 4] = [
    ("potsdam", include_str!("../../../configs/legends/potsdam.toml")),
    ("vaihingen", include_str!("../../../configs/legends/vaihingen.toml")),
    ("loveda", include_str!("../../../configs/legends/loveda.toml")),
    ("dubai", include_str!("../../../configs/legends/dubai.toml")),
];

impl Legend {
    /// From its classes, which keep their order.
    ///
    /// # Errors
    /// If there is none, an id is 255, or an id, name or color comes twice.
    pub fn new(classes: Vec<Class>) -> Result<Self, Error> {
        if classes.is_empty() {
            return Err(Error::EmptyLegend);
        }
        for (i, class) in classes.iter().enumerate() {
            if class.id.0 == IGNORE_INDEX {
                return Err(Error::ReservedId { name: class.name.clone() });
            }
            if class.name.trim().is_empty() {
                return Err(Error::EmptyName { id: class.id });
            }
            for earlier in &classes[..i] {
                let repeated = if earlier.id == class.id {
                    format!("id {}", class.id)
                } else if earlier.name == class.name {
                    format!("name \"{}\"", class.name)
                } else if earlier.color == class.color {
                    format!("color {}", class.color)
                } else {
                    continue;
                };
                return Err(Error::Repeated {
                    what: repeated,
                    first: earlier.name.clone(),
                    second: class.name.clone(),
                });
            }
        }
        Ok(Self { classes })
    }

    /// From the text of a legend file: `[[class]]` tables with `id`, `name`, `color` and, if wanted, `prompt`.
    ///
    /// # Errors
    /// If the text is no such file, or the classes do not make a legend.
    pub fn from_toml_str(text: &str) -> Result<Self, Error> {
        let file: LegendFile =
            toml::from_str(text).map_err(|source| Error::ParseLegend { source: Box::new(source) })?;
        Self::new(file.class)
    }

    /// The text of a legend file.
    ///
    /// ```
    /// use seg_label::Legend;
    /// let legend = Legend::builtin("loveda").expect("known");
    /// assert_eq!(Legend::from_toml_str(&legend.to_toml()), Ok(legend));
    /// ```
    pub fn to_toml(&self) -> String {
        let table = |class: &Class| {
            let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
            let prompt =
                class.prompt.as_ref().map_or_else(String::new, |text| format!("prompt = {}\n", quoted(text)));
            let name = quoted(&class.name);
            format!("[[class]]\nid = {}\nname = {name}\n{prompt}color = \"{}\"\n", class.id, class.color)
        };
        self.classes.iter().map(table).collect::<Vec<_>>().join("\n")
    }

    /// A legend that comes with the program: one of [`Legend::builtin_names`].
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
        // A test parses them all, so `ok` hides nothing.
        Self::from_toml_str(text).ok()
    }

    /// The names that [`Legend::builtin`] knows.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The classes in channel order.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Never true: a legend has at least one class.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The class of an id.
    pub fn get(&self, id: ClassId) -> Option<&Class> {
        self.classes.iter().find(|class| class.id == id)
    }

    /// The class of a name.
    pub fn by_name(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The class of a color.
    pub fn by_color(&self, color: Rgb) -> Option<&Class> {
        self.classes.iter().find(|class| class.color == color)
    }

    /// The names in channel order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|class| class.name.as_str())
    }

    /// The channel of a class: its place in the legend.
    pub fn channel(&self, id: ClassId) -> Option<usize> {
        self.classes.iter().position(|class| class.id == id)
    }
}

impl TryFrom<LegendFile> for Legend {
    type Error = Error;

    fn try_from(file: LegendFile) -> Result<Self, Error> {
        Self::new(file.class)
    }
}

impl From<Legend> for LegendFile {
    fn from(legend: Legend) -> Self {
        Self { class: legend.classes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(id: u8, name: &str, color: Rgb) -> Class {
        Class { id: ClassId(id), name: name.to_owned(), prompt: None, color }
    }

    #[test]
    fn all_builtin_legends_parse_and_count_from_zero() {
        for (name, classes) in [("potsdam", 6), ("vaihingen", 6), ("loveda", 7), ("dubai", 5)] {
            let legend = Legend::builtin(name).expect("parses");
            assert_eq!(legend.len(), classes, "{name}");
            assert!(legend.classes().iter().enumerate().all(|(i, class)| usize::from(class.id.0) == i));
        }
        assert_eq!(Legend::builtin_names().count(), BUILTIN.len());
        assert_eq!(Legend::builtin("mars"), None);
    }

    #[test]
    fn what_is_no_legend_is_refused_with_the_classes_named() {
        let (red, blue) = (Rgb::new(255, 0, 0), Rgb::new(0, 0, 255));
        let message = |classes: Vec<Class>| Legend::new(classes).expect_err("not a legend").to_string();
        assert_eq!(message(vec![]), "a legend needs at least one class");
        assert_eq!(
            message(vec![class(255, "cloud", red)]),
            "class \"cloud\" has id 255, which stands for ignored pixels"
        );
        assert_eq!(
            message(vec![class(1, "car", red), class(1, "bus", blue)]),
            "classes \"car\" and \"bus\" share the id 1"
        );
        assert_eq!(
            message(vec![class(1, "car", red), class(2, "car", blue)]),
            "classes \"car\" and \"car\" share the name \"car\""
        );
        assert_eq!(
            message(vec![class(1, "car", red), class(2, "bus", red)]),
            "classes \"car\" and \"bus\" share the color #ff0000"
        );
        assert_eq!(message(vec![class(3, " ", red)]), "the class with id 3 has no name");
    }

    #[test]
    fn a_misspelled_key_is_refused_and_other_tables_are_passed_over() {
        let good = "[model]\noutput = \"logits\"\n[[class]]\nid = 3\nname = \"a\"\ncolor = \"#010203\"\n";
        assert_eq!(Legend::from_toml_str(good).expect("a legend").classes()[0].id, ClassId(3));
        let typo = good.replace("color", "colr");
        assert!(matches!(Legend::from_toml_str(&typo), Err(Error::ParseLegend { .. })));
    }

    proptest! {
        #[test]
        fn a_written_legend_reads_back(
            names in proptest::collection::btree_set("\\PC{1,12}", 1..6), prompt in "\\PC{0,12}",
        ) {
            let classes = names.iter().enumerate().map(|(i, name)| Class {
                id: ClassId(i as u8 * 3),
                name: name.clone(),
                prompt: (i == 0).then(|| prompt.clone()),
                color: Rgb::new(i as u8, 7, 9),
            });
            if let Ok(legend) = Legend::new(classes.collect()) {
                prop_assert_eq!(Legend::from_toml_str(&legend.to_toml()).expect("reads back"), legend);
            }
        }
    }
}
