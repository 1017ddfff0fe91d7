//! Files that PyTorch's `torch.save` writes, read without running anything in them.
//!
//! Such a file is a pickle whose tensors refer to blocks of numbers ("storages") outside of it. Since PyTorch 1.6 both
//! are entries of a ZIP archive (`archive`); before, and on request, they follow each other in a stream (`stream`).
//! Everything is looked at where it lies, and copied only when a tensor's values are asked for (`tensor`).

mod archive;
mod stream;
mod tensor;
#[cfg(test)]
mod tests;

pub use tensor::TorchTensor;

use anyhow::{Context, Result, bail, ensure};
use datasets::io::pickle::{Item, Pickle};
use std::cell::Cell;
use std::collections::HashMap;

/// A file of `torch.save`.
pub struct TorchFile<'a> {
    pickle: Pickle<'a>,
    storages: HashMap<String, Storage<'a>>,
}

/// The bytes of a block of numbers.
#[derive(Clone)]
struct Storage<'a> {
    bytes: &'a [u8],
    /// Where they begin in the file.
    offset: usize,
    /// Their CRC-32, where the format has one.
    crc: Option<u32>,
    checked: Cell<bool>,
}

impl<'a> TorchFile<'a> {
    /// Finds the pickle and the storages in the bytes of a file.
    ///
    /// # Errors
    /// If the bytes are no such file, or are cut short or damaged; with the position of the fault.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        match bytes {
            [] => bail!("it is empty; copy it again"),
            [b'P', b'K', ..] => archive::parse(bytes),
            [0x80, ..] => stream::parse(bytes),
            _ => bail!(
                "it begins with {:02x?}, but files of torch.save begin with `PK` (an archive) or 0x80 (a pickle): it is \
                 another kind of file",
                &bytes[..bytes.len().min(4)]
            ),
        }
    }

    /// Whether the bytes begin like such a file.
    pub fn is_likely(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK") || bytes.starts_with(&[0x80])
    }

    /// What was saved.
    pub fn root(&self) -> Item<'_, 'a> {
        self.pickle.root()
    }

    /// A tensor in the pickle. Its place in its storage is checked; its values have not been read yet.
    ///
    /// # Errors
    /// If the value is no tensor, or one that this program does not know, or is not within its storage.
    pub fn tensor(&self, item: Item) -> Result<TorchTensor<'_>> {
        tensor::describe(self, item, 0)
    }

    /// The storage of a persistent id.
    fn storage(&self, reference: &StorageReference) -> Result<&Storage<'a>> {
        self.storages
            .get(reference.key)
            .with_context(|| format!("storage `{}` is not in the file: it was cut short", reference.key))
    }
}

impl<'a> Storage<'a> {
    fn new(bytes: &'a [u8], offset: usize, crc: Option<u32>) -> Self {
        Self { bytes, offset, crc, checked: Cell::new(false) }
    }

    /// Compares the checksum, once.
    fn check(&self) -> Result<()> {
        if let Some(expected) = self.crc
            && !self.checked.get()
        {
            let got = crc32fast::hash(self.bytes);
            ensure!(
                got == expected,
                "the {} bytes at {} have CRC-32 {got:08x}, expected {expected:08x}: the file is damaged; copy it again",
                self.bytes.len(),
                self.offset
            );
            self.checked.set(true);
        }
        Ok(())
    }
}

/// A kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    /// From the name of a storage's class, such as `FloatStorage`.
    fn of_storage(class: &str) -> Option<Self> {
        Some(match class.strip_suffix("Storage")? {
            "Double" => Element::F64,
            "Float" => Element::F32,
            "Half" => Element::F16,
            "BFloat16" => Element::Bf16,
            "Long" => Element::I64,
            "Int" => Element::I32,
            "Short" => Element::I16,
            "Char" => Element::I8,
            "Byte" => Element::U8,
            "Bool" => Element::Bool,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::F16 | Element::Bf16 | Element::I16 => 2,
            Element::I8 | Element::U8 | Element::Bool => 1,
        }
    }
}

/// A persistent id that names a storage:
/// `('storage', class, key, device, number of elements[, None or (key, offset, number) of a part])`.
struct StorageReference<'a> {
    key: &'a str,
    element: Element,
    len: usize,
    /// Where a part of the storage begins, in elements; 0 for a whole one.
    start: usize,
    /// Elements of the part, or of the whole.
    part: usize,
}

impl<'a> StorageReference<'a> {
    /// `None` for persistent ids of other things, which are of no interest here.
    fn read(id: Item<'_, 'a>) -> Result<Option<Self>> {
        let parts: Vec<_> = id.tuple().into_iter().flatten().collect();
        if parts.first().and_then(|tag| tag.text()) != Some("storage") {
            return Ok(None);
        }
        let [_, class, key, _, len, view @ ..] = parts.as_slice() else {
            bail!("a reference to a storage has {} parts, expected 5 or 6", parts.len());
        };
        let key = key.text().with_context(|| format!("a storage's key is {}, expected a string", key.kind()))?;
        let named = class.global().filter(|(module, _)| module.starts_with("torch"));
        let element = named.and_then(|(_, class)| Element::of_storage(class));
        let element =
            element.with_context(|| format!("storage `{key}` has {}, whose elements are unknown here", class.kind()))?;
        let len = len.size().with_context(|| format!("storage `{key}` has {} elements", len.kind()))?;
        let (start, part) = match view.first().filter(|view| !view.is_none()) {
            None => (0, len),
            Some(view) => {
                let view: Vec<_> = view.tuple().into_iter().flatten().map(|part| part.size()).collect();
                let [_, Some(start), Some(part)] = view.as_slice() else {
                    bail!("storage `{key}` is a part of another, but not (key, offset, number of elements)");
                };
                (*start, *part)
            }
        };
        Ok(Some(Self { key, element, len, start, part }))
    }

    /// Bytes of the whole storage.
    fn byte_len(&self) -> Result<usize> {
        let Self { key, len, .. } = self;
        self.element
            .size()
            .checked_mul(*len)
            .with_context(|| format!("storage `{key}` has {len} elements, more than memory can hold"))
    }
}
