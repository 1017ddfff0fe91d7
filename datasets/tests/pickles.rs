//! Random pickles: what was written is read, and no bytes make the reader panic, run anything or go on without end.

use crate::random::config;
use datasets::io::pickle::{Item, MAX_DEPTH, Pickle};
use proptest::prelude::*;

/// A value of Python.
#[derive(Clone, Debug)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Dict(Vec<(String, Value)>),
    /// A class of this name, called with these arguments and filled with this state.
    Object(String, Vec<Value>, Box<Value>),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![any::<i64>(), -300i64..70_000].prop_map(Value::Int),
        any::<f64>().prop_filter("equal to itself", |x| !x.is_nan()).prop_map(Value::Float),
        ".{0,12}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let values = || prop::collection::vec(inner.clone(), 0..6);
        let entries = prop::collection::btree_map("[a-z]{1,4}", inner.clone(), 0..6);
        prop_oneof![
            values().prop_map(Value::List),
            values().prop_map(Value::Tuple),
            entries.prop_map(|entries| Value::Dict(entries.into_iter().collect())),
            ("[a-z]{1,8}", values(), inner.clone()).prop_map(|(name, arguments, state)| Value::Object(
                name,
                arguments,
                Box::new(state)
            )),
        ]
    })
}

/// Writes instructions of protocol 2 or 4, as Python's pickler does.
fn write(value: &Value, protocol: u8, out: &mut Vec<u8>) {
    match value {
        Value::None => out.push(b'N'),
        Value::Bool(value) => out.push(if *value { 0x88 } else { 0x89 }),
        Value::Int(value) => write_int(*value, out),
        Value::Float(value) => out.extend([b'G'].into_iter().chain(value.to_bits().to_be_bytes())),
        Value::Text(text) if protocol >= 4 && text.len() < 256 => write_short(0x8c, text.as_bytes(), out),
        Value::Text(text) => write_long(b'X', text.as_bytes(), out),
        Value::Bytes(bytes) if bytes.len() < 256 => write_short(if protocol >= 3 { b'C' } else { b'U' }, bytes, out),
        Value::Bytes(bytes) => write_long(if protocol >= 3 { b'B' } else { b'T' }, bytes, out),
        Value::List(values) => {
            out.extend(b"](");
            values.iter().for_each(|value| write(value, protocol, out));
            out.push(b'e');
        }
        Value::Tuple(values) => {
            match values.len() {
                0 => return out.push(b')'),
                1..=3 => {}
                _ => out.push(b'('),
            }
            values.iter().for_each(|value| write(value, protocol, out));
            out.push(if values.len() > 3 { b't' } else { 0x84 + values.len() as u8 });
        }
        Value::Dict(entries) => {
            out.push(b'}');
            for (key, value) in entries {
                write(&Value::Text(key.clone()), protocol, out);
                write(value, protocol, out);
                out.push(b's');
            }
        }
        Value::Object(name, arguments, state) => {
            out.extend(format!("cmodule\n{name}\n").bytes());
            write(&Value::Tuple(arguments.clone()), protocol, out);
            out.push(b'R');
            write(state, protocol, out);
            out.push(b'b');
        }
    }
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    match value {
        0..=255 => out.extend([b'K', value as u8]),
        256..=65_535 => out.extend([b'M'].into_iter().chain((value as u16).to_le_bytes())),
        _ => match i32::try_from(value) {
            Ok(value) => out.extend([b'J'].into_iter().chain(value.to_le_bytes())),
            Err(_) => out.extend([0x8a, 8].into_iter().chain(value.to_le_bytes())),
        },
    }
}

fn write_short(opcode: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend([opcode, bytes.len() as u8].iter().chain(bytes));
}

fn write_long(opcode: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend([opcode].into_iter().chain((bytes.len() as u32).to_le_bytes()).chain(bytes.iter().copied()));
}

fn pickled(value: &Value, protocol: u8) -> Vec<u8> {
    let mut bytes = vec![0x80, protocol];
    write(value, protocol, &mut bytes);
    bytes.push(b'.');
    bytes
}

