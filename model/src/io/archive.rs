//! The container of models and checkpoints: a safetensors file with checksums.
//!
//! Tensors have names `<section>.<path>`, such as `model.scales.0.layers.1.ActNorm.bias`, and are of type F32. The metadata of the
//! header are text by key. Two kinds of checksums protect a file:
//!
//! - The last four bytes are the tensor `crc32c`: the CRC32C of all bytes before them. It is verified where the whole file is read.
//! - `checksums` in the metadata has the CRC32C of each section's bytes, and as `header` that of all else in the header. They are
//!   verified where only some sections are read, such as the averaged weights without the optimiser's memory.
//!
//! No single changed byte in what is read, and no run of them up to four, goes unnoticed. Files of earlier versions have no
//! `checksums`: of them the whole file is read. The same contents give the same bytes.

use super::state::NamedTensor;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use thiserror::Error;

const CHECKSUM: &str = "crc32c";
const CHECKSUMS: &str = "checksums";
/// Among the checksums, of the header.
const HEADER: &str = "header";
/// Bytes of a header at most.
const MOST_HEADER: u64 = 100_000_000;
/// Numbers that are read or written at a time.
const CHUNK: usize = 1 << 14;

/// What is wrong with a file's contents.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is no safetensors file.
    #[error("it is not a checkpoint, or was cut short or changed ({0}); copy it again")]
    NoContainer(String),
    /// Bytes have changed.
    #[error("it was damaged: its CRC32C is not that of its contents; copy it again, or take an earlier checkpoint")]
    Damaged,
    /// A tensor of another type.
    #[error("tensor `{name}` has the type {got}, expected F32")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        got: String,
    },
    /// A number with which nothing can be done.
    #[error("tensor `{name}` is not finite: element {element} is {value}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// The place of the first such number.
        element: usize,
        /// The number.
        value: f32,
    },
    /// Metadata that say something else than expected.
    #[error("{0}")]
    Metadata(String),
    /// Tensors that do not fit the model that the metadata describe.
    #[error("its `{section}` does not fit the model of the settings: {error}")]
    State {
        /// The section.
        section: String,
        /// What does not fit.
        error: super::state::StateError,
    },
    /// A model that cannot be built, or whose constraint does not converge.
    #[error(transparent)]
    Model(#[from] crate::error::ModelError),
}

/// What is written into a file.
#[derive(Default)]
pub struct Contents<'a> {
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by section. What is before the first point of a section's name has one checksum.
    pub sections: BTreeMap<String, &'a [NamedTensor]>,
}

impl Contents<'_> {
    /// Writes them.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let tensors: BTreeMap<String, &NamedTensor> = self.tensors();
        let mut header = Map::new();
        let mut metadata = self.metadata.clone();
        let (mut at, mut layout, mut sums) = (0, Vec::new(), BTreeMap::<&str, u32>::new());
        let mut bytes = Vec::new();
        for (name, tensor) in &tensors {
            let end = at + 4 * tensor.values.len();
            header.insert(name.clone(), json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, end]}));
            layout.push((name.as_str(), tensor.shape.as_slice(), [at, end]));
            let sum = sums.entry(section_of(name)).or_default();
            for part in tensor.values.chunks(CHUNK) {
                *sum = crc32c::crc32c_append(*sum, little_endian(part, &mut bytes));
            }
            at = end;
        }
        sums.insert(HEADER, header_sum(&metadata, layout.into_iter()));
        metadata.insert(CHECKSUMS.into(), json!(sums).to_string());
        header.insert("__metadata__".into(), json!(metadata));
        header.insert(CHECKSUM.into(), json!({"dtype": "U32", "shape": [1], "data_offsets": [at, at + 4]}));
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');

        let mut out = Summed { out, crc: 0 };
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for part in tensors.values().flat_map(|tensor| tensor.values.chunks(CHUNK)) {
            out.write_all(little_endian(part, &mut bytes))?;
        }
        let crc = out.crc.to_le_bytes();
        out.out.write_all(&crc)
    }

    /// All tensors by their names in the file, sorted.
    fn tensors(&self) -> BTreeMap<String, &NamedTensor> {
        let of_section = self.sections.iter().flat_map(|(section, tensors)| tensors.iter().map(move |tensor| (section, tensor)));
        of_section.map(|(section, tensor)| (format!("{section}.{}", tensor.name), tensor)).collect()
    }
}

