//! `preprocess inspect`: what a directory of shards holds, by its manifests.

use crate::progress::{percent, size, thousands};
use anyhow::{Result, bail};
use datasets::{DatasetError, Manifest, Split, format};
use std::path::Path;

/// Prints the description of every split in `dir`.
pub fn run(dir: &Path) -> Result<()> {
    for manifest in manifests(dir)? {
        let Manifest { name, split, shape, levels, codec, provenance, .. } = &manifest;
        println!("{name}, {split}");
        let labels = if manifest.labelled { "with labels" } else { "without labels" };
        println!("  images      {} of {shape}, {levels} levels, {labels}", thousands(manifest.count));
        let (bytes, raw) = (manifest.bytes(), manifest.raw_bytes());
        println!(
            "  stored      {} in {} shards, codec {codec}, {} of raw",
            size(bytes),
            manifest.shards.len(),
            percent(bytes, raw)
        );
        for (key, value) in [
            ("source", &provenance.source),
            ("licence", &provenance.licence),
            ("notes", &provenance.notes),
            ("made by", &provenance.tool),
        ] {
            if !value.is_empty() {
                println!("  {key:<11} {value}");
            }
        }
    }
    Ok(())
}

/// The manifests in `dir`, at least one.
pub fn manifests(dir: &Path) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for split in Split::ALL {
        match Manifest::read(dir, split) {
            Err(DatasetError::NotFound { .. }) => {}
            manifest => manifests.push(manifest?),
        }
    }
    if manifests.is_empty() {
        let [train, test] = Split::ALL.map(|split| format::manifest_path(Path::new(""), split));
        bail!("{} holds no data set: neither {} nor {} is there", dir.display(), train.display(), test.display());
    }
    Ok(manifests)
}
