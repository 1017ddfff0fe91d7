//! image-net.org's downsampled ImageNet (P. Chrabaszcz et al., 2017): ten batches of images with classes for training and one for
//! testing, as `.npz` files or pickles, in zip archives or unpacked.

use crate::conversion::counts::{Counts, check_counts};
use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::npz::Npz;
use crate::formats::numpy_pickle::{self, Data};
use crate::formats::packed::Packed;
use crate::formats::pickle_outline::Outline;
use crate::formats::zip_file;
use crate::messages::progress;
use crate::sources::sequence::{Layout, Sequence, Strip};
use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::io::console::print;
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Images of the two splits, as published.
const PUBLISHED: [usize; 2] = [1_281_167, 50_000];
/// Batches of the training images.
const N_BATCHES: usize = 10;
const N_CLASSES: i64 = 1000;

const NOTE: &str = "image-net.org's downsampled ImageNet is another set than the older one of A. van den Oord et al. (2016), with \
                    1,281,149 training images, on which the published bits per dimension of flows were measured: results do not \
                    compare.";
const LABELS: &str = "Labels are the classes of the files less 1, 0 to 999, in the order of the authors' map_clsloc.txt, which is not \
                      that of the WordNet names.";

/// How batches are stored, in the order in which they are preferred where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Npz,
    Pickles,
    ZippedNpz,
    ZippedPickles,
}

impl Form {
    const ALL: [Form; 4] = [Form::Npz, Form::Pickles, Form::ZippedNpz, Form::ZippedPickles];

    /// A batch by the name of its file: its number, or 0 for the one for testing.
    fn recognise(file_name: &str, zipped: bool) -> Option<(Form, usize)> {
        let (stem, npz) = file_name.strip_suffix(".npz").map_or((file_name, false), |stem| (stem, true));
        let number = match stem.strip_prefix("train_data_batch_") {
            Some(number) => number.parse().ok().filter(|n| (1..=N_BATCHES).contains(n) && n.to_string() == number)?,
            None if stem == "val_data" => 0,
            None => return None,
        };
        Some((Form::ALL[2 * usize::from(zipped) + usize::from(!npz)], number))
    }

    fn file_name(self, number: usize) -> String {
        let end = if matches!(self, Form::Npz | Form::ZippedNpz) { ".npz" } else { "" };
        if number == 0 { format!("val_data{end}") } else { format!("train_data_batch_{number}{end}") }
    }

    fn describe(self) -> &'static str {
        match self {
            Form::Npz => ".npz files",
            Form::Pickles => "pickles",
            Form::ZippedNpz => ".npz files in zip archives",
            Form::ZippedPickles => "pickles in zip archives",
        }
    }
}

/// A batch that was found.
struct Batch {
    form: Form,
    number: usize,
    /// The file, or the archive that it is in.
    path: PathBuf,
    bytes: Packed,
}

/// All batches that were found.
pub struct Batches {
    found: Vec<Batch>,
    places: Vec<PathBuf>,
}

impl Batches {
    /// Looks for batches of images of side `size`: in the directories of an input and in those of other names that archives are
    /// unpacked to, in zip archives named as published, and in one that was given. `None` if there is not a single one.
    ///
    /// # Errors
    /// If an archive is damaged, or a directory cannot be listed.
    pub fn find(input: &InputArgs, size: usize) -> Result<Option<Self>> {
        let mut places = Vec::new();
        for place in input.directories()?.into_iter().filter(|place| place.is_dir()) {
            places.push(place.clone());
            places.extend(entries(&place)?.into_iter().filter(|path| path.is_dir() && is_named(path, size)));
        }
        let mut batches = Batches { found: Vec::new(), places };
        for place in batches.places.clone() {
            for path in entries(&place)?.into_iter().filter(|path| path.is_file()) {
                batches.add(path, size)?;
            }
        }
        Ok(if batches.found.is_empty() { None } else { Some(batches) })
    }

