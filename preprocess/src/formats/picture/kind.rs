//! What kind of file a picture is, by its first bytes and by its name.

use anyhow::{Result, bail};

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Portable Network Graphics.
    Png,
    /// JPEG, of one image.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// Windows bitmaps.
    Bmp,
    /// GIF, its first frame.
    Gif,
    /// TIFF, its first page.
    Tiff,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [Kind::Png, Kind::Jpeg, Kind::WebP, Kind::Bmp, Kind::Gif, Kind::Tiff];

    /// The format of a file that begins with `bytes`, if it is one of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Kind::Png),
            [0xff, 0xd8, ..] => Some(Kind::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Kind::WebP),
            // The size of the second header says which version it is.
            [b'B', b'M', ..] if bytes.get(14..18).is_none_or(|size| [12, 16, 40, 52, 56, 64, 108, 124].contains(&size[0])) => {
                Some(Kind::Bmp)
            }
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Kind::Gif),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Kind::Tiff),
            _ => None,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Png => "PNG",
            Kind::Jpeg => "JPEG",
            Kind::WebP => "WebP",
            Kind::Bmp => "BMP",
            Kind::Gif => "GIF",
            Kind::Tiff => "TIFF",
        })
    }
}

/// [`Kind::of`] for a file that should be a picture.
///
/// # Errors
/// If it is none of them; the message says what it seems to be.
pub fn kind(bytes: &[u8]) -> Result<Kind> {
    if let Some(kind) = Kind::of(bytes) {
        return Ok(kind);
    }
    match bytes {
        [] => bail!("the picture is empty"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand {
            [b'a', b'v', b'i', ..] => bail!("an AVIF picture, which is not read; make a PNG of it"),
            [b'h' | b'm', ..] => bail!("a HEIC picture, which is not read; make a PNG or JPEG of it"),
            _ => bail!("a video or another file of boxes, not a picture"),
        },
        [b'8', b'B', b'P', b'S', ..] => bail!("a Photoshop file (PSD), which is not read; make a PNG of it"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => bail!("a zip archive, not a picture"),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', ..] => bail!("a JPEG XL picture, which is not read; make a PNG of it"),
        [0, 0, 0, 12, b'j', b'P', ..] => bail!("a JPEG 2000 picture, which is not read; make a PNG of it"),
        _ => {}
    }
    let start = &bytes[..bytes.len().min(256)];
    let text = String::from_utf8_lossy(start).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        bail!("an HTML page, not a picture: the download failed");
    }
    if text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")) {
        bail!("an SVG drawing, which is not read; make a PNG of it");
    }
    if text.starts_with("version https://git-lfs") {
        bail!("a pointer of Git LFS, not a picture; `git lfs pull` gets the file");
    }
    if start.iter().all(|&byte| byte == 0) {
        bail!("it begins with zeros only: the file was made but not filled");
    }
    bail!("neither a PNG nor a JPEG, WebP, BMP, GIF or TIFF (it begins with {:02x?})", &bytes[..bytes.len().min(8)])
}

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A picture of a format that is read.
    Picture,
    /// A picture of another format.
    OtherPicture,
    /// It has no ending: its first bytes decide.
    NoEnding,
    /// Something else.
    Other,
}

const READ: &[&str] = &["png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "gif", "tif", "tiff"];
const NOT_READ: &[&str] = &[
    "heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "jpf", "jpx", "psd", "psb", "svg", "svgz", "raw", "cr2", "cr3", "crw",
    "nef", "nrw", "arw", "sr2", "srf", "dng", "orf", "rw2", "raf", "pef", "srw", "x3f", "3fr", "erf", "kdc", "mrw", "ppm", "pgm",
    "pbm", "pnm", "pam", "pfm", "tga", "ico", "cur", "icns", "exr", "hdr", "dds", "qoi", "xcf", "eps", "ai", "emf", "wmf", "pcx",
    "dcm", "fits", "xpm", "xbm", "dib", "jls", "wdp", "jxr", "flif", "bpg", "sgi", "ras", "kra", "afphoto", "mpo", "insp",
];

/// The ending of a name in small letters, without its dot.
pub fn ending(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit('/').next()?.rsplit_once('.')?;
    (!stem.is_empty() && !ending.is_empty()).then(|| ending.to_ascii_lowercase())
}

/// What a file of this name is.
pub fn named(name: &str) -> Named {
    match ending(name).as_deref() {
        None => Named::NoEnding,
        Some(ending) if READ.contains(&ending) => Named::Picture,
        Some(ending) if NOT_READ.contains(&ending) => Named::OtherPicture,
        Some(_) => Named::Other,
    }
}
