//! A checkpoint by the reference implementation's names: what its `load_state_dict` takes, constants and flags included.
//!
//! The weights of the last step have the names of its `state_dict`, the averaged ones `ema.shadow_params.<name>`, as they
//! stand in its own checkpoints.

use super::names::{COPIES, FIRST_WEIGHT, NamePair, Naming, SECOND_WEIGHT, fixed_concatenations, places};
use super::optimizer;
use crate::config::Config;
use crate::data::kind::DataKind;
use anyhow::{Context, Result};
use datasets::io::output::{self, Existing};
use residual_flows::state::{NamedTensor, named_tensors};
use residual_flows::{FlowLayer, ResidualFlow};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// What the averaged weights' names begin with.
pub const AVERAGE: &str = "ema.shadow_params.";
/// The numbers of terms there are distributed by these, which are stored but never trained: `λ` of the Poisson distribution,
/// and the logit of the geometric one's parameter.
const POISSON_RATE: f32 = 2.0;
const GEOMETRIC_LOGIT: f64 = 0.0;

/// A tensor as the reference implementation has it.
#[derive(Clone)]
pub struct Exported {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Exported {
    fn floats(name: String, shape: Vec<usize>, values: &[f32]) -> Self {
        Self { name, shape, dtype: Dtype::F32, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    fn scalar(name: String, value: f32) -> Self {
        Self::floats(name, Vec::new(), &[value])
    }

    fn double(name: String, value: f64) -> Self {
        Self { name, shape: Vec::new(), dtype: Dtype::F64, bytes: value.to_le_bytes().into() }
    }

    fn yes(name: String) -> Self {
        Self { name, shape: Vec::new(), dtype: Dtype::I64, bytes: 1i64.to_le_bytes().into() }
    }
}

/// What is exported.
pub struct Export<'a> {
    /// The settings of its run.
    pub config: &'a Config,
    /// Shape of the samples.
    pub shape: [usize; 3],
    /// What the model is a density of.
    pub kind: &'a DataKind,
    /// Steps made.
    pub step: u64,
    /// The model with its weights.
    pub model: ResidualFlow,
    /// The model with averaged weights.
    pub average: ResidualFlow,
}

/// [Writes](output::write) a checkpoint's tensors by the reference implementation's names into a safetensors file; its metadata have the settings and
/// the number of steps.
///
/// # Errors
/// If the model has a layer that the reference implementation lacks, or the file cannot be written.
pub fn write(export: &Export, path: &Path, existing: Existing) -> Result<()> {
    let tensors = tensors(export)?;
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        view.map(|view| (tensor.name.as_str(), view)).with_context(|| format!("tensor `{}`", tensor.name))
    });
    let Export { config, step, .. } = export;
    let metadata = [("format", "pt".into()), ("config", config.to_toml()?), ("step", step.to_string())];
    let metadata: HashMap<String, String> = metadata.into_iter().map(|(key, text)| (key.into(), text)).collect();
    let bytes = safetensors::serialize(views.collect::<Result<Vec<_>>>()?, Some(metadata))?;
    output::write(path, existing, |out| Ok(out.write_all(&bytes)?))
}

/// The tensors of both sets of weights.
///
/// # Errors
/// If the model has a layer that the reference implementation lacks.
pub fn tensors(export: &Export) -> Result<Vec<Exported>> {
    let Export { config, shape, kind, model, average, .. } = export;
    let naming = Naming::new(&config.model, kind);
    let pairs = naming.pairs(model)?;
    let mut tensors = named(model, &naming, &pairs);
    tensors.extend(constants(model, &naming, config));
    tensors.extend(flags(&pairs));
    tensors.extend(constraints(model, &naming, config.model.squeeze_first, *shape)?);
    tensors.extend(copies(&tensors));

    // An average has parameters only, shared ones once.
    let mut averages = named(average, &naming, &pairs);
    averages.extend(constants(average, &naming, config));
    averages.extend(copies(&averages));
    let known: Vec<String> = averages.iter().map(|tensor| tensor.name.clone()).collect();
    let parameters = optimizer::parameters(known.iter().map(String::as_str), &pairs, true);
    averages.retain(|tensor| parameters.iter().any(|parameter| parameter.theirs == tensor.name));
    tensors.extend(averages.into_iter().map(|tensor| Exported { name: format!("{AVERAGE}{}", tensor.name), ..tensor }));
    Ok(tensors)
}

/// Weights and running means, under each of their names.
fn named(model: &ResidualFlow, naming: &Naming, pairs: &[NamePair]) -> Vec<Exported> {
    let ours: HashMap<String, NamedTensor> =
        named_tensors(model).into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let exported = |pair: &NamePair| {
        let NamedTensor { shape, values, .. } = &ours[&pair.ours];
        let by_name = |theirs: &String| Exported::floats(theirs.clone(), naming.shape(theirs, shape), values);
        pair.theirs.iter().map(by_name).collect::<Vec<_>>()
    };
    pairs.iter().flat_map(exported).collect()
}