    /// Adds the batch that a file is, or those that are in it.
    fn add(&mut self, path: PathBuf, size: usize) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((form, number)) = Form::recognise(&name, false) {
            let bytes = Packed::file(&path)?;
            self.found.push(Batch { form, number, path, bytes });
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) && is_named(&path, size) {
            for member in zip_file::members(&path)? {
                let name = member.name.rsplit('/').next().unwrap_or_default();
                if let Some((form, number)) = Form::recognise(name, true) {
                    self.found.push(Batch { form, number, path: path.clone(), bytes: member.contents });
                }
            }
        }
        Ok(())
    }

    /// The batches of the given numbers in the first form that has all of them.
    fn choose(&self, numbers: &[usize]) -> Result<Vec<&Batch>> {
        let of = |form: Form, number: usize| self.found.iter().filter(move |b| (b.form, b.number) == (form, number));
        let missing = |form: &Form| numbers.iter().filter(|&&number| of(*form, number).next().is_none()).count();
        let form = Form::ALL.into_iter().min_by_key(missing).unwrap_or(Form::Npz);
        if missing(&form) > 0 {
            let names: Vec<_> = numbers.iter().filter(|&&n| of(form, n).next().is_none()).map(|&n| form.file_name(n)).collect();
            let places: Vec<_> = self.places.iter().map(|place| place.display().to_string()).collect();
            bail!(
                "{} of {} batches are missing ({}): {}; they were looked for in {}",
                names.len(),
                numbers.len(),
                form.describe(),
                names.join(", "),
                places.join(", ")
            );
        }
        let one = |&number: &usize| {
            let mut batches = of(form, number);
            match (batches.next(), batches.next()) {
                (Some(a), Some(b)) => bail!("{} and {} are the same batch; remove one", a.bytes.place(), b.bytes.place()),
                (batch, _) => batch.context("no batch"),
            }
        };
        numbers.iter().map(one).collect()
    }
}

/// The entries of a directory, by name.
fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let place = || format!("cannot list {}", dir.display());
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(dir).with_context(place)?.map(|e| e.map(|e| e.path())).collect();
    let mut entries = entries.with_context(place)?;
    entries.sort();
    Ok(entries)
}

/// Whether a file or directory is named as published, such as `Imagenet64_train_part1_npz`, with the size in its name.
fn is_named(path: &Path, size: usize) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let rest = name.strip_prefix("imagenet").map(|rest| rest.trim_start_matches(['_', '-']));
    let rest = rest.and_then(|rest| rest.strip_prefix(size.to_string().as_str()));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Converts the batches.
///
/// # Errors
/// If one is missing, damaged, or does not hold what was published.
pub fn run(batches: &Batches, size: usize, counts: Option<Counts>, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let training: Vec<_> = (1..=N_BATCHES).collect();
    let chosen = [batches.choose(&training)?, batches.choose(&[0])?];
    let mut inputs = Inputs::default();
    let mut paths: Vec<_> = chosen.iter().flatten().map(|batch| &batch.path).collect();
    paths.dedup();
    paths.iter().try_for_each(|path| inputs.add(path))?;
    if group.is_root() {
        let (first, n, form) = (paths[0].display(), paths.len(), chosen[0][0].form.describe());
        print(format_args!("reading {first} and {} more files ({form}); all are read once to check them", n - 1))?;
        print(format_args!("note: {NOTE}"))?;
    }
    let numbers = counts.map(Counts::note).unwrap_or_default();
    let provenance = Provenance {
        source: format!("Downsampled ImageNet {size}x{size} of image-net.org (P. Chrabaszcz et al., 2017)"),
        licence: "non-commercial research, see https://image-net.org/download".into(),
        notes: format!("{NOTE} {LABELS} {numbers}").trim().into(),
        ..Provenance::default()
    };
    // Before the long reading: a data set that is there already is found at once.
    let set = Output::new(output, format!("imagenet{size}"), provenance)?;
    let [train, test] = chosen.map(|batches| read_all(&batches, size, group));
    let splits = [Sequence::new(Split::Train, train?, Layout::Planes), Sequence::new(Split::Test, test?, Layout::Planes)];
    let available = splits.each_ref().map(Sequence::available);
    let published = if [8, 16, 32, 64].contains(&size) { Counts(PUBLISHED) } else { Counts(available) };
    let described = [("the training batches", available[0]), ("the validation batch", available[1])];
    check_counts(described.map(|(place, n)| (place.into(), n, String::new())), counts.unwrap_or(published), counts.is_some())?;
    let [train, test] = splits.map(|split| {
        let count = output.limit(split.available());
        split.limited(count)
    });
    set.write(group, ImageShape { channels: 3, height: size, width: size }, 256, inputs, &[&train, &test])
}

