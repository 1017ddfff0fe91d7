//! The JSON description of one split: what its images are, where they come from, and which shards hold them.

use crate::error::DatasetError;
use crate::io::atomic;
use crate::shards::codec::CodecKind;
use crate::shards::format;
use crate::shards::shape::ImageShape;
use crate::split::Split;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The origin of the images of a data set, and the program that made the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Origin: publication, archive, address.
    pub source: String,
    /// Licence and the attribution it asks for.
    pub licence: String,
    /// Anything else worth keeping, such as the rule that made the splits.
    pub notes: String,
    /// The program that wrote the files, with its version.
    pub tool: String,
}

/// One shard as its manifest sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// File name, within the manifest's directory.
    pub file: String,
    /// Images in the shard.
    pub count: usize,
    /// Length of the file.
    pub bytes: u64,
    /// XXH3 (128 bits, hexadecimal) of the pixels' bytes; absent before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xxh3: Option<String>,
    /// SHA-256 (hexadecimal) of the file; in versions 1 and 2 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Length of the part before the pixels: header, offsets, checksums, labels.
    pub index_bytes: u64,
    /// CRC32C of that part, compared whenever the shard is opened.
    pub index_crc32c: u32,
}

/// The contents of `train.json` or `test.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`format::FORMAT`].
    pub format: String,
    /// 1 to [`format::VERSION`].
    pub version: u32,
    /// The data set's name, such as `cifar10`.
    pub name: String,
    /// The split described.
    pub split: Split,
    /// Number of values a pixel can take; all pixels are below it.
    pub levels: u32,
    /// Shape of every image.
    pub shape: ImageShape,
    /// Images in the split.
    pub count: usize,
    /// Whether every image has a label.
    pub labelled: bool,
    /// Attributes of every image; 0, and absent in the file, in sets without them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attributes: usize,
    /// How images are stored.
    pub codec: CodecKind,
    /// The origin of the images.
    pub provenance: Provenance,
    /// The shards in order; image indices run through them.
    pub shards: Vec<ShardEntry>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The two keys that decide whether the rest can be understood.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: serde_json::Value,
}

impl Manifest {
    /// Reads and checks the manifest of a split.
    ///
    /// # Errors
    /// [`DatasetError::NotFound`] without a manifest, [`DatasetError::Interrupted`] while a finished data set has not
    /// been moved into place, [`DatasetError::Version`] for another format or version,
    /// [`DatasetError::Manifest`] or [`DatasetError::Mismatch`] for contents that make no sense.
    pub fn read(dir: &Path, split: Split) -> Result<Self, DatasetError> {
        if format::is_half_committed(dir) {
            return Err(DatasetError::Interrupted { dir: dir.to_path_buf() });
        }
        Self::read_unguarded(dir, split)
    }

    /// [`Manifest::read`] from a directory that is being worked on.
    pub(crate) fn read_unguarded(dir: &Path, split: Split) -> Result<Self, DatasetError> {
        let path = format::manifest_path(dir, split);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(DatasetError::NotFound { dir: dir.to_path_buf(), split });
            }
            Err(e) => return Err(DatasetError::io("read", &path)(e)),
        };
        Self::from_json(&bytes, &path, split)
    }

    /// The manifest of `split` in `json`, checked; `path` is for error messages.
    ///
    /// # Errors
    /// Those of [`Manifest::read`].
    pub fn from_json(json: &[u8], path: &Path, split: Split) -> Result<Self, DatasetError> {
        let broken = |e: serde_json::Error| DatasetError::Manifest { path: path.into(), reason: e.to_string() };
        let version: Version = serde_json::from_slice(json).map_err(broken)?;
        format::check_version(path, &version.format, &version.version.to_string())?;
        let manifest: Manifest = serde_json::from_slice(json).map_err(broken)?;
        manifest.check(path, split)?;
        Ok(manifest)
    }

    /// Whether the parts agree with each other.
    pub(crate) fn check(&self, path: &Path, split: Split) -> Result<(), DatasetError> {
        if self.split != split {
            return Err(DatasetError::mismatch(path, "split", split, self.split));
        }
        // Attributes came with version 2.
        if self.version < 3 && (self.version == 2) != (self.attributes > 0) {
            let expected = format!("{} with {} attributes", format::VERSION, self.attributes);
            return Err(DatasetError::mismatch(path, "version", expected, self.version));
        }
        let in_file = |e: DatasetError| DatasetError::Manifest { path: path.to_path_buf(), reason: e.to_string() };
        format::check_levels(self.levels).map_err(in_file)?;
        self.shape.validate().map_err(in_file)?;
        let sum = (self.shards.iter()).try_fold(0usize, |n, s| n.checked_add(s.count));
        if sum != Some(self.count) {
            let sum = sum.map_or("too many".into(), |n| n.to_string());
            return Err(DatasetError::mismatch(path, "count", format!("{sum}, the sum over the shards"), self.count));
        }
        for (i, shard) in self.shards.iter().enumerate() {
            let expected = format::shard_name(split, i, self.shards.len());
            if shard.file != expected {
                let key = format!("shards[{i}].file");
                return Err(DatasetError::mismatch(path, key, expected, &shard.file));
            }
            if shard.count == 0 {
                let key = format!("shards[{i}].count");
                return Err(DatasetError::mismatch(path, key, "at least 1", 0));
            }
            let (key, other) = if self.version < 3 { ("sha256", "xxh3") } else { ("xxh3", "sha256") };
            if (shard.xxh3.is_some(), shard.sha256.is_some()) != (key == "xxh3", key == "sha256") {
                let expected = format!("with `{key}` and without `{other}` in version {}", self.version);
                return Err(DatasetError::mismatch(path, format!("shards[{i}]"), expected, "other checksums"));
            }
        }
        Ok(())
    }

    /// Writes the manifest into `dir`, complete or not at all.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), DatasetError> {
        let path = format::manifest_path(dir, self.split);
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|e| DatasetError::Manifest { path: path.clone(), reason: e.to_string() })?;
        json.push(b'\n');
        atomic::persist(atomic::write_temp(dir, &json)?, &path)?;
        atomic::sync_dir(dir)
    }

    /// Bytes of all shards together.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|s| s.bytes).sum()
    }

    /// Bytes the pixels would take without any encoding, one byte each.
    pub fn raw_bytes(&self) -> u64 {
        self.count as u64 * self.shape.len() as u64
    }
}
