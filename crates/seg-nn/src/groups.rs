//! Groups of weights that an optimizer may treat differently.

/// The group of a weight in its `VarStore`, for `Optimizer::set_lr_group` and `set_weight_decay_group`.
///
/// # Examples
/// ```
/// assert_eq!(seg_nn::ParameterGroup::Rest.index(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterGroup {
    /// Everything else: contexts, scales, fusion, neck and head.
    Rest,
    /// The image encoder with its attention pool, which starts from trained weights.
    Backbone,
    /// The text tower without its contexts.
    Text,
    /// The layer norms inside fusion, which have no weight decay.
    FusionNorm,
}

impl ParameterGroup {
    /// The group's number.
    pub fn index(self) -> usize {
        match self {
            Self::Rest => 0,
            Self::Backbone => 1,
            Self::Text => 2,
            Self::FusionNorm => 3,
        }
    }
}
