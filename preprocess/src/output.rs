//! What all converters share: their options, the two writers, and the closing line.

use crate::progress;
use anyhow::{Context, Result};
use datasets::{CodecKind, DatasetError, ImageShape, Manifest, Provenance, ShardWriter, ShardWriterConfig, Split, format};
use std::path::{Path, PathBuf};

/// Options of every converter.
#[derive(clap::Args)]
pub struct OutputArgs {
    /// Directory to write to [default: data/mnist, data/cifar10, …].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to store images.
    #[arg(long, value_enum, default_value_t = CodecArg::MedZstd1)]
    codec: CodecArg,
    /// Overwrite a complete data set.
    #[arg(long)]
    force: bool,
    /// Take only the first N images of each split.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum CodecArg {
    /// Predicted and compressed.
    #[value(name = "med-zstd1")]
    MedZstd1,
    /// As they are: larger, faster.
    Raw,
}

impl OutputArgs {
    /// How many of `available` images to take.
    pub fn limit(&self, available: usize) -> usize {
        let limit = self.limit.and_then(|n| usize::try_from(n).ok());
        limit.map_or(available, |n| n.min(available))
    }
}

/// A data set about to be written.
pub struct Output {
    dir: PathBuf,
    made_dir: bool,
    name: &'static str,
    provenance: Provenance,
    codec: CodecKind,
    force: bool,
}

impl Output {
    /// Decides where to write and refuses at once if a data set is there already.
    pub fn new(args: &OutputArgs, name: &'static str, mut provenance: Provenance) -> Result<Self> {
        let dir = args.out.clone().unwrap_or_else(|| Path::new("data").join(name));
        provenance.tool = concat!("preprocess ", env!("CARGO_PKG_VERSION")).into();
        if let Some(limit) = args.limit {
            let note = format!("Only the first {limit} images of each split.");
            provenance.notes = format!("{} {note}", provenance.notes).trim().into();
        }
        for split in Split::ALL {
            let path = format::manifest_path(&dir, split);
            if path.exists() && !args.force {
                return Err(DatasetError::Exists { path }).context("nothing was written (--force overwrites)");
            }
        }
        Ok(Output {
            made_dir: !dir.exists(),
            dir,
            name,
            provenance,
            codec: match args.codec {
                CodecArg::MedZstd1 => CodecKind::MedZstd1,
                CodecArg::Raw => CodecKind::Raw,
            },
            force: args.force,
        })
    }

    /// Writes both splits: `fill` pushes the images. Nothing gets its name before both splits are complete.
    pub fn write(
        self,
        shape: ImageShape,
        levels: u32,
        fill: impl FnOnce(&mut ShardWriter, &mut ShardWriter) -> Result<()>,
    ) -> Result<()> {
        let result = self.write_splits(shape, levels, fill);
        if result.is_err() && self.made_dir {
            // Only if it is empty; there is nothing to say if it is not.
            let _ = std::fs::remove_dir(&self.dir);
        }
        let manifests = result?;
        let counts = manifests.iter().map(|m| format!("{} {}", progress::thousands(m.count), m.split));
        let bytes = manifests.iter().map(Manifest::bytes).sum();
        println!(
            "{}: {} images, {} in {} shards, {} of raw, in {}",
            self.name,
            counts.collect::<Vec<_>>().join(" + "),
            progress::size(bytes),
            manifests.iter().map(|m| m.shards.len()).sum::<usize>(),
            progress::percent(bytes, manifests.iter().map(Manifest::raw_bytes).sum()),
            self.dir.display()
        );
        Ok(())
    }

    fn write_splits(
        &self,
        shape: ImageShape,
        levels: u32,
        fill: impl FnOnce(&mut ShardWriter, &mut ShardWriter) -> Result<()>,
    ) -> Result<[Manifest; 2]> {
        let create = |split| {
            let config = ShardWriterConfig {
                name: self.name.into(),
                split,
                shape,
                levels,
                codec: self.codec,
                provenance: self.provenance.clone(),
                images_per_shard: None,
                overwrite: self.force,
            };
            ShardWriter::create(&self.dir, config)
        };
        let (mut train, mut test) = (create(Split::Train)?, create(Split::Test)?);
        fill(&mut train, &mut test)?;
        Ok([train.finish()?, test.finish()?])
    }
}