/// The images of some batches, each of which is read once to the end.
fn read_all(batches: &[&Batch], size: usize, group: &ProcessGroup) -> Result<Vec<Strip>> {
    let bar = if group.is_root() { progress::steps(batches.len(), "batches checked") } else { indicatif::ProgressBar::hidden() };
    let strips = batches.par_iter().map(|batch| {
        let strip = batch.read(size).with_context(|| batch.bytes.place().to_string());
        bar.inc(1);
        strip
    });
    let strips = strips.collect::<Vec<_>>().into_iter().collect();
    bar.finish_and_clear();
    strips
}

impl Batch {
    fn read(&self, size: usize) -> Result<Strip> {
        let len = 3 * size * size;
        let (strip, classes) = match self.form {
            Form::Npz => read_npz(&Npz::open(&self.path)?, len)?,
            Form::ZippedNpz => read_npz(&Npz::open_packed(&self.bytes)?, len)?,
            Form::Pickles | Form::ZippedPickles => self.read_pickle(len)?,
        };
        let class = |(i, class): (usize, i64)| {
            ensure!((1..=N_CLASSES).contains(&class), "label {i} is {class}, expected 1 to {N_CLASSES}");
            Ok(class as u32 - 1)
        };
        let labels = classes.into_iter().enumerate().map(class).collect::<Result<_>>()?;
        Ok(Strip { labels, ..strip })
    }

    fn read_pickle(&self, len: usize) -> Result<(Strip, Vec<i64>)> {
        let outline = Outline::read(&mut self.bytes.open()?)?;
        let batch = numpy_pickle::parse(&outline, "Take the batches of image-net.org, or its .npz files")?;
        let classes: Option<Vec<_>> = numpy_pickle::labels(batch.root(), "labels")?.into_iter().map(|item| item.int()).collect();
        let classes = classes.context("a label that is not a number")?;
        let array =
            numpy_pickle::byte_array(numpy_pickle::entry(batch.root(), "data")?).map_err(|reason| anyhow!("`data`: {reason}"))?;
        check_shape(&array.shape, classes.len(), len)?;
        let (bytes, start) = match array.data {
            Data::At { start, .. } => (self.bytes.clone(), start),
            Data::Here(pixels) => (Packed::memory(self.bytes.place(), pixels.to_vec()), 0),
        };
        Ok((Strip { bytes, start, record: len, pixels: 0..len, labels: Vec::new() }, classes))
    }
}

fn read_npz(file: &Npz, len: usize) -> Result<(Strip, Vec<i64>)> {
    let classes = file.array("labels")?.whole_numbers()?;
    let data = file.array("data")?;
    data.header.expect_bytes(&format!("[n, {len}]"))?;
    check_shape(&data.header.shape, classes.len(), len)?;
    data.check_len(1)?;
    let start = data.header.offset as u64;
    Ok((Strip { bytes: data.bytes, start, record: len, pixels: 0..len, labels: Vec::new() }, classes))
}

fn check_shape(shape: &[usize], n: usize, len: usize) -> Result<()> {
    ensure!(
        shape == [n, len] && n > 0,
        "`data` has shape {shape:?}, expected [{n}, {len}] for {n} labels: is it a batch of another size?"
    );
    Ok(())
}
