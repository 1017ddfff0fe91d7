//! What `preprocess` makes of every published layout can be trained on, and damage to it is named.

use crate::common::{Workshop, number};
use clap::Parser;
use std::fs;

/// Runs the program `preprocess`.
fn preprocess(line: &str, workshop: &Workshop) {
    let (input, out) = (workshop.path("input"), workshop.path("data"));
    let place = |word: &str| word.replace("INPUT", input.to_str().unwrap()).replace("OUT", out.to_str().unwrap());
    let arguments = line.split(' ').map(place);
    let cli = preprocess::cli::Cli::try_parse_from(["preprocess".to_string()].into_iter().chain(arguments)).unwrap();
    cli.run(&train::training::parallel::ProcessGroup::alone()).unwrap_or_else(|error| panic!("{line}: {error:#}"));
}

/// Makes up an input and converts it.
fn make(kind: &str, convert: &str) -> Workshop {
    let workshop = Workshop::new();
    preprocess(&format!("synth {kind} --out INPUT"), &workshop);
    preprocess(&format!("{convert} --input INPUT --out OUT --images-per-shard 50"), &workshop);
    workshop
}

const FEW_STEPS: [&str; 7] = [
    "data.path=data",
    "optim.batch_size=8",
    "run.max_steps=2",
    "run.eval_batch_size=4",
    "run.n_samples=1",
    "model.hidden_channels=4",
    "log_det.eval.n_exact_terms=1",
];

#[track_caller]
fn trains(kind: &str, convert: &str, settings: &[&str]) {
    let workshop = make(kind, convert);
    let summary = workshop.train("run", &[&FEW_STEPS, settings].concat());
    assert_eq!(number(&summary, "steps"), 2.0);
    assert!(number(&summary, "test_bits_per_dim").is_finite());
}

#[test]
fn imagenet_is_trained_on() {
    let convert = "imagenet --size 32 --counts 60,4";
    for kind in ["imagenet-npy", "imagenet-tar", "imagenet-png"] {
        trains(&format!("{kind} --size 32 --counts 60,4"), convert, &["data.shape=[3, 32, 32]"]);
    }
}

#[test]
fn celeba_is_trained_on() {
    // Eight bits in the archive, five in the model.
    let settings = ["data.shape=[3, 16, 16]", "data.levels=32", "data.flip=true"];
    trains("celeba-tfr --size 16 --counts 130,40", "celeba-tfr --resolution 16 --counts 130,40", &settings);
    trains("celeba-5bit --counts 20,4", "celeba-5bit --test-images 4", &["data.shape=[3, 64, 64]", "data.levels=32"]);
}

#[test]
fn small_images_are_trained_on() {
    trains("mnist --counts 60,4", "mnist", &["data.shape=[1, 28, 28]"]);
    trains("cifar10 --counts 60,4", "cifar10 --partial", &["data.shape=[3, 32, 32]"]);
    trains("svhn --counts 60,4", "svhn --counts 60,4 --codec raw", &["data.shape=[3, 32, 32]"]);
}

#[test]
fn a_damaged_shard_is_named() {
    for codec in ["med-zstd1", "raw"] {
        let workshop = make("mnist --counts 100,4", &format!("mnist --codec {codec}"));
        let settings: Vec<_> = FEW_STEPS.iter().chain(&["data.shape=[1, 28, 28]"]).flat_map(|s| ["--set", s]).collect();
        let arguments = [&["--config", "tiny.toml", "--out", "run"], &settings[..]].concat();
        let shard = workshop.path("data/train-00001-of-00002.safetensors");
        let whole = fs::read(&shard).unwrap();
        // In the index, in the pixels of every image, and cut short.
        let mut index = whole.clone();
        index[900] ^= 1;
        let mut pixels = whole.clone();
        let from = whole.len() / 10;
        pixels[from..].iter_mut().step_by(20).for_each(|byte| *byte ^= 0x10);
        for damaged in [&index, &pixels, &whole[..whole.len() - 1]] {
            fs::write(&shard, damaged).unwrap();
            let message = workshop.error_of_run(&arguments);
            assert!(message.contains("train-00001-of-00002.safetensors"), "{codec}: {message}");
        }
    }
}
