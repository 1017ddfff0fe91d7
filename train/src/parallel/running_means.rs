//! The moving means of batch norms, over the batches of all processes.

use super::Team;
use anyhow::{Context, Result};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use residual_flows::ResidualFlow;

/// Replaces every moving mean by the mean over processes, in which this one counts as the given fraction of all samples. So the
/// means are what the whole batch would have made them, for they are linear in those of its samples.
///
/// # Errors
/// If a process is lost.
pub fn average_running_means(team: &Team, model: &mut ResidualFlow, fraction: f64) -> Result<()> {
    if team.size() == 1 {
        return Ok(());
    }
    let mut means = Read { path: Path::default(), parts: Vec::new() };
    model.visit(&mut means);
    if means.parts.is_empty() {
        return Ok(());
    }
    let values = Tensor::cat(means.parts, 0) * fraction;
    let values = values.try_into_vec_as::<f32>().context("cannot read moving means from the device")?;
    *model = model.clone().map(&mut Write { path: Path::default(), values: team.sum(values)? });
    Ok(())
}

/// The names of the modules around a parameter, and its own.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn is_running_mean(&self) -> bool {
        self.0.last().is_some_and(|name| name == "running_mean")
    }
}

struct Read {
    path: Path,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for Read {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.0.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.path.is_running_mean() {
            self.parts.push(param.val().reshape([-1]));
        }
    }
}

struct Write {
    path: Path,
    /// Of the means that are still to come.
    values: Vec<f32>,
}

impl ModuleMapper for Write {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.0.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.0.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.path.is_running_mean() {
            return param;
        }
        let (dims, device) = (param.val().dims(), param.val().device());
        let rest = self.values.split_off(dims.iter().product());
        let values = std::mem::replace(&mut self.values, rest);
        param.map(|_| Tensor::from_data(TensorData::new(values, dims), &device))
    }
}
