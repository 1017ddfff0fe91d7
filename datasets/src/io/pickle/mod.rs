//! Python pickles as inert data: nothing in them is looked up, imported or run.
//!
//! A pickle is a program for a stack machine. [`Pickle::parse`] runs the instructions that build data, and keeps what
//! would be a call (`REDUCE`, `NEWOBJ`, `BUILD`) as an [`Object`]: the name of the class, its arguments, and its state.
//! Whoever reads a format made of pickles says which names it knows, and what they mean.
//!
//! Lists, dictionaries and objects live in one table, and values refer to them by number. So an object that is changed
//! after it was remembered is changed wherever it is used, an object may contain itself, and dropping a pickle needs no
//! recursion. The number of values, their nesting and therefore time and memory are bounded: a damaged or malicious
//! pickle is an error with the position of the instruction at fault.
//!
//! ```
//! use datasets::io::pickle::Pickle;
//!
//! let pickle = Pickle::parse(b"\x80\x02}X\x04\x00\x00\x00nameK\x07s.")?;
//! assert_eq!(pickle.root().get("name").and_then(|item| item.int()), Some(7));
//!
//! let call = Pickle::parse(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.")?;
//! let object = call.root().object().expect("kept, not run");
//! assert_eq!(object.class_name().as_deref(), Some("os.system"));
//! # Ok::<(), datasets::io::pickle::PickleError>(())
//! ```

mod item;
mod machine;
#[cfg(test)]
mod tests;

pub use item::{Item, Object};

use std::collections::VecDeque;
use thiserror::Error;

/// Values that a pickle may hold at most; a checkpoint of a hundred residual blocks has some 500,000.
pub const MAX_VALUES: usize = 2_000_000;
/// Containers within containers at most; a pickled network has some 40.
pub const MAX_DEPTH: usize = 100;

/// The fault of a pickle, with its position.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {offset} of the pickle: {reason}")]
pub struct PickleError {
    /// Position of the instruction at fault.
    pub offset: usize,
    /// The fault.
    pub reason: String,
}

/// The values of one pickle; strings are parts of the input.
#[derive(Debug)]
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Value<'a>,
    len: usize,
}

/// A value without parts, or the number of a node.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number of more than 64 bits, little-endian two's complement.
    Long(&'a [u8]),
    Float(f64),
    /// A string of either kind, undecoded.
    String(&'a [u8]),
    Node(usize),
}

/// A value with parts.
#[derive(Debug)]
enum Node<'a> {
    List(Vec<Value<'a>>),
    Tuple(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Global { module: &'a str, name: &'a str },
    Persistent(Value<'a>),
    Object(Box<Instance<'a>>),
}

/// A call of a class or function, which was not made.
#[derive(Debug)]
struct Instance<'a> {
    offset: usize,
    class: Value<'a>,
    arguments: Value<'a>,
    state: Value<'a>,
    entries: Vec<(Value<'a>, Value<'a>)>,
    elements: Vec<Value<'a>>,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 2 to 5 that is the whole input.
    ///
    /// # Errors
    /// [`PickleError`] for anything else, for too many or too deeply nested values, and for bytes after the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let pickle = Self::parse_first(bytes)?;
        match bytes.len() - pickle.len {
            0 => Ok(pickle),
            left => {
                Err(PickleError { offset: pickle.len, reason: format!("the pickle ends here, but {left} bytes are left over") })
            }
        }
    }

    /// Reads the pickle at the beginning of the input, which may go on after [`Self::len`] bytes.
    ///
    /// # Errors
    /// Those of [`Self::parse`], except for bytes after the end.
    pub fn parse_first(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let pickle = machine::Machine::new(bytes).run()?;
        pickle.check_depth()?;
        Ok(pickle)
    }

    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a pickle has at least one instruction")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value that the pickle is about.
    pub fn root(&self) -> Item<'_, 'a> {
        Item::new(self, self.root)
    }

    /// Everything that the pickle calls or makes, wherever it stands.
    pub fn objects(&self) -> impl Iterator<Item = Object<'_, 'a>> {
        let objects = self.nodes.iter().filter_map(|node| if let Node::Object(object) = node { Some(&**object) } else { None });
        objects.map(|object| Object::new(self, object))
    }

    /// All references to things outside of the pickle, wherever they stand.
    pub fn persistent_ids(&self) -> impl Iterator<Item = Item<'_, 'a>> {
        let ids = self.nodes.iter().filter_map(|node| if let Node::Persistent(id) = node { Some(*id) } else { None });
        ids.map(|id| Item::new(self, id))
    }

    /// Refuses values that are further than [`MAX_DEPTH`] steps from the root. A value that contains itself is as deep
    /// as the shortest way to it.
    fn check_depth(&self) -> Result<(), PickleError> {
        let mut seen = vec![false; self.nodes.len()];
        let mut queue = VecDeque::from([(self.root, 0)]);
        while let Some((value, depth)) = queue.pop_front() {
            let Value::Node(index) = value else { continue };
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            if depth > MAX_DEPTH {
                let reason = format!("values are nested more than {MAX_DEPTH} deep");
                return Err(PickleError { offset: self.len - 1, reason });
            }
            self.nodes[index].for_each_part(|part| {
                if matches!(part, Value::Node(_)) {
                    queue.push_back((part, depth + 1));
                }
            });
        }
        Ok(())
    }
}

impl<'a> Node<'a> {
    fn for_each_part(&self, mut visit: impl FnMut(Value<'a>)) {
        match self {
            Node::List(values) | Node::Tuple(values) => values.iter().copied().for_each(visit),
            Node::Dict(entries) => entries.iter().for_each(|&(key, value)| {
                visit(key);
                visit(value);
            }),
            Node::Global { .. } => {}
            Node::Persistent(id) => visit(*id),
            Node::Object(object) => {
                [object.class, object.arguments, object.state].into_iter().for_each(&mut visit);
                object.elements.iter().copied().for_each(&mut visit);
                object.entries.iter().for_each(|&(key, value)| {
                    visit(key);
                    visit(value);
                });
            }
        }
    }
}
