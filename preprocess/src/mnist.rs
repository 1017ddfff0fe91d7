//! MNIST, and everything published in the same four idx files.

use crate::output::{Output, OutputArgs};
use crate::progress;
use anyhow::{Context, Result, bail, ensure};
use datasets::{ImageShape, Provenance, ShardWriter};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Converts the idx files in `path`.
pub fn run(path: &Path, args: &OutputArgs) -> Result<()> {
    let provenance = Provenance {
        source: "MNIST, http://yann.lecun.com/exdb/mnist/".into(),
        licence: "CC BY-SA 3.0, Yann LeCun, Corinna Cortes, Christopher J. C. Burges".into(),
        ..Provenance::default()
    };
    let output = Output::new(args, "mnist", provenance)?;
    let mut train = Part::open(path, "train")?;
    let mut test = Part::open(path, "t10k")?;
    ensure!(
        train.shape == test.shape,
        "{} has images of {}, {} of {}",
        train.images.path.display(),
        train.shape,
        test.images.path.display(),
        test.shape
    );
    output.write(train.shape, 256, |train_writer, test_writer| {
        train.copy(train_writer, args)?;
        test.copy(test_writer, args)
    })
}

/// Images and labels of one split.
struct Part {
    images: Idx,
    labels: Vec<u8>,
    shape: ImageShape,
}

impl Part {
    /// Reads all labels and the header of the images.
    fn open(dir: &Path, prefix: &str) -> Result<Self> {
        let mut images = Idx::open(find(dir, &format!("{prefix}-images"), "idx3-ubyte")?, 3)?;
        let mut labels = Idx::open(find(dir, &format!("{prefix}-labels"), "idx1-ubyte")?, 1)?;
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

    fn copy(&mut self, writer: &mut ShardWriter, args: &OutputArgs) -> Result<()> {
        let n = args.limit(self.labels.len());
        let bar = progress::bar(n, file_name(&self.images.path));
        let mut image = vec![0; self.shape.len()];
        // Images beyond the limit are read too: only then is the file known to be whole.
        for (i, &label) in self.labels.iter().enumerate() {
            self.images.read(&mut image)?;
            if i < n {
                writer.push(&image, Some(label.into()))?;
                bar.inc(1);
            }
        }
        self.images.finish()?;
        bar.finish_and_clear();
        Ok(())
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

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
