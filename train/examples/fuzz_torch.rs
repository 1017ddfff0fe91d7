//! Feeds the reader of the reference implementation's checkpoints with changed files of `torch.save`, of both formats: none may
//! panic, hang, or reserve much more memory than there are bytes. Repeatable: every execution is a function of its number.
//!
//! `cargo run --release -p train --example fuzz_torch -- [EXECUTIONS] [FIRST]`
//!
//! In most executions a part of the file is changed (instructions of the pickle, or a block of numbers) and the file put
//! together again around it, with lengths and checksums that are right, so that the change is reached; in the others bytes
//! of the whole file are. All tensors of an accepted file are read; of a small checkpoint of the reference implementation, the
//! arguments and the optimiser's memory too, and its model is built in some executions.

#[path = "../../preprocess/examples/fuzz/bounded.rs"]
mod bounded;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use datasets::io::pickle::{Item, Pickle};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use train::pytorch::args::ScriptArguments;
use train::pytorch::import;
use train::pytorch::scripts;
use train::pytorch::state_dict::StateDict;
use train::pytorch::torch::TorchFile;

/// A reader that takes longer for a small file hangs.
const MAX_TIME: Duration = Duration::from_secs(5);
/// One in every this many accepted checkpoints becomes a model.
const BUILT: u64 = 256;

/// A file of `torch.save` in its parts.
#[derive(Clone)]
enum Parts {
    /// Entries of an archive by name; `pickle` is the name of one.
    Archive { entries: Vec<(String, Vec<u8>)>, pickle: usize },
    /// What comes before the pickle, the pickle, and what comes after it.
    Stream([Vec<u8>; 3]),
}

impl Parts {
    fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"PK") {
            let entries = archive_entries(bytes)?;
            let pickle = entries.iter().position(|(name, _)| name.ends_with("/data.pkl"));
            return Ok(Self::Archive { entries, pickle: pickle.context("no pickle")? });
        }
        // Three pickles say what kind of file it is.
        let mut start = 0;
        for _ in 0..3 {
            start += Pickle::parse_first(&bytes[start..])?.len();
        }
        let end = start + Pickle::parse_first(&bytes[start..])?.len();
        Ok(Self::Stream([bytes[..start].to_vec(), bytes[start..end].to_vec(), bytes[end..].to_vec()]))
    }

    fn pickle(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Archive { entries, pickle } => &mut entries[*pickle].1,
            Self::Stream([_, pickle, _]) => pickle,
        }
    }

    /// Any of the parts.
    fn part(&mut self, rng: &mut impl Rng) -> &mut Vec<u8> {
        match self {
            Self::Archive { entries, .. } => {
                let index = rng.random_range(0..entries.len());
                &mut entries[index].1
            }
            Self::Stream(parts) => &mut parts[rng.random_range(0..3)],
        }
    }

    fn assembled(&self) -> Vec<u8> {
        match self {
            Self::Archive { entries, .. } => archive(entries),
            Self::Stream(parts) => parts.concat(),
        }
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> Result<usize> {
    let bytes = bytes.get(at..at + len).context("an archive that is too short")?;
    Ok(bytes.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte)))
}

/// The entries of an archive without large files, by its directory.
fn archive_entries(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let end = bytes.len() - 22;
    let mut at = number(bytes, end + 16, 4)?;
    let entry = |_| {
        let [size, name_len, extra_len] = [(24, 4), (28, 2), (30, 2)].map(|(field, len)| number(bytes, at + field, len));
        let (size, name_len, local) = (size?, name_len?, number(bytes, at + 42, 4)?);
        let name = String::from_utf8(bytes[at + 46..][..name_len].to_vec())?;
        let start = local + 30 + number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)?;
        at += 46 + name_len + extra_len?;
        Ok((name, bytes[start..][..size].to_vec()))
    };
    (0..number(bytes, end + 10, 2)?).map(entry).collect()
}

/// An archive of these entries, uncompressed.
fn archive(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in entries {
        let local = out.len() as u32;
        let size = contents.len() as u32;
        // Version, flags, method, time and date; checksum and sizes; lengths of the name and of extra fields.
        let mut common = vec![0; 10];
        common.extend(crc32fast::hash(contents).to_le_bytes());
        common.extend([size, size].map(u32::to_le_bytes).concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), contents].concat());
        directory.extend([b"PK\x01\x02\0\0", &common[..], &[0; 10], &local.to_le_bytes(), name.as_bytes()].concat());
    }
    let (start, size, n) = (out.len() as u32, directory.len() as u32, entries.len() as u16);
    let end =
        [b"PK\x05\x06\0\0\0\0".to_vec(), [n, n].map(u16::to_le_bytes).concat(), [size, start].map(u32::to_le_bytes).concat()];
    out.extend(directory);
    out.extend(end.concat());
    out.extend([0; 2]);
    out
}

/// Instructions of pickles, some with arguments at their limits, and what stands in those of `torch.save`.
const INSTRUCTIONS: [&[u8]; 44] = [
    b"(",
    b".",
    b"0",
    b"1",
    b"2",
    b"N",
    b"\x88",
    b"\x89",
    b"]",
    b"}",
    b")",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"l",
    b"d",
    b"a",
    b"e",
    b"s",
    b"u",
    b"R",
    b"b",
    b"\x81",
    b"\x92",
    b"Q",
    b"\x94",
    b"q\x00",
    b"q\x01",
    b"h\x00",
    b"h\x01",
    b"h\xff",
    b"r\xff\xff\xff\x7f",
    b"j\xff\xff\xff\xff",
    b"K\x00",
    b"M\xff\xff",
    b"J\xff\xff\xff\xff",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8b\xff\xff\xff\xff",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"X\xff\xff\xff\xff",
    b"X\x07\x00\x00\x00storage",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch\nFloatStorage\n",
];

