//! The machine that a pickle is a program of: a stack, and a memory of what may be referred to again.

use std::collections::HashMap;
use std::rc::Rc;

use super::opcode as op;
use super::reader::{Reader, Step};
use super::{Node, Pickle, PickleError, Place, Value};

/// A program under way.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    reader: Reader<'a>,
    stack: Vec<Value>,
    /// Heights of the stack that items are counted from.
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    pub(super) nodes: Vec<Node>,
}

/// Whether the program goes on after an opcode.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    More,
    End,
}

/// The longest name of a class, and the most arguments of a function that are looked at: each value can be used
/// again by two bytes, and copies of large ones would need more memory than the file has bytes.
const LONGEST_NAME: usize = 1024;
const MOST_ARGUMENTS: usize = 16;

/// Runs a whole program.
pub(super) fn run(bytes: &[u8]) -> Result<Pickle, PickleError> {
    if bytes.len() > super::LONGEST {
        let problem =
            format!("it is {} bytes long, and no network needs more than {}", bytes.len(), super::LONGEST);
        return Err(PickleError { at: 0, problem });
    }
    let mut machine = Machine {
        reader: Reader::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        nodes: Vec::new(),
    };
    loop {
        let at = machine.reader.position();
        let told = |problem| PickleError { at, problem };
        if machine.step().map_err(told)? == Next::End {
            let root = machine.pop().map_err(told)?;
            return Ok(Pickle { root, nodes: machine.nodes });
        }
    }
}

