//! The headers of numpy's `.npy` files, checked, and of new ones.

use anyhow::{Context, Result, ensure};
use datasets::io::npy::{MAX_HEADER, NpyHeaderError, check_header, extent, without_long_suffixes};
use ndarray_npy::npy::header::{Header, Layout};
use std::io::Read;

/// The header of a `.npy` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayHeader {
    /// numpy's name of the type, such as `|u1`; of an array of records a list of them.
    pub descr: String,
    /// Whether the first dimension runs fastest.
    pub fortran: bool,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// Where the values begin.
    pub offset: usize,
}

impl ArrayHeader {
    /// Reads a header of any version, also one of Python 2, and checks it.
    ///
    /// # Errors
    /// If it is damaged, too long, or describes more than any memory holds.
    pub fn read(stream: &mut impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        stream.take(12).read_to_end(&mut bytes).context("cannot read the header")?;
        ensure!(bytes.starts_with(b"\x93NUMPY"), "expected a .npy file, which begins with \\x93NUMPY");
        let (start, announced) = extent(&bytes).context("the header is cut short")?;
        ensure!(announced <= MAX_HEADER, NpyHeaderError::TooLong { announced });
        let wanted = (start + announced).saturating_sub(bytes.len());
        stream.take(wanted as u64).read_to_end(&mut bytes).context("cannot read the header")?;
        let bytes = without_long_suffixes(&bytes);
        check_header(&bytes)?;
        let header = Header::from_reader(&mut &bytes[..]).context("the header of the .npy file is damaged")?;
        let descr = header.type_descriptor.as_string().cloned().unwrap_or_else(|| header.type_descriptor.to_string());
        Ok(ArrayHeader { descr, fortran: header.layout == Layout::Fortran, shape: header.shape, offset: start + announced })
    }

    /// Whether the values are unsigned bytes, which have no byte order.
    pub fn is_bytes(&self) -> bool {
        matches!(self.descr.as_str(), "|u1" | "<u1" | ">u1" | "=u1" | "u1" | "B")
    }

    /// Refuses all but unsigned bytes in C order; `shape` says what is expected.
    ///
    /// # Errors
    /// If they are of another type or order, with its name and what to do.
    pub fn expect_bytes(&self, shape: &str) -> Result<()> {
        let (descr, dims) = (self.descr.escape_debug(), &self.shape);
        ensure!(
            self.is_bytes(),
            "expected unsigned bytes (uint8) of shape {shape}, the array has the type '{descr}' and the shape {dims:?}; pixels are \
             whole numbers from 0 to 255, save them again with array.astype(numpy.uint8)"
        );
        ensure!(
            !self.fortran,
            "the array is in Fortran order; save it again as numpy.save(path, numpy.ascontiguousarray(array))"
        );
        Ok(())
    }

    /// Number of values; headers that were checked have no overflow.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The dimensions of a `.npy` file of images with `len` bytes, and the position of its first pixel.
///
/// # Errors
/// If it holds anything but unsigned bytes of rank 4 in C order, exactly as many as the header says.
pub fn header(stream: &mut impl Read, len: u64) -> Result<([usize; 4], u64)> {
    const SHAPE: &str = "[n, height, width, 3]";
    let header = ArrayHeader::read(stream)?;
    header.expect_bytes(SHAPE)?;
    let dims = <[usize; 4]>::try_from(header.shape.as_slice());
    let dims = dims.map_err(|_| anyhow::anyhow!("shape {:?}, expected {SHAPE}", header.shape))?;
    let (offset, pixels) = (header.offset as u64, header.len() as u64);
    let there = len.saturating_sub(offset);
    ensure!(
        there >= pixels,
        "shape {dims:?} asks for {pixels} bytes of pixels, {there} are there: the file is cut short; download or make it again"
    );
    ensure!(there == pixels, "{} extra bytes follow the pixels of shape {dims:?}: the file is damaged", there - pixels);
    Ok((dims, offset))
}

/// The header (version 1) of a new file in C order; `descr` is numpy's name of the type, such as `|u1`.
pub fn new_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    let len = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.push_str(&" ".repeat(len - text.len() - 1));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((len as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}
