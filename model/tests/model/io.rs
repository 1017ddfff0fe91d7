//! Models in files.

use crate::support::device;
use burn::tensor::Tensor;
use residual_flows::io::{Archive, Contents, DataUnits, FormatError, ModelFile, PointUnits, Weights, vectors};
use residual_flows::state::{NamedTensor, named_tensors};
use residual_flows::training::noise;
use residual_flows::{LogDetConfig, LogDetContext, NormOrder, PowerIteration, ResidualFlow, ResidualFlowConfig};
use std::collections::BTreeMap;
use std::path::Path;

fn images() -> ResidualFlow {
    let config = ResidualFlowConfig {
        blocks: vec![1, 1],
        hidden_channels: 4.into(),
        dense_blocks: 1,
        dense_hidden: 3,
        classes: 3,
        classifier_channels: 4,
        ..ResidualFlowConfig::default()
    };
    config.init([1, 8, 8], &mut noise::initial_weights(3).stream(0), &device()).unwrap()
}

fn points() -> ResidualFlow {
    let config = ResidualFlowConfig {
        blocks: vec![2],
        kernels: vec![1, 1, 1],
        hidden_channels: 6.into(),
        dense_blocks: 0,
        logit_alpha: 0.0,
        norm_orders: [1.0, 2.0, 2.0, f64::INFINITY].map(|order| NormOrder::new(order).unwrap()).to_vec(),
        ..ResidualFlowConfig::default()
    };
    config.init([3, 1, 1], &mut noise::initial_weights(4).stream(0), &device()).unwrap()
}

/// `ln p(x)` of some inputs, bit for bit.
fn log_prob(model: &ResidualFlow) -> Vec<u32> {
    let [channels, height, width] = model.image_shape();
    let x = Tensor::<4>::full([2, channels, height, width], 0.3, &device());
    let config = LogDetConfig::evaluation();
    let context = LogDetContext { config: &config, noise: noise::evaluation(1, 0) };
    let log_prob = model.log_prob_with(x, &context).unwrap().total();
    log_prob.try_into_vec_as::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn what_is_saved_is_loaded_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    for model in [images(), points()] {
        model.save(&path).unwrap();
        let loaded = ResidualFlow::load(&path, &device()).unwrap();
        // The vectors of power iteration too: none is run.
        assert_eq!(named_tensors(&loaded), named_tensors(&model));
        assert_eq!(log_prob(&loaded), log_prob(&model));
        assert_eq!(ModelFile::open(&path).unwrap().description().config.as_ref(), model.config());
        let again = model.with_weights_of(&path).unwrap();
        assert_eq!(log_prob(&again), log_prob(&loaded));
    }
    // Nothing else is left in the directory.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// As any program's file: open to whom the user's mask opens files.
#[cfg(unix)]
#[test]
fn a_saved_model_has_the_permissions_of_other_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let [saved, other] = ["model.safetensors", "other"].map(|name| dir.path().join(name));
    points().save(&saved).unwrap();
    std::fs::write(&other, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&saved), mode(&other));
}

#[test]
fn units_are_kept_and_must_fit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let units = |mean: Vec<f64>| {
        let columns = Some(["a", "b", "c"].map(String::from).to_vec());
        DataUnits::Points(PointUnits { mean, std: vec![0.1, 1e-300, 1.0 / 3.0], columns, noise: vec![0.0, 0.5, 0.0] })
    };
    points().save_as(&path, units(vec![1.0, -2.5, 1e300])).unwrap();
    assert_eq!(ModelFile::open(&path).unwrap().description().units, units(vec![1.0, -2.5, 1e300]));
    let before = std::fs::read(&path).unwrap();
    let error = points().save_as(&path, units(vec![1.0])).unwrap_err().to_string();
    assert!(error.contains("does not fit points of 3 dimensions"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "an error leaves the file as it was");
}

/// A checkpoint as a run has it: weights, an average with the vectors of the last step, and what the optimiser remembers.
fn checkpoint(converged: bool) -> (Vec<u8>, ResidualFlow) {
    let model = points();
    let moved = |tensor: NamedTensor| {
        let is_weight = tensor.name.ends_with("weight");
        let values = tensor.values.iter().map(|value| if is_weight { 3.0 * value + 0.1 } else { *value }).collect();
        NamedTensor { values, ..tensor }
    };
    let average: Vec<NamedTensor> = named_tensors(&model).into_iter().map(moved).collect();
    let mut ready = model.clone().with_state(average.clone()).unwrap();
    ready.update_lipschitz(&PowerIteration::CONVERGED);
    let weights = named_tensors(&model);
    let found = if converged { vectors(&ready) } else { Vec::new() };
    let description = residual_flows::io::ModelDescription {
        config: model.config().cloned(),
        shape: model.image_shape(),
        units: DataUnits::of_shape(model.image_shape()),
    };
    let mut metadata = description.metadata();
    metadata.insert("train_data".into(), "3f".into());
    let sections = [("model", &weights), ("average", &average), ("converged", &found), ("optimizer.first", &weights)];
    let sections: BTreeMap<String, &[NamedTensor]> =
        sections.into_iter().map(|(section, tensors)| (section.to_string(), tensors.as_slice())).collect();
    let mut bytes = Vec::new();
    Contents { metadata, sections }.write(&mut bytes).unwrap();
    (bytes, ready)
}

