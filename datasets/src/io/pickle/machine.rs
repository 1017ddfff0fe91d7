//! The stack machine that runs a pickle's instructions, as far as they build data.

use super::{Instance, MAX_VALUES, Node, Pickle, PickleError, Value};
use std::collections::HashMap;

/// Longest name of a module, class or function.
const MAX_NAME: usize = 256;

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The position of the current instruction.
    start: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    /// Values to be referred to again.
    memo: HashMap<usize, Value<'a>>,
    nodes: Vec<Node<'a>>,
    values: usize,
}

type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Machine {
            bytes,
            position: 0,
            start: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            nodes: Vec::new(),
            values: 0,
        }
    }

    /// Runs to the first end, where one value must be left.
    pub(super) fn run(mut self) -> Step<Pickle<'a>> {
        if self.bytes.first() != Some(&0x80) {
            return self.fail("expected a pickle of protocol 2 to 5, which begins with byte 0x80");
        }
        loop {
            self.start = self.position;
            let opcode = self.u8()?;
            if opcode == b'.' {
                let root = self.pop()?;
                if !self.stack.is_empty() || !self.marks.is_empty() {
                    return self.fail("the pickle ends here, but values are left over");
                }
                return Ok(Pickle { nodes: self.nodes, root, len: self.position });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            0x80 => self.protocol(),
            // The length of a frame, which helps to read from streams.
            0x95 => self.take(8).map(drop),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G' => self.number(opcode),
            b'U' | b'C' | 0x8c => self.string(1),
            b'T' | b'B' | b'X' => self.string(4),
            0x8d | 0x8e => self.string(8),
            b']' | 0x8f => self.push_node(Node::List(Vec::new())),
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b')' => self.push_node(Node::Tuple(Vec::new())),
            0x85..=0x87 => self.short_tuple(usize::from(opcode - 0x84)),
            b't' | 0x91 => self.marked_tuple(),
            b'l' => self.marked_list(),
            b'd' => self.marked_dict(),
            b'a' => self.append(),
            b'e' | 0x90 => self.append_marked(),
            b's' => self.set_item(),
            b'u' => self.set_marked(),
            b'(' => self.mark(),
            b'0' => self.pop().map(drop),
            b'1' => self.pop_marked().map(drop),
            b'2' => self.top().and_then(|value| self.push(value)),
            b'q' => self.uint(1).and_then(|slot| self.put(slot)),
            b'r' => self.uint(4).and_then(|slot| self.put(slot)),
            0x94 => self.put(self.memo.len()),
            b'h' => self.uint(1).and_then(|slot| self.get(slot)),
            b'j' => self.uint(4).and_then(|slot| self.get(slot)),
            b'c' => self.global(),
            0x93 => self.stack_global(),
            b'R' | 0x81 => self.object(),
            // A call with keyword arguments, which no file that is read here has; they are ignored.
            0x92 => self.pop().and_then(|_| self.object()),
            b'b' => self.build(),
            b'Q' => {
                let id = self.pop()?;
                self.push_node(Node::Persistent(id))
            }
            _ => self.fail(format!("instruction 0x{opcode:02x} is not one of those that build data")),
        }
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Step<T> {
        Err(PickleError { offset: self.start, reason: reason.into() })
    }

    fn take(&mut self, len: usize) -> Step<&'a [u8]> {
        let taken = self.position.checked_add(len).and_then(|end| self.bytes.get(self.position..end));
        match taken {
            Some(bytes) => {
                self.position += len;
                Ok(bytes)
            }
            None => self.fail(format!(
                "{len} bytes should follow, but only {} are left: the file is cut short or damaged",
                self.bytes.len() - self.position
            )),
        }
    }

    fn u8(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of up to eight bytes.
    fn uint(&mut self, len: usize) -> Step<usize> {
        let number = self.take(len)?.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
        usize::try_from(number).or_else(|_| self.fail(format!("the number {number} is too large for this machine")))
    }

    fn protocol(&mut self) -> Step<()> {
        match self.u8()? {
            2..=5 => Ok(()),
            n => self.fail(format!("pickle protocol {n}, expected 2 to 5")),
        }
    }

    /// Counts a value that is made or used again.
    fn count(&mut self) -> Step<()> {
        self.values += 1;
        if self.values > MAX_VALUES { self.fail(format!("more than {MAX_VALUES} values")) } else { Ok(()) }
    }

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        self.count()?;
        self.stack.push(value);
        Ok(())
    }

    fn push_node(&mut self, node: Node<'a>) -> Step<()> {
        self.push(Value::Node(self.nodes.len()))?;
        self.nodes.push(node);
        Ok(())
    }

    fn number(&mut self, opcode: u8) -> Step<()> {
        let value = match opcode {
            b'K' => Value::Int(self.uint(1)? as i64),
            b'M' => Value::Int(self.uint(2)? as i64),
            b'J' => Value::Int(i64::from(self.uint(4)? as u32 as i32)),
            b'G' => Value::Float(f64::from_bits(self.take(8)?.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))),
            _ => {
                let len = self.uint(if opcode == 0x8a { 1 } else { 4 })?;
                long(self.take(len)?)
            }
        };
        self.push(value)
    }

    fn string(&mut self, len_bytes: usize) -> Step<()> {
        let len = self.uint(len_bytes)?;
        let bytes = self.take(len)?;
        self.push(Value::String(bytes))
    }

    fn mark(&mut self) -> Step<()> {
        self.count()?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes a value that is above the topmost mark.
    fn pop(&mut self) -> Step<Value<'a>> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn top(&self) -> Step<Value<'a>> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&value) if self.stack.len() > bottom => Ok(value),
            _ => self.fail("a value is missing on the stack"),
        }
    }

    /// The values above the topmost mark.
    fn pop_marked(&mut self) -> Step<Vec<Value<'a>>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.fail("a mark is missing on the stack"),
        }
    }

    fn short_tuple(&mut self, n: usize) -> Step<()> {
        let mut values = vec![Value::None; n];
        for value in values.iter_mut().rev() {
            *value = self.pop()?;
        }
        self.push_node(Node::Tuple(values))
    }

    fn marked_tuple(&mut self) -> Step<()> {
        let values = self.pop_marked()?;
        self.push_node(Node::Tuple(values))
    }

    fn marked_list(&mut self) -> Step<()> {
        let values = self.pop_marked()?;
        self.push_node(Node::List(values))
    }

    fn marked_dict(&mut self) -> Step<()> {
        let values = self.pop_marked()?;
        self.push_node(Node::Dict(Vec::new()))?;
        self.extend_pairs(&values)
    }

    fn append(&mut self) -> Step<()> {
        let value = self.pop()?;
        self.extend_list(vec![value])
    }

    fn append_marked(&mut self) -> Step<()> {
        let values = self.pop_marked()?;
        self.extend_list(values)
    }

    fn extend_list(&mut self, values: Vec<Value<'a>>) -> Step<()> {
        match self.top_node()? {
            Some(Node::List(list)) => list.extend(values),
            Some(Node::Object(object)) => object.elements.extend(values),
            _ => return self.fail("items for something that is not a list"),
        }
        Ok(())
    }

    fn set_item(&mut self) -> Step<()> {
        let value = self.pop()?;
        let key = self.pop()?;
        self.extend_dict([(key, value)])
    }

    fn set_marked(&mut self) -> Step<()> {
        let values = self.pop_marked()?;
        self.extend_pairs(&values)
    }

    fn extend_pairs(&mut self, values: &[Value<'a>]) -> Step<()> {
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return self.fail("a key without a value");
        }
        self.extend_dict(pairs.iter().map(|&[key, value]| (key, value)))
    }

    fn extend_dict(&mut self, entries: impl IntoIterator<Item = (Value<'a>, Value<'a>)>) -> Step<()> {
        match self.top_node()? {
            Some(Node::Dict(dict)) => dict.extend(entries),
            Some(Node::Object(object)) => object.entries.extend(entries),
            _ => return self.fail("items for something that is not a dictionary"),
        }
        Ok(())
    }

    fn top_node(&mut self) -> Step<Option<&mut Node<'a>>> {
        let value = self.top()?;
        Ok(if let Value::Node(index) = value { self.nodes.get_mut(index) } else { None })
    }

    fn put(&mut self, slot: usize) -> Step<()> {
        let value = self.top()?;
        if slot >= MAX_VALUES {
            return self.fail(format!("a remembered value has the number {slot}, expected less than {MAX_VALUES}"));
        }
        self.memo.insert(slot, value);
        Ok(())
    }

    fn get(&mut self, slot: usize) -> Step<()> {
        match self.memo.get(&slot) {
            Some(&value) => self.push(value),
            None => self.fail(format!("value {slot} is used, but was not remembered before")),
        }
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.position..];
        let Some(len) = rest.iter().take(MAX_NAME + 1).position(|&byte| byte == b'\n') else {
            return self.fail("a name without an end");
        };
        let line = &self.take(len + 1)?[..len];
        self.name(line)
    }

    fn name(&self, bytes: &'a [u8]) -> Step<&'a str> {
        std::str::from_utf8(bytes).or_else(|_| self.fail("a name that is not text"))
    }

    fn global(&mut self) -> Step<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push_node(Node::Global { module, name })
    }

    fn stack_global(&mut self) -> Step<()> {
        let (Value::String(name), Value::String(module)) = (self.pop()?, self.pop()?) else {
            return self.fail("a class whose name is not a string");
        };
        let (module, name) = (self.name(module)?, self.name(name)?);
        self.push_node(Node::Global { module, name })
    }

    fn object(&mut self) -> Step<()> {
        let arguments = self.pop()?;
        let class = self.pop()?;
        let offset = self.start;
        let instance = Instance { offset, class, arguments, state: Value::None, entries: Vec::new(), elements: Vec::new() };
        self.push_node(Node::Object(Box::new(instance)))
    }

    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        match self.top_node()? {
            Some(Node::Object(object)) => object.state = state,
            _ => return self.fail("contents for something that is not an object"),
        }
        Ok(())
    }
}

/// A whole number, little-endian two's complement.
fn long(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut word = [if negative { 0xff } else { 0 }; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(word))
}
