//! What the arguments of `train_img.py` amount to in our settings. `REFERENCE_FLAGS.md` lists them all.

use super::args::ScriptArguments;
use super::family::{Family, block, concatenation_start, with_dense_layers};
use super::settings::{ScriptSettings, activation, distribution, norm_orders};
use crate::config::{Config, DataConfig, LogDetSection, RunConfig};
use crate::data::kind::DataKind;
use crate::system::device::DeviceChoice;
use anyhow::{Result, bail, ensure};
use residual_flows::log_det::{GradientForm, Method, Probe};
use residual_flows::optim::{OptimConfig, OptimizerKind, ScheduleKind};
use residual_flows::training::{TaskConfig, TaskKind};
use residual_flows::{BlockKind, LogDetConfig, NormLearning, PaddingNoise, PowerIteration, ResidualFlowConfig};

/// Exact terms in the reference implementation's evaluation, whatever its arguments.
const EVALUATION_TERMS: usize = 20;
/// Pixels of a side, and channels beside the image's, at the most.
const MAX_SIDE: usize = 1 << 14;
/// Fully connected blocks at the end.
const DENSE_BLOCKS: usize = 4;
/// Those of Implicit Normalizing Flows' code.
const IMPLICIT_DENSE_BLOCKS: usize = 2;
/// Kernel sizes where blocks have dense layers, whatever the arguments: of these, and of what our blocks would have else.
const DENSE_KERNELS: [usize; 3] = [3, 1, 3];
/// Mean and standard deviation of CIFAR-10's channels, for its classifiers.
const CIFAR10_MEAN: [f64; 3] = [0.4914, 0.4822, 0.4465];
const CIFAR10_STD: [f64; 3] = [0.2023, 0.1994, 0.2010];

/// What depends on the data set's name.
struct DataSet {
    directory: &'static str,
    channels: usize,
    levels: u32,
    flip: bool,
    logit_alpha: f64,
}

/// The settings of a run of `train_img.py`.
pub(super) fn settings(args: &ScriptArguments, family: Family) -> Result<ScriptSettings> {
    ensure!(
        !args.flag("var_deq", false)?,
        "its argument `var_deq` is True: variational dequantisation, a second flow inside of the model, is not supported"
    );
    let data_set = data_set(args)?;
    let size = args.size("imagesize", 32)?;
    let padding = args.size("padding", 0)?;
    ensure!(size.max(padding) <= MAX_SIDE, "its `imagesize` is {size} and its `padding` {padding}, expected at most {MAX_SIDE}");
    let shape = [data_set.channels, size, size];
    let config = Config {
        defaults: None,
        device: DeviceChoice::default(),
        data: DataConfig {
            path: Some(format!("data/{}", data_set.directory).into()),
            shape: Some(shape),
            levels: Some(data_set.levels),
            flip: data_set.flip,
            ..DataConfig::default()
        },
        model: model(args, &data_set, family)?,
        log_det: log_det(args, family)?,
        optim: optim(args)?,
        checkpoint: Default::default(),
        run: run(args)?,
        task: TaskConfig {
            kind: match args.text("task", "density")?.as_str() {
                "density" => TaskKind::Density,
                "classification" => TaskKind::Classification,
                "hybrid" => TaskKind::Hybrid,
                other => bail!("its argument `task` is {other:?}, expected density, classification or hybrid"),
            },
            scale_dim: args.text("task", "density")? == "hybrid" && args.flag("scale_dim", false)?,
        },
    };
    let only_classes = config.task.kind == TaskKind::Classification;
    let kind = DataKind::Images { levels: data_set.levels, only_classes };
    Ok(ScriptSettings { config, shape, kind, constants_are_optimized: family != Family::Monotone })
}

