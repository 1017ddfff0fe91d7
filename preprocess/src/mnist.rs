//! MNIST, and everything published in the same four idx files.

use crate::find::InputArgs;
use crate::output::{Inputs, Output, OutputArgs};
use crate::source::Indexed;
use anyhow::{Context, Result, bail, ensure};
use datasets::build::ImageSource;
use datasets::{ImageShape, Provenance, Split};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use team::Team;

/// Directories that hold the files, as people and other programs lay them out.
const NAMES: [&str; 5] = ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte", "mnist", "MNIST/raw", "MNIST"];

/// Converts the idx files.
///
/// # Errors
/// If one is missing or damaged.
pub fn run(input: &InputArgs, args: &OutputArgs, team: &Team) -> Result<()> {
    let provenance = Provenance {
        source: "MNIST, http://yann.lecun.com/exdb/mnist/".into(),
        licence: "CC BY-SA 3.0, Yann LeCun, Corinna Cortes, Christopher J. C. Burges".into(),
        ..Provenance::default()
    };
    let output = Output::new(args, "mnist", provenance)?;
    let mut path = input.resolve(&NAMES)?;
    if input.path.is_none() && path.is_file() {
        path.pop();
        if path.as_os_str().is_empty() {
            path.push(".");
        }
    }
    let mut inputs = Inputs::default();
    let mut train = Part::open(&path, "train", &mut inputs)?;
    let mut test = Part::open(&path, "t10k", &mut inputs)?;
    ensure!(
        train.shape == test.shape,
        "{} has images of {}, {} of {}",
        train.images.path.display(),
        train.shape,
        test.images.path.display(),
        test.shape
    );
    let shape = train.shape;
    let (train_pixels, test_pixels) = (train.pixels()?, test.pixels()?);
    let (train, test) = (train.source(Split::Train, &train_pixels, args), test.source(Split::Test, &test_pixels, args));
    output.write(team, shape, 256, inputs, &[&train, &test])
}

/// Images and labels of one split.
struct Part {
    images: Idx,
    labels: Vec<u8>,
    shape: ImageShape,
}

impl Part {
    /// Reads all labels and the header of the images.
    fn open(dir: &Path, prefix: &str, inputs: &mut Inputs) -> Result<Self> {
        let mut images = Idx::open(find(dir, &format!("{prefix}-images"), "idx3-ubyte")?, 3)?;
        let mut labels = Idx::open(find(dir, &format!("{prefix}-labels"), "idx1-ubyte")?, 1)?;
        inputs.add(&images.path)?;
        inputs.add(&labels.path)?;
        ensure!(
            images.dims[0] == labels.dims[0],
            "{} holds {} images, but {} holds {} labels",
            images.path.display(),
            images.dims[0],
            labels.path.display(),
            labels.dims[0]
        );
        let shape = ImageShape { channels: 1, height: images.dims[1], width: images.dims[2] };
        shape.validate().with_context(|| images.path.display().to_string())?;
        ensure!(images.dims[0] > 0, "{} holds no images", images.path.display());
        let mut values = Vec::new();
        let n = labels.dims[0];
        let mut chunk = [0; 4096];
        while values.len() < n {
            let len = chunk.len().min(n - values.len());
            labels.read(&mut chunk[..len])?;
            values.extend_from_slice(&chunk[..len]);
        }
        labels.finish()?;
        if let Some(i) = values.iter().position(|&label| label > 9) {
            let path = labels.path.display();
            bail!("{path}, byte {}: label {i} is {}, expected 0 to 9", 8 + i, values[i]);
        }
        images.offset = 16;
        Ok(Part { images, labels: values, shape })
    }

    /// All pixels. Memory grows with what the file holds, not with what its header promises.
    fn pixels(&mut self) -> Result<Vec<u8>> {
        let mut pixels = Vec::new();
        let mut image = vec![0; self.shape.len()];
        for _ in &self.labels {
            self.images.read(&mut image)?;
            pixels.extend_from_slice(&image);
        }
        self.images.finish()?;
        Ok(pixels)
    }

    fn source<'a>(&'a self, split: Split, pixels: &'a [u8], args: &OutputArgs) -> impl ImageSource<anyhow::Error> + 'a {
        let (image_len, labels) = (self.shape.len(), &self.labels[..]);
        let fill = move |i: usize, image: &mut [u8]| {
            image.copy_from_slice(&pixels[i * image_len..][..image_len]);
            Ok(Some(labels[i].into()))
        };
        Indexed { split, count: args.limit(labels.len()), image_len, labelled: true, fill }
    }
}

/// An idx file of unsigned bytes, being read.
struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
    dims: Vec<usize>,
    offset: u64,
}

impl Idx {
    /// Reads the header: magic number 0x0000_0800 + `rank`, then the dimensions, big-endian.
    fn open(path: PathBuf, rank: usize) -> Result<Self> {
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let start = file.fill_buf().with_context(|| format!("cannot read {}", path.display()))?;
        let reader: Box<dyn Read> = match start.starts_with(&[0x1f, 0x8b]) {
            true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))),
            false => Box::new(file),
        };
        let mut idx = Idx { path, reader, dims: Vec::new(), offset: 0 };
        let (magic, expected) = (idx.read_u32()?, 0x800 + rank as u32);
        ensure!(
            magic == expected,
            "{} starts with {magic:#010x}, expected {expected:#010x}: not an idx file of bytes with {rank} dimensions",
            idx.path.display()
        );
        for _ in 0..rank {
            let dim = idx.read_u32()? as usize;
            idx.dims.push(dim);
        }
        Ok(idx)
    }

    fn read_u32(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.read(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn read(&mut self, out: &mut [u8]) -> Result<()> {
        let (path, offset) = (self.path.display(), self.offset);
        self.reader.read_exact(out).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => anyhow::anyhow!(
                "{path} ends too early: expected {} more bytes at byte {offset} of the (unzipped) contents; download it again",
                out.len()
            ),
            _ => anyhow::anyhow!("cannot read {path} after byte {offset} of the (unzipped) contents: {e}"),
        })?;
        self.offset += out.len() as u64;
        Ok(())
    }

    /// Nothing may follow. Reading to the end also makes gzip compare its checksum.
    fn finish(&mut self) -> Result<()> {
        let (path, offset) = (self.path.display(), self.offset);
        let n = self
            .reader
            .read(&mut [0])
            .with_context(|| format!("cannot read {path} after byte {offset} of the (unzipped) contents"))?;
        ensure!(n == 0, "{path} has more bytes than the {offset} its header calls for; download it again");
        Ok(())
    }
}

/// `<stem>-<kind>` or `<stem>.<kind>`, with or without `.gz`; both spellings are in circulation.
fn find(dir: &Path, stem: &str, kind: &str) -> Result<PathBuf> {
    ensure!(dir.is_dir(), "{} is not a directory; give the one with the idx files", dir.display());
    let names = ["-", "."].map(|separator| format!("{stem}{separator}{kind}"));
    let candidates = names.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    let found: Vec<_> = candidates.map(|name| dir.join(name)).filter(|path| path.is_file()).collect();
    match found.as_slice() {
        [path] => Ok(path.clone()),
        [] => bail!("{} has no {stem}-{kind}, zipped (.gz) or not", dir.display()),
        [first, second, ..] => {
            bail!("both {} and {} exist; remove one", first.display(), second.display())
        }
    }
}
