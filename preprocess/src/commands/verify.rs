//! `preprocess verify`: reads every byte and every image of a data set and reports faults.

use crate::commands::inspect::manifests;
use crate::messages::progress::{self};
use crate::messages::text::thousands;
use anyhow::{Result, bail};
use datasets::io::console::{note, print};
use datasets::{DatasetError, ImageDataset, Split};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// Checks every split in `dir`: checksums of files and images, counts, pixel ranges; lists images of other splits that are training images too.
///
/// # Errors
/// If anything is damaged. Images that are in both splits are only reported: published sets have them.
pub fn run(dir: &Path) -> Result<()> {
    let mut hashes = Vec::new();
    for manifest in manifests(dir)? {
        let dataset = ImageDataset::open(dir, manifest.split)?;
        let (found, problems) = check(&dataset);
        for problem in problems.iter().take(10) {
            note(problem);
        }
        if !problems.is_empty() {
            bail!("{}: the {} split has {} faults", dir.display(), manifest.split, problems.len());
        }
        let shards = manifest.shards.len();
        let (images, levels) = (thousands(found.images.len()), manifest.levels);
        let values = match (found.min, found.max) {
            (min, max) if min > max => "no values".into(),
            (min, max) => format!("values {min} to {max}"),
        };
        let split = manifest.split;
        print(format_args!("{split}: {images} images in {shards} shards are intact, {values} of {levels} levels"))?;
        hashes.push((manifest.split, found.images));
    }
    let Some(((Split::Train, train), others)) = hashes.split_first() else { return Ok(()) };
    others.iter().try_for_each(|(split, images)| Ok(report_duplicates(train, *split, images)?))
}

type Hash = [u8; 32];

/// What the readable images of a split are like.
struct Found {
    images: Vec<Hash>,
    min: u8,
    max: u8,
}

/// The SHA-256 of every readable image, and everything that is wrong.
fn check(dataset: &ImageDataset) -> (Found, Vec<String>) {
    let bar = progress::bar(dataset.len(), dataset.split().to_string());
    let shards = dataset.manifest().shards.len();
    let shard_faults = (0..shards).into_par_iter().filter_map(|i| dataset.verify_shard(i).err());
    let mut problems: Vec<_> = shard_faults.map(|e| e.to_string()).collect();
    let images: Vec<Result<_, DatasetError>> = (0..dataset.len())
        .into_par_iter()
        .map(|i| {
            let image = dataset.image(i);
            bar.inc(1);
            let image = image?;
            let range = image.iter().fold((u8::MAX, 0), |(min, max), &v| (v.min(min), v.max(max)));
            Ok((Hash::from(Sha256::digest(&image)), range))
        })
        .collect();
    bar.finish_and_clear();
    let mut found = Found { images: Vec::with_capacity(images.len()), min: u8::MAX, max: 0 };
    for image in images {
        match image {
            Ok((hash, (min, max))) => {
                found.images.push(hash);
                (found.min, found.max) = (found.min.min(min), found.max.max(max));
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    (found, problems)
}

fn report_duplicates(train: &[Hash], test: Split, images: &[Hash]) -> Result<(), DatasetError> {
    let first: HashMap<_, _> = train.iter().enumerate().rev().map(|(i, hash)| (hash, i)).collect();
    let pairs: Vec<_> = images.iter().enumerate().filter_map(|(i, hash)| Some((first.get(hash)?, i))).collect();
    let train = Split::Train;
    match pairs.as_slice() {
        [] => print(format_args!("no image of {test} is in {train}")),
        [(i, j), ..] => print(format_args!(
            "note: {} images of {test} are in {train} as well, the first being {test} image {j} = {train} image {i}",
            thousands(pairs.len())
        )),
    }
}
