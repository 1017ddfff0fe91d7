//! The reference implementation's own checkpoints, through the commands: the latents and log-determinants that it computes for
//! them.

use burn::tensor::{Device, Tensor, TensorData};
use residual_flows::optim::{Optimizer, OptimizerKind, OptimizerState};
use residual_flows::{LogDetConfig, LogDetContext, NoiseKey};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use train::checkpoint;
use train::pytorch::state_dict::StateDict;
use train::pytorch::torch::TorchFile;
use train::scoring::arrays;

fn fixture(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research").join(case).join(file)
}

fn train(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train")).args(arguments).output().unwrap()
}

fn run(arguments: &[&str]) -> String {
    let output = train(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_close(got: &Path, want: &Path, tol: f32) {
    let (got, want) = (arrays::read::<f32>(got).unwrap(), arrays::read::<f32>(want).unwrap());
    assert_eq!(got.values.len(), want.values.len());
    for (index, (a, b)) in got.values.iter().zip(&want.values).enumerate() {
        assert!((a - b).abs() < tol, "element {index}: {a} for {b}");
    }
}

/// Encodes, decodes and computes exact log-determinants with one set of weights.
fn agrees(checkpoint: &Path, case: &str, weights: &str, prefix: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_string();
    let (checkpoint, x, z) = (text(checkpoint), text(&fixture(case, "x.npy")), text(&path("z.npy")));
    run(&["encode", &checkpoint, "--input", &x, "--output", &z, "--weights", weights]);
    assert_close(&path("z.npy"), &fixture(case, &format!("{prefix}z.npy")), 1e-4);
    run(&["decode", &checkpoint, "--input", &z, "--output", &text(&path("x.npy")), "--weights", weights]);
    assert_close(&path("x.npy"), &fixture(case, "x.npy"), 1e-4);
    let (output, log_det) = (text(&path("p.npy")), text(&path("d.npy")));
    run(&["log-prob", &checkpoint, "--input", &x, "--output", &output, "--log-det", &log_det, "--weights", weights, "--exact"]);
    assert_close(&path("d.npy"), &fixture(case, &format!("{prefix}logdet_exact.npy")), 1e-3);
}

#[test]
fn images_agree_in_both_formats_and_with_both_weights() {
    for case in ["rgb_swish", "celeba_elu"] {
        agrees(&fixture(case, "checkpoint.pth"), case, "raw", "");
        agrees(&fixture(case, "checkpoint.pth"), case, "ema", "ema_");
    }
}

/// Options that the trained cases do not use, and the other optimisers.
#[test]
fn options_agree_with_both_weights() {
    for case in ["tiny", "tiny_legacy", "learned_p", "coupling", "quadratic"] {
        agrees(&fixture(case, "checkpoint.pth"), case, "raw", "");
        agrees(&fixture(case, "checkpoint.pth"), case, "ema", "ema_");
    }
}

/// i-DenseNets, Monotone Flows and Implicit Normalizing Flows.
#[test]
fn successors_agree() {
    for case in ["idense_img", "mono_img", "impl_toy"] {
        agrees(&fixture(case, "checkpoint.pth"), case, "raw", "");
    }
}

/// With the vectors of power iteration in the file, which belong to the last step's weights: commands find others first, by which
/// the norms of these averages, of few and large steps, are larger.
#[test]
fn averaged_weights_of_successors_agree() {
    for case in ["idense_img", "mono_img"] {
        let device = Device::flex();
        let state = checkpoint::read_either(&fixture(case, "checkpoint.pth"), &device).unwrap();
        let [_, average] = state.models(&device).unwrap();
        let [x, z, log_dets] = ["x", "ema_z", "ema_logdet_exact"].map(|name| {
            let array = arrays::read::<f32>(&fixture(case, &format!("{name}.npy"))).unwrap();
            (array.shape, array.values)
        });
        let x = Tensor::<4>::from_data(TensorData::new(x.1, x.0), &device);
        let exact = LogDetConfig::exact();
        let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
        let (found, found_log_dets) = average.encode_log_det(x, &context).unwrap();
        let close = |got: Vec<f32>, want: Vec<f32>, tol: f32| got.iter().zip(want).all(|(a, b)| (a - b).abs() < tol);
        assert!(close(found.try_into_vec_as().unwrap(), z.1, 1e-4), "{case}");
        assert!(close(found_log_dets.try_into_vec_as().unwrap(), log_dets.1, 1e-3), "{case}");
    }
}

/// What each optimiser remembers, of every parameter that was trained, and for which numbers of steps.
#[test]
fn memories_of_all_optimisers_are_imported() {
    for (case, kind, steps, slots) in [
        ("tiny", OptimizerKind::Adam, 5, 2),
        ("idense_img", OptimizerKind::Adam, 60, 2),
        ("mono_img", OptimizerKind::Adam, 60, 2),
        ("learned_p", OptimizerKind::Adamax, 5, 2),
        ("coupling", OptimizerKind::RmsProp, 5, 1),
        // It does not count its steps.
        ("quadratic", OptimizerKind::Sgd, 0, 1),
    ] {
        let state = checkpoint::read_either(&fixture(case, "checkpoint.pth"), &Device::flex()).unwrap();
        let OptimizerState { kind: found, steps: counted, slots: remembered } = &state.optimizer;
        assert_eq!((*found, *counted, remembered.len()), (kind, steps, slots), "{case}");
        // What is no parameter: vectors, and running means.
        let untrained = |name: &str| ["vector", "opposite", "running_mean"].iter().any(|end| name.ends_with(end));
        let trained = state.weights.iter().filter(|tensor| !untrained(&tensor.name)).count();
        assert!(remembered.values().all(|slot| slot.len() == trained), "{case}");
        let [model, _] = state.models(&Device::flex()).unwrap();
        Optimizer::new(&state.description.config.optim).restore(&state.optimizer, &model).unwrap();
    }
}

#[test]
fn points_agree() {
    agrees(&fixture("toy2d", "checkpoint.pth"), "toy2d", "raw", "");
}

#[test]
fn imported_checkpoints_are_the_same_models() {
    let dir = tempfile::tempdir().unwrap();
    let imported = dir.path().join("imported.safetensors");
    let out = imported.to_str().unwrap();
    run(&["import", fixture("rgb_swish", "checkpoint.pth").to_str().unwrap(), "--out", out]);
    agrees(&imported, "rgb_swish", "raw", "");
    agrees(&imported, "rgb_swish", "ema", "ema_");
    run(&["sample", out, "--n", "2"]);
}

fn floats(view: &TensorView) -> Vec<f32> {
    view.data().chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// Names, shapes and values are those of the file that was imported, so that `load_state_dict` is content.
#[test]
fn exported_checkpoints_are_what_was_imported() {
    // What changes with every evaluation there, and how many batches a mean has seen, which does not matter.
    let is_passing = |name: &str| name.contains(".last_") || name.ends_with(".step");
    let cases = ["rgb_swish", "celeba_elu", "toy2d", "learned_p", "coupling", "quadratic", "idense_img", "mono_img", "impl_toy"];
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
        let original = fixture(case, "checkpoint.pth");
        run(&["import", original.to_str().unwrap(), "--out", &path("imported.safetensors")]);
        run(&["export", &path("imported.safetensors"), "--out", &path("exported.safetensors")]);
        let exported = std::fs::read(path("exported.safetensors")).unwrap();
        let exported = SafeTensors::deserialize(&exported).unwrap();
        let original = std::fs::read(original).unwrap();
        let original = TorchFile::parse(&original).unwrap();
        let mut names = BTreeSet::new();
        let mut compare = |item, prefix: &str| {
            let dict = StateDict::new(&original, item).unwrap();
            for name in dict.names() {
                let view = exported.tensor(&format!("{prefix}{name}")).unwrap_or_else(|_| panic!("{case}: no {name}"));
                names.insert(format!("{prefix}{name}"));
                // Flags are whole numbers, and the geometric distribution's parameter is double.
                if name.ends_with(".initialized") || name.ends_with(".geom_p") {
                    assert!(view.shape().is_empty() && view.data().len() == 8, "{name}");
                    continue;
                }
                let values = dict.get(name).unwrap().unwrap();
                assert_eq!(view.shape(), values.shape, "{name}");
                if name.ends_with(".scale") {
                    assert!((floats(&view)[0] / values.values[0] - 1.0).abs() < 1e-4, "{name}");
                } else if !is_passing(name) {
                    assert_eq!(floats(&view), values.values, "{name}");
                }
            }
        };
        compare(original.root().get("state_dict").unwrap(), "");
        if let Some(average) = original.root().get("ema") {
            compare(average.get("shadow_params").unwrap(), "ema.shadow_params.");
        }
        let all: BTreeSet<String> = exported.names().into_iter().map(String::from).collect();
        let more: Vec<&String> =
            all.difference(&names).filter(|name| !["toy2d", "impl_toy"].contains(&case) || !name.starts_with("ema.")).collect();
        assert!(more.is_empty(), "{case}: {more:?}");
        let again = train(&["export", &path("imported.safetensors"), "--out", &path("exported.safetensors")]);
        assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("--force"));
    }
}

/// Arguments that would take more memory than there is are refused before any is taken.
#[test]
fn arguments_of_absurd_size_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.pth");
    let bytes = std::fs::read(fixture("tiny_legacy", "checkpoint.pth")).unwrap();
    for (argument, number, expected) in [
        ("idim", 1 << 30, "`model.hidden_channels` is 1073741824"),
        ("imagesize", 1 << 13, "describe a model of"),
        ("imagesize", 1 << 30, "`imagesize` is 1073741824"),
        ("padding", 1 << 13, "describe a model of"),
        ("val_batchsize", -1, "`val_batchsize` is the number -1"),
    ] {
        let at = bytes.windows(argument.len()).position(|window| window == argument.as_bytes()).unwrap() + argument.len();
        // The name is remembered under a number of four bytes; what follows is a small whole number.
        assert_eq!([bytes[at], bytes[at + 5]], *b"rK", "{argument}");
        let four: i32 = number;
        let value = [b"J", &four.to_le_bytes()[..]].concat();
        std::fs::write(&path, [&bytes[..at + 5], &value, &bytes[at + 7..]].concat()).unwrap();
        let output = train(&["sample", path.to_str().unwrap()]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && message.contains(expected), "{argument} = {number}: {message}");
    }
}

#[test]
fn damaged_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.pth");
    let bytes = std::fs::read(fixture("toy2d", "checkpoint.pth")).unwrap();
    for len in [2, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let output = train(&["sample", path.to_str().unwrap()]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains("cut.pth") && message.contains("byte"), "{len}: {message}");
    }
}
