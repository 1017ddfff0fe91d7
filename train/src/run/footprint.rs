//! How much memory a configuration takes, estimated from its settings before anything is allocated, and whether the device has it.
//!
//! The estimate counts the tensors that live at the moment of a step, an evaluation or a picture at which there are the most. On
//! the CPU it is compared with measured peaks in `experiments/scaling.md`; on GPUs it has not been. It is a floating-point
//! number, in which no size overflows.

use crate::config::{Config, Source};
use crate::data::Splits;
use crate::data::kind::DataKind;
use crate::system::device::DeviceChoice;
use crate::system::readable_bytes as readable;
use crate::training::parallel::ProcessGroup;
use anyhow::{Result, anyhow, ensure};
use datasets::Split;
use residual_flows::log_det::{GradientForm, Trace};
use residual_flows::{Footprint, LogDetConfig, ResidualFlowConfig};

/// Bytes of a number.
const NUMBER: f64 = 4.0;
/// On the host: the program, its threads, and data that are read ahead.
const PROGRAM: f64 = 60e6;
/// Copies of all parameters at the end of a step: before and after it, their gradient, the optimiser's two moments, and the
/// average before and after; and the best average so far.
const STATE_COPIES: f64 = 8.0;
/// On the host: those of a checkpoint that is being written.
const CHECKPOINT_COPIES: f64 = 4.0;
/// Of a model that is only used: both sets of weights, as they were read and as they are used.
const USED_COPIES: f64 = 4.0;
/// Tensors of a branch's input that live at a time: cotangents, probes, terms of the series, and their other layout.
const NARROW_COPIES: f64 = 12.0;
/// Of each hidden activation, in a step and in an evaluation: the CPU's kernels keep its slope.
const FUSED_COPIES: [f64; 2] = [1.0, 1.0];
/// Tensor operations keep primal and tangent before and after it, and of one layer at a time both stacked, their cotangents,
/// and all derivatives; in an evaluation its slope, and what one layer makes of a vector.
const GENERAL_COPIES: [f64; 2] = [13.0, 4.0];
/// Vectors of an inverse that live at a time beside those of earlier iterates.
const INVERSE_COPIES: f64 = 8.0;
/// Where the device does not say what it has, what no device has.
const MOST_BYTES: f64 = 1e14;

/// The memory of a run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Whatever the batch.
    fixed: f64,
    /// The same without training.
    used: f64,
    /// For each sample of a training batch, and for each that waits for its turn in the step.
    by_sample: f64,
    by_waiting: f64,
    /// For each sample of an evaluation.
    by_evaluated: f64,
    /// For each sample that is drawn.
    by_drawn: f64,
}

/// How many samples are worked on at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// In a process's part of a training batch, and in all batches of a step.
    pub training: f64,
    /// See `training`.
    pub step: f64,
    /// In an evaluation.
    pub evaluated: f64,
    /// In a picture or a command.
    pub drawn: f64,
}

impl Estimate {
    /// For a model of samples of this shape with these settings.
    pub fn new(config: &Config, shape: [usize; 3], is_cpu: bool) -> Self {
        let Footprint { state, layer_inputs, branch_input, branch_hidden, fused } = config.model.footprint(shape);
        let hidden_copies = if is_cpu && fused { FUSED_COPIES } else { GENERAL_COPIES };
        let [step, evaluation] = hidden_copies.map(|copies| NUMBER * (NARROW_COPIES * branch_input + copies * branch_hidden));
        let [channels, height, width] = shape.map(|side| side as f64);
        let pixels = height * width;
        let (dimensions, latent) = (channels * pixels, (channels + config.model.padding_channels as f64) * pixels);
        let jacobians = |config: &LogDetConfig| if config.needs_jacobian() { 16.0 * latent * latent } else { 0.0 };
        // The derivative of the value keeps the vectors of all terms, and a pair for each.
        let train = &config.log_det.train;
        let keeps_terms =
            train.gradient == GradientForm::DerivativeOfValue && train.trace == Trace::Hutchinson && !train.needs_jacobian();
        let terms = if keeps_terms { 3.0 * train.expected_terms() } else { 0.0 };
        let host = if is_cpu { 1.0 } else { 0.0 };
        let earlier = config.model.fixed_point.anderson_window as f64 + 1.0;
        Self {
            fixed: host * PROGRAM + NUMBER * (STATE_COPIES + host * CHECKPOINT_COPIES) * state,
            used: host * PROGRAM + NUMBER * USED_COPIES * state,
            by_sample: NUMBER * (layer_inputs + terms * branch_input) + step + jacobians(train),
            by_waiting: NUMBER * dimensions,
            by_evaluated: evaluation + jacobians(&config.log_det.eval),
            by_drawn: evaluation + NUMBER * latent * (INVERSE_COPIES + 2.0 * earlier),
        }
    }

