//! The pickles of CIFAR and of image-net.org: dictionaries of strings, numbers, lists and numpy arrays.
//!
//! [`datasets::io::pickle`] reads them without running anything. Here is what the names in them mean: numpy's two
//! constructors, of an array and of its element type. A file that names anything else is refused.

use crate::formats::pickle_outline::Outline;
use anyhow::{Context, Result};
use datasets::io::pickle::{Item, Object, Pickle, PickleError};

/// What makes an array.
const ARRAYS: [&str; 4] = [
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.numeric._frombuffer",
    "numpy._core.numeric._frombuffer",
];

/// A numpy array of unsigned bytes, row by row.
#[derive(Debug, PartialEq)]
pub struct ByteArray<'a> {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Data<'a>,
}

/// Where the elements of an array are.
#[derive(Debug, PartialEq)]
pub enum Data<'a> {
    /// In the outline.
    Here(&'a [u8]),
    /// In the file.
    At {
        /// Position of the first.
        start: u64,
        /// Number of bytes.
        len: u64,
    },
}

impl Data<'_> {
    fn len(&self) -> u64 {
        match self {
            Data::Here(bytes) => bytes.len() as u64,
            Data::At { len, .. } => *len,
        }
    }
}

/// Reads a pickle that calls nothing but numpy's constructors; `advice` says what to do about one that was written again.
///
/// # Errors
/// [`PickleError`] for anything but a pickle of data, and for any other call.
pub fn parse<'a>(outline: &'a Outline, advice: &str) -> std::result::Result<Pickle<'a>, PickleError> {
    let pickle = outline.parse()?;
    let refused = pickle.objects().find_map(|object| Some((object.offset(), refusal(object, advice)?)));
    match refused {
        Some((offset, reason)) => Err(PickleError { offset: outline.position(offset), reason }),
        None => Ok(pickle),
    }
}

/// An entry of a pickled dictionary.
///
/// # Errors
/// If there is none.
pub fn entry<'p, 'a>(root: Item<'p, 'a>, key: &str) -> Result<Item<'p, 'a>> {
    root.get(key).with_context(|| format!("no entry `{key}` in the pickled dictionary"))
}

/// The list of labels in an entry.
///
/// # Errors
/// If there is none.
pub fn labels<'p, 'a>(root: Item<'p, 'a>, key: &str) -> Result<Vec<Item<'p, 'a>>> {
    Ok(entry(root, key)?.list().with_context(|| format!("`{key}` is not a list"))?.collect())
}

/// Why an object does not belong into published files.
fn refusal(object: Object, advice: &str) -> Option<String> {
    match object.class_name().as_deref() {
        Some(name) if ARRAYS.contains(&name) || name == "numpy.dtype" => None,
        Some("_codecs.encode") => Some(format!(
            "the file was written again by Python 3 (it calls `_codecs.encode`), the published ones were not; nothing was \
             executed. {advice}"
        )),
        Some(name) => Some(format!(
            "the file calls `{}`, which the published files do not; nothing was executed. Do not trust this file",
            name.escape_debug()
        )),
        None => Some("a call of something that is not a function".into()),
    }
}

/// The array that numpy's state `(version, shape, type, is_fortran, bytes)` describes.
///
/// # Errors
/// If the value is not an array of unsigned bytes, row by row, with as many bytes as its shape says.
pub fn byte_array<'a>(item: Item<'_, 'a>) -> std::result::Result<ByteArray<'a>, String> {
    let array = item.object().filter(|object| object.class_name().is_some_and(|name| ARRAYS.iter().any(|a| name == *a)));
    let array = array.ok_or_else(|| format!("an array was expected, not {}", item.kind()))?;
    let state: Vec<_> = array.state().tuple().into_iter().flatten().collect();
    let arguments: Vec<_> = array.arguments().tuple().into_iter().flatten().collect();
    // With protocol 5 the contents are an argument, (bytes, type, shape, order).
    let state = match arguments.as_slice() {
        [data, element, shape, order] => vec![*shape, *shape, *element, *order, *data],
        _ => state,
    };
    let [_, shape, element, fortran, data] = state.as_slice() else {
        return Err("an array that is not described as (version, shape, unsigned bytes, order, contents)".into());
    };
    if !is_unsigned_byte(*element) {
        return Err(format!("an array of {}, expected unsigned bytes (`u1`)", type_name(*element)));
    }
    if fortran.bool() != Some(false) && fortran.int() != Some(0) && fortran.bytes() != Some(b"C") {
        return Err("an array stored column by column, expected row by row".into());
    }
    let (Some(dimensions), Some(data)) = (shape.tuple(), contents(*data)) else {
        return Err("an array without a shape, or without contents".into());
    };
    let shape: Option<Vec<usize>> = dimensions.map(Item::size).collect();
    let len = shape.as_ref().and_then(|s| s.iter().try_fold(1usize, |n, &d| n.checked_mul(d)));
    match (shape, len) {
        (Some(shape), Some(len)) if len as u64 == data.len() => Ok(ByteArray { shape, data }),
        (shape, _) => Err(format!("an array of shape {shape:?} with {} bytes", data.len())),
    }
}

