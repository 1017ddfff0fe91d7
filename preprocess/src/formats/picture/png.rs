//! The chunks of a PNG. Decoders unpack those that only describe the picture, which can be a thousand times as long as
//! the file; they are left out here.

use anyhow::{Context, Result, ensure};

/// The first bytes of every PNG.
pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The length and the type before a chunk's contents.
const HEAD: usize = 8;

/// The same PNG, up to its end, with nothing but the chunks that its pixels and its orientation depend on.
///
/// # Errors
/// If a chunk is cut short or has another checksum, or the last one is missing.
pub fn essential(bytes: &[u8]) -> Result<Vec<u8>> {
    ensure!(bytes.starts_with(&SIGNATURE), "not a valid PNG: its first 8 bytes are changed");
    let mut kept = SIGNATURE.to_vec();
    let mut at = SIGNATURE.len();
    loop {
        let rest = &bytes[at..];
        ensure!(!rest.is_empty(), "the PNG has no end (IEND chunk): it is cut short");
        let chunk = chunk(rest)
            .with_context(|| format!("the PNG is cut short or damaged in its chunk at byte {at} of {}", bytes.len()))?;
        let name = &chunk[4..HEAD];
        // Names of chunks without which the pixels are not known begin with a capital.
        if name[0].is_ascii_uppercase() || name == b"tRNS" || name == b"eXIf" {
            kept.extend(chunk);
        }
        if name == b"IEND" {
            return Ok(kept);
        }
        at += chunk.len();
    }
}

/// Whether a PNG has more pictures behind its first.
pub fn is_animated(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(SIGNATURE.len()..).unwrap_or_default();
    while let Ok(chunk) = chunk(rest) {
        match &chunk[4..HEAD] {
            b"acTL" => return true,
            b"IDAT" => return false,
            _ => rest = &rest[chunk.len()..],
        }
    }
    false
}

/// The whole chunk at the beginning of `bytes`.
fn chunk(bytes: &[u8]) -> Result<&[u8]> {
    let len = bytes.first_chunk().map(|&len| u32::from_be_bytes(len) as usize);
    let whole = len.and_then(|len| bytes.get(..len.checked_add(HEAD + 4)?)).context("it ends too early")?;
    let (content, crc) = whole.split_last_chunk::<4>().context("it ends too early")?;
    ensure!(crc32fast::hash(&content[4..]) == u32::from_be_bytes(*crc), "it has another checksum");
    Ok(whole)
}
