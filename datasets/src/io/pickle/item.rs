//! Looking at the values of a pickle.

use super::{Instance, Node, Pickle, Value};
use std::fmt;

/// A value in its pickle (`'p`), whose strings are parts of the input (`'a`). Asking for a kind of value that it is not
/// gives `None`.
#[derive(Clone, Copy)]
pub struct Item<'p, 'a> {
    pickle: &'p Pickle<'a>,
    value: Value<'a>,
}

/// The object that a call in the pickle would have made; see [`Pickle::objects`] and [`Item::object`].
#[derive(Clone, Copy)]
pub struct Object<'p, 'a> {
    pickle: &'p Pickle<'a>,
    instance: &'p Instance<'a>,
}

impl<'p, 'a> Item<'p, 'a> {
    pub(super) fn new(pickle: &'p Pickle<'a>, value: Value<'a>) -> Self {
        Self { pickle, value }
    }

    fn node(self) -> Option<&'p Node<'a>> {
        let Value::Node(index) = self.value else { return None };
        self.pickle.nodes.get(index)
    }

    /// Whether it is `None`.
    pub fn is_none(self) -> bool {
        matches!(self.value, Value::None)
    }

    /// A truth value.
    pub fn bool(self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
    }

    /// A whole number of at most 64 bits.
    pub fn int(self) -> Option<i64> {
        if let Value::Int(value) = self.value { Some(value) } else { None }
    }

    /// A whole number that can count things.
    pub fn size(self) -> Option<usize> {
        self.int().and_then(|value| usize::try_from(value).ok())
    }

    /// A whole number of more than 64 bits: its bytes, little-endian two's complement.
    pub fn long(self) -> Option<&'a [u8]> {
        if let Value::Long(bytes) = self.value { Some(bytes) } else { None }
    }

    /// A number of either kind.
    pub fn number(self) -> Option<f64> {
        match self.value {
            Value::Float(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            _ => None,
        }
    }

    /// A string of either kind, undecoded.
    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Value::String(bytes) = self.value { Some(bytes) } else { None }
    }

    /// A string that is UTF-8.
    pub fn text(self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Module and name of a class or function.
    pub fn global(self) -> Option<(&'a str, &'a str)> {
        if let Some(&Node::Global { module, name }) = self.node() { Some((module, name)) } else { None }
    }

    /// The identifier of something outside of the pickle.
    pub fn persistent_id(self) -> Option<Item<'p, 'a>> {
        if let Some(&Node::Persistent(id)) = self.node() { Some(Item::new(self.pickle, id)) } else { None }
    }

    /// The object that a call would have made.
    pub fn object(self) -> Option<Object<'p, 'a>> {
        if let Some(Node::Object(instance)) = self.node() { Some(Object::new(self.pickle, instance)) } else { None }
    }

    /// The items of a tuple.
    pub fn tuple(self) -> Option<impl ExactSizeIterator<Item = Item<'p, 'a>>> {
        if let Some(Node::Tuple(values)) = self.node() { Some(self.pickle.items(values)) } else { None }
    }

    /// The items of a list.
    pub fn list(self) -> Option<impl ExactSizeIterator<Item = Item<'p, 'a>>> {
        if let Some(Node::List(values)) = self.node() { Some(self.pickle.items(values)) } else { None }
    }

    /// The entries of a dictionary, or of an object that was filled like one, in the order of the file.
    pub fn entries(self) -> Option<impl ExactSizeIterator<Item = (Item<'p, 'a>, Item<'p, 'a>)>> {
        let entries = match self.node() {
            Some(Node::Dict(entries)) => entries,
            Some(Node::Object(object)) => &object.entries,
            _ => return None,
        };
        let pickle = self.pickle;
        Some(entries.iter().map(move |&(key, value)| (Item::new(pickle, key), Item::new(pickle, value))))
    }

    /// The value of a string key: the last one written, as in Python. Of an object without such an entry, the attribute.
    pub fn get(self, key: &str) -> Option<Item<'p, 'a>> {
        let found = self.entries()?.filter(|(k, _)| k.bytes() == Some(key.as_bytes())).last();
        let found = found.map(|(_, value)| value);
        found.or_else(|| self.object().and_then(|object| object.state().dict_get(key)))
    }

    /// As [`Self::get`], of dictionaries only: attributes of attributes would have no end.
    fn dict_get(self, key: &str) -> Option<Item<'p, 'a>> {
        if let Some(Node::Dict(_)) = self.node() { self.get(key) } else { None }
    }

    /// The kind of the value, for messages.
    pub fn kind(self) -> String {
        match (self.value, self.node()) {
            (Value::None, _) => "None".into(),
            (Value::Bool(value), _) => if value { "True" } else { "False" }.into(),
            (Value::Int(value), _) => format!("the number {value}"),
            (Value::Long(bytes), _) => format!("a number of {} bytes", bytes.len()),
            (Value::Float(value), _) => format!("the number {value}"),
            (Value::String(bytes), _) => format!("the string {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)])),
            (_, Some(Node::List(values))) => format!("a list of {} values", values.len()),
            (_, Some(Node::Tuple(values))) => format!("a tuple of {} values", values.len()),
            (_, Some(Node::Dict(entries))) => format!("a dictionary of {} entries", entries.len()),
            (_, Some(Node::Global { module, name })) => format!("the name {module}.{name}"),
            (_, Some(Node::Persistent(_))) => "a reference to something outside of the pickle".into(),
            (_, Some(Node::Object(instance))) => {
                let class = Object::new(self.pickle, instance).class_name();
                format!("an object of class {}", class.as_deref().unwrap_or("unknown"))
            }
            (Value::Node(_), None) => "nothing".into(),
        }
    }
}

impl fmt::Debug for Item<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind())
    }
}

impl<'p, 'a> Object<'p, 'a> {
    pub(super) fn new(pickle: &'p Pickle<'a>, instance: &'p Instance<'a>) -> Self {
        Self { pickle, instance }
    }

    /// Position of the instruction that would have made it.
    pub fn offset(self) -> usize {
        self.instance.offset
    }

    /// The class, or function, that is called.
    pub fn class(self) -> Item<'p, 'a> {
        Item::new(self.pickle, self.instance.class)
    }

    /// `module.name` of the class, if it is given by its name.
    pub fn class_name(self) -> Option<String> {
        self.class().global().map(|(module, name)| format!("{module}.{name}"))
    }

    /// The arguments of the call, a tuple in sound files.
    pub fn arguments(self) -> Item<'p, 'a> {
        Item::new(self.pickle, self.instance.arguments)
    }

    /// The state that it is filled with; for most classes, the dictionary of attributes.
    pub fn state(self) -> Item<'p, 'a> {
        Item::new(self.pickle, self.instance.state)
    }
}

impl<'a> Pickle<'a> {
    fn items<'p>(&'p self, values: &'p [Value<'a>]) -> impl ExactSizeIterator<Item = Item<'p, 'a>> {
        values.iter().map(|&value| Item::new(self, value))
    }
}
