//! How much memory a configuration takes, estimated from its shapes, and whether the device has it.
//!
//! The estimate counts the tensors that live at the moment of a step or an evaluation at which there are the most. On the CPU
//! it is compared with measured peaks in `experiments/scaling.md`; on cards it has not been.

use crate::config::Config;
use crate::fit::Start;
use anyhow::{Result, bail};
use burn::tensor::Device;
use datasets::console::note;
use residual_flows::{Footprint, ResidualFlow};

/// Bytes of a number.
const NUMBER: usize = 4;
/// On the host: the program, its threads, and data that are read ahead.
const PROGRAM: usize = 60_000_000;
/// Copies of all parameters at the end of a step: before and after it, their gradient, the optimiser's two moments, and the
/// average before and after.
const STATE_COPIES: usize = 7;
/// On the host: those of a checkpoint that is being written.
const CHECKPOINT_COPIES: usize = 4;
/// Tensors of a branch's input that live at a time: cotangents, probes, terms of the series, and their other layout.
const NARROW_COPIES: usize = 12;
/// Of each hidden activation, in a step and in an evaluation: the CPU's kernels keep its slope.
const FUSED_COPIES: [usize; 2] = [1, 1];
/// Tensor operations keep primal and tangent before and after it, and of one layer at a time both stacked, their cotangents,
/// and all derivatives; in an evaluation its slope, and what one layer makes of a vector.
const GENERAL_COPIES: [usize; 2] = [13, 4];

/// The memory of a training run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Whatever the batch.
    fixed: usize,
    /// For each sample of a training batch.
    by_sample: usize,
    /// The largest evaluation.
    evaluation: usize,
}

impl Estimate {
    /// For a model trained with these settings, and evaluated in batches of `eval_batch`.
    pub fn new(config: &Config, model: &ResidualFlow, eval_batch: usize, is_cpu: bool) -> Self {
        let Footprint { state, layer_inputs, branch_input, branch_hidden, fused } = model.footprint();
        let hidden_copies = if is_cpu && fused { FUSED_COPIES } else { GENERAL_COPIES };
        let [step, evaluation] = hidden_copies.map(|copies| NUMBER * (NARROW_COPIES * branch_input + copies * branch_hidden));
        let dimensions = model.latent_dimensions();
        let jacobians = |needs: bool| if needs { 2 * dimensions * dimensions * size_of::<f64>() } else { 0 };
        Self {
            fixed: match is_cpu {
                true => PROGRAM + NUMBER * (STATE_COPIES + CHECKPOINT_COPIES) * state,
                false => NUMBER * STATE_COPIES * state,
            },
            by_sample: NUMBER * layer_inputs + step + jacobians(config.log_det.train.needs_jacobian()),
            evaluation: (evaluation + jacobians(config.log_det.eval.needs_jacobian())) * eval_batch,
        }
    }

    /// With so many samples in a process's part of a training batch.
    pub fn bytes(&self, samples: usize) -> usize {
        self.fixed + self.evaluation.max(self.by_sample * samples)
    }

    /// The most samples of a training batch that fit; none if nothing does.
    pub fn most_samples(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.fixed) / self.by_sample.max(1)
    }
}

/// Says what a run takes, and of how much, which is unknown of some devices.
///
/// # Errors
/// If it does not fit, with the largest batch that does.
pub fn check(start: &Start, model: &ResidualFlow) -> Result<()> {
    let Start { config, source, device, team, data: [train, test], .. } = start;
    let eval_batch = config.run.eval_batch_size.min(test.batches.len());
    let estimate = Estimate::new(config, model, eval_batch, *device == Device::flex());
    let needed = estimate.bytes(config.optim.batch_size.min(train.batches.len()).div_ceil(team.size()));
    let memory = config.device.memory_bytes(team);
    if team.is_first() {
        let of = memory.map_or_else(String::new, |memory| format!(" of {}", readable(memory)));
        let each = if team.size() > 1 { " for each process" } else { "" };
        note(format_args!("memory: about {}{of}{each}", readable(needed)));
    }
    let Some(memory) = memory.filter(|&memory| needed > memory) else { return Ok(()) };
    let without_training = estimate.bytes(0);
    if without_training > memory {
        let (place, needed) = (source.place("run.eval_batch_size"), readable(without_training));
        bail!("{place}: the model and an evaluation take about {needed}, the device has {}", readable(memory));
    }
    let (place, got) = (source.place("optim.batch_size"), config.optim.batch_size);
    bail!(
        "{place}: batches of {got} take about {}, the device has {}: `optim.batch_size` can be at most {}; raise \
         optim.accumulate in return",
        readable(needed),
        readable(memory),
        estimate.most_samples(memory) * team.size()
    )
}

/// Bytes to be read.
fn readable(bytes: usize) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes => format!("{:.0} MB", bytes / 1e6),
    }
}
