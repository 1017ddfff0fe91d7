//! The files of each published data set.

use super::Kind;
use super::picture::{attributes, label, picture};
use crate::conversion::files::{create_dir, png, save};
use crate::formats::example_proto::Example;
use crate::formats::mat;
use crate::formats::npy;
use crate::formats::tfrecord;
use crate::sources::interleave::split_channels;
use anyhow::{Context, Result};
use datasets::io::output::Existing;
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use prost::Message;
use rayon::prelude::*;
use std::io::{self, BufWriter, Cursor, Write};
use std::ops::Range;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Number of the first test picture; training pictures are numbered from 0.
const FIRST_TEST: usize = 1 << 31;
/// Pictures that are made at a time.
const BATCH: usize = 256;

pub(super) struct Layout<'a> {
    pub(super) out: &'a Path,
    pub(super) counts: [usize; 2],
    pub(super) size: usize,
    pub(super) existing: Existing,
    pub(super) bar: &'a ProgressBar,
}

impl Layout<'_> {
    pub(super) fn write(&self, kind: Kind) -> Result<()> {
        match kind {
            Kind::ImagenetNpy => self.imagenet("npy", |path, numbers, _| self.npy(path, &[numbers], 0)),
            Kind::ImagenetTar => self.imagenet("tar", |path, numbers, stem| self.tar_of_pngs(path, numbers, stem)),
            Kind::ImagenetPng => self.imagenet("", |path, numbers, _| self.folder_of_pngs(path, numbers)),
            Kind::ImagenetNpz => self.imagenet_batches(),
            Kind::CelebaTfr => self.celeba_tfr(),
            Kind::CelebaTfrFolder => self.celeba_tfr_folder(),
            Kind::Celeba5bit => {
                let [train, test] = self.numbers();
                Layout { size: 64, ..*self }.npy(&self.out.join("celeba_full_64x64_5bit.npy"), &[test, train], 3)
            }
            Kind::Mnist | Kind::FashionMnist | Kind::Kmnist => self.idx(["train", "t10k"], 0, false),
            Kind::Emnist => self.idx(["emnist-letters-train", "emnist-letters-test"], 1, true),
            Kind::K49 => self.k49(),
            Kind::Cifar10 => self.cifar10(),
            Kind::Cifar100 => self.cifar100(),
            Kind::Svhn => self.svhn(false),
            Kind::SvhnExtra => self.svhn(true),
        }
    }

    /// Numbers of the training and test pictures.
    fn numbers(&self) -> [Range<usize>; 2] {
        [0..self.counts[0], FIRST_TEST..FIRST_TEST + self.counts[1]]
    }

    /// Makes pictures, and hands them to `take` with their numbers, in order.
    fn each<E>(
        &self,
        numbers: Range<usize>,
        channels: usize,
        mut take: impl FnMut(usize, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for start in numbers.clone().step_by(BATCH) {
            let batch = start..numbers.end.min(start + BATCH);
            let pictures: Vec<_> = batch.clone().into_par_iter().map(|i| picture(i, self.size, channels)).collect();
            for (i, pixels) in batch.zip(pictures) {
                take(i, pixels)?;
                self.bar.inc(1);
            }
        }
        Ok(())
    }

    fn imagenet(&self, extension: &str, write: impl Fn(&Path, Range<usize>, &str) -> Result<()>) -> Result<()> {
        for (prefix, numbers) in ["train", "valid"].into_iter().zip(self.numbers()) {
            let stem = format!("{prefix}_{0}x{0}", self.size);
            write(&self.out.join(&stem).with_extension(extension), numbers, &stem)?;
        }
        Ok(())
    }

    /// An array of pictures, with some of the lower bits shifted out.
    fn npy(&self, path: &Path, parts: &[Range<usize>], shift: u32) -> Result<()> {
        save(path, self.existing, |file| {
            let mut file = BufWriter::with_capacity(1 << 20, file);
            file.write_all(&npy::new_header("|u1", &[parts.iter().map(Range::len).sum(), self.size, self.size, 3]))?;
            for numbers in parts {
                self.each(numbers.clone(), 3, |_, mut pixels| {
                    pixels.iter_mut().for_each(|v| *v >>= shift);
                    file.write_all(&pixels)
                })?;
            }
            file.flush()
        })
    }

    fn png(&self, pixels: Vec<u8>) -> Result<Vec<u8>> {
        let size = u32::try_from(self.size)?;
        png(&image::RgbImage::from_raw(size, size, pixels).context("a picture of another length than its size")?)
    }

    fn folder_of_pngs(&self, folder: &Path, numbers: Range<usize>) -> Result<()> {
        create_dir(folder, true)?;
        self.each(numbers.clone(), 3, |i, pixels| {
            let bytes = self.png(pixels)?;
            save(&folder.join(png_name(i, &numbers)), self.existing, |file| file.write_all(&bytes))
        })
    }

    fn tar_of_pngs(&self, path: &Path, numbers: Range<usize>, stem: &str) -> Result<()> {
        save(path, self.existing, |file| {
            let mut archive = tar::Builder::new(BufWriter::new(file));
            self.each(numbers.clone(), 3, |i, pixels| {
                let bytes = self.png(pixels).map_err(io::Error::other)?;
                append(&mut archive, &format!("{stem}/{}", png_name(i, &numbers)), &bytes)
            })?;
            archive.into_inner()?.flush()
        })
    }

    /// Ten batches for training and one for testing, with classes from 1, each an `.npz` file in a zip archive.
    fn imagenet_batches(&self) -> Result<()> {
        let [train, test] = self.numbers();
        let start = |k: usize| train.start + k * train.len() / 10;
        let training = (0..10).map(|k| (format!("train_data_batch_{}", k + 1), start(k)..start(k + 1))).collect();
        for (split, batches) in [("train", training), ("val", vec![("val_data".to_string(), test.clone())])] {
            let stem = format!("Imagenet{}_{split}_npz", self.size);
            save(&self.out.join(format!("{stem}.zip")), self.existing, |file| {
                let mut archive = ZipWriter::new_stream(file);
                for (name, numbers) in &batches {
                    let mut data = Vec::new();
                    self.each(numbers.clone(), 3, |_, pixels| {
                        data.extend(planes(&pixels));
                        io::Result::Ok(())
                    })?;
                    let labels: Vec<u8> = numbers.clone().flat_map(|i| (i64::from(label(i)) + 1).to_le_bytes()).collect();
                    let n = numbers.len();
                    let arrays =
                        [("data", "|u1", &[n, 3 * self.size * self.size][..], &data), ("labels", "<i8", &[n][..], &labels)];
                    archive.start_file(format!("{stem}/{name}.npz"), deflated())?;
                    archive.write_all(&npz(&arrays)?)?;
                }
                archive.finish()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The archive as it is unpacked.
    fn celeba_tfr_folder(&self) -> Result<()> {
        let folder = self.out.join("celeba-tfr");
        for split in ["train", "validation"] {
            create_dir(&folder.join(split), true)?;
        }
        self.record_files(|name, records| {
            save(&self.out.join(name), self.existing, |file| file.write_all(records)).map_err(io::Error::other)
        })?;
        Ok(())
    }

    /// One tar archive, whose members have another order than that of their names.
    fn celeba_tfr(&self) -> Result<()> {
        save(&self.out.join("celeba-tfr.tar"), self.existing, |file| {
            let mut archive = tar::Builder::new(BufWriter::new(file));
            self.record_files(|name, records| append(&mut archive, name, records))?;
            archive.into_inner()?.flush()
        })
    }

    /// Hands 120 and 40 files of records, as even as can be, to `take` with their names.
    fn record_files(&self, mut take: impl FnMut(&str, &[u8]) -> io::Result<()>) -> io::Result<()> {
        for (folder, n_files, numbers) in [("validation", 40, &self.numbers()[1]), ("train", 120, &self.numbers()[0])] {
            for k in (0..n_files).rev() {
                let start = |k| numbers.start + k * numbers.len() / n_files;
                let mut records = Vec::new();
                self.each(start(k)..start(k + 1), 3, |i, pixels| tfrecord::write(&self.example(i, pixels), &mut records))?;
                let level = self.size.ilog2();
                take(&format!("celeba-tfr/{folder}/{folder}-r{level:02}-s-{k:04}-of-{n_files:04}.tfrecords"), &records)?;
            }
        }
        Ok(())
    }

    fn example(&self, i: usize, pixels: Vec<u8>) -> Vec<u8> {
        let size = self.size as i64;
        let attributes = attributes(i).iter().map(|&a| a.into()).collect();
        let ints = [("shape", vec![size, size, 3]), ("label", vec![label(i).into()]), ("attr", attributes)];
        Example::new(ints, ("data", pixels)).encode_to_vec()
    }

    /// Four zipped idx files; classes begin with `first_class`, and rows and columns are exchanged if `transposed`.
    fn idx(&self, prefixes: [&str; 2], first_class: u8, transposed: bool) -> Result<()> {
        let idx = |name: &str, dims: &[usize], values: &[u8]| {
            save(&self.out.join(name), self.existing, |file| {
                let mut file = GzEncoder::new(BufWriter::new(file), Compression::fast());
                file.write_all(&(0x800 + dims.len() as u32).to_be_bytes())?;
                dims.iter().try_for_each(|&d| file.write_all(&(d as u32).to_be_bytes()))?;
                file.write_all(values)?;
                file.finish()?.flush()
            })
        };
        for (prefix, numbers) in prefixes.into_iter().zip(self.numbers()) {
            let images = self.grey_images(numbers.clone(), transposed)?;
            let labels: Vec<u8> = numbers.map(|i| label(i) + first_class).collect();
            idx(&format!("{prefix}-images-idx3-ubyte.gz"), &[labels.len(), 28, 28], &images)?;
            idx(&format!("{prefix}-labels-idx1-ubyte.gz"), &[labels.len()], &labels)?;
        }
        Ok(())
    }

    /// Pictures of 28 rows and columns.
    fn grey_images(&self, numbers: Range<usize>, transposed: bool) -> Result<Vec<u8>> {
        let mut images = Vec::new();
        Layout { size: 28, ..*self }.each(numbers, 1, |_, pixels| {
            images.extend((0..28 * 28).map(|p| pixels[if transposed { p % 28 * 28 + p / 28 } else { p }]));
            anyhow::Ok(())
        })?;
        Ok(images)
    }

    fn k49(&self) -> Result<()> {
        for (split, numbers) in ["train", "test"].into_iter().zip(self.numbers()) {
            let images = self.grey_images(numbers.clone(), false)?;
            let n = numbers.len();
            let labels: Vec<u8> = numbers.map(label).collect();
            for (what, dims, values) in [("imgs", &[n, 28, 28][..], &images), ("labels", &[n][..], &labels)] {
                let bytes = npz(&[("arr_0", "|u1", dims, values)])?;
                save(&self.out.join(format!("k49-{split}-{what}.npz")), self.existing, |file| file.write_all(&bytes))?;
            }
        }
        Ok(())
    }

    fn cifar100(&self) -> Result<()> {
        let [train, test] = self.numbers();
        let files = vec![("train.bin".to_string(), train), ("test.bin".to_string(), test)];
        // Of class i the superclass is i / 5, and labels are below 10 here.
        self.cifar("cifar-100-binary.tar.gz", "cifar-100-binary", files, |i| vec![label(i) / 5, label(i)])
    }

    fn cifar10(&self) -> Result<()> {
        let [train, test] = self.numbers();
        let part = |k| k * train.len() / 5;
        let batches = (0..5).map(|k| (format!("data_batch_{}.bin", k + 1), part(k)..part(k + 1)));
        let files = batches.chain([("test_batch.bin".into(), test)]).filter(|(_, numbers)| !numbers.is_empty()).collect();
        self.cifar("cifar-10-binary.tar.gz", "cifar-10-batches-bin", files, |i| vec![label(i)])
    }

    /// An archive of files with records, each of some labels and the pixels of a picture.
    fn cifar(
        &self,
        archive: &str,
        folder: &str,
        files: Vec<(String, Range<usize>)>,
        labels: impl Fn(usize) -> Vec<u8>,
    ) -> Result<()> {
        let layout = Layout { size: 32, ..*self };
        save(&self.out.join(archive), self.existing, |file| {
            let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::new(file), Compression::fast()));
            for (name, numbers) in &files {
                let mut records = Vec::new();
                layout.each(numbers.clone(), 3, |i, pixels| {
                    records.extend(labels(i));
                    records.extend(planes(&pixels));
                    io::Result::Ok(())
                })?;
                append(&mut archive, &format!("{folder}/{name}"), &records)?;
            }
            archive.into_inner()?.finish()?.flush()
        })
    }

    fn svhn(&self, extra: bool) -> Result<()> {
        let [train, test] = self.numbers();
        let more = extra.then(|| ("extra", train.end..2 * train.end));
        for (prefix, numbers) in [("train", train), ("test", test)].into_iter().chain(more) {
            let mut values = Vec::new();
            Layout { size: 32, ..*self }.each(numbers.clone(), 3, |_, pixels| {
                // Rows run fastest, then columns, then channels.
                for plane in planes(&pixels).chunks_exact(32 * 32) {
                    values.extend((0..32 * 32).map(|p| plane[p % 32 * 32 + p / 32]));
                }
                anyhow::Ok(())
            })?;
            let n = numbers.len();
            let classes: Vec<u8> = numbers.map(|i| if label(i) == 0 { 10 } else { label(i) }).collect();
            let bytes = mat::write(&[("X", &[32, 32, 3, n], &values), ("y", &[n, 1], &classes)])?;
            save(&self.out.join(format!("{prefix}_32x32.mat")), self.existing, |file| file.write_all(&bytes))?;
        }
        Ok(())
    }
}

/// An `.npz` file, not compressed: names, types, dimensions and values of its arrays.
fn npz(arrays: &[(&str, &str, &[usize], &Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, descr, dims, values) in arrays {
        // As numpy does, which does not know the lengths beforehand.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&npy::new_header(descr, dims))?;
        archive.write_all(values)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(1))
}

/// Pictures are numbered from 1 in each split.
fn png_name(i: usize, numbers: &Range<usize>) -> String {
    format!("{:07}.png", i - numbers.start + 1)
}

/// A picture channel by channel.
fn planes(pixels: &[u8]) -> Vec<u8> {
    let mut planes = vec![0; pixels.len()];
    split_channels(pixels, &mut planes);
    planes
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes)
}
