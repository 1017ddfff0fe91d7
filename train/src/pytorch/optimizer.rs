//! What the reference implementation's optimisers remember, which a checkpoint lists by the order of the model's parameters.

use super::names::{COPIES, NamePair};
use super::state_dict::{fitted, read as read_tensor};
use super::torch::TorchFile;
use anyhow::{Context, Result, ensure};
use datasets::io::pickle::Item;
use residual_flows::optim::{OptimizerKind, OptimizerState, SLOTS};
use residual_flows::state::NamedTensor;
use std::collections::{HashMap, HashSet};

/// Last parts of the names of parameters that are never trained, and that our models do not have.
const CONSTANTS: [&str; 2] = ["geom_p", "lamb"];
/// What is no parameter, although our models have it.
const NO_PARAMETER: &str = "running_mean";

/// A parameter of the reference implementation's model.
pub struct Parameter<'n> {
    /// Its name there; of a shared one the first.
    pub theirs: &'n str,
    /// Its name here, if it is trained.
    pub ours: Option<&'n str>,
}

/// The parameters among a state dictionary's names, in the order in which an optimiser of the reference implementation has them;
/// whether it has `constants`, which are never trained, is for the caller to say.
pub fn parameters<'n>(names: impl IntoIterator<Item = &'n str>, pairs: &'n [NamePair], constants: bool) -> Vec<Parameter<'n>> {
    let trained = pairs.iter().filter(|pair| last_part(&pair.ours) != NO_PARAMETER);
    let ours: HashMap<&str, &str> =
        trained.flat_map(|pair| pair.theirs.iter().map(|theirs| (theirs.as_str(), pair.ours.as_str()))).collect();
    let mut seen = HashSet::new();
    let parameter = |theirs| {
        let found = ours.get(theirs).copied();
        let is_constant = || constants && CONSTANTS.contains(&last_part(theirs));
        let is_copy = || COPIES.iter().any(|[original, copy]| ours.contains_key(theirs.replacen(copy, original, 1).as_str()));
        let is_new = found.map_or_else(|| is_constant() || is_copy(), |ours| seen.insert(ours));
        is_new.then_some(Parameter { theirs, ours: found })
    };
    names.into_iter().filter_map(parameter).collect()
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// What `optimizer_state_dict` holds for these parameters; `weights` are our model's tensors.
///
/// # Errors
/// If it is another model's, or not one of this kind of optimiser.
pub(super) fn read(
    file: &TorchFile,
    dict: Item,
    kind: OptimizerKind,
    parameters: &[Parameter],
    weights: &[NamedTensor],
) -> Result<OptimizerState> {
    let keys = keys(dict)?;
    ensure!(
        keys.len() == parameters.len(),
        "it is of {} parameters, the model of its `args` has {}: it belongs to another architecture",
        keys.len(),
        parameters.len()
    );
    let states = dict.get("state").and_then(|state| state.entries()).context("it has no dictionary `state`")?;
    let states: HashMap<i64, Item> = states.filter_map(|(key, state)| Some((key.int()?, state))).collect();
    let weights: HashMap<&str, &NamedTensor> = weights.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut optimizer = OptimizerState { kind, ..Default::default() };
    for (key, Parameter { theirs, ours }) in keys.iter().zip(parameters) {
        let weight = ours.and_then(|ours| weights.get(ours));
        // A parameter that has not had any gradient yet has no state.
        let (Some(state), Some(&weight)) = (states.get(key), weight) else { continue };
        optimizer.steps = optimizer.steps.max(steps(file, *state));
        for (slot, field) in SLOTS.into_iter().zip(fields(kind)) {
            let values = state.get(field).filter(|values| !values.is_none());
            let values = values.with_context(|| format!("it has no `{field}` of `{theirs}`: it is another optimiser's"))?;
            let values = read_tensor(file, values).and_then(|values| fitted(weight.clone(), values));
            let values = values.with_context(|| format!("`{field}` of `{theirs}`"))?;
            optimizer.slots.entry(slot.into()).or_default().push(values);
        }
    }
    Ok(optimizer)
}

/// The keys of all parameters in `state`: their numbers, or in files of older versions their addresses.
fn keys(dict: Item) -> Result<Vec<i64>> {
    let groups = dict.get("param_groups").and_then(|groups| groups.list()).context("it has no list `param_groups`")?;
    let mut keys = Vec::new();
    for group in groups {
        let parameters = group.get("params").and_then(|parameters| parameters.list());
        for key in parameters.context("a group in its `param_groups` has no list `params`")? {
            keys.push(key.int().with_context(|| format!("a parameter's key is {}, expected a whole number", key.kind()))?);
        }
    }
    Ok(keys)
}

/// What the reference implementation calls the contents of [`SLOTS`].
fn fields(kind: OptimizerKind) -> &'static [&'static str] {
    match kind {
        OptimizerKind::Adam => &["exp_avg", "exp_avg_sq"],
        OptimizerKind::Adamax => &["exp_avg", "exp_inf"],
        OptimizerKind::RmsProp => &["square_avg"],
        OptimizerKind::Sgd => &["momentum_buffer"],
    }
}

/// Steps that the optimiser has counted for a parameter, as a number, or in later versions of PyTorch as a tensor; SGD does not
/// count.
fn steps(file: &TorchFile, state: Item) -> u64 {
    let Some(step) = state.get("step") else { return 0 };
    let number = || read_tensor(file, step).ok()?.values.first().map(|&steps| steps as u64);
    step.size().map(|steps| steps as u64).or_else(number).unwrap_or(0)
}
