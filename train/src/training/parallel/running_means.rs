//! The moving means of batch norms, over the batches of all processes.

use super::ProcessGroup;
use anyhow::{Context, Result};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use residual_flows::ResidualFlow;
use residual_flows::named::{NamedMapper, NamedVisitor, map_named, visit_named};

/// Replaces every moving mean by the mean over processes, in which this one counts as the given fraction of all samples. So the
/// means are what the whole batch would have made them, for they are linear in those of its samples.
///
/// # Errors
/// If a process is lost.
pub fn average_running_means(group: &ProcessGroup, model: &mut ResidualFlow, fraction: f64) -> Result<()> {
    if group.size() == 1 {
        return Ok(());
    }
    let mut means = Read::default();
    visit_named(model, &mut means);
    if means.parts.is_empty() {
        return Ok(());
    }
    let values = Tensor::cat(means.parts, 0) * fraction;
    let values = values.try_into_vec_as::<f32>().context("cannot read moving means from the device")?;
    *model = map_named(model.clone(), &mut Write { values: group.all_reduce(values)? });
    Ok(())
}

fn is_running_mean(name: &str) -> bool {
    name.rsplit('.').next() == Some("running_mean")
}

#[derive(Default)]
struct Read {
    parts: Vec<Tensor<1>>,
}

impl NamedVisitor for Read {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        if is_running_mean(&name) {
            self.parts.push(param.val().reshape([-1]));
        }
    }
}

struct Write {
    /// Of the means that are still to come.
    values: Vec<f32>,
}

impl NamedMapper for Write {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !is_running_mean(&name) {
            return param;
        }
        let (dims, device) = (param.val().dims(), param.val().device());
        let rest = self.values.split_off(dims.iter().product());
        let values = std::mem::replace(&mut self.values, rest);
        param.map(|_| Tensor::from_data(TensorData::new(values, dims), &device))
    }
}
