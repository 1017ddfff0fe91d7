//! A reader for the pickles of CIFAR-10's Python version that runs nothing.
//!
//! A pickle is a program for a stack machine. This reader knows the instructions that appear in dictionaries of
//! strings, numbers, lists and one numpy array (protocol 2), builds inert [`Value`]s from them, and refuses everything
//! else with the position in the file. The only callables it accepts are numpy's two constructors, which it recognises
//! by name and imitates; no name is ever looked up. The number of
//! values and their nesting are bounded.

mod machine;
#[cfg(test)]
mod tests;

use std::fmt;

/// What is wrong with a pickle, and where.
#[derive(Debug, PartialEq)]
pub struct PickleError {
    /// Position of the instruction at fault.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for PickleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of the pickle: {}", self.offset, self.reason)
    }
}

impl std::error::Error for PickleError {}

/// A value read from a pickle; strings and arrays are parts of the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string of either kind, undecoded.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Value<'a>>),
    /// A tuple.
    Tuple(Vec<Value<'a>>),
    /// A dictionary, in the order of the file.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// The name of a class or function: module and name.
    Global(&'a str, &'a str),
    /// numpy's description of unsigned bytes.
    ByteType,
    /// A numpy array of unsigned bytes, row by row; no shape until its contents have been read.
    Array {
        /// Length of each dimension.
        shape: Vec<usize>,
        /// The elements.
        data: &'a [u8],
    },
}

impl<'a> Value<'a> {
    /// The value of a string key of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Value::Dict(items) = self else { return None };
        let mut matching = items.iter().filter(|(k, _)| *k == Value::Bytes(key.as_bytes()));
        matching.next_back().map(|(_, value)| value)
    }
}

/// Reads a pickle.
///
/// # Errors
/// [`PickleError`] for anything but the data described above, including bytes after the end.
pub fn parse(bytes: &[u8]) -> Result<Value<'_>, PickleError> {
    machine::Machine::new(bytes).run()
}

/// What numpy's constructors of an empty array and of an element type return; any other function is refused.
fn construct<'a>(module: &str, name: &str, arguments: &Value<'a>) -> Result<Value<'a>, String> {
    match (module, name, arguments) {
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct", Value::Tuple(arguments))
            if arguments.first() == Some(&Value::Global("numpy", "ndarray")) =>
        {
            Ok(Value::Array { shape: Vec::new(), data: &[] })
        }
        ("numpy", "dtype", Value::Tuple(arguments)) => match arguments.first() {
            Some(Value::Bytes(b"u1")) => Ok(Value::ByteType),
            _ => Err("an array of another type than unsigned bytes (`u1`)".into()),
        },
        ("_codecs", "encode", _) => {
            Err("the file was written again by Python 3 (it calls `_codecs.encode`), the published ones were not; nothing was \
             executed. Download cifar-10-binary.tar.gz or cifar-10-python.tar.gz and convert that"
                .into())
        }
        _ => Err(format!(
            "the file calls `{module}.{name}`, which CIFAR-10's files do not; nothing was executed. Do not trust this file"
        )),
    }
}

/// Gives an empty array its shape and elements; an element type's details say nothing new about bytes.
fn fill<'a>(object: Value<'a>, state: Value<'a>) -> Result<Value<'a>, String> {
    match object {
        Value::ByteType => Ok(Value::ByteType),
        Value::Array { .. } => array(state),
        _ => Err("contents for something that is not an array".into()),
    }
}

/// The array described by numpy's state `(version, shape, type, is_fortran, bytes)`.
fn array(state: Value<'_>) -> Result<Value<'_>, String> {
    let Value::Tuple(state) = state else {
        return Err("an array without a description".into());
    };
    let [Value::Int(_), Value::Tuple(shape), Value::ByteType, fortran, Value::Bytes(data)] = state.as_slice() else {
        return Err("an array that is not described as (version, shape, unsigned bytes, order, contents)".into());
    };
    if !matches!(fortran, Value::Bool(false) | Value::Int(0)) {
        return Err("an array stored column by column, expected row by row".into());
    }
    let dimension = |value: &Value<'_>| match value {
        Value::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    };
    let shape: Option<Vec<usize>> = shape.iter().map(dimension).collect();
    let len = shape.as_ref().and_then(|s| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d)));
    match (shape, len) {
        (Some(shape), Some(len)) if len == data.len() => Ok(Value::Array { shape, data }),
        (shape, _) => Err(format!("an array of shape {shape:?} with {} bytes", data.len())),
    }
}