    /// Of a training run.
    pub fn bytes(&self, load: &Load) -> f64 {
        self.fixed + self.of_step(load).max(self.by_evaluated * load.evaluated).max(self.by_drawn * load.drawn)
    }

    fn of_step(&self, load: &Load) -> f64 {
        self.by_sample * load.training + self.by_waiting * load.step
    }

    /// The most samples of a training batch that fit; none if nothing does.
    pub fn most_samples(&self, bytes: f64) -> u64 {
        ((bytes - self.fixed) / (self.by_sample + self.by_waiting).max(1.0)) as u64
    }
}

/// What a run is checked with.
pub struct Run<'a> {
    /// Its settings.
    pub config: &'a Config,
    /// Where they come from.
    pub source: &'a Source,
    /// What there is of them.
    pub data: &'a Splits,
    /// The processes that train together.
    pub group: &'a ProcessGroup,
}

impl Run<'_> {
    /// What the run takes, and of how much, which is unknown of some devices: a line to be read.
    ///
    /// # Errors
    /// If it does not fit: names the setting at fault, and of a batch the largest that does.
    pub fn check(&self) -> Result<String> {
        let Self { config, group, data: Splits { train, .. }, .. } = self;
        let is_cpu = config.device.is_cpu(group);
        let (estimate, load) = (Estimate::new(config, train.shape(), is_cpu), self.load());
        let needed = estimate.bytes(&load);
        let memory = config.device.memory_bytes(group);
        let of = memory.map_or_else(String::new, |memory| format!(" of {}", readable(memory as f64)));
        let each = if group.size() > 1 { " for each process" } else { "" };
        let line = format!("memory: about {}{of}{each}", readable(needed));
        let memory = memory.map_or(MOST_BYTES, |memory| memory as f64);
        if needed <= memory { Ok(line) } else { Err(self.refusal(&estimate, &load, memory, is_cpu)) }
    }

    fn load(&self) -> Load {
        let Self { config, group, data, .. } = self;
        let train = &data.train;
        let batch = config.optim.batch_size.min(train.batches.len()) as f64;
        let left = train.batches.batches_per_epoch() as f64 * config.run.epochs as f64;
        let part = |samples: f64| (samples / group.size() as f64).ceil();
        let most = data.all().filter(|(split, _)| *split != Split::Train).map(|(_, data)| data.batches.len()).max();
        let evaluated = config.run.eval_batch_size.min(most.unwrap_or(0));
        let drawn = match train.kind {
            DataKind::Images { .. } => config.run.n_samples.min(evaluated),
            DataKind::Points(_) => config.run.n_samples,
        };
        Load {
            training: part(batch),
            step: part(batch) * left.min(config.optim.accumulate as f64),
            evaluated: evaluated as f64,
            drawn: drawn as f64,
        }
    }

    /// The error of a run that takes more than there is.
    fn refusal(&self, estimate: &Estimate, load: &Load, memory: f64, is_cpu: bool) -> anyhow::Error {
        let Self { config, source, data: Splits { train, .. }, .. } = self;
        let has = readable(memory);
        let one = Load { training: 1.0, step: 1.0, evaluated: 1.0, drawn: 1.0 };
        let least = estimate.bytes(&one);
        if least > memory {
            let of = |model| Estimate::new(&Config { model, ..(*config).clone() }, train.shape(), is_cpu).bytes(&one);
            let Widest { key, got } = widest(&config.model, of);
            let (place, needed) = (source.place(&key), readable(least));
            return anyhow!(
                "{place}: the model takes about {needed} with a batch of one sample, the device has {has}: lower `{key}`, which is {got}"
            );
        }
        let optim = &config.optim;
        let with = |load: &Load| estimate.bytes(load) > memory;
        let training = Load { training: load.training, step: load.training, ..one };
        if with(&training) {
            let (place, needed, got) = (source.place("optim.batch_size"), readable(estimate.bytes(&training)), optim.batch_size);
            let most = estimate.most_samples(memory).max(1) * self.group.size() as u64;
            return anyhow!(
                "{place}: batches of {got} take about {needed}, the device has {has}: `optim.batch_size` can be at most {most}; raise \
                 optim.accumulate in return"
            );
        }
        let (key, got, needed) = if with(&Load { training: load.training, step: load.step, ..one }) {
            ("optim.accumulate", optim.accumulate, estimate.fixed + estimate.of_step(load))
        } else if with(&Load { evaluated: load.evaluated, ..one }) {
            ("run.eval_batch_size", config.run.eval_batch_size, estimate.fixed + estimate.by_evaluated * load.evaluated)
        } else {
            ("run.n_samples", config.run.n_samples, estimate.fixed + estimate.by_drawn * load.drawn)
        };
        let (place, needed) = (source.place(key), readable(needed));
        anyhow!("{place}: `{key}` of {got} takes about {needed}, the device has {has}: lower it")
    }
}

