//! Anybody's own pictures.

mod check;
mod folders;
mod splits;

use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::picture::{Size, Upright};
use crate::messages::progress::{self};
use crate::messages::text::shown;
use crate::messages::text::thousands;
use crate::sources::interleave::split_channels;
use crate::sources::left_out::Reason;
use crate::sources::pictures::Pictures;
use anyhow::{Context, Result, bail, ensure};
use check::Checked;
use datasets::io::console;
use datasets::shards::build::{ImageSource, Sink};
use datasets::{ImageShape, Provenance, Split};
use folders::Folders;
use image::DynamicImage;
use process_group::ProcessGroup;
use std::ops::Range;
use std::path::PathBuf;

/// Damaged pictures that are told in the error itself, which has a few lines at most; more of them are told before it.
const FEW: usize = 8;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct ImagesArgs {
    /// Folder (with its subfolders) or archive (tar or zip) of PNG, JPEG, WebP, BMP, GIF and TIFF files.
    path: PathBuf,
    /// Size of the images to make, in pixels: a number makes squares, two numbers are the width and the height.
    #[arg(long, value_name = "SIDE or WIDTHxHEIGHT", value_parser = parse_size)]
    size: Size,
    /// Every N-th picture, in the order of their names, is for testing; with classes every N-th of each class.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    test_every: u64,
    /// What tells the pictures for training from those for testing, instead of --test-every.
    #[arg(long, value_enum, conflicts_with = "test_every")]
    splits: Option<SplitsArg>,
    /// The source of the pictures' classes, which become their labels.
    #[arg(long, value_enum)]
    classes: Option<ClassesArg>,
    /// Make grey images of one channel.
    #[arg(long)]
    grey: bool,
    /// Leave out pictures that are damaged, too large or transparent, instead of refusing all.
    #[arg(long)]
    skip_damaged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SplitsArg {
    /// The folders `train` and `test` (or else `val`) at the top.
    Folders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ClassesArg {
    /// The folders at the top, or within those of the splits, in the order of their names.
    Folders,
}

fn parse_size(text: &str) -> Result<Size> {
    let (width, height) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
    let side = |text: &str| {
        let side = text.trim().parse().ok().filter(|side| (1..=4096).contains(side));
        side.with_context(|| {
            format!("`{text}` is no number of pixels from 1 to 4096; give a side (64), or width x height (64x48)")
        })
    };
    Ok(Size { width: side(width)?, height: side(height)? })
}

/// Converts the pictures.
///
/// # Errors
/// If there are too few, or some are damaged and are not to be left out.
pub fn run(args: &ImagesArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let size = args.size;
    let name = if size.width == size.height { size.width.to_string() } else { size.to_string() };
    let mut set = Output::new(output, format!("images{name}"), provenance(args))?;
    let mut pictures = search(args, group)?;
    let mut inputs = Inputs::default();
    pictures.describe(&mut inputs)?;
    let checked = check::check(&pictures, size, output.jobs(), group)?;
    let damaged: Vec<_> = (0..checked.len()).filter(|&i| checked[i].is_none()).collect();
    if !damaged.is_empty() {
        let report = check::report(&pictures, &damaged, size);
        if !args.skip_damaged && damaged.len() > FEW {
            if group.is_root() {
                console::note(&report);
            }
            bail!("{} of {} pictures cannot be used, see above; nothing was written", damaged.len(), checked.len());
        }
        ensure!(args.skip_damaged, "{report}");
        let names: Vec<_> = damaged.iter().take(check::TOLD).map(|&i| shown(&pictures.within(i).to_string_lossy())).collect();
        let more = if damaged.len() > names.len() { ", …" } else { "" };
        set.note(&format!("{} damaged pictures were left out: {}{more}.", damaged.len(), names.join(", ")));
        pictures.leave_out(|_, i| checked[i].is_none().then_some(Reason::Damaged));
        if group.is_root() {
            console::note(report);
        }
    }
    let checked: Vec<Checked> = checked.into_iter().flatten().collect();
    ensure!(!checked.is_empty(), "{}: no picture is left", args.path.display());
    let folders = Folders::find(&pictures, args.splits.is_some(), args.classes.is_some())?;
    let is_test = match args.splits {
        Some(_) => folders.is_test.clone(),
        None => splits::every(usize::try_from(args.test_every)?, &checked, folders.labels.as_deref()),
    };
    if let Some(names) = &folders.names {
        let names: Vec<_> = names.iter().enumerate().map(|(i, name)| format!("{i} = {}", shown(name))).collect();
        set.note(&format!("Classes: {}.", names.join(", ")));
    }
    if group.is_root() {
        check::tell(&checked, size)?;
        splits::tell(&pictures, &checked, &is_test, &folders);
    }
    let part = |split, test: bool| {
        let mut numbers: Vec<_> = (0..checked.len()).filter(|&i| is_test[i] == test).collect();
        numbers.truncate(output.limit(numbers.len()));
        Part { pictures: &pictures, split, args, numbers, checked: &checked, labels: folders.labels.as_deref() }
    };
    let (train, test) = (part(Split::Train, false), part(Split::Test, true));
    if train.numbers.is_empty() || test.numbers.is_empty() {
        bail!(
            "{} holds {} pictures, {} for training and {} for testing: too few for one of every {} to be for testing; lower --test-every",
            args.path.display(),
            thousands(checked.len()),
            train.numbers.len(),
            test.numbers.len(),
            args.test_every
        );
    }
    let channels = if args.grey { 1 } else { 3 };
    let shape = ImageShape { channels, height: size.height as usize, width: size.width as usize };
    set.write(group, shape, 256, inputs, &[&train, &test])
}

fn provenance(args: &ImagesArgs) -> Provenance {
    let size = args.size;
    let part = if size.width == size.height { "square" } else { "part of this shape" };
    let every = args.test_every;
    let mut notes = format!("Largest centred {part}, resampled with a Lanczos-3 kernel to {size}. ");
    notes.push_str(&match (args.splits, args.classes) {
        (Some(_), _) => "The folders of the pictures tell the splits.".into(),
        (None, None) => format!("Of every {every} pictures in the order of names the last is for testing."),
        (None, Some(_)) => format!("Of every {every} pictures of a class in the order of names the last is for testing."),
    });
    if args.grey {
        notes.push_str(" Grey: 0.2126 red + 0.7152 green + 0.0722 blue.");
    }
    Provenance {
        source: args.path.file_name().map_or_else(|| "pictures".into(), |name| name.to_string_lossy().into_owned()),
        licence: String::new(),
        notes,
        ..Provenance::default()
    }
}

/// The pictures that can be used as far as names tell; says what was found and what was left out.
fn search(args: &ImagesArgs, group: &ProcessGroup) -> Result<Pictures> {
    let bar = if group.is_root() { progress::counter("looking for pictures") } else { indicatif::ProgressBar::hidden() };
    let pictures = Pictures::search(&args.path, &bar);
    bar.finish_and_clear();
    let mut pictures = pictures?;
    pictures.leave_out(|pictures, i| (pictures.file_len(i) == 0).then_some(Reason::Empty));
    pictures.check_some()?;
    let mixed = folders::leave_out(&mut pictures, args.splits.is_some(), args.classes.is_some())?;
    if group.is_root() {
        console::print(format_args!("{}: {} pictures", args.path.display(), thousands(pictures.len())))?;
        for line in pictures.left_out().lines() {
            console::print(format_args!("left out: {line}"))?;
        }
        if mixed {
            console::note("note: there are folders of splits, whose pictures are mixed; --splits folders keeps them apart");
        }
    }
    Ok(pictures)
}

/// The pictures of a split.
struct Part<'a> {
    pictures: &'a Pictures,
    split: Split,
    args: &'a ImagesArgs,
    numbers: Vec<usize>,
    checked: &'a [Checked],
    labels: Option<&'a [u32]>,
}

impl ImageSource<anyhow::Error> for Part<'_> {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.numbers.len()
    }

    fn labelled(&self) -> bool {
        self.labels.is_some()
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let (mut file, mut channels) = (Vec::new(), Vec::new());
        for &i in &self.numbers[range] {
            self.pictures.read(i, &mut file)?;
            let picture = Upright::decode(&file, self.args.size).with_context(|| self.pictures.place(i))?;
            ensure!(
                picture.fingerprint() == self.checked[i].fingerprint,
                "{}: the picture was changed after it was checked; give the command again when it stays as it is",
                self.pictures.place(i)
            );
            let image = picture.fit(self.args.size);
            if self.args.grey {
                channels = DynamicImage::ImageRgb8(image).into_luma8().into_raw();
            } else {
                channels.resize(image.len(), 0);
                split_channels(&image, &mut channels);
            }
            sink.push(&channels, self.labels.map(|labels| labels[i]), &[])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_a_side_or_width_and_height() {
        assert_eq!(parse_size("64").unwrap(), Size { width: 64, height: 64 });
        assert_eq!(parse_size("64x48").unwrap(), Size { width: 64, height: 48 });
        for wrong in ["", "0", "x", "64x", "-1", "64x0", "4097", "64x48x3", "1e2"] {
            assert!(parse_size(wrong).unwrap_err().to_string().contains("from 1 to 4096"), "{wrong}");
        }
    }
}
