//! `preprocess export`: shards back to files that other programs read.

use crate::commands::inspect::manifests;
use crate::commands::sheet::to_rgb;
use crate::conversion::files::{create_dir, save, save_png};
use crate::formats::npy::new_header;
use crate::messages::progress::{self};
use crate::messages::text::thousands;
use crate::sources::interleave::join_channels;
use anyhow::{Context, Result, ensure};
use datasets::io::console::print;
use datasets::io::output::{self, Existing};
use datasets::{ImageDataset, ImageShape, Manifest};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Options of `preprocess export`.
#[derive(clap::Args, Clone, Debug)]
pub struct ExportArgs {
    /// The data set's directory.
    dir: PathBuf,
    /// What to write.
    #[arg(long, value_enum)]
    format: Format,
    /// Directory to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only the first N images of each split.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write into a directory that is not empty, over files of the same names.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// train.npy and test.npy (uint8, n x height x width x channels), with labels (int64) and attributes (int8) beside them.
    Npy,
    /// A folder of PNGs for each split, with labels.csv; fewer than 256 levels are stretched to 0…255.
    Png,
}

/// Exports every split.
///
/// # Errors
/// If the data set is damaged, the output exists, or cannot be written.
pub fn run(args: &ExportArgs) -> Result<()> {
    // All are opened before anything is written.
    let open = |manifest: Manifest| ImageDataset::open(&args.dir, manifest.split);
    let datasets = manifests(&args.dir)?.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    create_dir(&args.out, args.force)?;
    let existing = Existing::replaced_if(args.force);
    for dataset in datasets {
        let n = args.limit.unwrap_or(usize::MAX).min(dataset.len());
        let split = dataset.split().to_string();
        match args.format {
            Format::Npy => export_npy(&dataset, n, &args.out, &split, existing)?,
            Format::Png => export_png(&dataset, n, &args.out.join(&split), existing)?,
        }
        print(format_args!("{split}: {} images to {}", thousands(n), args.out.display()))?;
    }
    Ok(())
}

fn export_npy(dataset: &ImageDataset, n: usize, out: &Path, split: &str, existing: Existing) -> Result<()> {
    let ImageShape { channels, height, width } = dataset.shape();
    let bar = progress::bar(n, split);
    let written = output::write(&out.join(format!("{split}.npy")), existing, |file| {
        file.write_all(&new_header("|u1", &[n, height, width, channels]))?;
        let mut pixels = vec![0; dataset.shape().len()];
        for i in 0..n {
            join_channels(&dataset.image(i)?, channels, &mut pixels);
            file.write_all(&pixels)?;
            bar.inc(1);
        }
        anyhow::Ok(())
    });
    bar.finish_and_clear();
    written?;
    if dataset.manifest().labelled {
        let labels = (0..n).filter_map(|i| dataset.label(i)).flat_map(|label| i64::from(label).to_le_bytes());
        let bytes: Vec<u8> = new_header("<i8", &[n]).into_iter().chain(labels).collect();
        save(&out.join(format!("{split}_labels.npy")), existing, |file| file.write_all(&bytes))?;
    }
    if dataset.manifest().attributes > 0 {
        let values = (0..n).filter_map(|i| dataset.attributes(i)).flatten().flat_map(i8::to_le_bytes);
        let bytes: Vec<u8> = new_header("|i1", &[n, dataset.manifest().attributes]).into_iter().chain(values).collect();
        save(&out.join(format!("{split}_attributes.npy")), existing, |file| file.write_all(&bytes))?;
    }
    Ok(())
}

fn export_png(dataset: &ImageDataset, n: usize, out: &Path, existing: Existing) -> Result<()> {
    create_dir(out, true)?;
    let shape = dataset.shape();
    ensure!([1, 3].contains(&shape.channels), "images of {shape} cannot be PNGs: they need 1 or 3 channels; use --format npy");
    let (width, height) = (u32::try_from(shape.width)?, u32::try_from(shape.height)?);
    let bar = progress::bar(n, dataset.split().to_string());
    (0..n).into_par_iter().try_for_each(|i| {
        let pixels = to_rgb(&dataset.image(i)?, shape, dataset.levels());
        let image = image::RgbImage::from_raw(width, height, pixels).context("an image of another length than its size")?;
        save_png(&image, &out.join(format!("{i:07}.png")), existing)?;
        bar.inc(1);
        Ok::<_, anyhow::Error>(())
    })?;
    bar.finish_and_clear();
    if dataset.manifest().labelled || dataset.manifest().attributes > 0 {
        let mut text = String::from("file,label,attributes\n");
        for i in 0..n {
            let label = dataset.label(i).map_or(String::new(), |label| label.to_string());
            let attributes: Vec<_> = dataset.attributes(i).unwrap_or_default().iter().map(i8::to_string).collect();
            text.push_str(&format!("{i:07}.png,{label},{}\n", attributes.join(" ")));
        }
        save(&out.join("labels.csv"), existing, |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}