fn data_set(args: &ScriptArguments) -> Result<DataSet> {
    let name = args.text("data", "cifar10")?;
    let colour = |directory, flip| DataSet { directory, channels: 3, levels: 256, flip, logit_alpha: 0.05 };
    Ok(match name.as_str() {
        "mnist" => DataSet { directory: "mnist", channels: 1, levels: 256, flip: false, logit_alpha: 1e-6 },
        "cifar10" => colour("cifar10", true),
        "svhn" => colour("svhn", false),
        "celebahq" => DataSet { levels: 1 << args.size("nbits", 8)?.clamp(1, 8), ..colour("celebahq256", true) },
        "celeba_5bit" => DataSet { levels: 32, ..colour("celebahq64_5bit", true) },
        "imagenet32" => colour("imagenet32", false),
        "imagenet64" => colour("imagenet64", false),
        _ => bail!("its argument `data` is {name:?}, expected one of train_img.py's data sets"),
    })
}

fn model(args: &ScriptArguments, data_set: &DataSet, family: Family) -> Result<ResidualFlowConfig> {
    let task = args.text("task", "density")?;
    let classifies = task != "density";
    let normalizes = classifies && data_set.directory == "cifar10";
    let has_logit = !normalizes && args.flag("logit_transform", true)?;
    let densenet = args.flag("densenet", false)?;
    let kernels = if densenet { DENSE_KERNELS.to_vec() } else { args.sizes("kernels", "3-1-3")? };
    let orders = args.text("vnorms", "2222")?;
    // Convolutional dense layers have the first pair, and fully connected ones spectral norms.
    ensure!(
        !densenet || orders.starts_with("22"),
        "its argument `vnorms` is {orders:?} with dense layers, which are bounded in spectral norms here"
    );
    ensure!(
        kernels.len() > 1,
        "its argument `kernels` is of one layer, {kernels:?}, which train_img.py makes two of in convolutional blocks and one in \
         fully connected ones: that is not supported"
    );
    let defaults = ResidualFlowConfig::default();
    let model = ResidualFlowConfig {
        block: match args.text("block", "resblock")?.as_str() {
            "resblock" => block(args, family)?,
            "coupling" if family != Family::Residual => {
                bail!("its argument `block` is \"coupling\", which never ran in this code")
            }
            "coupling" => BlockKind::Coupling,
            other => bail!("its argument `block` is {other:?}, expected \"resblock\" or \"coupling\""),
        },
        blocks: args.sizes("nblocks", "16-16-16")?,
        hidden_channels: args.size("idim", 512)?.into(),
        norm_orders: if densenet { defaults.norm_orders.clone() } else { norm_orders(&orders, kernels.len())? },
        kernels,
        activation: activation(&args.text("act", "swish")?)?,
        preactivation: args.flag("preact", true)?,
        plain_first_block: family == Family::Implicit || args.flag("first_resblock", true)?,
        dense: args.flag("fc", false)?,
        act_norm: args.flag("actnorm", true)?,
        dense_act_norm: args.flag("fc_actnorm", false)?,
        batch_norm: args.flag("batchnorm", false)?,
        dropout: args.number("dropout", 0.0)?,
        invertible_convolutions: args.flag("quadratic", false)?,
        // Without a transform of the input, the first scale's couplings split channels like all others.
        checkerboard: has_logit || normalizes,
        dense_blocks: match (args.flag("fc_end", true)?, family) {
            (false, _) => 0,
            (true, Family::Implicit) => IMPLICIT_DENSE_BLOCKS,
            (true, _) => DENSE_BLOCKS,
        },
        dense_hidden: args.size("fc_idim", 128)?,
        factor_out: args.flag("factor_out", false)?,
        squeeze_first: args.flag("squeeze_first", false)?,
        logit_alpha: if has_logit { data_set.logit_alpha } else { 0.0 },
        input_mean: if normalizes { CIFAR10_MEAN.into() } else { Vec::new() },
        input_std: if normalizes { CIFAR10_STD.into() } else { Vec::new() },
        padding_channels: args.size("padding", 0)?,
        padding: match args.text("padding_dist", "uniform")?.as_str() {
            "uniform" => PaddingNoise::Uniform,
            "gaussian" => PaddingNoise::Gaussian,
            other => bail!("its argument `padding_dist` is {other:?}, expected \"uniform\" or \"gaussian\""),
        },
        padding_levels: data_set.levels,
        classes: if classifies { 10 } else { 0 },
        classifier_channels: args.size("cdim", 256)?,
        last_head_sees_factored: true,
        lipschitz_bound: args.number("coeff", 0.98)?,
        learn_norm_orders: if args.flag("learn_p", false)? { NormLearning::PerLayer } else { NormLearning::Off },
        power_iteration: match args.optional_size("n_lipschitz_iters")? {
            Some(iterations) => PowerIteration { tol: 0.0, max_iters: iterations, ..defaults.power_iteration },
            None => PowerIteration { tol: args.number("sn_tol", 1e-3)?, ..defaults.power_iteration },
        },
        ..defaults
    };
    with_dense_layers(args, model)
}