/// What never changes: the distributions of numbers of terms, what was last drawn from them, and standardisation.
fn constants(model: &ResidualFlow, naming: &Naming, config: &Config) -> Vec<Exported> {
    let mut tensors = Vec::new();
    for (scale, layer) in places(model) {
        let Some(name) = naming.layer(scale, layer) else { continue };
        match &model.scales()[scale].layers()[layer] {
            layer @ (FlowLayer::Residual(_) | FlowLayer::Monotone(_) | FlowLayer::Implicit(_)) => {
                let draws = config.log_det.train.n_draws;
                // Implicit Normalizing Flows' code does not store it.
                if !matches!(layer, FlowLayer::Implicit(_)) {
                    tensors.push(Exported::double(format!("{name}.geom_p"), GEOMETRIC_LOGIT));
                }
                tensors.push(Exported::scalar(format!("{name}.lamb"), POISSON_RATE));
                tensors.push(Exported::floats(format!("{name}.last_n_samples"), vec![draws], &vec![0.0; draws]));
                let moments = ["last_firmom", "last_secmom"];
                tensors.extend(moments.map(|moment| Exported::floats(format!("{name}.{moment}"), vec![1], &[0.0])));
                tensors.extend(fixed_weights(layer, &name));
            }
            FlowLayer::Normalize(_) => {
                for (field, values) in [("mean", &config.model.input_mean), ("std", &config.model.input_std)] {
                    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
                    let both = [name.as_str(), "init_layer"];
                    tensors.extend(both.map(|name| Exported::floats(format!("{name}.{field}"), vec![values.len()], &values)));
                }
            }
            _ => {}
        }
    }
    tensors
}

/// The weights of concatenations that are not learned, which are stored all the same.
fn fixed_weights(layer: &FlowLayer, name: &str) -> Vec<Exported> {
    let places = layer.nets().into_iter().flat_map(|(field, net)| fixed_concatenations(name, field, net));
    let weights = places.flat_map(|place| [FIRST_WEIGHT, SECOND_WEIGHT].map(|weight| format!("{place}.{weight}")));
    weights.map(|name| Exported::floats(name, vec![1], &[1.0])).collect()
}

/// The tensors of implicit layers' networks once more, as those of their copies.
fn copies(tensors: &[Exported]) -> Vec<Exported> {
    let copy = |tensor: &Exported| {
        let [original, copy] = COPIES.into_iter().find(|[original, _]| tensor.name.contains(original))?;
        Some(Exported { name: tensor.name.replacen(original, copy, 1), ..tensor.clone() })
    };
    tensors.iter().filter_map(copy).collect()
}

/// That layers with data-dependent initial values have got them, and how many batches a moving mean has seen: one or more.
fn flags(pairs: &[NamePair]) -> Vec<Exported> {
    let flag = |pair: &NamePair| {
        let (theirs, ours) = (&pair.theirs[0], &pair.ours);
        let (layer, _) = theirs.rsplit_once('.')?;
        if ours.ends_with(".log_scale") {
            Some(Exported::yes(format!("{layer}.initialized")))
        } else if ours.ends_with(".running_mean") {
            Some(Exported::floats(format!("{layer}.step"), vec![1], &[1.0]))
        } else {
            None
        }
    };
    pairs.iter().filter_map(flag).collect()
}

/// Norms, and the vectors of those that have no closed form. Convolutions also remember the size of their images.
fn constraints(
    model: &ResidualFlow,
    naming: &Naming,
    squeeze_first: bool,
    [_, height, width]: [usize; 3],
) -> Result<Vec<Exported>> {
    let mut tensors = Vec::new();
    for layer in naming.constrained_layers(model) {
        let [scale, position] = layer.block;
        let nets = model.scales()[scale].layers()[position].nets();
        let Some((_, net)) = nets.into_iter().find(|(name, _)| *name == layer.net) else { continue };
        let (name, pair) = (&layer.theirs, net.norm_pairs()[layer.index]);
        let convolution = &net.convolutions()[layer.index];
        tensors.push(Exported::scalar(format!("{name}.scale"), convolution.sigma(pair)));
        let Some((u, v)) = convolution.vectors(pair) else { continue };
        for (field, vector) in [("u", u), ("v", v)] {
            let values = vector.try_into_vec_as::<f32>().context("cannot read a vector from the device")?;
            tensors.push(Exported::floats(format!("{name}.{field}"), vec![values.len()], &values));
        }
        if !naming.is_linear(name) {
            let image = [height, width].map(|side| (side >> usize::from(squeeze_first) >> scale) as f32);
            tensors.push(Exported::floats(format!("{name}.spatial_dims"), vec![2], &image));
            tensors.push(Exported::yes(format!("{name}.initialized")));
        }
    }
    Ok(tensors)
}