/// The setting that makes a model large.
struct Widest {
    key: String,
    got: String,
}

/// The setting that would save the most if it were no larger than usual.
fn widest(model: &ResidualFlowConfig, bytes: impl Fn(ResidualFlowConfig) -> f64) -> Widest {
    const USUAL_CLASSES: usize = 10;
    let (usual, base) = (ResidualFlowConfig::default(), || model.clone());
    let no_more = |values: &[usize], most: usize| values.iter().map(|&value| value.min(most)).collect::<Vec<_>>();
    let (blocks, kernels) = (no_more(&model.blocks, usual.blocks[0]), no_more(&model.kernels, usual.kernels[0]));
    let widths: Vec<usize> = (1..model.kernels.len()).map(|layer| model.hidden_channels.get(layer - 1)).collect();
    let hidden_channels = no_more(&widths, usual.hidden_channels.get(0)).into();
    let dense_hidden = model.dense_hidden.min(usual.dense_hidden);
    let dense_blocks = model.dense_blocks.min(usual.dense_blocks);
    let classifier_channels = model.classifier_channels.min(usual.classifier_channels);
    let classes = model.classes.min(USUAL_CLASSES);
    let cases: [(&'static str, String, ResidualFlowConfig); 8] = [
        ("hidden_channels", model.hidden_channels.to_string(), ResidualFlowConfig { hidden_channels, ..base() }),
        ("blocks", format!("{:?}", model.blocks), ResidualFlowConfig { blocks, ..base() }),
        ("kernels", format!("{:?}", model.kernels), ResidualFlowConfig { kernels, ..base() }),
        ("dense_hidden", model.dense_hidden.to_string(), ResidualFlowConfig { dense_hidden, ..base() }),
        ("dense_blocks", model.dense_blocks.to_string(), ResidualFlowConfig { dense_blocks, ..base() }),
        ("padding_channels", model.padding_channels.to_string(), ResidualFlowConfig { padding_channels: 0, ..base() }),
        ("classifier_channels", model.classifier_channels.to_string(), ResidualFlowConfig { classifier_channels, ..base() }),
        ("classes", model.classes.to_string(), ResidualFlowConfig { classes, ..base() }),
    ];
    let smallest = cases.into_iter().min_by(|(_, _, a), (_, _, b)| bytes(a.clone()).total_cmp(&bytes(b.clone())));
    let (key, got, _) = smallest.expect("there are eight");
    Widest { key: format!("model.{key}"), got }
}

/// What a command does with a model that is only used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Draws or decodes this many samples at a time.
    Draw(usize),
    /// Evaluates densities of this many at a time.
    Evaluate(usize),
}

/// Checks that a device has the memory for a command's work; `option` is what sets the number of samples.
///
/// # Errors
/// If it has not: names the option, and the largest number that fits.
pub fn check_use(
    config: &Config,
    shape: [usize; 3],
    (choice, group): (DeviceChoice, &ProcessGroup),
    work: Work,
    option: &str,
) -> Result<()> {
    let memory = choice.memory_bytes(group).map_or(MOST_BYTES, |memory| memory as f64);
    let estimate = Estimate::new(config, shape, choice.is_cpu(group));
    let (n, by_sample) = match work {
        Work::Draw(n) => (n, estimate.by_drawn),
        Work::Evaluate(n) => (n, estimate.by_evaluated + estimate.by_waiting),
    };
    let (needed, has) = (estimate.used + n as f64 * by_sample, readable(memory));
    let most = ((memory - estimate.used) / by_sample).max(0.0) as u64;
    ensure!(needed <= memory, "{option} {n} takes about {}, the device has {has}: it can be at most {most}", readable(needed));
    Ok(())
}