fn log_det(args: &ScriptArguments, family: Family) -> Result<LogDetSection> {
    let common = LogDetConfig {
        distribution: distribution(&args.text("n_dist", "poisson")?)?,
        n_draws: args.size("n_samples", 1)?,
        probe: if family == Family::Implicit { Probe::Rademacher } else { Probe::Gaussian },
        ..LogDetConfig::training()
    };
    let neumann = if family == Family::Monotone { GradientForm::NeumannForward } else { GradientForm::Neumann };
    let terms = args.optional_size("n_power_series")?;
    let train = LogDetConfig {
        method: if terms.is_some() { Method::Truncated } else { Method::Series },
        n_exact_terms: terms.unwrap_or(args.size("n_exact_terms", 2)?),
        gradient: if args.flag("neumann_grad", true)? { neumann } else { GradientForm::DerivativeOfValue },
        ..common.clone()
    };
    let eval =
        LogDetConfig { n_exact_terms: EVALUATION_TERMS, truncation_tol: LogDetConfig::evaluation().truncation_tol, ..common };
    Ok(LogDetSection { train, eval })
}

fn optim(args: &ScriptArguments) -> Result<OptimConfig> {
    let optimizer = match args.text("optimizer", "adam")?.as_str() {
        "adam" => OptimizerKind::Adam,
        "adamax" => OptimizerKind::Adamax,
        "rmsprop" => OptimizerKind::RmsProp,
        "sgd" => OptimizerKind::Sgd,
        other => bail!("its argument `optimizer` is {other:?}, expected adam, adamax, rmsprop or sgd"),
    };
    let schedule = match (args.flag("scheduler", false)?, optimizer) {
        (true, OptimizerKind::Adam) => ScheduleKind::CosineRestarts,
        (true, OptimizerKind::Sgd) => ScheduleKind::MultiStep,
        _ => ScheduleKind::Constant,
    };
    let accumulate = args.size("update_freq", 1)?.max(1);
    Ok(OptimConfig {
        optimizer,
        schedule,
        learning_rate: args.number("lr", 1e-3)?,
        // Counted in batches there, in optimiser steps here.
        warmup_steps: args.size("warmup_iters", 1000)?.div_ceil(accumulate) as u64,
        annealing_steps: args.size("annealing_iters", 0)?.div_ceil(accumulate) as u64,
        batch_size: args.size("batchsize", 64)?,
        accumulate,
        weight_decay: args.number("wd", 0.0)?,
        concatenation_start_epoch: concatenation_start(args, 25)?,
        clip_norm: if args.flag("clip_grad_norm", true)? { OptimConfig::default().clip_norm } else { f64::INFINITY },
        ..OptimConfig::default()
    })
}

fn run(args: &ScriptArguments) -> Result<RunConfig> {
    Ok(RunConfig {
        seed: args.optional_size("seed")?.unwrap_or(0) as u64,
        epochs: args.size("nepochs", 1000)? as u64,
        eval_batch_size: args.size("val_batchsize", 200)?,
        log_every_steps: args.size("print_freq", 20)?.max(1) as u64,
        ..RunConfig::default()
    })
}
