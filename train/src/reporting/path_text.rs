//! Paths in JSON: names that are not UTF-8 are written with replacement characters, so that they spoil no result.

use serde::Serializer;
use std::path::Path;

/// For `#[serde(serialize_with = "path_text::serialize")]`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// As [`serialize`], of a path that may be missing.
///
/// # Errors
/// Those of the serializer.
pub fn serialize_option<S: Serializer>(path: &Option<std::path::PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serialize(path, serializer),
        None => serializer.serialize_none(),
    }
}
