//! The older format of `torch.save`: five pickles one after the other, and then the storages.
//!
//! The pickles are a magic number, the version 1001, what machine wrote the file, what was saved, and the storages'
//! keys; then for each key the number of elements, 8 bytes, and the elements. How large an element is, only the
//! references to the storage tell.

use super::{Storage, StorageReference, TorchFile};
use anyhow::{Context, Result, bail, ensure};
use datasets::io::pickle::Pickle;
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c
const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
const VERSION: i64 = 1001;

/// Finds the pickle and the storages.
pub(super) fn parse(bytes: &[u8]) -> Result<TorchFile<'_>> {
    let mut rest = Rest { bytes, offset: 0 };
    let magic = rest.pickle("magic number")?;
    ensure!(
        magic.root().long() == Some(MAGIC),
        "it is a pickle, but not one of torch.save: it begins with {}",
        magic.root().kind()
    );
    let version = rest.pickle("version")?;
    ensure!(version.root().int() == Some(VERSION), "it has the version {}, expected {VERSION}", version.root().kind());
    let machine = rest.pickle("machine")?;
    ensure!(
        machine.root().get("little_endian").and_then(|little| little.bool()) != Some(false),
        "its numbers are not little-endian; save it again on a little-endian machine"
    );
    let pickle = rest.pickle("contents")?;
    let keys = rest.pickle("keys of storages")?;
    let storages = storages(&mut rest, &pickle, &keys)?;
    ensure!(rest.offset == bytes.len(), "{} bytes are left over after its end at {}", bytes.len() - rest.offset, rest.offset);
    Ok(TorchFile { pickle, storages })
}

/// The storages that the keys announce.
fn storages<'a>(rest: &mut Rest<'a>, pickle: &Pickle<'a>, keys: &Pickle<'a>) -> Result<HashMap<String, Storage<'a>>> {
    let mut references = HashMap::new();
    for id in pickle.persistent_ids() {
        if let Some(reference) = StorageReference::read(id)?
            && let Some(before) = references.insert(reference.key, reference)
        {
            let now = &references[before.key];
            let same = (before.element, before.len) == (now.element, now.len);
            ensure!(same, "storage `{}` is described in two ways that contradict each other", before.key);
        }
    }
    let mut storages = HashMap::new();
    let keys = keys.root();
    for key in keys.list().with_context(|| format!("the keys of its storages are {}, expected a list", keys.kind()))? {
        let key = key.text().with_context(|| format!("a storage's key is {}, expected a string", key.kind()))?;
        let reference = references.get(key).with_context(|| format!("nothing in the file says what storage `{key}` holds"))?;
        let len = rest.number().with_context(|| format!("storage `{key}`"))?;
        ensure!(
            len == reference.len as u64,
            "storage `{key}`, at byte {}: it has {len} elements here, its references say {}",
            rest.offset,
            reference.len
        );
        let offset = rest.offset;
        let contents = rest.take(reference.byte_len()?).with_context(|| format!("storage `{key}`"))?;
        ensure!(
            storages.insert(key.to_string(), Storage::new(contents, offset, None)).is_none(),
            "storage `{key}` is there twice"
        );
    }
    Ok(storages)
}

/// What has not been read yet.
struct Rest<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let left = &self.bytes[self.offset..];
        let Some(taken) = left.get(..len) else {
            bail!(
                "{len} bytes are needed at {}, but only {} are left: the file is cut short; copy it again",
                self.offset,
                left.len()
            );
        };
        self.offset += len;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn pickle(&mut self, what: &str) -> Result<Pickle<'a>> {
        let pickle =
            Pickle::parse_first(&self.bytes[self.offset..]).with_context(|| format!("its {what}, at byte {}", self.offset))?;
        self.offset += pickle.len();
        Ok(pickle)
    }
}
