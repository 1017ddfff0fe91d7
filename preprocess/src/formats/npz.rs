//! numpy's `.npz` files: zip archives of `.npy` files, on disk or within another archive.

use crate::formats::MAX_IMAGES;
use crate::formats::npy::ArrayHeader;
use crate::formats::packed::Packed;
use crate::formats::zip_file::{self, Member};
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::Path;

/// The arrays of a file.
pub struct Npz {
    place: String,
    members: Vec<Member>,
}

/// An array whose values have not been read.
pub struct Array {
    /// Its header.
    pub header: ArrayHeader,
    /// The `.npy` file.
    pub bytes: Packed,
}

impl Npz {
    /// Opens a file on disk.
    ///
    /// # Errors
    /// If it is not such a file, or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Npz { place: path.display().to_string(), members: zip_file::members(path)? })
    }

    /// Opens a file within an archive.
    ///
    /// # Errors
    /// If it is not such a file, or damaged.
    pub fn open_packed(bytes: &Packed) -> Result<Self> {
        Ok(Npz { place: bytes.place().into(), members: zip_file::members_of_packed(bytes)? })
    }

    /// The array of a name.
    ///
    /// # Errors
    /// If there is none, or its header is damaged.
    pub fn array(&self, name: &str) -> Result<Array> {
        let file = format!("{name}.npy");
        let Some(member) = self.members.iter().find(|member| member.name == file) else {
            let names: Vec<_> =
                self.members.iter().take(8).map(|m| m.name.trim_end_matches(".npy").escape_debug().to_string()).collect();
            bail!("{} has no array `{name}`, only {}", self.place, names.join(", "))
        };
        let bytes = member.contents.clone();
        let header = ArrayHeader::read(&mut bytes.open()?).with_context(|| bytes.place().to_string())?;
        Ok(Array { header, bytes })
    }
}

impl Array {
    /// Checks that there are exactly as many values of `width` bytes as the header says, with the right checksum.
    ///
    /// # Errors
    /// If there are not.
    pub fn check_len(&self, width: usize) -> Result<()> {
        let place = self.bytes.place();
        let expected = (self.header.len() as u64).checked_mul(width as u64).with_context(|| format!("{place}: too large"))?;
        let got = self.bytes.count_from(self.header.offset as u64, expected)?;
        let shape = &self.header.shape;
        ensure!(got >= expected, "{place}: shape {shape:?} asks for {expected} bytes, {got} are there: the file is cut short");
        ensure!(got == expected, "{place}: more bytes than the {expected} that shape {shape:?} asks for: the file is damaged");
        Ok(())
    }

    /// The values of an array of whole numbers with one dimension (or only one of more than one value).
    ///
    /// # Errors
    /// If it is of another type or shape, or damaged.
    pub fn whole_numbers(&self) -> Result<Vec<i64>> {
        let (place, ArrayHeader { descr, shape, .. }) = (self.bytes.place(), &self.header);
        let n = self.header.len();
        ensure!(
            shape.iter().filter(|&&dim| dim != 1).count() <= 1 && n <= MAX_IMAGES,
            "{place}: shape {shape:?}, expected [n], with n at most {MAX_IMAGES}"
        );
        let Some((width, number)) = number(descr) else {
            bail!("{place}: the type is '{}', expected whole numbers, such as '<i8' or '|u1'", descr.escape_debug())
        };
        self.check_len(width)?;
        let mut bytes = Vec::new();
        self.bytes.open_at(self.header.offset as u64)?.read_to_end(&mut bytes).with_context(|| place.to_string())?;
        Ok(bytes.chunks_exact(width).map(number).collect())
    }
}

type Decoder = fn(&[u8]) -> i64;

/// Width and decoder of numpy's types of whole numbers, in either byte order.
fn number(descr: &str) -> Option<(usize, Decoder)> {
    macro_rules! from {
        ($kind:ty, $method:ident) => {
            |bytes| bytes.try_into().map_or(0, |bytes| <$kind>::$method(bytes) as i64)
        };
    }
    let decoder: Decoder = match descr {
        "|u1" | "<u1" | ">u1" => from!(u8, from_le_bytes),
        "|i1" | "<i1" | ">i1" => from!(i8, from_le_bytes),
        "<u2" => from!(u16, from_le_bytes),
        "<i2" => from!(i16, from_le_bytes),
        "<u4" => from!(u32, from_le_bytes),
        "<i4" => from!(i32, from_le_bytes),
        "<u8" => from!(u64, from_le_bytes),
        "<i8" => from!(i64, from_le_bytes),
        ">u2" => from!(u16, from_be_bytes),
        ">i2" => from!(i16, from_be_bytes),
        ">u4" => from!(u32, from_be_bytes),
        ">i4" => from!(i32, from_be_bytes),
        ">u8" => from!(u64, from_be_bytes),
        ">i8" => from!(i64, from_be_bytes),
        _ => return None,
    };
    Some((usize::from(descr.as_bytes()[2] - b'0'), decoder))
}
