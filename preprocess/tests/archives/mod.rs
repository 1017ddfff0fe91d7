//! Small data sets in the forms they are published in.

use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Pixels that differ between images and have no symmetry.
pub fn pixels(image: usize, len: usize) -> Vec<u8> {
    (0..len).map(|p| (image * 37 + p * p * 3 + p * 11) as u8).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Four idx files: 12 training and 5 test images of 4 rows and 5 columns; test image i is `pixels(100 + i)`.
pub fn mnist(dir: &Path, zipped: bool) {
    for (prefix, count, seed) in [("train", 12u8, 0), ("t10k", 5, 100)] {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 5];
        (0..usize::from(count)).for_each(|i| images.extend(pixels(seed + i, 20)));
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
        labels.extend((0..count).map(|i| i % 10));
        for (name, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            let path = dir.join(format!("{prefix}-{name}-ubyte"));
            match zipped {
                true => std::fs::write(path.with_extension("gz"), gzip(&bytes)).unwrap(),
                false => std::fs::write(path, bytes).unwrap(),
            }
        }
    }
}

/// Three images in each batch; batch 5 is the test batch.
pub fn cifar_images(batch: usize) -> Vec<(Vec<u8>, u32)> {
    (0..3).map(|i| (pixels(batch * 3 + i, 3072), ((batch + 4 * i) % 10) as u32)).collect()
}

/// Names and contents of the six batch files.
pub fn cifar_files(python: bool) -> Vec<(String, Vec<u8>)> {
    let name = |i| match i {
        5 => "test_batch".to_string(),
        _ => format!("data_batch_{}", i + 1),
    };
    let file = |i| match python {
        true => (name(i), cifar_pickle(&cifar_images(i))),
        false => (format!("{}.bin", name(i)), cifar_binary(&cifar_images(i))),
    };
    (0..6).map(file).collect()
}

fn cifar_binary(images: &[(Vec<u8>, u32)]) -> Vec<u8> {
    images.iter().flat_map(|(pixels, label)| [&[*label as u8], pixels.as_slice()].concat()).collect()
}

/// The instructions that Python 2's cPickle wrote for the published files, in their order.
fn cifar_pickle(images: &[(Vec<u8>, u32)]) -> Vec<u8> {
    let n = images.len() as u8;
    let data: Vec<u8> = images.iter().flat_map(|(pixels, _)| pixels.clone()).collect();
    let labels: Vec<u8> = images.iter().flat_map(|(_, label)| [b'K', *label as u8]).collect();
    let names: Vec<u8> = (0..n).flat_map(|i| [b'U', 1, b'a' + i, b'q', 14 + i]).collect();
    [
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(",
        labels.as_slice(),
        b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01",
        &[b'K', n],
        b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
        &(data.len() as u32).to_le_bytes(),
        &data,
        b"tbU\x09filenamesq\x0c]q\x0d(",
        &names,
        b"eu.",
    ]
    .concat()
}

/// Writes the files into a new directory and returns it.
pub fn write_dir(dir: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    std::fs::create_dir(dir).unwrap();
    files.iter().for_each(|(name, bytes)| std::fs::write(dir.join(name), bytes).unwrap());
    dir.to_path_buf()
}

/// Packs the files, last first, beside a readme; zipped if the name says so.
pub fn write_tar(path: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    let mut builder = tar::Builder::new(Vec::new());
    let readme = ("readme.html".to_string(), b"<html>".to_vec());
    for (name, bytes) in [&readme].into_iter().chain(files.iter().rev()) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("cifar-10-batches/{name}"), bytes.as_slice()).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    let zipped = path.extension().is_some_and(|e| e == "gz");
    std::fs::write(path, if zipped { gzip(&bytes) } else { bytes }).unwrap();
    path.to_path_buf()
}

/// A .npy file of bytes.
pub fn npy(shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}
