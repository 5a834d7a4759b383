//! The tensors of a pickle by dotted names.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::pickle::{Pickle, TensorSlice, Value};
use super::problem::ImportProblem;

/// What was found in a pickle.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, Rc<TensorSlice>>,
    /// Names of tensors of kinds that are not read: sparse ones, and those without numbers.
    pub(super) unread: Vec<String>,
    /// What lies beside the weights, such as an optimizer's state.
    pub(super) beside: Vec<String>,
}

/// Where trainings keep a network's weights among other things.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model", "module", "net", "weights"];
/// Parts of a pickled module that are no part of a weight's name.
const INNER: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// What the names of PyTorch's functions that make tensors begin with.
const TENSOR_MAKER: &str = "torch._utils._rebuild_";

/// The deepest that modules are nested, the most values that are looked at and the longest name: a description
/// that refers to itself has no end.
const DEEPEST: usize = 64;
const MOST_VALUES: usize = 1 << 18;
const LONGEST_NAME: usize = 512;

/// Finds the tensors, those of a wrapped `state_dict` where there is one.
pub(super) fn flatten(pickle: &Pickle) -> Result<Found, ImportProblem> {
    let mut root = &pickle.root;
    let mut beside = Vec::new();
    for _ in 0..WRAPPERS.len() {
        let Some((inner, others)) = unwrap(pickle, root) else { break };
        beside.extend(others);
        root = inner;
    }
    let mut walk = Walk { pickle, tensors: BTreeMap::new(), unread: Vec::new(), left: MOST_VALUES };
    walk.visit(root, "", 0)?;
    Ok(Found { tensors: walk.tensors, unread: walk.unread, beside })
}

/// What a wrapper wraps, and what else is in it.
fn unwrap<'a>(pickle: &'a Pickle, value: &Value) -> Option<(&'a Value, Vec<String>)> {
    if pickle.class(value).is_some() {
        return None;
    }
    let entries = pickle.entries(value)?;
    // Scores may be tensors too, but a weight's name has several parts.
    let is_weight = |key: &Value, value: &Value| matches!((key, value), (Value::Text(key), Value::Tensor(_)) if key.contains('.'));
    if entries.iter().any(|(key, value)| is_weight(key, value)) {
        return None;
    }
    let named = |wanted: &str| {
        entries.iter().position(|(key, _)| matches!(key, Value::Text(key) if &**key == wanted))
    };
    let at = WRAPPERS.iter().find_map(|name| named(name))?;
    pickle.entries(&entries[at].1)?;
    let others = entries.iter().enumerate().filter(|(index, _)| *index != at);
    let others = others.filter_map(|(_, (key, _))| part_of_name(key)).filter(|key| key.len() <= LONGEST_NAME);
    Some((&entries[at].1, others.collect()))
}

fn part_of_name(key: &Value) -> Option<String> {
    match key {
        Value::Text(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Walk<'a> {
    pickle: &'a Pickle,
    tensors: BTreeMap<String, Rc<TensorSlice>>,
    unread: Vec<String>,
    left: usize,
}

impl Walk<'_> {
    fn visit(&mut self, value: &Value, name: &str, depth: usize) -> Result<(), ImportProblem> {
        let endless = || ImportProblem::Description("its description is nested without end".to_owned());
        self.left = self.left.checked_sub(1).ok_or_else(endless)?;
        if let Value::Tensor(tensor) = value {
            self.tensors.insert(name.to_owned(), Rc::clone(tensor));
            return Ok(());
        }
        if self.pickle.class(value).is_some_and(|class| class.starts_with(TENSOR_MAKER)) {
            self.unread.push(name.to_owned());
            return Ok(());
        }
        let Some(entries) = self.pickle.entries(value) else { return Ok(()) };
        if depth == DEEPEST {
            return Err(endless());
        }
        for (key, value) in entries {
            let Some(part) = part_of_name(key) else { continue };
            if name.len() + part.len() >= LONGEST_NAME {
                return Err(ImportProblem::Description("one of its names is too long".to_owned()));
            }
            let below = match (name, part.as_str()) {
                (name, part) if INNER.contains(&part) => name.to_owned(),
                ("", part) => part.to_owned(),
                (name, part) => format!("{name}.{part}"),
            };
            self.visit(value, &below, depth + 1)?;
        }
        Ok(())
    }
}
