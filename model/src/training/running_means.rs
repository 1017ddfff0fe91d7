//! The moving means of batch norms, over the batches of all processes.

use super::all_reduce::AllReduce;
use super::error::TrainingError;
use crate::numerics::tensor::from_vec;
use crate::parameters::{map_parameters, visit_parameters};
use burn::module::Module;
use burn::tensor::Tensor;

/// The module with every moving mean replaced by the mean over processes, in which this one counts as the given fraction of all
/// samples. So the means are what the whole batch would have made them, for they are linear in those of its samples.
///
/// # Errors
/// If a process is lost.
pub(super) fn averaged<M: Module>(group: &dyn AllReduce, module: M, fraction: f64) -> Result<M, TrainingError> {
    if group.size() == 1 {
        return Ok(module);
    }
    let mut means = Vec::new();
    visit_parameters(&module, |name, parameter| {
        if is_running_mean(name) {
            means.push(parameter.flat());
        }
    });
    if means.is_empty() {
        return Ok(module);
    }
    let values = TrainingError::read("moving means", Tensor::cat(means, 0) * fraction)?;
    let mut values = group.start(values)().map_err(TrainingError::Group)?;
    Ok(map_parameters(module, |name, parameter| {
        is_running_mean(name).then(|| {
            let length = parameter.shape().iter().product();
            let rest = values.split_off(length);
            from_vec(std::mem::replace(&mut values, rest), [length], &parameter.device())
        })
    }))
}

fn is_running_mean(name: &str) -> bool {
    name.rsplit('.').next() == Some("running_mean")
}
