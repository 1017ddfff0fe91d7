//! The framing of TFRecord files, which TensorBoard's event files share: length (u64), masked CRC32C of the length (u32),
//! payload, masked CRC32C of the payload (u32), all little-endian, one record after the other.

/// A checksum as it is stored: rotated and shifted, so that checksums of checksums stay useful.
pub fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A payload as a record.
///
/// # Examples
/// ```
/// let record = datasets::io::record::frame(b"x");
/// assert_eq!(record.len(), 8 + 4 + 1 + 4);
/// assert_eq!(record[..8], 1u64.to_le_bytes());
/// ```
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| mask(crc32c::crc32c(bytes)).to_le_bytes();
    [&length[..], &checksum(&length), payload, &checksum(payload)].concat()
}
