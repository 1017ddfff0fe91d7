//! Feeds the reader of checkpoints with random changes of a valid one: none may panic or hang, and none that is
//! accepted may differ from the original unless its checksum was made right again. In a third of the executions the header
//! stays JSON, with other values in some of its places. Repeatable: every execution is a function of its number.
//!
//! `cargo run --release -p train --example fuzz_checkpoint -- [EXECUTIONS] [FIRST]`

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use residual_flows::optim::OptimizerState;
use residual_flows::state::NamedTensor;
use serde_json::{Map, Value, json};
use std::time::Instant;
use train::checkpoint::format;
use train::checkpoint::state::{Description, Evaluated, Fingerprints, RunLog, TrainingState};
use train::config::Source;
use train::data::kind::DataKind;

/// A small state with something in every place.
fn state() -> anyhow::Result<TrainingState> {
    let text = "[data]\npath = 'x'\n[model]\nblocks = [1]\nhidden_channels = 2\ndense_blocks = 0\n";
    let tensor = |name: &str, shape: &[usize]| {
        let n: usize = shape.iter().product();
        NamedTensor { name: name.into(), shape: shape.to_vec(), values: (0..n).map(|i| i as f32 - 1.5).collect() }
    };
    let weights = vec![tensor("scales.0.bias", &[3]), tensor("scales.0.weight", &[2, 3, 1, 1])];
    let mut optimizer = OptimizerState { steps: 7, ..Default::default() };
    optimizer.slots.insert("first".into(), weights.clone());
    let mut config = Source::new("seed".into(), text.into(), Vec::new()).parse()?;
    config.run.max_steps = Some(9);
    let best = vec![Evaluated { step: 5, loss: 2.5 }];
    Ok(TrainingState {
        description: Description {
            config,
            shape: [1, 4, 4],
            kind: DataKind::Images { levels: 256, only_classes: false },
            step: 7,
            epoch: 1,
            batch: 2,
            data: Some(Fingerprints { train: "3f".into(), validation: Some("a0".into()), test: "moons".into() }),
        },
        average: weights.clone(),
        converged: vec![tensor("scales.0.vector", &[2])],
        weights,
        optimizer,
        log: RunLog { running_loss: Some(2.75), best, ..Default::default() },
    })
}

/// A few changes of the kinds that files suffer, most of them in the header, where decisions are made.
fn change(bytes: &mut Vec<u8>, header: usize, rng: &mut impl Rng) {
    for _ in 0..=rng.random_range(0..4) {
        let reach = if rng.random_bool(0.7) { header.min(bytes.len()) } else { bytes.len() };
        if reach == 0 {
            return;
        }
        let at = rng.random_range(0..reach);
        match rng.random_range(0..6) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = *b"0123456789-.,:[]{}\"ae\0\xff".get(rng.random_range(0..24)).unwrap_or(&b' '),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + rng.random_range(1..16)).min(bytes.len()))),
            4 => {
                let from = rng.random_range(0..bytes.len());
                let piece = bytes[from..(from + 8).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                let numbers: [&[u8]; 6] = [b"0", b"-1", b"18446744073709551615", b"99999999999999999999", b"1e308", b"nan"];
                let number = numbers[rng.random_range(0..numbers.len())];
                let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                drop(bytes.splice(at..end, number.iter().copied()));
            }
        }
    }
}

/// Some values of the header, or of one of the texts in its metadata, become others.
fn change_header(bytes: &mut Vec<u8>, header: usize, rng: &mut impl Rng) -> anyhow::Result<()> {
    let mut fields: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + header])?;
    for _ in 0..=rng.random_range(0..2) {
        let names: Vec<String> = fields.keys().cloned().collect();
        let section = &names[rng.random_range(0..names.len())];
        let section = if rng.random_bool(0.6) { "__metadata__" } else { section };
        let Some(Value::Object(entry)) = fields.get_mut(section) else { continue };
        let keys: Vec<String> = entry.keys().cloned().collect();
        if keys.is_empty() {
            continue;
        }
        let key = &keys[rng.random_range(0..keys.len())];
        match entry.get(key) {
            Some(Value::String(text)) if rng.random_bool(0.8) => {
                let mut text = text.clone().into_bytes();
                let length = text.len();
                change(&mut text, length, rng);
                entry.insert(key.clone(), String::from_utf8_lossy(&text).into_owned().into());
            }
            _ if rng.random_bool(0.2) => drop(entry.remove(key)),
            _ => {
                let others =
                    [json!([0, 24]), json!([u64::MAX, 8]), json!([]), json!([1, 6, 1]), json!("F32"), json!("U64"), json!(-1)];
                entry.insert(key.clone(), others[rng.random_range(0..others.len())].clone());
            }
        }
    }
    let mut text = Value::Object(fields).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    drop(bytes.splice(8..8 + header, text));
    Ok(())
}

/// Makes the length of the header and the checksum right again, so that changes reach what is behind them.
fn mend(bytes: &mut [u8], header_end: usize) {
    if let Some(length) = bytes.first_chunk_mut() {
        *length = (header_end as u64).to_le_bytes();
    }
    if let Some((contents, stored)) = bytes.split_last_chunk_mut() {
        *stored = crc32c::crc32c(contents).to_le_bytes();
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let executions: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let first: u64 = arguments.next().map_or(Ok(0), |n| n.parse())?;
    let mut whole = Vec::new();
    let original = state()?;
    format::write(&original, &mut whole)?;
    anyhow::ensure!(format::read(whole.clone())? == original, "what was written is read as something else");
    let header = u64::from_le_bytes(whole[..8].try_into()?) as usize;
    let (start, mut accepted, mut late) = (Instant::now(), [0u64; 2], 0u64);
    for i in first..first + executions {
        let mut rng = ChaCha8Rng::seed_from_u64(i);
        let mut bytes = whole.clone();
        let well_formed = rng.random_range(0..3) == 0;
        if well_formed {
            change_header(&mut bytes, header, &mut rng)?;
        } else {
            change(&mut bytes, 8 + header, &mut rng);
        }
        let mended = well_formed || rng.random_bool(0.5);
        if mended {
            // The end of the header has moved by as much as the file has grown, if the data did not change.
            let header_end = (header + bytes.len()).saturating_sub(whole.len());
            mend(&mut bytes, header_end);
        }
        match format::read(bytes.clone()) {
            Ok(state) => {
                assert!(mended || state == original, "execution {i}: a damaged checkpoint was accepted");
                accepted[usize::from(mended)] += 1;
            }
            Err(error) => {
                let error = error.to_string();
                late += u64::from(!["it is not a checkpoint", "it was damaged"].iter().any(|first| error.starts_with(first)));
            }
        }
    }
    let [unchanged, valid] = accepted;
    let seconds = start.elapsed().as_secs();
    println!(
        "{executions} executions from {first} without a finding in {seconds} s; accepted: {unchanged} unchanged, {valid} mended; \
         refused behind the checksum: {late} ({:.1} %)",
        100.0 * late as f64 / executions as f64
    );
    Ok(())
}
