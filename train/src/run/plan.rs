//! What a run is going to do, said before its first step, and what its settings leave undone.

use crate::config::Config;
use crate::config::reference::number;
use crate::data::DataSet;
use crate::reporting::progress::duration;
use residual_flows::optim::ScheduleKind;
use residual_flows::{ResidualFlow, visit_parameters};

/// How much a run is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Numbers that are trained.
    pub parameters: usize,
    /// Steps made before.
    pub begun: u64,
    /// Steps at the end.
    pub total: u64,
}

/// Tensors of a model that are not trained end with one of these names: vectors of power iterations, running means, fitted roulettes,
/// and the units of what a density is conditioned on.
const NOT_TRAINED: [&str; 6] = [".vector", ".opposite", ".running_mean", ".roulette", ".Vectors.mean", ".Vectors.std"];

impl Plan {
    /// For a model.
    pub fn new(model: &ResidualFlow, begun: u64, total: u64) -> Self {
        let mut parameters = 0;
        visit_parameters(model, |name, parameter| {
            if !NOT_TRAINED.iter().any(|last| name.ends_with(last)) {
                parameters += parameter.shape().iter().product::<usize>();
            }
        });
        Self { parameters, begun, total }
    }

    /// A line to be read, and warnings of settings that do not fit the length of the run or the number of samples.
    pub fn lines(&self, config: &Config, train: &DataSet) -> Vec<String> {
        let &Self { parameters, begun, total } = self;
        let (optim, noun, n) = (&config.optim, train.kind.noun(), train.batches.len());
        let batch = optim.batch_size * optim.accumulate;
        let epochs = (total * optim.accumulate as u64) as f64 / train.batches.batches_per_epoch().max(1) as f64;
        let left = if begun > 0 { format!(", {} of them made", grouped(begun)) } else { String::new() };
        let line = format!(
            "model: {} parameters; training: {} steps{left}, of {batch} {noun} each, {epochs:.1} epochs",
            grouped(parameters as u64),
            grouped(total)
        );
        [line].into_iter().chain(self.cautions(config, n, train)).collect()
    }

    fn cautions(&self, config: &Config, n: usize, train: &DataSet) -> Vec<String> {
        let (optim, noun, total) = (&config.optim, train.kind.noun(), self.total);
        let mut cautions = Vec::new();
        if optim.warmup_steps > total {
            cautions.push(format!(
                "optim.warmup_steps is {}, but the run ends after {total} steps, at {:.0} % of the learning rate",
                optim.warmup_steps,
                100.0 * total as f64 / optim.warmup_steps as f64
            ));
        }
        if optim.annealing_steps > total {
            cautions.push(format!(
                "optim.annealing_steps is {}, but the run ends after {total} steps: its loss is never the whole one",
                optim.annealing_steps
            ));
        }
        if optim.schedule == ScheduleKind::MultiStep && optim.milestones.iter().all(|&epoch| epoch >= config.run.epochs) {
            cautions
                .push(format!("all of optim.milestones ({:?}) lie beyond the run: the learning rate stays", optim.milestones));
        }
        if config.data.points.is_none() && optim.batch_size > n {
            cautions.push(format!(
                "optim.batch_size is {}, but there are {n} training {noun}: every batch is all of them",
                optim.batch_size
            ));
        }
        let left_out = n % optim.batch_size;
        if optim.drop_last && left_out > 0 && config.data.points.is_none() {
            cautions.push(format!("optim.drop_last leaves {left_out} of {n} training {noun} out of every epoch"));
        }
        cautions.into_iter().map(|text| format!("warning: {text}")).collect()
    }
}

/// How long all steps will take, when so many have taken so many seconds.
pub fn forecast(steps: u64, seconds: f64, left: u64) -> String {
    let each = seconds / steps as f64;
    let each_words = if each >= 1.0 { format!("{each:.1} s") } else { format!("{:.0} ms", 1e3 * each) };
    format!(
        "a step takes {each_words}: {} steps more take about {}; evaluations and pictures come on top",
        grouped(left),
        duration(each * left as f64)
    )
}

fn grouped(n: u64) -> String {
    number(n as f64, true)
}
