use crate::{ClassId, Legend};

/// What can be wrong with a legend or a comparison.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A legend without classes.
    #[error("a legend needs at least one class")]
    EmptyLegend,
    /// A class with the id of ignored pixels.
    #[error("class \"{name}\" has id 255, which stands for ignored pixels")]
    ReservedId {
        /// The class.
        name: String,
    },
    /// A class without a name.
    #[error("the class with id {id} has no name")]
    EmptyName {
        /// The class.
        id: ClassId,
    },
    /// Two classes that cannot be told apart.
    #[error("classes \"{first}\" and \"{second}\" share the {what}")]
    Repeated {
        /// What they share, such as `id 3`.
        what: String,
        /// Name of one.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// A text that is no legend file.
    #[error("the legend cannot be read")]
    ParseLegend {
        /// What the TOML parser says.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A class that the legend lacks.
    #[error("the legend has no class \"{name}\"")]
    UnknownClass {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Truth and prediction of different shapes.
    #[error("truth of {truth:?} and prediction of {prediction:?} rows and columns cannot be compared")]
    ShapeMismatch {
        /// (H, W).
        truth: Vec<usize>,
        /// (H, W).
        prediction: Vec<usize>,
    },
    /// Two matrices of different classes.
    #[error("confusion matrices of different classes cannot be added")]
    ClassMismatch,
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ParseLegend { .. } | Self::EmptyLegend => Some(format!(
                "a legend file is a list of [[class]] tables with id, name and color; built-in legends: {}",
                Legend::builtin_names().collect::<Vec<_>>().join(", ")
            )),
            Self::ReservedId { .. } => Some("use an id from 0 to 254".to_owned()),
            Self::UnknownClass { known, .. } => Some(format!("its classes are {}", known.join(", "))),
            _ => None,
        }
    }
}