/// What a message calls the type of an array's elements.
fn type_name(item: Item) -> String {
    let name = item.object().and_then(|object| object.arguments().tuple()?.next()).and_then(Item::bytes);
    name.map_or_else(|| item.kind(), |name| format!("type `{}`", name.escape_ascii()))
}

/// The bytes of an array.
fn contents<'a>(item: Item<'_, 'a>) -> Option<Data<'a>> {
    let Some(outside) = item.persistent_id() else { return item.bytes().map(Data::Here) };
    let place: Vec<_> = outside.tuple()?.filter_map(|n| u64::try_from(n.int()?).ok()).collect();
    let [start, len] = place.as_slice() else { return None };
    Some(Data::At { start: *start, len: *len })
}

fn is_unsigned_byte(item: Item) -> bool {
    let object = item.object().filter(|object| object.class_name().as_deref() == Some("numpy.dtype"));
    let name = object.and_then(|object| object.arguments().tuple()?.next());
    matches!(name.and_then(Item::bytes), Some(b"u1" | b"|u1" | b"uint8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as Python 2 wrote it: `{'labels': [3, 9], 'data': array, 'batch_label': 'b'}`, two rows of three bytes.
    fn batch() -> Vec<u8> {
        let parts: [&[u8]; 12] = [
            b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x03K\x09e",
            b"U\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05",
            b"cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07",
            b"(K\x01K\x02K\x03\x86",
            b"cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89",
            b"T\x06\x00\x00\x00\x01\x02\x03\x04\x05\x06",
            b"tb",
            b"U\x0bbatch_labelq\x0aU\x01bq\x0bu",
            b"U\x05extrah\x0bs",
            b".",
        ];
        parts.concat()
    }

    fn outline(bytes: &[u8]) -> Outline {
        Outline::read(&mut &bytes[..]).unwrap()
    }

    #[test]
    fn a_batch_is_read() {
        let outline = outline(&batch());
        let pickle = parse(&outline, "").unwrap();
        let labels: Vec<_> = pickle.root().get("labels").unwrap().list().unwrap().map(Item::int).collect();
        assert_eq!(labels, [Some(3), Some(9)]);
        let array = byte_array(pickle.root().get("data").unwrap()).unwrap();
        assert_eq!(array, ByteArray { shape: vec![2, 3], data: Data::Here(&[1, 2, 3, 4, 5, 6]) });
        assert!(byte_array(pickle.root().get("labels").unwrap()).is_err());
    }

    #[test]
    fn functions_are_refused_and_named() {
        let error = parse(&outline(b"\x80\x02cos\nsystem\nU\x04true\x85R."), "").unwrap_err();
        assert_eq!(error.offset, 20);
        assert!(error.reason.contains("os.system") && error.reason.contains("nothing was executed"), "{error}");
        for pickle in [
            &b"\x80\x02cnumpy\nload\nU\x01x\x85R."[..],
            b"\x80\x02cos\nsystem\nN\x81.",
            b"\x80\x02NU\x01x\x85R.",
            b"\x80\x02c_codecs\nencode\nU\x01x\x85R.",
        ] {
            assert!(parse(&outline(pickle), "").is_err());
        }
    }

    #[test]
    fn arrays_must_be_rows_of_bytes_of_the_stated_shape() {
        let whole = batch();
        let replaced = |from: &[u8], to: &[u8]| {
            let at = whole.windows(from.len()).position(|w| w == from).unwrap();
            [&whole[..at], to, &whole[at + from.len()..]].concat()
        };
        for (from, to, expected) in [
            (&b"K\x02K\x03\x86"[..], &b"K\x02K\x04\x86"[..], "6 bytes"),
            (b"K\x02K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86", "shape"),
            (b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "shape"),
            (b"\x89T", b"\x88T", "column by column"),
            (b"U\x02u1", b"U\x02f4", "unsigned bytes"),
        ] {
            let outline = outline(&replaced(from, to));
            let error = byte_array(parse(&outline, "").unwrap().root().get("data").unwrap()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