fn load(path: &Path, bytes: &[u8], weights: Weights) -> Result<ResidualFlow, String> {
    std::fs::write(path, bytes).unwrap();
    ModelFile::open(path).and_then(|mut file| file.model(weights, &device())).map_err(|error| error.to_string())
}

#[test]
fn an_average_is_ready_whether_its_vectors_were_stored_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    for converged in [true, false] {
        let (bytes, ready) = checkpoint(converged);
        let loaded = load(&path, &bytes, Weights::Average).unwrap();
        assert_eq!(log_prob(&loaded), log_prob(&ready), "{converged}");
        assert_ne!(log_prob(&load(&path, &bytes, Weights::Raw).unwrap()), log_prob(&ready));
    }
}

/// Where a section begins in a file, and its length.
fn place(bytes: &[u8], section: &str) -> (usize, usize) {
    let (header, metadata) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    let of_section = metadata.tensors().into_iter().filter(|(name, _)| name.split('.').next() == Some(section));
    let offsets: Vec<(usize, usize)> = of_section.map(|(_, info)| info.data_offsets).collect();
    let (begin, end) = (offsets.iter().map(|o| o.0).min().unwrap(), offsets.iter().map(|o| o.1).max().unwrap());
    (8 + header + begin, end - begin)
}

#[test]
fn damage_is_noticed_in_all_that_is_read_and_only_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (bytes, ready) = checkpoint(true);
    let damaged = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 4;
        bytes
    };
    for section in ["average", "converged"] {
        let (begin, length) = place(&bytes, section);
        for at in [begin, begin + length / 2, begin + length - 1] {
            let error = load(&path, &damaged(at), Weights::Average).unwrap_err();
            assert!(error.contains("damaged"), "{error}");
        }
    }
    // What the optimiser remembers is not read, so the model is the same; reading everything finds the damage.
    let (begin, _) = place(&bytes, "optimizer");
    let loaded = load(&path, &damaged(begin + 5), Weights::Average).unwrap();
    assert_eq!(log_prob(&loaded), log_prob(&ready));
    assert!(matches!(Archive::of_bytes(damaged(begin + 5)).unwrap().verify(), Err(FormatError::Damaged)));
    // In the header every change is an error, or makes no difference.
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in (0..header).step_by(7) {
        if let Ok(loaded) = load(&path, &damaged(at), Weights::Average) {
            assert_eq!(log_prob(&loaded), log_prob(&ready), "byte {at}");
            assert_eq!(loaded.config(), ready.config(), "byte {at}");
        }
    }
    for length in [0, 7, 100, header, bytes.len() - 1] {
        assert!(load(&path, &bytes[..length], Weights::Average).is_err(), "{length}");
    }
}

/// Without checksums of sections, as earlier versions wrote: the whole file is verified.
#[test]
fn files_of_earlier_versions_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (bytes, ready) = checkpoint(false);
    let (size, _) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    header["__metadata__"].as_object_mut().unwrap().remove("checksums").unwrap();
    let header = header.to_string();
    let mut earlier = (header.len() as u64).to_le_bytes().to_vec();
    earlier.extend(header.as_bytes());
    earlier.extend(&bytes[8 + size..bytes.len() - 4]);
    earlier.extend(crc32c::crc32c(&earlier).to_le_bytes());
    assert_eq!(log_prob(&load(&path, &earlier, Weights::Average).unwrap()), log_prob(&ready));
    let (begin, _) = place(&earlier, "optimizer");
    earlier[begin] ^= 1;
    assert!(load(&path, &earlier, Weights::Average).unwrap_err().contains("damaged"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    points().save(&path).unwrap();
    let error = images().with_weights_of(&path).unwrap_err().to_string();
    assert!(error.contains("another architecture") && error.contains("model.safetensors"), "{error}");
    let mut broken = points();
    broken = residual_flows::map_parameters(broken, |name, tensor| name.ends_with("0.bias").then(|| tensor.flat() / 0.0));
    let error = broken.save(dir.path().join("broken.safetensors")).unwrap_err().to_string();
    assert!(error.contains("is not finite"), "{error}");
    assert!(!dir.path().join("broken.safetensors").exists());
    let error = ResidualFlow::load(dir.path().join("none"), &device()).unwrap_err().to_string();
    assert!(error.contains("none") && error.contains("cannot be read"), "{error}");
    std::fs::write(dir.path().join("text"), "no tensors at all, but text that is long enough").unwrap();
    let error = ResidualFlow::load(dir.path().join("text"), &device()).unwrap_err().to_string();
    assert!(error.contains("not a checkpoint"), "{error}");
    let error = points().save(dir.path().join("no/such/dir")).unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
}
