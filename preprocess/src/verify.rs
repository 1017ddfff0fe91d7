//! `preprocess verify`: reads every byte and every image of a data set and reports what is wrong.

use crate::inspect::manifests;
use crate::progress::{self, thousands};
use anyhow::{Result, bail};
use datasets::{ImageDataset, Split};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// Checks every split in `dir`: checksums of files and images, counts, pixel ranges; lists images in both splits.
///
/// # Errors
/// If anything is damaged. Images that are in both splits are only reported: published sets have them.
pub fn run(dir: &Path) -> Result<()> {
    let mut hashes = Vec::new();
    for manifest in manifests(dir)? {
        let dataset = ImageDataset::open(dir, manifest.split)?;
        let (found, problems) = check(&dataset);
        for problem in problems.iter().take(10) {
            eprintln!("{problem}");
        }
        if !problems.is_empty() {
            bail!("{}: the {} split has {} faults", dir.display(), manifest.split, problems.len());
        }
        let shards = manifest.shards.len();
        println!("{}: {} images in {shards} shards are intact", manifest.split, thousands(found.len()));
        hashes.push((manifest.split, found));
    }
    if let [(_, train), (_, test)] = hashes.as_slice() {
        report_duplicates(train, test);
    }
    Ok(())
}

type Hash = [u8; 32];

/// The SHA-256 of every readable image, and everything that is wrong.
fn check(dataset: &ImageDataset) -> (Vec<Hash>, Vec<String>) {
    let bar = progress::bar(dataset.len(), dataset.split().to_string());
    let shards = dataset.manifest().shards.len();
    let shard_faults = (0..shards).into_par_iter().filter_map(|i| dataset.verify_shard(i).err());
    let mut problems: Vec<_> = shard_faults.map(|e| e.to_string()).collect();
    let images: Vec<_> = (0..dataset.len())
        .into_par_iter()
        .map(|i| {
            let image = dataset.image(i);
            bar.inc(1);
            Ok(Sha256::digest(image?).into())
        })
        .collect();
    bar.finish_and_clear();
    let mut hashes = Vec::with_capacity(images.len());
    for image in images {
        match image {
            Ok(hash) => hashes.push(hash),
            Err(error) => problems.push(datasets::DatasetError::to_string(&error)),
        }
    }
    (hashes, problems)
}

fn report_duplicates(train: &[Hash], test: &[Hash]) {
    let first: HashMap<_, _> = train.iter().enumerate().rev().map(|(i, hash)| (hash, i)).collect();
    let pairs: Vec<_> = test.iter().enumerate().filter_map(|(i, hash)| Some((first.get(hash)?, i))).collect();
    let [train, test] = Split::ALL;
    match pairs.as_slice() {
        [] => println!("no image of {test} is in {train}"),
        [(i, j), ..] => println!(
            "note: {} images of {test} are in {train} as well, the first being {test} image {j} = {train} image {i}",
            thousands(pairs.len())
        ),
    }
}
