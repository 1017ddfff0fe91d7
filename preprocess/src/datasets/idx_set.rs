//! Data sets that are published as four idx files: MNIST and its relatives.

use crate::conversion::find::{InputArgs, directory_of};
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::idx::Idx;
use crate::formats::packed::Packed;
use crate::formats::zip_file;
use crate::messages::text::thousands;
use crate::sources::sequence::{Layout, Sequence, Strip};
use anyhow::{Context, Result, bail, ensure};
use datasets::io::console::print;
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use std::path::{Path, PathBuf};

/// The description of a data set.
pub struct IdxSet {
    /// Its name, which is that of the directory written to.
    pub name: String,
    /// The name in messages.
    pub title: &'static str,
    /// Publication, archive, address.
    pub source: &'static str,
    /// Licence and attribution.
    pub licence: &'static str,
    /// The prefixes of the files for training and testing.
    pub prefixes: [String; 2],
    /// Numbers of images, as published.
    pub counts: [usize; 2],
    /// The classes in the files: the first of them becomes class 0.
    pub classes: std::ops::RangeInclusive<u8>,
    /// Whether the images in the files have their rows and columns exchanged.
    pub transposed: bool,
    /// Notes in the manifests.
    pub notes: String,
    /// Directories that programs unpack it to, and archives, in which it is looked for.
    pub places: &'static [&'static str],
}

/// Converts a data set.
///
/// # Errors
/// If a file is missing, damaged or of another data set.
pub fn run(set: &IdxSet, input: &InputArgs, args: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let place = Place::find(set, input)?;
    let mut inputs = Inputs::default();
    let [train, test] = [0, 1].map(|part| Part::open(set, &place, part, &mut inputs));
    let (train, test) = (train?, test?);
    ensure!(train.shape == test.shape, "{} has images of {}, {} of {}", train.place, train.shape, test.place, test.shape);
    let shape = train.shape;
    let mut notes = vec![set.notes.clone()];
    notes.extend(compare(set, &train, &test)?);
    notes.retain(|note| !note.is_empty());
    if group.is_root() {
        print(format_args!("reading {} and {}", train.place, test.place))?;
        notes.iter().try_for_each(|note| print(format_args!("note: {note}")))?;
    }
    let provenance =
        Provenance { source: set.source.into(), licence: set.licence.into(), notes: notes.join(" "), ..Provenance::default() };
    let output = Output::new(args, set.name.clone(), provenance)?;
    let [train, test] = [(Split::Train, train), (Split::Test, test)].map(|(split, part)| {
        let layout = if set.transposed { Layout::Columns(shape.height) } else { Layout::Planes };
        let count = args.limit(part.labels.len());
        Sequence::new(split, vec![part.strip(*set.classes.start())], layout).limited(count)
    });
    output.write(group, shape, 256, inputs, &[&train, &test])
}

/// What is to be said of images that are not those that were published.
///
/// # Errors
/// If they are those of another data set.
fn compare(set: &IdxSet, train: &Part, test: &Part) -> Result<Option<String>> {
    let recognised = recognise(&train.labels);
    if let Some(other) = recognised.as_ref().filter(|other| other.title != set.title) {
        bail!(
            "{} holds the classes of {}, not of {}; convert it with `preprocess {}`",
            train.labels_place,
            other.title,
            set.title,
            other.command
        );
    }
    let got = [train.labels.len(), test.labels.len()];
    if got != set.counts {
        let [[a, b], [c, d]] = [got, set.counts].map(|counts| counts.map(thousands));
        return Ok(Some(format!("Another selection than the published one: {a} and {b} images, not {c} and {d}.")));
    }
    let known = ["MNIST", "Fashion-MNIST"].contains(&set.title);
    Ok((known && recognised.is_none()).then(|| {
        format!("The classes are not those of the published {}: is it another data set with files of these names?", set.title)
    }))
}

/// Whether the data set is found.
pub fn is_there(set: &IdxSet, input: &InputArgs) -> bool {
    Place::find(set, input).is_ok_and(|place| place.has_images(set))
}

/// The places of the files.
struct Place {
    dir: PathBuf,
    /// The members of an archive, if they are in one.
    members: Option<Vec<zip_file::Member>>,
}

impl Place {
    fn find(set: &IdxSet, input: &InputArgs) -> Result<Self> {
        if input.path.is_some() {
            let path = input.resolve(&[])?;
            if path.is_dir() {
                let within: Vec<_> = [path.clone()].into_iter().chain(set.places.iter().map(|name| path.join(name))).collect();
                let found = within.iter().find(|place| holds(set, place)).unwrap_or(&path);
                return Place::open(found);
            }
            return if is_zip(&path)? { Place::open(&path) } else { Place::open(&directory_of(&path)) };
        }
        let within = |place: PathBuf| {
            let named: Vec<_> = set.places.iter().map(|name| place.join(name)).collect();
            named.into_iter().chain([place])
        };
        let places: Vec<_> = input.places().into_iter().flat_map(within).collect();
        match places.iter().find(|place| holds(set, place)) {
            Some(place) => Place::open(place),
            None => {
                let names: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
                bail!(
                    "the input was not found: none of {} holds {}-images-idx3-ubyte[.gz]; download it, or say where it is (--input DIR)",
                    names.join(", "),
                    set.prefixes[0]
                )
            }
        }
    }

    fn open(path: &Path) -> Result<Self> {
        let members = if path.is_dir() { None } else { Some(zip_file::members(path)?) };
        Ok(Place { dir: path.into(), members })
    }

