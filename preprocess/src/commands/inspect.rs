//! `preprocess inspect`: the contents of a directory of shards, by its manifests.

use crate::commands::sheet::contact_sheet;
use crate::conversion::files::save_png;
use crate::messages::text::escaped;
use crate::messages::text::{percent, size, thousands};
use anyhow::{Result, bail, ensure};
use datasets::io::console::print;
use datasets::io::output::{self, Existing};
use datasets::shards::format;
use datasets::{DatasetError, ImageDataset, Manifest, Split};
use std::path::{Path, PathBuf};

/// Options of `preprocess inspect`.
#[derive(clap::Args, Clone, Debug)]
pub struct InspectArgs {
    /// The data set's directory.
    dir: PathBuf,
    /// Draw a contact sheet of each split, `<split>.png`, in this directory, or in the data set's own.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    sheet: Option<Option<PathBuf>>,
    /// Replace contact sheets that exist.
    #[arg(long)]
    force: bool,
}

/// Prints the description of every split, and draws contact sheets.
///
/// # Errors
/// If there is no data set, it is damaged, or a sheet cannot be written.
pub fn run(args: &InspectArgs) -> Result<()> {
    let dir = &args.dir;
    for manifest in manifests(dir)? {
        let Manifest { name, split, shape, levels, codec, provenance, .. } = &manifest;
        print(format_args!("{}, {split}", escaped(name)))?;
        let labels = if manifest.labelled { "with labels" } else { "without labels" };
        let attributes = match manifest.attributes {
            0 => String::new(),
            n => format!(", {n} attributes"),
        };
        let count = thousands(manifest.count);
        print(format_args!("  images      {count} of {shape}, {levels} levels, {labels}{attributes}"))?;
        let (bytes, raw) = (manifest.bytes(), manifest.raw_bytes());
        let (stored, shards, part) = (size(bytes), manifest.shards.len(), percent(bytes, raw));
        print(format_args!("  stored      {stored} in {shards} shards, codec {codec}, {part} of raw"))?;
        for (key, value) in [
            ("source", &provenance.source),
            ("licence", &provenance.licence),
            ("notes", &provenance.notes),
            ("made by", &provenance.tool),
        ] {
            if !value.is_empty() {
                print(format_args!("  {key:<11} {}", escaped(value)))?;
            }
        }
        if let Some(place) = &args.sheet {
            let path = place.as_ref().unwrap_or(dir).join(format!("{}.png", manifest.split));
            let existing = Existing::replaced_if(args.force);
            output::check(&path, existing)?;
            save_png(&contact_sheet(&ImageDataset::open(dir, manifest.split)?)?, &path, existing)?;
            print(format_args!("  {:<11} {}", "sheet", path.display()))?;
        }
    }
    Ok(())
}

/// The manifests in `dir`, at least one.
///
/// # Errors
/// If there is none, or one cannot be read.
pub fn manifests(dir: &Path) -> Result<Vec<Manifest>> {
    ensure!(!dir.is_file(), "{} is a file; give the directory of a data set, with train.json and test.json", dir.display());
    let mut manifests = Vec::new();
    for split in Split::POSSIBLE {
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