/// A few changes of the kinds that files suffer, and worse ones.
fn change(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    for _ in 0..=rng.random_range(0..3) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..9) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 if rng.random_bool(0.2) => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + rng.random_range(1..12)).min(bytes.len()))),
            4 | 5 => {
                let instruction = INSTRUCTIONS.choose(rng).copied().unwrap_or_default();
                // Between what is there, or over it.
                let end = if rng.random_bool(0.5) { at } else { (at + instruction.len()).min(bytes.len()) };
                drop(bytes.splice(at..end, instruction.iter().copied()));
            }
            6 => {
                let from = rng.random_range(0..bytes.len());
                let piece = bytes[from..(from + rng.random_range(1..40)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let limits = [0u64, 1, 127, 255, 65_535, 1 << 31, u32::MAX.into(), i64::MAX as u64, u64::MAX];
                let limit = limits.choose(rng).copied().unwrap_or_default().to_le_bytes();
                let width = [1, 2, 4, 8].choose(rng).copied().unwrap_or(1).min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&limit[..width]);
            }
        }
    }
}

/// Reads every tensor, whatever it is for, down to some depth.
fn read_tensors(file: &TorchFile, item: Item, depth: usize) -> usize {
    let own = file.tensor(item).map_or(0, |tensor| {
        let values = tensor.floats().map(|values| values.len()).or_else(|_| tensor.ints().map(|values| values.len()));
        values.unwrap_or(0)
    });
    let within = item.entries().filter(|_| depth > 0).into_iter().flatten();
    own + within.map(|(_, item)| read_tensors(file, item, depth - 1)).sum::<usize>()
}

/// What becomes of a file; the number of values in its tensors.
fn read(bytes: &[u8], execution: u64) -> Result<usize> {
    let file = TorchFile::parse(bytes)?;
    let root = file.root();
    let n = read_tensors(&file, root, 3);
    if let Some(state) = root.get("optimizer_state_dict") {
        read_tensors(&file, state, 4);
    }
    let weights = root.get("state_dict").and_then(|weights| StateDict::new(&file, weights).ok());
    let is_usable = weights.is_some_and(|weights| {
        let settings = ScriptArguments::of(root).and_then(|args| scripts::settings(&args, &weights));
        settings.is_ok()
    });
    if is_usable && execution.is_multiple_of(BUILT) {
        import::parse(bytes, &Device::flex())?;
    }
    Ok(n)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let executions: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let first: u64 = arguments.next().map_or(Ok(0), |n| n.parse())?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    let names = ["tensors.pth", "tensors_legacy.pth", "research/tiny/checkpoint.pth", "research/tiny_legacy/checkpoint.pth"];
    let mut seeds = Vec::new();
    for name in names {
        let bytes = std::fs::read(format!("{fixtures}{name}")).with_context(|| name)?;
        let parts = Parts::of(&bytes).with_context(|| name)?;
        for bytes in [&bytes, &parts.assembled()] {
            ensure!(read(bytes, 0)? > 0, "{name} has no tensors");
        }
        seeds.push((bytes, parts));
    }
    let start = Instant::now();
    let (mut accepted, mut reasons) = (0u64, BTreeMap::<String, u64>::new());
    for execution in first..first + executions {
        let mut rng = ChaCha8Rng::seed_from_u64(execution);
        // Checkpoints take longer.
        let seed = if rng.random_range(0..16) == 0 { rng.random_range(2..4) } else { rng.random_range(0..2) };
        let (bytes, parts) = &seeds[seed];
        let bytes = if rng.random_range(0..4) == 0 {
            let mut bytes = bytes.clone();
            change(&mut bytes, &mut rng);
            bytes
        } else {
            let mut parts = parts.clone();
            let part = if rng.random_bool(0.8) { parts.pickle() } else { parts.part(&mut rng) };
            change(part, &mut rng);
            parts.assembled()
        };
        let begin = Instant::now();
        match read(&bytes, execution) {
            Ok(_) => accepted += 1,
            Err(error) => *reasons.entry(kind(&format!("{error:#}"))).or_default() += 1,
        }
        // Once, the machine may have had something else to do.
        ensure!(begin.elapsed() < MAX_TIME || again(&bytes, execution) < MAX_TIME, "execution {execution} takes too long");
    }
    println!(
        "{executions} executions from {first} without a finding in {:.0?}: {accepted} accepted ({:.1} %), {} different reasons to refuse",
        start.elapsed(),
        100.0 * accepted as f64 / executions as f64,
        reasons.len()
    );
    Ok(())
}

/// How long it takes a second time.
fn again(bytes: &[u8], execution: u64) -> Duration {
    let begin = Instant::now();
    let _ = read(bytes, execution);
    begin.elapsed()
}

/// The words of a message without the names and numbers in it.
fn kind(message: &str) -> String {
    let word = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(word).take(40).collect::<Vec<_>>().join(" ")
}
