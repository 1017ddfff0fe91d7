//! CelebA-HQ as published with Glow: TFRecord files of every resolution in one tar archive, read in place, or in the folder
//! unpacked from it.

use crate::conversion::counts::{Counts, check_counts};
use crate::conversion::find::InputArgs;
use crate::conversion::output::{Inputs, Output, OutputArgs};
use crate::formats::example_proto::Example;
use crate::formats::large_file::{LargeFile, PIECE};
use crate::formats::tar_index::{Member, TarIndex};
use crate::formats::tfrecord::{self, FRAME, Record};
use crate::messages::fault;
use crate::sources::interleave::split_channels;
use anyhow::{Context, Result, bail, ensure};
use datasets::io::console::print;
use datasets::shards::build::{ImageSource, Sink};
use datasets::{ImageShape, Provenance, Split};
use process_group::ProcessGroup;
use prost::bytes::BytesMut;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAMES: [&str; 2] = ["celeba-tfr.tar", "celeba-tfr"];
/// Folder, number of files and number of images of each split, as published.
const SPLITS: [(Split, &str, usize, usize); 2] = [(Split::Train, "train", 120, 27_000), (Split::Test, "validation", 40, 3_000)];

/// Bytes of a record beside its image, at most.
const EXTRA: u64 = 1 << 16;

/// Options of this data set.
#[derive(clap::Args, Clone, Debug)]
pub struct CelebaTfrArgs {
    /// Side of the images: a power of two from 2 to 1024 that the archive has.
    #[arg(long, default_value_t = 256, value_name = "PIXELS")]
    resolution: usize,
    /// Numbers of training and test images, if not 27000,3000.
    #[arg(long, value_name = "TRAIN,TEST")]
    counts: Option<Counts>,
}

/// Converts the archive.
///
/// # Errors
/// If it cannot be found, is damaged, or does not hold what was published.
pub fn run(input: &InputArgs, args: &CelebaTfrArgs, output: &OutputArgs, group: &ProcessGroup) -> Result<()> {
    let size = args.resolution;
    ensure!((2..=1024).contains(&size) && size.is_power_of_two(), "--resolution {size}: expected a power of two from 2 to 1024");
    let path = find(input)?;
    let place = path.display().to_string();
    let counts = args.counts.unwrap_or(Counts(SPLITS.map(|split| split.3)));
    let archive = Archive::open(&path)?;
    let mut inputs = Inputs::default();
    let splits = SPLITS.map(|(split, folder, n_files, _)| {
        let files = archive.files(folder, size, n_files, &mut inputs).with_context(|| place.clone())?;
        Records::open(split, size, files, output).with_context(|| place.clone())
    });
    let [train, test] = splits;
    let sources = [train?, test?];
    let notes =
        check_counts(sources.each_ref().map(Records::describe), counts, args.counts.is_some()).with_context(|| place.clone())?;
    let provenance = Provenance {
        source: "CelebA-HQ as published with Glow, https://openaipublic.azureedge.net/glow-demo/data/celeba-tfr.tar".into(),
        licence: "non-commercial research only; Z. Liu et al., CelebA (2015); T. Karras et al., CelebA-HQ (2018)".into(),
        notes,
        ..Provenance::default()
    };
    if group.is_root() {
        print(format_args!("reading {place}"))?;
    }
    let output = Output::new(output, format!("celebahq{size}"), provenance)?;
    let shape = ImageShape { channels: 3, height: size, width: size };
    let [train, test] = &sources;
    output.write(group, shape, 256, inputs, &[train, test])
}

/// The archive, or the folder unpacked from it. Of a record file that was given it is the folder with both splits.
fn find(input: &InputArgs) -> Result<PathBuf> {
    let path = input.resolve(&NAMES)?;
    let has_splits = |dir: &Path| SPLITS.iter().any(|split| dir.join(split.1).is_dir());
    if path.is_dir() {
        return if has_splits(&path) { Ok(path) } else { input.resolve_in(&NAMES) };
    }
    match path.parent().and_then(Path::parent) {
        Some(folder) if path.extension().is_some_and(|e| e == "tfrecords") => {
            Ok(if folder.as_os_str().is_empty() { ".".into() } else { folder.into() })
        }
        _ => Ok(path),
    }
}

/// Record files, packed or not.
enum Archive {
    Tar(TarIndex, Arc<LargeFile>),
    /// The folder, and the paths in it.
    Folder(PathBuf, Vec<Member>),
}

