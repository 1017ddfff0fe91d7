//! Whether files of formats without checksums go on to their end.

use anyhow::{Context, Result, bail, ensure};

/// Follows the blocks of a GIF to its last byte, and counts its frames: decoders stop after the first.
///
/// # Errors
/// If the file ends before.
pub fn check_gif(bytes: &[u8]) -> Result<usize> {
    follow_gif(bytes).context("the GIF is cut short or damaged")
}

fn follow_gif(bytes: &[u8]) -> Result<usize> {
    const END: &str = "it has no end";
    let palette = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let byte = |at: usize| bytes.get(at).copied().context(END);
    let mut at = 13 + palette(byte(10)?);
    let mut frames = 0;
    loop {
        match byte(at)? {
            0x3b => return Ok(frames),
            // An image: its place, its palette, the size of its codes.
            0x2c => {
                frames += 1;
                at += 11 + palette(byte(at + 9)?);
            }
            0x21 => at += 2,
            other => bail!("byte {other:02x} at {at} begins no block"),
        }
        // Blocks of data up to an empty one.
        loop {
            let len = usize::from(byte(at)?);
            at += 1 + len;
            if len == 0 {
                break;
            }
        }
    }
}

/// Follows the chunks of a WebP, which must all lie within the file.
///
/// # Errors
/// If one does not.
pub fn check_webp(bytes: &[u8]) -> Result<()> {
    let len = |at: usize| bytes.get(at..)?.first_chunk().map(|&len| u32::from_le_bytes(len) as usize);
    let end = len(4).and_then(|len| len.checked_add(8)).context("the WebP is cut short in its header")?;
    ensure!(end <= bytes.len(), "the WebP is cut short: it has {} of {end} bytes", bytes.len());
    let mut at = 12;
    while at + 8 <= end {
        let next = len(at + 4).and_then(|len| at.checked_add(8)?.checked_add(len)).filter(|&next| next <= end);
        at = next
            .with_context(|| format!("the WebP is damaged: its chunk at byte {at} is longer than the file"))?
            .next_multiple_of(2);
    }
    Ok(())
}
