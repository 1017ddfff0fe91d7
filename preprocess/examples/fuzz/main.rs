//! Feeds the readers of files with changed valid ones: none may panic, hang or reserve much memory.
//!
//! `cargo run --release -p preprocess --example fuzz -- TARGET [EXECUTIONS] [SEED]` with target `npy`, `records`, `tar`,
//! `shard`, `mat` or `png`. Run it in the workspace's directory; it needs `preprocess/tests/fixtures`.
//!
//! What is changed is, each in a third of the executions, a valid file; a well-formed one that was made up, which in half of
//! the cases stays as it is; or an input that led to an outcome not seen before (another error message, or other contents), so
//! that faults behind other faults are reached. In one half of the executions checksums and lengths are made right again after the change. A run is a function of
//! target and seed; an input that makes a reader panic is kept in `fuzz-TARGET.bin`.

mod bounded;
mod changes;
mod fresh;
mod targets;

use changes::Random;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use targets::Target;

/// Inputs that are changed further at most, and the longest of them.
const MAX_INPUTS: usize = 4096;
const MAX_LEN: usize = 1 << 16;
/// A reader that takes longer for a small file hangs.
const MAX_TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("which target: npy, records, tar, zip, pickle, shard, mat or png?")?;
    let executions: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let seed: u64 = args.next().map_or(Ok(0), |n| n.parse())?;
    let target = targets::target(&name)?;
    let mut inputs = target.seeds.clone();
    if !inputs.iter().any(|input| (target.read)(input, false).is_ok()) {
        return Err("no seed is valid".into());
    }
    let mut random = Random(seed);
    let (mut outcomes, mut counts) = (HashSet::new(), HashMap::<bool, u64>::new());
    let start = Instant::now();
    for i in 0..executions {
        let (mut input, is_new) = match (random.below(3), &target.fresh) {
            (0, Some(fresh)) => (fresh(&mut random), true),
            (1, _) => (target.seeds[random.below(target.seeds.len())].clone(), false),
            _ => (inputs[random.below(inputs.len())].clone(), false),
        };
        if !is_new || random.below(2) == 0 {
            changes::change(&mut input, target.tokens, &mut random);
        }
        let mended = random.below(2) == 0;
        if mended {
            (target.mend)(&mut input);
        }
        let Some((outcome, time)) = timed(&target, &input, mended) else {
            return found("a panic", &name, &input, i);
        };
        // Once may be the system's doing.
        if time > MAX_TIME && (0..3).all(|_| timed(&target, &input, mended).is_none_or(|(_, time)| time > MAX_TIME)) {
            return found("a hang", &name, &input, i);
        }
        *counts.entry(outcome.is_ok()).or_default() += 1;
        if outcomes.insert(kind(outcome)) && inputs.len() < MAX_INPUTS && input.len() <= MAX_LEN {
            inputs.push(input);
        }
    }
    let [accepted, refused] = [true, false].map(|ok| counts.get(&ok).copied().unwrap_or(0));
    println!(
        "{name}: {executions} executions from seed {seed} without a finding: {accepted} accepted ({:.1} %), {refused} refused, {} \
         different outcomes, {:.0?}",
        100.0 * accepted as f64 / executions as f64,
        outcomes.len(),
        start.elapsed()
    );
    Ok(())
}

/// The reader's outcome and how long it took; `None` if it panicked.
fn timed(target: &Target, input: &[u8], mended: bool) -> Option<(Result<usize, String>, Duration)> {
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.read)(input, mended))).ok()?;
    Some((outcome, begin.elapsed()))
}

/// Keeps the input of a finding.
fn found(what: &str, name: &str, input: &[u8], execution: u64) -> Result<(), Box<dyn std::error::Error>> {
    let file = format!("fuzz-{name}.bin");
    std::fs::write(&file, input)?;
    Err(format!("{what} in execution {execution} of {name}: the input is in {file}").into())
}

/// What was read, or the words of an error without the names and numbers in it.
fn kind(outcome: Result<usize, String>) -> String {
    let word = |w: &&str| w.len() > 1 && w.bytes().all(|b| b.is_ascii_lowercase());
    match outcome {
        Ok(contents) => contents.to_string(),
        Err(message) => {
            message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(word).take(40).collect::<Vec<_>>().join(" ")
        }
    }
}
