//! Images in one `.npy` file of any size: values are read when they are needed.

use crate::formats::large_file::{LargeFile, PIECE};
use crate::formats::npy::header;
use crate::messages::fault;
use crate::sources::interleave::split_channels;
use anyhow::{Context, Result, bail, ensure};
use datasets::shards::build::Sink;
use std::ops::Range;
use std::path::Path;

/// A file with unsigned bytes of shape `[count, height, width, 3]`, row by row.
#[derive(Debug)]
pub struct NpyImages {
    file: LargeFile,
    /// Where the pixels begin.
    offset: u64,
    dims: [usize; 4],
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
        let (dims, offset) = header(&mut file.file(), file.len()).with_context(place)?;
        match dims {
            [0, ..] => bail!("{} holds no images", place()),
            [_, h, w, 3] if (h, w) == (size, size) => {}
            [_, 3, ..] => bail!(
                "{}: shape {dims:?}, expected [n, {size}, {size}, 3]; transpose it with array.transpose(0, 2, 3, 1).copy()",
                place()
            ),
            _ => bail!("{}: shape {dims:?}, expected [n, {size}, {size}, 3]; is it another data set or size?", place()),
        }
        Ok(NpyImages { file, offset, dims })
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

    /// Hands images on, channel by channel.
    ///
    /// # Errors
    /// If the file cannot be read, or the data set takes no such image.
    pub fn copy(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let len = self.image_len();
        let per_piece = (PIECE / len).max(1);
        let (mut pixels, mut image) = (vec![0; per_piece * len], vec![0; len]);
        for first in range.clone().step_by(per_piece) {
            let pixels = &mut pixels[..per_piece.min(range.end - first) * len];
            self.read(first, pixels)?;
            for (i, pixels) in pixels.chunks_exact(len).enumerate() {
                split_channels(pixels, &mut image);
                let pushed = sink.push(&image, None, &[]).map_err(anyhow::Error::from);
                fault::in_input(pushed, || format!("{}, image {}", self.path().display(), first + i))?;
            }
        }
        Ok(())
    }
}
