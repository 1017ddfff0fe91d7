//! TensorFlow's `Example` message: named lists of numbers or bytes. Fields of other types are passed over.

use anyhow::{Context, Result, bail};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::BTreeMap;

/// A record's contents.
#[derive(Clone, PartialEq, Message)]
pub struct Example {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct Features {
    #[prost(btree_map = "string, message", tag = "1")]
    feature: BTreeMap<String, Feature>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(oneof = "Kind", tags = "1, 3")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "3")]
    Int64(Int64List),
}

#[derive(Clone, PartialEq, Message)]
struct BytesList {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    value: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Int64List {
    #[prost(int64, repeated, tag = "1")]
    value: Vec<i64>,
}

impl Example {
    /// Decodes a record's payload; long contents are shared with it, not copied.
    ///
    /// # Errors
    /// If it is no such message.
    pub fn read(payload: Bytes) -> Result<Self> {
        Example::decode(payload).context("the contents are no tf.train.Example")
    }

    /// The message with lists of whole numbers and one string of bytes.
    pub fn new(ints: impl IntoIterator<Item = (&'static str, Vec<i64>)>, (name, bytes): (&str, Vec<u8>)) -> Self {
        let feature = |kind| Feature { kind: Some(kind) };
        let ints = ints.into_iter().map(|(name, value)| (name.into(), feature(Kind::Int64(Int64List { value }))));
        let bytes = (name.into(), feature(Kind::Bytes(BytesList { value: vec![bytes.into()] })));
        Example { features: Some(Features { feature: ints.chain([bytes]).collect() }) }
    }

    fn feature(&self, name: &str) -> Option<&Kind> {
        self.features.as_ref()?.feature.get(name)?.kind.as_ref()
    }

    /// A list of whole numbers; empty if there is none of this name.
    ///
    /// # Errors
    /// If the feature is of another type.
    pub fn ints(&self, name: &str) -> Result<&[i64]> {
        match self.feature(name) {
            None => Ok(&[]),
            Some(Kind::Int64(list)) => Ok(&list.value),
            Some(_) => bail!("feature `{name}` is not a list of whole numbers"),
        }
    }

    /// A single string of bytes.
    ///
    /// # Errors
    /// If the feature is missing, of another type, or has another number of strings.
    pub fn bytes(&self, name: &str) -> Result<&Bytes> {
        match self.feature(name) {
            Some(Kind::Bytes(list)) if list.value.len() == 1 => Ok(&list.value[0]),
            Some(Kind::Bytes(list)) => bail!("feature `{name}` has {} strings, expected one", list.value.len()),
            Some(_) => bail!("feature `{name}` is not a list of byte strings"),
            None => bail!("there is no feature `{name}`"),
        }
    }
}
