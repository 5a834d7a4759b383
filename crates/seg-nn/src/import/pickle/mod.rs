//! A reader of pickles as PyTorch writes them: what they describe is built as plain data, no code is run.
//!
//! Functions and classes that a pickle names are words here. A few of them are known (tensors, parameters,
//! ordered dictionaries); what others would make is an [`Node::Object`] that holds what was given to it. All
//! containers lie in one list and refer to each other by their place in it, so that values that hold themselves
//! or are nested without end cost no more than the bytes that describe them.
//!
//! # References
//! The opcodes are those of protocols 2 to 5, as CPython's `Lib/pickletools.py` documents them.

mod machine;
mod opcode;
mod reader;
mod torch;

use std::rc::Rc;

use tch::Kind;

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle {
    /// What it describes.
    pub(super) root: Value,
    nodes: Vec<Node>,
}

/// A value; containers are places in the [`Pickle`]'s list.
#[derive(Debug, Clone)]
pub(super) enum Value {
    None,
    Int(i64),
    Text(Rc<str>),
    /// A function or class, by its module and name.
    Global(Rc<str>),
    Container(Place),
    Storage(Rc<Storage>),
    Tensor(Rc<TensorSlice>),
    /// What no weight needs: truth values, floats, bytes, numbers beyond 64 bits.
    Other,
}

/// Where a container lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// A container.
#[derive(Debug)]
pub(super) enum Node {
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// An instance of a class that is not known here.
    Object {
        class: Rc<str>,
        /// What it was told to restore.
        state: Option<Value>,
        /// What was put into it, where it is a dictionary of sorts.
        items: Vec<(Value, Value)>,
    },
}

/// The memory that tensors are parts of, stored beside the pickle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// The name that it is stored under.
    pub(super) key: Rc<str>,
    /// The type of its numbers; none for plain bytes.
    pub(super) kind: Option<Kind>,
}

/// A tensor as a part of a storage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TensorSlice {
    pub(super) storage: Rc<Storage>,
    pub(super) kind: Kind,
    /// Numbers before its first one.
    pub(super) offset: usize,
    pub(super) size: Vec<i64>,
    /// Numbers between neighbors, by dimension.
    pub(super) stride: Vec<i64>,
}

/// What is wrong with a pickle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its description cannot be read at byte {at}: {problem}")]
pub(super) struct PickleError {
    /// Byte of the opcode.
    at: usize,
    problem: String,
}

/// The longest pickle that is read: a network of a thousand tensors has a hundredth of it.
pub(super) const LONGEST: usize = 8 << 20;

impl Pickle {
    /// Reads a pickle.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PickleError> {
        machine::run(bytes)
    }

    /// The container at a place.
    pub(super) fn node(&self, place: Place) -> &Node {
        &self.nodes[place.0]
    }

    /// The entries of a dictionary, or of an object that restores one.
    pub(super) fn entries(&self, value: &Value) -> Option<&[(Value, Value)]> {
        match value {
            Value::Container(place) => match self.node(*place) {
                Node::Dict(entries) => Some(entries),
                Node::Object { state: Some(Value::Container(state)), items, .. } if items.is_empty() => {
                    match self.node(*state) {
                        Node::Dict(entries) => Some(entries),
                        _ => None,
                    }
                }
                Node::Object { items, .. } => Some(items),
                Node::Tuple(_) | Node::List(_) => None,
            },
            _ => None,
        }
    }

    /// The class of an object.
    pub(super) fn class(&self, value: &Value) -> Option<&str> {
        match value {
            Value::Container(place) => match self.node(*place) {
                Node::Object { class, .. } => Some(class),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
