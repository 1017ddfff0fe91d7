//! Arrays of images in numpy's `.npy` files, of any size: the header is checked, pixels are read when they are needed.

use crate::large_file::LargeFile;
use anyhow::{Context, Result, bail, ensure};
use datasets::npy::check_header;
use ndarray::ArrayView4;
use ndarray_npy::ViewNpyExt;
use std::path::Path;

/// A file with unsigned bytes of shape `[count, height, width, 3]`, row by row.
#[derive(Debug)]
pub struct NpyImages {
    file: LargeFile,
    /// Where the pixels begin.
    offset: u64,
    dims: [usize; 4],
}

/// What is in a `.npy` file of images: its dimensions, and where its pixels begin.
///
/// # Errors
/// If `bytes`, the whole file, holds anything but unsigned bytes of rank 4 in C order, exactly as many as the header
/// says.
pub fn header(bytes: &[u8]) -> Result<([usize; 4], usize)> {
    check_header(bytes)?;
    let view = ArrayView4::<u8>::view_npy(bytes).map_err(|e| {
        anyhow::anyhow!(
            "expected a .npy file of unsigned bytes (uint8) of shape [n, height, width, 3]: {e} ({} bytes in all)",
            bytes.len()
        )
    })?;
    let (n, height, width, channels) = view.dim();
    ensure!(
        view.is_standard_layout(),
        "the array is in Fortran order; save it again as numpy.save(path, numpy.ascontiguousarray(array))"
    );
    Ok(([n, height, width, channels], bytes.len() - view.len()))
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

impl NpyImages {
    /// Opens a file and checks that it holds square images of side `size`.
    ///
    /// # Errors
    /// If it holds anything else, is cut short, or is too long.
    pub fn open(path: &Path, size: usize) -> Result<Self> {
        let file = LargeFile::open(path)?;
        let place = || path.display().to_string();
        ensure!(!file.is_empty(), "{} is empty; download or make it again", place());
        let (dims, offset) = header(&file.map()?).with_context(place)?;
        match dims {
            [0, ..] => bail!("{} holds no images", place()),
            [_, h, w, 3] if (h, w) == (size, size) => {}
            [_, 3, ..] => bail!(
                "{}: shape {dims:?}, expected [n, {size}, {size}, 3]; transpose it with array.transpose(0, 2, 3, 1).copy()",
                place()
            ),
            _ => bail!("{}: shape {dims:?}, expected [n, {size}, {size}, 3]; is it another data set or size?", place()),
        }
        Ok(NpyImages { file, offset: offset as u64, dims })
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.dims[0]
    }

    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.dims[1..].iter().product()
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The pixels of the images from `first` on, as many as `out` holds.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(&self, first: usize, out: &mut [u8]) -> Result<()> {
        self.file.read(self.offset + (first * self.image_len()) as u64, out)
    }
}