    fn has_images(&self, set: &IdxSet) -> bool {
        self.candidates(&names(&set.prefixes[0], "images", 3), &mut Inputs::default()).is_ok_and(|found| !found.is_empty())
    }

    /// The files of the given names that there are.
    fn candidates(&self, names: &[String], inputs: &mut Inputs) -> Result<Vec<Packed>> {
        let Some(members) = &self.members else {
            let paths = names.iter().map(|name| self.dir.join(name)).filter(|path| path.is_file());
            return paths.map(|path| inputs.add(&path).and_then(|()| Packed::file(&path))).collect();
        };
        inputs.add(&self.dir)?;
        let is_named = |member: &&zip_file::Member| names.iter().any(|name| member.name.rsplit('/').next() == Some(name));
        Ok(members.iter().filter(is_named).map(|member| member.contents.clone()).collect())
    }

    /// A file of one of the given names; where it is there zipped and unzipped, both must hold the same.
    fn file(&self, names: &[String], inputs: &mut Inputs) -> Result<Packed> {
        let found = self.candidates(names, inputs)?;
        let [first, others @ ..] = found.as_slice() else {
            bail!("{} has no {}, zipped (.gz) or not", self.dir.display(), names[0])
        };
        let contents = first.clone().gunzipped()?;
        for other in others {
            ensure!(
                contents.is_equal(&other.clone().gunzipped()?)?,
                "both {} and {} exist, and differ; remove one",
                first.place(),
                other.place()
            );
        }
        Ok(contents)
    }
}

/// Whether a directory or archive has the training images, under any of their names.
fn holds(set: &IdxSet, place: &Path) -> bool {
    let names = names(&set.prefixes[0], "images", 3);
    if place.is_dir() {
        return names.iter().any(|name| place.join(name).is_file());
    }
    // An archive that cannot be read is found, and refused when it is opened.
    is_zip(place).unwrap_or(false)
        && zip_file::members(place)
            .map_or(true, |members| members.iter().any(|m| names.iter().any(|name| m.name.ends_with(name.as_str()))))
}

fn is_zip(path: &Path) -> Result<bool> {
    use std::io::BufRead;
    Ok(path.is_file() && zip_file::is_zip(Packed::file(path)?.open()?.fill_buf()?))
}

/// `<prefix>-images-idx3-ubyte` or `<prefix>-images.idx3-ubyte`, with or without `.gz`; all are in circulation.
fn names(prefix: &str, what: &str, rank: usize) -> Vec<String> {
    let spelled = ["-", "."].map(|mark| format!("{prefix}-{what}{mark}idx{rank}-ubyte"));
    spelled.into_iter().flat_map(|name| [name.clone(), format!("{name}.gz")]).collect()
}

/// Images and labels of one split.
struct Part {
    place: String,
    labels_place: String,
    images: Idx,
    labels: Vec<u8>,
    shape: ImageShape,
}

impl Part {
    fn open(set: &IdxSet, place: &Place, part: usize, inputs: &mut Inputs) -> Result<Self> {
        let prefix = &set.prefixes[part];
        let images = Idx::open(place.file(&names(prefix, "images", 3), inputs)?, 3)?;
        let labels = Idx::open(place.file(&names(prefix, "labels", 1), inputs)?, 1)?;
        let (images_place, labels_place) = (images.bytes.place(), labels.bytes.place());
        let (n, n_labels) = (images.dims[0], labels.dims[0]);
        ensure!(n == n_labels, "{images_place} holds {n} images, but {labels_place} holds {n_labels} labels");
        ensure!(n > 0, "{images_place} holds no images");
        let shape = ImageShape { channels: 1, height: images.dims[1], width: images.dims[2] };
        shape.validate().with_context(|| images_place.to_string())?;
        ensure!(!set.transposed || shape.height == shape.width, "{images_place} has images of {shape}, expected square ones");
        labels.check_len()?;
        images.check_len()?;
        let values = labels.values()?;
        let (low, high) = (set.classes.start(), set.classes.end());
        if let Some(i) = values.iter().position(|label| !set.classes.contains(label)) {
            bail!("{labels_place}, byte {}: label {i} is {}, expected {low} to {high}", 8 + i, values[i]);
        }
        Ok(Part { place: images_place.into(), labels_place: labels_place.into(), labels: values, shape, images })
    }

    fn strip(self, first_class: u8) -> Strip {
        let (start, record) = (self.images.start(), self.shape.len());
        let labels = self.labels.into_iter().map(|label| u32::from(label - first_class)).collect();
        Strip { bytes: self.images.bytes, start, record, pixels: 0..record, labels }
    }
}

/// A data set that its labels tell apart from the others with files of the same names.
struct Known {
    title: &'static str,
    command: &'static str,
}

/// The data set that 60,000 labels for training are of: MNIST has its own number of images of each class, the others as many of
/// each, in an order of their own.
fn recognise(labels: &[u8]) -> Option<Known> {
    const MNIST: [usize; 10] = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    const FASHION: &[u8] = &[9, 0, 0, 3, 0, 2, 7, 2, 5, 5];
    let mut counts = [0; 10];
    labels.iter().for_each(|&label| *counts.get_mut(usize::from(label)).unwrap_or(&mut 0) += 1);
    if labels.len() == 60_000 && counts == MNIST {
        return Some(Known { title: "MNIST", command: "mnist" });
    }
    if labels.len() == 60_000 && counts == [6000; 10] && labels.starts_with(FASHION) {
        return Some(Known { title: "Fashion-MNIST", command: "fashion-mnist" });
    }
    None
}