impl Archive {
    fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            let index = TarIndex::open(path)?;
            return Ok(Archive::Tar(index, Arc::new(LargeFile::open(path)?)));
        }
        let mut members = Vec::new();
        for folder in SPLITS.map(|split| path.join(split.1)).iter().filter(|folder| folder.is_dir()) {
            let place = || format!("cannot list {}", folder.display());
            for entry in std::fs::read_dir(folder).with_context(place)? {
                let file = entry.with_context(place)?.path();
                let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
                if let Some(metadata) = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file) {
                    members.push(Member { name, offset: 0, len: metadata.len() });
                }
            }
        }
        Ok(Archive::Folder(path.into(), members))
    }

    fn members(&self) -> &[Member] {
        match self {
            Archive::Tar(index, _) => index.members(),
            Archive::Folder(_, members) => members,
        }
    }

    /// The record files of a split and resolution, in order of their numbers.
    fn files(&self, folder: &str, size: usize, n_files: usize, inputs: &mut Inputs) -> Result<Vec<RecordFile>> {
        let chosen = choose(self.members(), folder, size, n_files)?;
        if let Archive::Tar(index, _) = self {
            inputs.add(index.file().path())?;
        }
        let file = |member: &Member| {
            let file = match self {
                Archive::Tar(_, file) => Arc::clone(file),
                Archive::Folder(dir, _) => {
                    let path = dir.join(&member.name);
                    inputs.add(&path)?;
                    Arc::new(LargeFile::open(&path)?)
                }
            };
            Ok(RecordFile { file, member: member.clone() })
        };
        chosen.into_iter().map(file).collect()
    }
}

/// A file of records, or a part of one.
struct RecordFile {
    file: Arc<LargeFile>,
    member: Member,
}

impl RecordFile {
    /// The archive; for a file of its own nothing is to be added to the member's name.
    fn place(&self) -> String {
        let path = self.file.path();
        let dir = if self.member.offset == 0 { path.ancestors().nth(2).unwrap_or(path) } else { path };
        dir.display().to_string()
    }
}

/// The record files of a split and resolution among all, in order of their numbers, which their names spell with leading zeros.
fn choose<'a>(all: &'a [Member], folder: &str, size: usize, n_files: usize) -> Result<Vec<&'a Member>> {
    let prefix = format!("{folder}-r{:02}-s-", size.ilog2());
    let ours = |name: &str| {
        let mut parts = name.rsplit('/');
        let file = parts.next().unwrap_or_default();
        parts.next() == Some(folder) && file.starts_with(&prefix) && file.ends_with(".tfrecords")
    };
    let members: Vec<_> = all.iter().filter(|member| ours(&member.name)).collect();
    let number = |member: &Member| {
        let file = member.name.rsplit('/').next()?;
        let (number, total) = file.strip_prefix(&prefix)?.strip_suffix(".tfrecords")?.split_once("-of-")?;
        (total.parse() == Ok(n_files)).then(|| number.parse::<usize>().ok())?
    };
    let found: BTreeMap<_, _> = members.iter().filter_map(|m| Some((number(m)?, *m))).collect();
    let missing: Vec<_> =
        (0..n_files).filter(|i| !found.contains_key(i)).map(|i| format!("{prefix}{i:04}-of-{n_files:04}.tfrecords")).collect();
    if missing.len() == n_files {
        bail!(
            "there are no files {folder}/{prefix}*-of-{n_files:04}.tfrecords there: does the archive have the resolution {size}?"
        );
    }
    if let [first, ..] = missing.as_slice() {
        bail!(
            "{folder}/{first} and {} more of {n_files} record files are missing; download the archive again",
            missing.len() - 1
        );
    }
    if let Some(other) = members.iter().find(|m| number(m).is_none_or(|i| found.get(&i) != Some(*m) || i >= n_files)) {
        bail!("member {} is one file too many: expected {n_files} of resolution {size} in {folder}", other.name);
    }
    Ok(found.into_values().collect())
}

/// Bytes of an image of side `size`.
fn image_len(size: usize) -> usize {
    3 * size * size
}

/// The state of a thread between two pieces of the archive.
struct Memory {
    piece: BytesMut,
    image: Vec<u8>,
}

impl Memory {
    fn new(size: usize) -> Self {
        Memory { piece: BytesMut::new(), image: vec![0; image_len(size)] }
    }
}

/// The images of one split.
struct Records {
    split: Split,
    size: usize,
    /// Images in the archive.
    available: usize,
    /// Images to be taken.
    count: usize,
    /// Files, and the number of the first image of each.
    files: Vec<(RecordFile, usize, Vec<Record>)>,
    labelled: bool,
    n_attributes: usize,
}

impl Records {
    fn open(split: Split, size: usize, members: Vec<RecordFile>, output: &OutputArgs) -> Result<Self> {
        let mut files = Vec::with_capacity(members.len());
        let mut count = 0;
        for file in members {
            let member = &file.member;
            let records = tfrecord::index(file.file.file(), member.offset, member.offset + member.len);
            let records = records.with_context(|| member.name.clone())?;
            if let Some(i) = records.iter().position(|record| record.len > image_len(size) as u64 + EXTRA) {
                let (name, at, len) = (&member.name, records[i].offset + 4 - FRAME, records[i].len);
                bail!(
                    "{name}, record {i}, byte {at}: {len} bytes are too many for an image of {size}x{size}: is it another file?"
                );
            }
            let first = count;
            count += records.len();
            files.push((file, first, records));
        }
        let mut split = Records { split, size, available: count, count, files, labelled: false, n_attributes: 0 };
        // The first record says whether there are labels and attributes; all others must agree.
        if let Some(file) = split.files.iter().position(|(_, _, records)| !records.is_empty()) {
            let kinds = |_: &[u8], label: Option<u32>, attributes: &[i8]| Ok((label.is_some(), attributes.len()));
            (split.labelled, split.n_attributes) = split.decode(file, 0..1, &mut Memory::new(size), kinds)?;
        }
        split.count = output.limit(count);
        Ok(split)
    }