/// A file whose header has been read.
pub struct Archive {
    source: Box<dyn Source>,
    metadata: BTreeMap<String, String>,
    /// By their names, in the order of names.
    tensors: BTreeMap<String, TensorInfo>,
    /// Where the tensors begin.
    start: u64,
    /// By section; `None` in files of earlier versions.
    checksums: Option<HashMap<String, u32>>,
    /// Whether the checksum of the whole file was verified.
    is_verified: bool,
}

trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

impl Archive {
    /// Reads the header of a file. Of a stream, such as a FIFO, everything is read.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file, or was cut short or damaged.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        // A pipe would be waited for, and a device has no end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(
                io::Error::new(io::ErrorKind::InvalidInput, "it is a directory, a pipe or a device, expected a file").into()
            );
        }
        Self::of_file(File::open(path)?)
    }

    /// [`open`](Self::open), of a file that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_file(file: File) -> Result<Self, FormatError> {
        Self::read(Box::new(file))
    }

    /// Takes the bytes of a whole file, and verifies the checksum of all of them.
    ///
    /// # Errors
    /// If they are no safetensors file, or were cut short or damaged.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        let is_intact = is_intact(&bytes);
        let mut archive = Self::read(Box::new(Cursor::new(bytes)))?;
        archive.is_verified = is_intact;
        Ok(archive)
    }

    fn read(mut source: Box<dyn Source>) -> Result<Self, FormatError> {
        let no_container = |reason: &dyn ToString| FormatError::NoContainer(reason.to_string());
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut size = [0; 8];
        source.read_exact(&mut size).map_err(|_| no_container(&"the header is too small"))?;
        let size = u64::from_le_bytes(size);
        if size > MOST_HEADER || size.saturating_add(8) > length {
            return Err(no_container(&"the header is too large, or its length is wrong"));
        }
        let mut header = vec![0; size as usize];
        source.read_exact(&mut header)?;
        // Checks that the tensors lie one after the other and are as long as their shapes say.
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| no_container(&error))?;
        if 8 + size + header.data_len() as u64 != length {
            return Err(no_container(&"the tensors are not as long as the file"));
        }
        let metadata: BTreeMap<_, _> = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let tensors: BTreeMap<_, _> = header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        let checksums = match metadata.get(CHECKSUMS) {
            None => None,
            Some(text) => Some(serde_json::from_str(text).map_err(|_| FormatError::Damaged)?),
        };
        Ok(Self { source, metadata, tensors, start: 8 + size, checksums, is_verified: false })
    }

    /// What the header says: text by key.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Verifies the header by its own checksum, or, if there is none, the whole file.
    ///
    /// # Errors
    /// If it was damaged.
    pub fn verify_header(&mut self) -> Result<(), FormatError> {
        let Some(checksums) = &self.checksums else { return self.verify() };
        if self.is_verified {
            return Ok(());
        }
        let metadata: BTreeMap<String, String> =
            self.metadata.iter().filter(|(key, _)| *key != CHECKSUMS).map(|(key, text)| (key.clone(), text.clone())).collect();
        let tensors = self.tensors.iter().filter(|(name, _)| *name != CHECKSUM);
        let layout = tensors.map(|(name, info)| (name.as_str(), info.shape.as_slice(), <[usize; 2]>::from(info.data_offsets)));
        let sum = header_sum(&metadata, layout);
        if checksums.get(HEADER) == Some(&sum) { Ok(()) } else { Err(FormatError::Damaged) }
    }

    /// Verifies the checksum of the whole file, unless that was done.
    ///
    /// # Errors
    /// If it was damaged.
    pub fn verify(&mut self) -> Result<(), FormatError> {
        if self.is_verified {
            return Ok(());
        }
        let length = self.source.seek(SeekFrom::End(0))?;
        self.source.rewind()?;
        let (mut left, mut crc, mut chunk) = (length.saturating_sub(4), 0, vec![0; 4 * CHUNK]);
        while left > 0 {
            let part = &mut chunk[..left.min(4 * CHUNK as u64) as usize];
            self.source.read_exact(part)?;
            crc = crc32c::crc32c_append(crc, part);
            left -= part.len() as u64;
        }
        let mut stored = [0; 4];
        self.source.read_exact(&mut stored)?;
        if crc != u32::from_le_bytes(stored) {
            return Err(FormatError::Damaged);
        }
        self.is_verified = true;
        Ok(())
    }

    /// Whether the bytes that the archive was made of have the checksum that they end with.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// The names of all tensors but the checksum, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str).filter(|name| *name != CHECKSUM)
    }

    /// Whether there is a tensor of this section.
    pub fn has_section(&self, section: &str) -> bool {
        self.names().any(|name| section_of(name) == section)
    }

    /// The number of numbers in a section.
    pub fn section_len(&self, section: &str) -> usize {
        let of_section = self.tensors.iter().filter(|(name, _)| section_of(name) == section);
        of_section.map(|(_, info)| info.shape.iter().product::<usize>()).sum()
    }

    /// The tensors of a section, in the order of their names, without the section's name; none if there is no such section. Reads
    /// only these, and verifies them.
    ///
    /// # Errors
    /// If they cannot be read, were damaged, or a number is not finite.
    pub fn section(&mut self, section: &str) -> Result<Vec<NamedTensor>, FormatError> {
        if self.checksums.is_none() {
            self.verify()?;
        }
        let infos = self.tensors.iter().filter(|(name, _)| section_of(name) == section);
        let infos: Vec<(String, TensorInfo)> = infos.map(|(name, info)| (name.clone(), info.clone())).collect();
        let (mut crc, mut tensors, mut fault) = (0, Vec::with_capacity(infos.len()), None);
        let mut chunk = vec![0; 4 * CHUNK];
        for (name, info) in infos {
            if info.dtype != Dtype::F32 {
                return Err(FormatError::Type { name, got: format!("{:?}", info.dtype) });
            }
            self.source.seek(SeekFrom::Start(self.start + info.data_offsets.0 as u64))?;
            let mut left = info.data_offsets.1 - info.data_offsets.0;
            let mut values: Vec<f32> = Vec::with_capacity(left / 4);
            let mut are_finite = true;
            while left > 0 {
                let part = &mut chunk[..left.min(4 * CHUNK)];
                self.source.read_exact(part)?;
                crc = crc32c::crc32c_append(crc, part);
                let words = part.chunks_exact(4);
                let before = values.len();
                values.extend(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])));
                are_finite &= values[before..].iter().fold(true, |finite, value| finite & value.is_finite());
                left -= part.len();
            }
            if !are_finite && fault.is_none() {
                let element = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
                fault = Some(FormatError::NotFinite { name: name.clone(), element, value: values[element] });
            }
            let path = name.split_once('.').map_or("", |(_, path)| path);
            tensors.push(NamedTensor { name: path.into(), shape: info.shape, values });
        }
        let expected = self.checksums.as_ref().and_then(|sums| sums.get(section));
        if !self.is_verified && !tensors.is_empty() && expected != Some(&crc) {
            return Err(FormatError::Damaged);
        }
        fault.map_or(Ok(tensors), Err)
    }
}

/// What is before the first point of a tensor's name.
fn section_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(section, _)| section)
}

/// Whether the last four bytes are the checksum of the others.
fn is_intact(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(contents, &stored)| crc32c::crc32c(contents) == u32::from_le_bytes(stored))
}

/// The checksum of what a header says: metadata in the order of keys, tensors in the order of names.
fn header_sum<'a>(metadata: &BTreeMap<String, String>, tensors: impl Iterator<Item = (&'a str, &'a [usize], [usize; 2])>) -> u32 {
    let texts = metadata.iter().map(|(key, text)| format!("{key}\0{text}\0"));
    let tensors = tensors.map(|(name, shape, offsets)| format!("{name}\0{shape:?}\0{offsets:?}\0"));
    texts.chain(tensors).fold(0, |crc, text| crc32c::crc32c_append(crc, text.as_bytes()))
}

fn little_endian<'a>(values: &[f32], bytes: &'a mut Vec<u8>) -> &'a [u8] {
    bytes.clear();
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Adds up what passes through.
struct Summed<W> {
    out: W,
    crc: u32,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
