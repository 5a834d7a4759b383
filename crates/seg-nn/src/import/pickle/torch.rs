//! What PyTorch's own functions make.

use std::rc::Rc;

use tch::Kind;

use super::machine::Machine;
use super::reader::Step;
use super::{Node, Storage, TensorSlice, Value};

/// Classes of storages, and the type of their numbers.
const STORAGES: [(&str, Option<Kind>); 13] = [
    ("torch.FloatStorage", Some(Kind::Float)),
    ("torch.HalfStorage", Some(Kind::Half)),
    ("torch.BFloat16Storage", Some(Kind::BFloat16)),
    ("torch.DoubleStorage", Some(Kind::Double)),
    ("torch.LongStorage", Some(Kind::Int64)),
    ("torch.IntStorage", Some(Kind::Int)),
    ("torch.ShortStorage", Some(Kind::Int16)),
    ("torch.CharStorage", Some(Kind::Int8)),
    ("torch.ByteStorage", Some(Kind::Uint8)),
    ("torch.BoolStorage", Some(Kind::Bool)),
    ("torch.UntypedStorage", None),
    ("torch.storage.UntypedStorage", None),
    ("torch.storage._UntypedStorage", None),
];

/// Types of numbers by the name that tensors of plain bytes are given.
const KINDS: [(&str, Kind); 10] = [
    ("torch.float32", Kind::Float),
    ("torch.float16", Kind::Half),
    ("torch.bfloat16", Kind::BFloat16),
    ("torch.float64", Kind::Double),
    ("torch.int64", Kind::Int64),
    ("torch.int32", Kind::Int),
    ("torch.int16", Kind::Int16),
    ("torch.int8", Kind::Int8),
    ("torch.uint8", Kind::Uint8),
    ("torch.bool", Kind::Bool),
];

/// More than any network has.
const MOST_DIMENSIONS: usize = 16;

const FROM_TYPE: &str = "torch._tensor._rebuild_from_type_v2";

impl Machine<'_> {
    /// A storage by what stands in its place: `('storage', class, key, where it was, count)`.
    pub(super) fn storage(&self, id: &Value) -> Step<Value> {
        let [Value::Text(what), Value::Global(class), Value::Text(key), ..] = self.tuple_items(id)? else {
            return Err("what lies outside of it is not named as PyTorch names storages".to_owned());
        };
        if &**what != "storage" {
            return Err(format!("what lies outside of it is a {what}, not a storage"));
        }
        let kind = STORAGES.iter().find(|(name, _)| *name == &**class).map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| format!("numbers of type {class} are not read"))?;
        Ok(Value::Storage(Rc::new(Storage { key: Rc::clone(key), kind })))
    }

    /// What a function makes of its arguments; of one that is not known, an object of its name.
    pub(super) fn call(&mut self, function: &Rc<str>, arguments: &[Value]) -> Step<Value> {
        match (&**function, arguments) {
            (
                "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2",
                [storage, offset, size, stride, ..],
            ) => self.tensor([storage, offset, size, stride], None),
            (
                "torch._utils._rebuild_tensor_v3",
                [storage, offset, size, stride, _, _, Value::Global(kind), ..],
            ) => {
                let kind = KINDS.iter().find(|(name, _)| *name == &**kind).map(|(_, kind)| *kind);
                let kind = kind.ok_or("a tensor's type of numbers is not read")?;
                self.tensor([storage, offset, size, stride], Some(kind))
            }
            (
                "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
                [data, ..],
            ) => Ok(data.clone()),
            (FROM_TYPE, [Value::Global(inner), _, inner_arguments, ..]) if &**inner != FROM_TYPE => {
                let inner_arguments = self.arguments(inner_arguments)?;
                self.call(inner, &inner_arguments)
            }
            ("torch.Size", [items]) => Ok(items.clone()),
            ("collections.OrderedDict", []) => Ok(self.node(Node::Dict(Vec::new()))),
            _ => Ok(self.object(Rc::clone(function))),
        }
    }

    fn tensor(&self, [storage, offset, size, stride]: [&Value; 4], kind: Option<Kind>) -> Step<Value> {
        let Value::Storage(storage) = storage else { return Err("a tensor has no storage".to_owned()) };
        let kind = kind.or(storage.kind).ok_or("a tensor's type of numbers is not told")?;
        let Value::Int(offset) = offset else { return Err("a tensor does not tell its place".to_owned()) };
        let offset = usize::try_from(*offset).map_err(|_| "a tensor lies before its storage")?;
        let (size, stride) = (self.numbers(size)?, self.numbers(stride)?);
        if size.len() != stride.len() {
            return Err("a tensor's sizes and strides do not go together".to_owned());
        }
        let storage = Rc::clone(storage);
        Ok(Value::Tensor(Rc::new(TensorSlice { storage, kind, offset, size, stride })))
    }

    fn numbers(&self, value: &Value) -> Step<Vec<i64>> {
        let number = |item: &Value| match item {
            Value::Int(number) if *number >= 0 => Ok(*number),
            _ => Err("a tensor's size is no count".to_owned()),
        };
        let items = self.sequence_items(value)?;
        if items.len() > MOST_DIMENSIONS {
            return Err(format!("a tensor has {} dimensions", items.len()));
        }
        items.iter().map(number).collect()
    }
}