    /// What the error and notes about counts call this split, and how many images there are in each file.
    fn describe(&self) -> (String, usize, String) {
        let mut sizes: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        self.files.iter().for_each(|(file, _, records)| sizes.entry(records.len()).or_default().push(&file.member.name));
        let usual = sizes.iter().max_by_key(|(_, names)| names.len()).map_or(0, |(&n, _)| n);
        let odd = sizes
            .iter()
            .filter(|(n, _)| **n != usual)
            .flat_map(|(n, names)| names.iter().map(move |name| format!("{name} has {n}")));
        let odd: Vec<_> = odd.take(3).collect();
        let detail = if odd.is_empty() { String::new() } else { format!(" (most files have {usual}, but {})", odd.join(", ")) };
        (format!("the {} split", self.split), self.available, detail)
    }

    /// Decodes some records of one file; returns what `take` returned for the last one.
    fn decode<R>(
        &self,
        file: usize,
        range: Range<usize>,
        Memory { piece, image }: &mut Memory,
        mut take: impl FnMut(&[u8], Option<u32>, &[i8]) -> Result<R>,
    ) -> Result<R> {
        let (RecordFile { file, member }, _, records) = &self.files[file];
        let (start, last) = (records[range.start].offset, records[range.end - 1]);
        piece.resize(usize::try_from(last.offset + last.len + 4 - start)?, 0);
        file.read(start, piece)?;
        // Contents of records are parts of the piece, not copies.
        let bytes = std::mem::take(piece).freeze();
        let mut result = None;
        for (i, record) in range.clone().zip(&records[range]) {
            let place = || format!("{}, record {i}, byte {}", member.name, record.offset + 4 - FRAME);
            let at = usize::try_from(record.offset - start)?;
            let framed = bytes.slice(at..at + usize::try_from(record.len)? + 4);
            let payload = framed.slice_ref(tfrecord::payload(&framed).with_context(place)?);
            let example = Example::read(payload).with_context(place)?;
            let (label, attributes) = self.check(&example, image).with_context(place)?;
            result = Some(fault::in_input(take(image, label, &attributes), place)?);
        }
        *piece = bytes.try_into_mut().unwrap_or_default();
        result.context("no records")
    }

    /// Pixels into `image`, channel by channel; returns label and attributes.
    fn check(&self, example: &Example, image: &mut [u8]) -> Result<(Option<u32>, Vec<i8>)> {
        let size = self.size as i64;
        let shape = example.ints("shape")?;
        ensure!(
            shape == [size, size, 3],
            "`shape` is {shape:?}, expected [{size}, {size}, 3]: the file is of another resolution than its name says"
        );
        let data = example.bytes("data")?;
        ensure!(data.len() == image.len(), "`data` has {} bytes, expected {} ({size} x {size} x 3)", data.len(), image.len());
        split_channels(data, image);
        let label = match example.ints("label")? {
            // A negative class means that there is none.
            [] | [i64::MIN..0] => None,
            [label] => Some(u32::try_from(*label).with_context(|| format!("`label` is {label}, expected at most {}", u32::MAX))?),
            several => bail!("`label` has {} values, expected one", several.len()),
        };
        let attribute =
            |&value: &i64| i8::try_from(value).with_context(|| format!("`attr` has the value {value}, expected -128 to 127"));
        Ok((label, example.ints("attr")?.iter().map(attribute).collect::<Result<_>>()?))
    }
}

impl ImageSource<anyhow::Error> for Records {
    fn split(&self) -> Split {
        self.split
    }

    fn count(&self) -> usize {
        self.count
    }

    fn labelled(&self) -> bool {
        self.labelled
    }

    fn n_attributes(&self) -> usize {
        self.n_attributes
    }

    fn read(&self, range: Range<usize>, sink: &mut Sink<'_>) -> Result<()> {
        let mut memory = Memory::new(self.size);
        let mut next = range.start;
        while next < range.end {
            let file = self.files.partition_point(|(_, first, _)| *first <= next) - 1;
            let (source, first, records) = &self.files[file];
            let wanted = &records[next - first..records.len().min(range.end - first)];
            let fit = wanted.partition_point(|record| record.offset + record.len <= wanted[0].offset + PIECE as u64).max(1);
            let push = |image: &[u8], label, attributes: &[i8]| Ok(sink.push(image, label, attributes)?);
            let decoded = self.decode(file, next - first..next - first + fit, &mut memory, push);
            fault::in_input(decoded, || source.place())?;
            next += fit;
        }
        Ok(())
    }
}
