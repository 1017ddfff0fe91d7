//! Bytes that are read from their beginning, as often as needed: of a file, of a compressed file, or in memory.
//! Memory in use does not depend on their number.

use crate::formats::large_file::LargeFile;
use anyhow::{Context, Result, ensure};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// An open stream of bytes.
pub type Stream = Box<dyn BufRead + Send>;

type Open = dyn Fn() -> Result<Stream> + Send + Sync;

/// Bytes that can be opened again and again, by several threads at once.
#[derive(Clone)]
pub struct Packed {
    place: Arc<str>,
    open: Arc<Open>,
}

impl Packed {
    /// Bytes at a place, which errors name, opened by a function.
    pub fn new(place: impl Into<Arc<str>>, open: impl Fn() -> Result<Stream> + Send + Sync + 'static) -> Self {
        Packed { place: place.into(), open: Arc::new(open) }
    }

    /// The contents of a file, which must be an ordinary one.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn file(path: &Path) -> Result<Self> {
        let file = Arc::new(LargeFile::open(path)?);
        let len = file.len();
        Ok(Packed::section(path.display().to_string(), &file, 0, len))
    }

    /// `len` bytes of a file.
    pub fn section(place: impl Into<Arc<str>>, file: &Arc<LargeFile>, start: u64, len: u64) -> Self {
        let file = Arc::clone(file);
        Packed::new(place, move || Ok(buffered(Section { file: Arc::clone(&file), at: start, end: start.saturating_add(len) })))
    }

    /// Bytes in memory.
    pub fn memory(place: impl Into<Arc<str>>, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(bytes);
        Packed::new(place, move || Ok(Box::new(Cursor::new(Shared(Arc::clone(&bytes))))))
    }

    /// These bytes unzipped, if they are zipped by gzip, or else as they are.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn gunzipped(self) -> Result<Self> {
        let mut stream = self.open()?;
        let start = stream.fill_buf().with_context(|| format!("cannot read {}", self.place))?;
        if !start.starts_with(&[0x1f, 0x8b]) {
            return Ok(self);
        }
        let place = Arc::clone(&self.place);
        Ok(Packed::new(place, move || Ok(buffered(MultiGzDecoder::new(self.open()?)))))
    }

    /// Where the bytes are, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Opens them at their beginning.
    ///
    /// # Errors
    /// If they cannot be opened.
    pub fn open(&self) -> Result<Stream> {
        (self.open)()
    }

    /// Opens them at a position.
    ///
    /// # Errors
    /// If they cannot be opened or read, or are fewer.
    pub fn open_at(&self, start: u64) -> Result<Stream> {
        let mut stream = self.open()?;
        skip(&mut stream, start).with_context(|| format!("cannot read {} up to byte {start}", self.place))?;
        Ok(stream)
    }

    /// The number of bytes from a position to the end, all of them read, which makes what they are packed in compare its
    /// checksum; more than `limit` of them are not read.
    ///
    /// # Errors
    /// If they cannot be read, or are damaged.
    pub fn count_from(&self, start: u64, limit: u64) -> Result<u64> {
        let stream = self.open_at(start)?;
        let read = io::copy(&mut stream.take(limit.saturating_add(1)), &mut io::sink());
        read.with_context(|| format!("cannot read {} after byte {start}", self.place))
    }

    /// Whether two have the same contents.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn is_equal(&self, other: &Packed) -> Result<bool> {
        let (mut a, mut b) = (self.open()?, other.open()?);
        loop {
            let left = a.fill_buf().with_context(|| format!("cannot read {}", self.place))?;
            let right = b.fill_buf().with_context(|| format!("cannot read {}", other.place))?;
            let n = left.len().min(right.len());
            if n == 0 || left[..n] != right[..n] {
                return Ok(left.is_empty() && right.is_empty());
            }
            a.consume(n);
            b.consume(n);
        }
    }

    /// All of them, of which there must not be more than `limit`.
    ///
    /// # Errors
    /// If there are more, or they cannot be read.
    pub fn read_all(&self, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.open()?.take(limit + 1).read_to_end(&mut bytes);
        read.with_context(|| format!("cannot read {}", self.place))?;
        ensure!(bytes.len() as u64 <= limit, "{} has more than {limit} bytes: is it another file?", self.place);
        Ok(bytes)
    }
}

/// Reads past `n` bytes.
///
/// # Errors
/// If there are fewer, or they cannot be read.
pub fn skip(stream: &mut impl Read, n: u64) -> io::Result<()> {
    let skipped = io::copy(&mut stream.take(n), &mut io::sink())?;
    if skipped == n { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A stream with a buffer.
pub fn buffered(reader: impl Read + Send + 'static) -> Stream {
    Box::new(BufReader::with_capacity(1 << 16, reader))
}

struct Section {
    file: Arc<LargeFile>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.end - self.at).map_or(out.len(), |left| left.min(out.len()));
        let n = self.file.file().read_at(&mut out[..len], self.at)?;
        if n == 0 && len > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut while it was read"));
        }
        self.at += n as u64;
        Ok(n)
    }
}

struct Shared(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Checks that a stream has as many bytes as were announced, with the announced CRC32.
pub struct Checked<R> {
    inner: R,
    crc: crc32fast::Hasher,
    left: u64,
    expected: u32,
    done: bool,
}

impl<R: Read> Checked<R> {
    /// A stream that must have `len` bytes and the checksum `expected`.
    pub fn new(inner: R, len: u64, expected: u32) -> Self {
        Checked { inner, crc: crc32fast::Hasher::new(), left: len, expected, done: false }
    }

    fn check_end(&mut self) -> io::Result<()> {
        let fault = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if self.inner.read(&mut [0])? > 0 {
            return fault("more bytes than are announced: the file is damaged".into());
        }
        let crc = self.crc.clone().finalize();
        if crc != self.expected {
            return fault(format!("the checksum is {crc:08x}, expected {:08x}: the file is damaged", self.expected));
        }
        self.done = true;
        Ok(())
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || out.is_empty() {
            if !self.done && !out.is_empty() {
                self.check_end()?;
            }
            return Ok(0);
        }
        let len = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let n = self.inner.read(&mut out[..len])?;
        if n == 0 {
            let reason = format!("{} more bytes are announced: the file is cut short", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.crc.update(&out[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}
