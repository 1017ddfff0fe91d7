//! What is looked at in a `.npy` file before `ndarray-npy` reads it: numbers of a header that it trusts, so that a damaged file
//! would end the program.

use ndarray_npy::npy::header::Header;
use std::borrow::Cow;

/// Bytes of a header at most; that of an array of a hundred named fields has some 4,000.
pub const MAX_HEADER: usize = 1 << 20;

/// Brackets within each other at most; numpy itself needs four.
const MAX_DEPTH: usize = 8;

/// Fewer digits than these make no product of dimensions that is too large.
const MIN_DIGITS: usize = 18;

/// A header that must not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyHeaderError {
    /// Memory would be reserved for whatever is announced.
    #[error("a header of {announced} bytes is announced, the file has {len}: it is no .npy file, damaged, or cut short")]
    Length {
        /// Bytes of the header, by its own word.
        announced: usize,
        /// Bytes of the file.
        len: usize,
    },
    /// The header is longer than any program writes, and the reader would copy it.
    #[error("a header of {announced} bytes is announced, expected at most {MAX_HEADER}: the file is damaged")]
    TooLong {
        /// Bytes of the header, by its own word.
        announced: usize,
    },
    /// Every bracket takes room on the stack, and several times the time of the one around it.
    #[error("the header has more than {MAX_DEPTH} brackets within each other: the file is damaged")]
    Depth,
    /// Numbers of elements are products of these.
    #[error("the shape is {shape:?}, more than any memory holds: the file is damaged")]
    Shape {
        /// The dimensions in the header.
        shape: Vec<usize>,
    },
}

/// Checks the header of a file, given the whole file.
///
/// # Errors
/// If reading it may do harm. What else is wrong with it is left to the reader.
pub fn check_header(bytes: &[u8]) -> Result<(), NpyHeaderError> {
    let Some((start, announced)) = extent(bytes) else { return Ok(()) };
    let Some(text) = bytes[start..].get(..announced) else {
        return Err(NpyHeaderError::Length { announced, len: bytes.len() });
    };
    if announced > MAX_HEADER {
        return Err(NpyHeaderError::TooLong { announced });
    }
    if depth(text) > MAX_DEPTH {
        return Err(NpyHeaderError::Depth);
    }
    if text.iter().filter(|byte| byte.is_ascii_digit()).count() < MIN_DIGITS {
        return Ok(());
    }
    let Ok(Header { shape, .. }) = Header::from_reader(&mut &bytes[..]) else { return Ok(()) };
    // As if an element took 16 bytes, and dimensions of 0 were 1: strides are made of the others.
    let size = shape.iter().try_fold(16usize, |size, &dim| size.checked_mul(dim.max(1)));
    match size {
        Some(size) if isize::try_from(size).is_ok() => Ok(()),
        _ => Err(NpyHeaderError::Shape { shape }),
    }
}

/// Where the text of a header begins and how long it is, given at least the 12 first bytes of a file.
pub fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => Some((10, usize::from(u16::from_le_bytes([*a, *b])))),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => Some((12, u32::from_le_bytes([*a, *b, *c, *d]) as usize)),
        _ => None,
    }
}

/// The bytes of a file with the suffixes that Python 2 gave long numbers, as in the shape `(10L, 3L)`, replaced by blanks:
/// readers of today do not know them. Files without them, and what follows the header, stay as they are.
pub fn without_long_suffixes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some((start, len)) = extent(bytes).filter(|_| bytes.starts_with(b"\x93NUMPY")) else { return Cow::Borrowed(bytes) };
    let end = start.saturating_add(len.min(MAX_HEADER)).min(bytes.len());
    let mut changed = Cow::Borrowed(bytes);
    let mut quote = None;
    for at in start..end {
        match (bytes[at], quote) {
            (mark @ (b'\'' | b'"'), None) => quote = Some(mark),
            (mark, Some(open)) if mark == open => quote = None,
            (b'L' | b'l', None) if bytes[at - 1].is_ascii_digit() => changed.to_mut()[at] = b' ',
            _ => {}
        }
    }
    changed
}

/// The largest number of brackets that are open at the same time; those in quotes count as well.
fn depth(text: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayViewD;
    use ndarray_npy::ViewNpyExt;

    fn file(descr: &str, shape: &str) -> Vec<u8> {
        let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n");
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    }

    #[test]
    fn ordinary_headers_pass() {
        for (descr, shape) in [("'|u1'", "(0, 4)"), ("'<f8'", "()"), ("[('a', '<f4', (2, 3))]", "(0,)")] {
            assert_eq!(check_header(&file(descr, shape)), Ok(()), "{descr} {shape}");
        }
        assert_eq!(check_header(b"short"), Ok(()), "other readers refuse it");
        assert!(ArrayViewD::<u8>::view_npy(&file("'|u1'", "(0, 4)")).is_ok());
    }

    #[test]
    fn headers_of_python_2_are_read() {
        for (shape, expected) in [("(2L, 3L)", &[2usize, 3][..]), ("(0L,)", &[0]), ("(1L, 2, 10L)", &[1, 2, 10])] {
            let mut old = file("'|u1'", shape);
            old.extend(std::iter::repeat_n(76, expected.iter().product()));
            let new = without_long_suffixes(&old);
            assert_eq!(check_header(&new), Ok(()));
            let array = ArrayViewD::<u8>::view_npy(&new).unwrap();
            assert_eq!(array.shape(), expected);
            assert!(array.iter().all(|&byte| byte == b'L'), "only the header is changed");
        }
        let fields = file("[('4L', '<f4')]", "(2,)");
        assert_eq!(without_long_suffixes(&fields), fields, "names are no numbers");
        assert!(matches!(without_long_suffixes(&file("'|u1'", "(2,)")), Cow::Borrowed(_)));
    }

    #[test]
    fn headers_that_would_end_the_program_are_refused() {
        let huge = file("'|u1'", "(1, 0, 9223372036854775807)");
        assert!(matches!(check_header(&huge), Err(NpyHeaderError::Shape { .. })));
        assert_eq!(check_header(&file("'|u1'", &"(".repeat(20_000))), Err(NpyHeaderError::Depth));
        let padded = [b"\x93NUMPY\x02\x00", &(2u32 << 20).to_le_bytes()[..], &vec![b' '; 2 << 20]].concat();
        assert!(matches!(check_header(&padded), Err(NpyHeaderError::TooLong { .. })));
        let long = [b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], b"{}\n"].concat();
        assert!(matches!(check_header(&long), Err(NpyHeaderError::Length { len: 15, .. })));
    }
}
