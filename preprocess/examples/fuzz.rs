//! Feeds the readers of files with random changes of valid ones: none may panic, hang or reserve much memory. Repeatable:
//! every execution is a function of its number.
//!
//! `cargo run -p preprocess --example fuzz -- TARGET [EXECUTIONS] [FIRST]` with target `npy`, `records`, `tar`, `mat`,
//! `png` or `shard`. Run it in the workspace's directory; it needs `preprocess/tests/fixtures`.

use datasets::{CodecKind, DatasetError, ImageDataset, ImageShape, Split, synthetic};
use preprocess::{example_proto::Example, mat, npy, picture, tar_index, tfrecord};
use std::io::{self, Cursor, Error};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// Bytes as a file.
struct Memory<'a>(&'a [u8]);

impl FileExt for Memory<'_> {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(Error::other("read only"))
    }
}

/// A sequence of numbers that depends on its start only.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// A few changes of the kinds that files suffer, and numbers at their limits.
fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        // Headers are where decisions are made.
        let reach = if random.below(2) == 0 { bytes.len().min(256) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + random.below(16)).min(bytes.len()))),
            4 => drop(bytes.splice(at..at, (0..random.below(16)).map(|i| i as u8).collect::<Vec<_>>())),
            5 if at + 8 <= bytes.len() => {
                let limits = [0u64, 1, 127, 255, 256, 65_535, u32::MAX as u64, 1 << 31, i64::MAX as u64, u64::MAX];
                let width = [1, 2, 4, 8][random.below(4)];
                bytes[at..at + width].copy_from_slice(&limits[random.below(limits.len())].to_le_bytes()[..width]);
            }
            _ if at + 4 <= bytes.len() => {
                let from = random.below(bytes.len() - 3);
                bytes.copy_within(from..from + 4, at);
            }
            _ => {}
        }
    }
}

/// Makes the checksums of a member's header right again, so that changes reach what is behind them.
fn mend_tar(bytes: &mut [u8]) {
    if let Some(header) = bytes.get_mut(..512) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn records(bytes: &[u8]) -> bool {
    let Ok(records) = tfrecord::index(&Memory(bytes), 0, bytes.len() as u64) else {
        // Behind the checksums, which changes seldom pass, is the decoder of contents.
        return Example::read(bytes.get(12..).unwrap_or_default().to_vec().into()).is_ok_and(|e| e.bytes("data").is_ok());
    };
    let payload = |r: &tfrecord::Record| tfrecord::payload(&bytes[r.offset as usize..][..r.len as usize + 4]).map(<[u8]>::to_vec);
    records.iter().all(|r| payload(r).and_then(|p| Example::read(p.into())).is_ok_and(|e| e.ints("shape").is_ok()))
}

/// A changed shard under its old manifest: it must be refused, or give the original images.
fn shard(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::write(dir.join("train-00000-of-00001.safetensors"), bytes).expect("a temporary file");
    let shape = ImageShape { channels: 3, height: 4, width: 5 };
    let read = |dataset: ImageDataset| (0..dataset.len()).map(|i| dataset.image(i)).collect::<Result<Vec<_>, DatasetError>>();
    match ImageDataset::open(dir, Split::Train).and_then(read) {
        Ok(images) => {
            images.iter().enumerate().for_each(|(i, image)| assert_eq!(*image, synthetic::image(shape, 256, i)));
            true
        }
        Err(_) => false,
    }
}

type Target = Box<dyn Fn(&[u8]) -> bool>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let target = args.next().ok_or("which target: npy, records, tar, mat, png or shard?")?;
    let executions: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let first: u64 = args.next().map_or(Ok(0), |n| n.parse())?;
    let fixture = |name: &str| std::fs::read(Path::new("preprocess/tests/fixtures").join(name));
    let archive = fixture("celeba-tfr.tar")?;
    let temp = tempfile::tempdir()?;
    let dir = temp.path().to_path_buf();
    let (seeds, run): (Vec<Vec<u8>>, Target) = match target.as_str() {
        "npy" => (
            ["v1.npy", "v2.npy", "v3.npy", "fortran.npy"].map(fixture).into_iter().collect::<io::Result<_>>()?,
            Box::new(|bytes| npy::header(bytes).is_ok()),
        ),
        "records" => {
            let members = tar_index::index(Cursor::new(&archive), archive.len() as u64)?;
            let contents = |m: &tar_index::Member| archive[m.offset as usize..][..m.len as usize].to_vec();
            (members[..9].iter().map(contents).collect(), Box::new(records))
        }
        "tar" => {
            let small = fixture("gnu.tar")?;
            (
                vec![small, fixture("python.tar")?],
                Box::new(|bytes| tar_index::index(Cursor::new(bytes), bytes.len() as u64).is_ok()),
            )
        }
        "mat" => (vec![fixture("train_32x32.mat")?, fixture("test_32x32.mat")?], Box::new(|bytes| mat::read(bytes).is_ok())),
        "png" => {
            let small = fixture("gnu.tar")?;
            let members = tar_index::index(Cursor::new(&small), small.len() as u64)?;
            let contents = |m: &tar_index::Member| small[m.offset as usize..][..m.len as usize].to_vec();
            (members.iter().map(contents).collect(), Box::new(|bytes| picture::decode_exact(bytes, 4).is_ok()))
        }
        "shard" => {
            let shape = ImageShape { channels: 3, height: 4, width: 5 };
            synthetic::write_dataset(&dir, Split::Train, shape, 256, 7, CodecKind::MedZstd1)?;
            let bytes = std::fs::read(dir.join("train-00000-of-00001.safetensors"))?;
            (vec![bytes], Box::new(move |bytes| shard(&dir, bytes)))
        }
        other => return Err(format!("unknown target {other}").into()),
    };
    assert!(seeds.iter().filter(|seed| run(seed)).count() > 0, "no seed is valid");
    let (start, mut accepted) = (Instant::now(), 0u64);
    for i in first..first + executions {
        let mut random = Random(i);
        let mut bytes = seeds[random.below(seeds.len())].clone();
        change(&mut bytes, &mut random);
        if target == "tar" && random.below(2) == 0 {
            mend_tar(&mut bytes);
        }
        accepted += u64::from(run(&bytes));
    }
    println!("{target}: {executions} executions from {first} without a finding, {accepted} accepted, {:.0?}", start.elapsed());
    Ok(())
}