#[track_caller]
fn assert_is(item: Item, value: &Value) {
    let same = |items: Vec<Item>, values: &[Value]| {
        assert_eq!(items.len(), values.len());
        items.into_iter().zip(values).for_each(|(item, value)| assert_is(item, value));
    };
    match value {
        Value::None => assert!(item.is_none()),
        Value::Bool(value) => assert_eq!(item.bool(), Some(*value)),
        Value::Int(value) => assert_eq!(item.int(), Some(*value)),
        Value::Float(value) => assert_eq!(item.number().map(f64::to_bits), Some(value.to_bits())),
        Value::Text(text) => assert_eq!(item.text(), Some(text.as_str())),
        Value::Bytes(bytes) => assert_eq!(item.bytes(), Some(bytes.as_slice())),
        Value::List(values) => same(item.list().expect("a list").collect(), values),
        Value::Tuple(values) => same(item.tuple().expect("a tuple").collect(), values),
        Value::Dict(entries) => {
            assert_eq!(item.entries().expect("a dictionary").len(), entries.len());
            entries.iter().for_each(|(key, value)| assert_is(item.get(key).expect("an entry"), value));
        }
        Value::Object(name, arguments, state) => {
            let object = item.object().expect("an object");
            assert_eq!(object.class_name(), Some(format!("module.{name}")));
            same(object.arguments().tuple().expect("a tuple").collect(), arguments);
            assert_is(object.state(), state);
        }
    }
}

/// Looks at all values that can be reached, each a few times at most, for a pickle may contain itself.
fn look(item: Item, depth: usize, budget: &mut usize) {
    if depth > MAX_DEPTH || *budget == 0 {
        return;
    }
    *budget -= 1;
    assert!(!item.kind().is_empty());
    let parts = item.list().into_iter().flatten().chain(item.tuple().into_iter().flatten());
    parts.for_each(|part| look(part, depth + 1, budget));
    for (key, value) in item.entries().into_iter().flatten() {
        look(key, depth + 1, budget);
        look(value, depth + 1, budget);
    }
    if let Some(object) = item.object() {
        [object.class(), object.arguments(), object.state()].into_iter().for_each(|part| look(part, depth + 1, budget));
    }
}

/// Every instruction, with arguments that are short enough to be met often.
fn instruction() -> impl Strategy<Value = Vec<u8>> {
    let plain = prop::sample::select(&b"N\x88\x89]}\x8f)\x85\x86\x87t\x91ldae\x90su(012\x94\x93R\x81\x92bQ"[..]);
    prop_oneof![
        6 => plain.prop_map(|opcode| vec![opcode]),
        2 => any::<u8>().prop_map(|n| vec![b'K', n]),
        2 => (0u8..4).prop_map(|slot| vec![b'q', slot]),
        2 => (0u8..4).prop_map(|slot| vec![b'h', slot]),
        2 => "[a-z]{0,3}".prop_map(|text| [&[b'U', text.len() as u8], text.as_bytes()].concat()),
        1 => Just(b"cmodule\nname\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..6),
    ]
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn values_come_back(value in value(), protocol in 2u8..=5) {
        let bytes = pickled(&value, protocol);
        let pickle = Pickle::parse(&bytes).expect("a pickle");
        prop_assert_eq!(pickle.len(), bytes.len());
        assert_is(pickle.root(), &value);
    }

    /// A pickle that is cut anywhere is an error with a position within it.
    #[test]
    fn cut_pickles_are_errors(value in value(), at: prop::sample::Index) {
        let bytes = pickled(&value, 2);
        let cut = &bytes[..at.index(bytes.len())];
        let error = Pickle::parse(cut).expect_err("a cut pickle");
        prop_assert!(error.offset <= cut.len(), "{}", error);
    }

    #[test]
    fn any_instructions_are_data_or_an_error(instructions in prop::collection::vec(instruction(), 0..60)) {
        let bytes = [&b"\x80\x02"[..], &instructions.concat(), b"."].concat();
        match Pickle::parse_first(&bytes) {
            Ok(pickle) => {
                prop_assert!(pickle.len() <= bytes.len());
                look(pickle.root(), 0, &mut 10_000);
                pickle.objects().for_each(|object| look(object.state(), 0, &mut 1_000));
                pickle.persistent_ids().for_each(|id| look(id, 0, &mut 1_000));
            }
            Err(error) => prop_assert!(error.offset <= bytes.len() && !error.reason.is_empty()),
        }
    }

    #[test]
    fn any_bytes_are_data_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&b"\x80\x02"[..], &bytes].concat();
        if let Ok(pickle) = Pickle::parse_first(&bytes) {
            look(pickle.root(), 0, &mut 10_000);
        }
    }
}
