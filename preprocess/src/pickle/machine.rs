//! The stack machine that runs a pickle's instructions, as far as they build data.

use super::{PickleError, Value};

/// Values a pickle may hold at most; CIFAR-10's batches have some 20,000.
const MAX_VALUES: usize = 1_000_000;
/// Containers within containers at most; CIFAR-10's batches have 3.
const MAX_DEPTH: u32 = 16;

/// A stack entry: a value with the depth of its nesting, or a mark.
enum Entry<'a> {
    Mark,
    Value(Value<'a>, u32),
}

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Where the current instruction begins.
    start: usize,
    stack: Vec<Entry<'a>>,
    /// Values to be referred to again. Only those without parts are kept: sharing the others would need cycles.
    memo: Vec<Option<Value<'a>>>,
    values: usize,
}

type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Machine { bytes, position: 0, start: 0, stack: Vec::new(), memo: Vec::new(), values: 0 }
    }

    /// Runs to the end and returns the one value that is left.
    pub(super) fn run(&mut self) -> Step<Value<'a>> {
        if self.bytes.first() != Some(&0x80) {
            return self.fail("expected a pickle of protocol 2 (it begins with byte 0x80)");
        }
        loop {
            self.start = self.position;
            let opcode = self.u8()?;
            if opcode == b'.' {
                let (value, _) = self.pop()?;
                if !self.stack.is_empty() || self.position != self.bytes.len() {
                    return self.fail("the pickle ends here, but something is left over");
                }
                return Ok(value);
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            0x80 => match self.u8()? {
                2 => Ok(()),
                n => self.fail(format!("pickle protocol {n}, expected 2")),
            },
            b'(' => self.push_entry(Entry::Mark),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' => self.push_int(1),
            b'M' => self.push_int(2),
            b'J' => {
                let value = self.uint(4)? as u32 as i32;
                self.push(Value::Int(value.into()))
            }
            b'U' => self.push_string(1),
            b'T' | b'X' => self.push_string(4),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84)),
            b't' => self.marked_tuple(),
            b'a' => self.append(),
            b'e' => self.append_marked(),
            b's' => self.set_item(),
            b'u' => self.set_marked(),
            b'q' => self.put(1),
            b'r' => self.put(4),
            b'h' => self.get(1),
            b'j' => self.get(4),
            b'c' => self.global(),
            b'R' => self.call(),
            b'b' => self.build(),
            _ => self.fail(format!("instruction 0x{opcode:02x} does not occur in CIFAR-10's files")),
        }
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Step<T> {
        let (offset, reason) = (self.start, reason.into());
        Err(PickleError { offset, reason })
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

    /// A little-endian number of up to four bytes.
    fn uint(&mut self, len: usize) -> Step<usize> {
        let bytes = self.take(len)?;
        Ok(bytes.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte)))
    }

    fn push_entry(&mut self, entry: Entry<'a>) -> Step<()> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.fail(format!("more than {MAX_VALUES} values"));
        }
        self.stack.push(entry);
        Ok(())
    }

    fn push_nested(&mut self, value: Value<'a>, depth: u32) -> Step<()> {
        if depth > MAX_DEPTH {
            return self.fail(format!("values nested more than {MAX_DEPTH} deep"));
        }
        self.push_entry(Entry::Value(value, depth))
    }

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        self.push_nested(value, 0)
    }

    fn push_int(&mut self, len: usize) -> Step<()> {
        let value = self.uint(len)?;
        self.push(Value::Int(value as i64))
    }

    fn push_string(&mut self, len_bytes: usize) -> Step<()> {
        let len = self.uint(len_bytes)?;
        let bytes = self.take(len)?;
        self.push(Value::Bytes(bytes))
    }

    fn pop(&mut self) -> Step<(Value<'a>, u32)> {
        match self.stack.pop() {
            Some(Entry::Value(value, depth)) => Ok((value, depth)),
            _ => self.fail("a value is missing on the stack"),
        }
    }

    /// The values above the topmost mark, and their greatest depth.
    fn pop_marked(&mut self) -> Step<(Vec<Value<'a>>, u32)> {
        let (mut values, mut deepest) = (Vec::new(), 0);
        loop {
            match self.stack.pop() {
                Some(Entry::Value(value, depth)) => {
                    values.push(value);
                    deepest = deepest.max(depth);
                }
                Some(Entry::Mark) => break,
                None => return self.fail("a mark is missing on the stack"),
            }
        }
        values.reverse();
        Ok((values, deepest))
    }

    fn tuple(&mut self, n: usize) -> Step<()> {
        let (mut values, mut deepest) = (Vec::new(), 0);
        for _ in 0..n {
            let (value, depth) = self.pop()?;
            values.push(value);
            deepest = deepest.max(depth);
        }
        values.reverse();
        self.push_nested(Value::Tuple(values), deepest + 1)
    }

    fn marked_tuple(&mut self) -> Step<()> {
        let (values, deepest) = self.pop_marked()?;
        self.push_nested(Value::Tuple(values), deepest + 1)
    }

    fn append(&mut self) -> Step<()> {
        let (value, depth) = self.pop()?;
        self.extend_list(vec![value], depth)
    }

    fn append_marked(&mut self) -> Step<()> {
        let (values, deepest) = self.pop_marked()?;
        self.extend_list(values, deepest)
    }

    fn extend_list(&mut self, values: Vec<Value<'a>>, deepest: u32) -> Step<()> {
        let (Value::List(mut list), depth) = self.pop()? else {
            return self.fail("items for something that is not a list");
        };
        list.extend(values);
        self.push_nested(Value::List(list), depth.max(deepest + 1))
    }

    fn set_item(&mut self) -> Step<()> {
        let (value, a) = self.pop()?;
        let (key, b) = self.pop()?;
        self.extend_dict(vec![key, value], a.max(b))
    }

    fn set_marked(&mut self) -> Step<()> {
        let (values, deepest) = self.pop_marked()?;
        self.extend_dict(values, deepest)
    }

    fn extend_dict(&mut self, values: Vec<Value<'a>>, deepest: u32) -> Step<()> {
        let (Value::Dict(mut dict), depth) = self.pop()? else {
            return self.fail("items for something that is not a dictionary");
        };
        let mut values = values.into_iter();
        while let Some(key) = values.next() {
            match values.next() {
                Some(value) => dict.push((key, value)),
                None => return self.fail("a key without a value"),
            }
        }
        self.push_nested(Value::Dict(dict), depth.max(deepest + 1))
    }

    fn put(&mut self, len: usize) -> Step<()> {
        let slot = self.uint(len)?;
        let value = match self.stack.last() {
            Some(Entry::Value(value, 0)) => match value {
                Value::List(_) | Value::Dict(_) | Value::Tuple(_) | Value::Array { .. } => None,
                value => Some(value.clone()),
            },
            Some(Entry::Value(..)) => None,
            _ => return self.fail("nothing to remember"),
        };
        if slot >= MAX_VALUES {
            return self.fail(format!("more than {MAX_VALUES} remembered values"));
        }
        if self.memo.len() <= slot {
            self.memo.resize(slot + 1, None);
        }
        self.memo[slot] = value;
        Ok(())
    }

    fn get(&mut self, len: usize) -> Step<()> {
        let slot = self.uint(len)?;
        match self.memo.get(slot).cloned().flatten() {
            Some(value) => self.push(value),
            None => self.fail(format!("value {slot} was not remembered, or is one that may not be used twice")),
        }
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.position..];
        let Some(len) = rest.iter().take(256).position(|&byte| byte == b'\n') else {
            return self.fail("a name without an end");
        };
        let line = self.take(len)?;
        self.position += 1;
        std::str::from_utf8(line).or_else(|_| self.fail("a name that is not text"))
    }

    fn global(&mut self) -> Step<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Value::Global(module, name))
    }

    fn call(&mut self) -> Step<()> {
        let (arguments, _) = self.pop()?;
        let (Value::Global(module, name), _) = self.pop()? else {
            return self.fail("a call of something that is not a function");
        };
        match super::construct(module, name, &arguments) {
            Ok(value) => self.push(value),
            Err(reason) => self.fail(reason),
        }
    }

    fn build(&mut self) -> Step<()> {
        let (state, _) = self.pop()?;
        let (object, _) = self.pop()?;
        match super::fill(object, state) {
            Ok(value) => self.push(value),
            Err(reason) => self.fail(reason),
        }
    }
}