impl Machine<'_> {
    /// One opcode. Each takes at least one byte, so that every program ends.
    fn step(&mut self) -> Step<Next> {
        let opcode = self.reader.u8()?;
        match opcode {
            op::STOP => return Ok(Next::End),
            op::PROTO => self.protocol()?,
            op::FRAME => {
                self.reader.u64()?;
            }
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.above_mark()?),
            op::DUP => {
                let top = self.stack.last().cloned().ok_or("the stack is empty")?;
                self.stack.push(top);
            }
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE | op::BINGET | op::LONG_BINGET => {
                self.memory(opcode)?;
            }
            op::NONE
            | op::NEWTRUE
            | op::NEWFALSE
            | op::BININT
            | op::BININT1
            | op::BININT2
            | op::LONG1
            | op::LONG4
            | op::BINFLOAT => self.number(opcode)?,
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 | op::BINSTRING | op::SHORT_BINSTRING => {
                self.text(opcode)?;
            }
            op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => self.bytes(opcode)?,
            op::EMPTY_TUPLE | op::TUPLE | op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => self.tuple(opcode)?,
            op::EMPTY_LIST
            | op::LIST
            | op::APPEND
            | op::APPENDS
            | op::EMPTY_SET
            | op::ADDITEMS
            | op::FROZENSET => {
                self.list(opcode)?;
            }
            op::EMPTY_DICT | op::DICT | op::SETITEM | op::SETITEMS => self.dictionary(opcode)?,
            op::GLOBAL | op::STACK_GLOBAL => self.global(opcode)?,
            op::BINPERSID => {
                let id = self.pop()?;
                let storage = self.storage(&id)?;
                self.stack.push(storage);
            }
            op::REDUCE | op::NEWOBJ | op::NEWOBJ_EX => self.make(opcode)?,
            op::BUILD => self.build()?,
            unknown => return Err(format!("opcode {unknown:#04x} is none that PyTorch writes")),
        }
        Ok(Next::More)
    }

    fn protocol(&mut self) -> Step {
        match self.reader.u8()? {
            2..=op::NEWEST_PROTOCOL => Ok(()),
            other => Err(format!("protocol {other} is not read, only 2 to {}", op::NEWEST_PROTOCOL)),
        }
    }

    fn memory(&mut self, opcode: u8) -> Step {
        let index = match opcode {
            op::BINPUT | op::BINGET => usize::from(self.reader.u8()?),
            op::LONG_BINPUT | op::LONG_BINGET => self.reader.u32()? as usize,
            _ => self.memo.len(),
        };
        if matches!(opcode, op::BINGET | op::LONG_BINGET) {
            let value = self.memo.get(&index).cloned().ok_or("it refers to what was not there before")?;
            self.stack.push(value);
        } else {
            let value = self.stack.last().cloned().ok_or("the stack is empty")?;
            self.memo.insert(index, value);
        }
        Ok(())
    }

    fn number(&mut self, opcode: u8) -> Step {
        let long = |value: Option<i64>| value.map_or(Value::Other, Value::Int);
        let value = match opcode {
            op::NONE => Value::None,
            op::NEWTRUE | op::NEWFALSE => Value::Other,
            op::BININT => Value::Int(self.reader.i32()?.into()),
            op::BININT1 => Value::Int(self.reader.u8()?.into()),
            op::BININT2 => Value::Int(self.reader.u16()?.into()),
            op::LONG1 => {
                let length = self.reader.u8()?;
                long(self.reader.long(length.into())?)
            }
            op::LONG4 => {
                let length = self.reader.u32()?;
                long(self.reader.long(length.into())?)
            }
            _ => {
                self.reader.u64()?;
                Value::Other
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Step {
        let length = match opcode {
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.reader.u8()?.into(),
            op::BINUNICODE8 => self.reader.u64()?,
            _ => self.reader.u32()?.into(),
        };
        let text = self.reader.text(length)?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn bytes(&mut self, opcode: u8) -> Step {
        let length = match opcode {
            op::SHORT_BINBYTES => self.reader.u8()?.into(),
            op::BINBYTES => self.reader.u32()?.into(),
            _ => self.reader.u64()?,
        };
        self.reader.take(length)?;
        self.stack.push(Value::Other);
        Ok(())
    }

    fn tuple(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            op::EMPTY_TUPLE => Vec::new(),
            op::TUPLE => self.above_mark()?,
            fixed => self.top(usize::from(fixed - op::TUPLE1) + 1)?,
        };
        self.put(Node::Tuple(items));
        Ok(())
    }

    /// Sets are lists here.
    fn list(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            op::EMPTY_LIST | op::EMPTY_SET => Vec::new(),
            op::APPEND => vec![self.pop()?],
            _ => self.above_mark()?,
        };
        if matches!(opcode, op::EMPTY_LIST | op::EMPTY_SET | op::LIST | op::FROZENSET) {
            self.put(Node::List(items));
            return Ok(());
        }
        match self.container()? {
            Node::List(list) => list.extend(items),
            // Some class's own list: no weight is in it.
            Node::Object { .. } => {}
            Node::Tuple(_) | Node::Dict(_) => return Err("items are added to what is no list".to_owned()),
        }
        Ok(())
    }

    fn dictionary(&mut self, opcode: u8) -> Step {
        let items = match opcode {
            op::EMPTY_DICT => Vec::new(),
            op::SETITEM => self.top(2)?,
            _ => self.above_mark()?,
        };
        if items.len() % 2 == 1 {
            return Err("a key has no value".to_owned());
        }
        let mut values = items.into_iter();
        let pairs = std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect::<Vec<_>>();
        if matches!(opcode, op::EMPTY_DICT | op::DICT) {
            self.put(Node::Dict(pairs));
            return Ok(());
        }
        match self.container()? {
            Node::Dict(entries) => entries.extend(pairs),
            Node::Object { items, .. } => items.extend(pairs),
            Node::Tuple(_) | Node::List(_) => return Err("keys are set in what is no dictionary".to_owned()),
        }
        Ok(())
    }

    fn global(&mut self, opcode: u8) -> Step {
        let name = if opcode == op::GLOBAL {
            let module = self.reader.line()?;
            format!("{module}.{}", self.reader.line()?)
        } else {
            match &self.top(2)?[..] {
                [Value::Text(module), Value::Text(name)] if module.len() + name.len() < LONGEST_NAME => {
                    format!("{module}.{name}")
                }
                _ => return Err("a class has no name".to_owned()),
            }
        };
        self.stack.push(Value::Global(name.into()));
        Ok(())
    }

    /// What a function makes of its arguments, or a class of its own.
    fn make(&mut self, opcode: u8) -> Step {
        if opcode == op::NEWOBJ_EX {
            let _keywords = self.pop()?;
        }
        let (arguments, function) = (self.pop()?, self.pop()?);
        let value = match function {
            Value::Global(name) => {
                let arguments = self.arguments(&arguments)?;
                self.call(&name, &arguments)?
            }
            // The result of something unknown is called: that is unknown as well.
            _ => self.object("a function that was made".into()),
        };
        self.stack.push(value);
        Ok(())
    }

    fn build(&mut self) -> Step {
        let state = self.pop()?;
        // Attributes of a dictionary, such as the versions that PyTorch keeps, hold no weights.
        if let Some(Value::Container(_)) = self.stack.last()
            && let Node::Object { state: slot, .. } = self.container()?
        {
            *slot = Some(state);
        }
        Ok(())
    }

    /// A new object of a class.
    pub(super) fn object(&mut self, class: Rc<str>) -> Value {
        self.node(Node::Object { class, state: None, items: Vec::new() })
    }

    /// A value for a container.
    pub(super) fn node(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value::Container(Place(self.nodes.len() - 1))
    }

    /// The arguments of a function.
    pub(super) fn arguments(&self, value: &Value) -> Step<Vec<Value>> {
        Ok(self.tuple_items(value)?.iter().take(MOST_ARGUMENTS).cloned().collect())
    }

    /// The items of a tuple.
    pub(super) fn tuple_items(&self, value: &Value) -> Step<&[Value]> {
        match value {
            Value::Container(place) => match &self.nodes[place.0] {
                Node::Tuple(items) => Ok(items),
                _ => Err("a tuple was expected".to_owned()),
            },
            _ => Err("a tuple was expected".to_owned()),
        }
    }

    /// The items of a tuple or list.
    pub(super) fn sequence_items(&self, value: &Value) -> Step<&[Value]> {
        match value {
            Value::Container(place) => match &self.nodes[place.0] {
                Node::Tuple(items) | Node::List(items) => Ok(items),
                _ => Err("a list was expected".to_owned()),
            },
            _ => Err("a list was expected".to_owned()),
        }
    }

    fn put(&mut self, node: Node) {
        let value = self.node(node);
        self.stack.push(value);
    }

    /// The lowest place that may be taken off the stack.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<Value> {
        let value = if self.stack.len() > self.floor() { self.stack.pop() } else { None };
        value.ok_or_else(|| "the stack is empty".to_owned())
    }

    /// The topmost values, lowest first.
    fn top(&mut self, count: usize) -> Step<Vec<Value>> {
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= self.floor());
        Ok(self.stack.split_off(start.ok_or("the stack is empty")?))
    }

    /// All above the last mark.
    fn above_mark(&mut self) -> Step<Vec<Value>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark))
    }

    /// The container on top of the stack.
    fn container(&mut self) -> Step<&mut Node> {
        match self.stack.last() {
            Some(Value::Container(place)) => Ok(&mut self.nodes[place.0]),
            _ => Err("a container was expected".to_owned()),
        }
    }
}
