//! What the arguments of `train_toy.py` amount to in our settings. `REFERENCE_FLAGS.md` lists them all.

use super::args::ScriptArguments;
use super::family::{Family, block, concatenation_start, with_dense_layers};
use super::settings::{ScriptSettings, activation, distribution, norm_orders};
use crate::config::{Config, DataConfig, LogDetSection, RunConfig};
use crate::data::kind::{DataKind, PointKind};
use crate::system::device::DeviceChoice;
use anyhow::{Context, Result, ensure};
use datasets::points::{Distribution, Standardization};
use residual_flows::log_det::{GradientForm, Method, Probe, Trace};
use residual_flows::optim::OptimConfig;
use residual_flows::training::TaskConfig;
use residual_flows::{LogDetConfig, NormLearning, PowerIteration, ResidualFlowConfig};

/// Points of the plane.
const SHAPE: [usize; 3] = [2, 1, 1];
/// What the mean norm is multiplied by where norm orders are learned.
const NORM_ORDER_WEIGHT: f64 = 0.01;
/// What the weights of a block's last layer are multiplied by at the start.
const LAST_LAYER_SCALE: f64 = 1e-3;

/// The settings of a run of `train_toy.py`.
pub(super) fn settings(args: &ScriptArguments, family: Family, preactivation: bool) -> Result<ScriptSettings> {
    let arch = args.text("arch", "iresnet")?;
    let ran = arch == "iresnet" || arch == "implicit";
    ensure!(ran, "its argument `arch` is {arch:?}: only \"iresnet\" and \"implicit\" ever worked");
    let is_implicit = family == Family::Implicit;
    ensure!(
        !is_implicit || !args.flag("actnorm", false)?,
        "its argument `actnorm` is True: one ActNorm at the beginning of a model of implicit blocks is not supported"
    );
    let name = args.text("data", "pinwheel")?;
    let points: Distribution = serde_json::from_value(name.clone().into())
        .with_context(|| format!("its argument `data` is {name:?}, expected one of train_toy.py's distributions"))?;
    let batch_size = args.size("batch_size", 500)?;
    let config = Config {
        defaults: None,
        device: DeviceChoice::default(),
        data: DataConfig {
            points: Some(points),
            test_points: Some(args.size("test_batch_size", 10_000)?),
            ..DataConfig::default()
        },
        model: model(args, family, preactivation)?,
        log_det: log_det(args, family)?,
        optim: OptimConfig {
            learning_rate: args.number("lr", 1e-3)?,
            warmup_steps: 0,
            annealing_steps: args.size("annealing_iters", 0)? as u64,
            batch_size,
            clip_norm: f64::INFINITY,
            betas: [0.9, 0.999],
            weight_decay: args.number("weight_decay", 1e-5)?,
            concatenation_start_step: concatenation_start(args, 25_000)?,
            ema_decay: 0.0,
            norm_order_weight: NORM_ORDER_WEIGHT,
            ..OptimConfig::default()
        },
        checkpoint: Default::default(),
        run: RunConfig {
            seed: args.size("seed", 0)? as u64,
            epochs: u64::MAX >> 1,
            max_steps: Some(args.size("niters", 50_000)? as u64),
            log_every_steps: args.size("log_freq", 10)?.max(1) as u64,
            eval_batch_size: args.size("test_batch_size", 10_000)?,
            ..RunConfig::default()
        },
        task: TaskConfig::default(),
    };
    let kind = DataKind::Points(PointKind::unnamed(Standardization::identity(SHAPE[0])));
    Ok(ScriptSettings { config, shape: SHAPE, kind, constants_are_optimized: true })
}

fn model(args: &ScriptArguments, family: Family, preactivation: bool) -> Result<ResidualFlowConfig> {
    let densenet = args.flag("densenet", false)?;
    // Dense layers have neither these widths nor these norms.
    let hidden = if densenet { Vec::new() } else { args.sizes("dims", "128-128-128-128")? };
    let layers = hidden.len() + 1;
    let orders = if densenet { "22".into() } else { args.text("vnorms", "222222")? };
    ensure!(
        orders.len() > layers,
        "its argument `vnorms` is {orders:?}, too short for {layers} layers: train_toy.py built a network that does not work"
    );
    let learning = match (args.flag("learn_p", false)?, args.flag("mixed", true)?) {
        (false, _) => NormLearning::Off,
        (true, true) => NormLearning::PerLayer,
        (true, false) => NormLearning::Shared,
    };
    ensure!(
        learning != NormLearning::PerLayer || orders.len() == layers + 1,
        "its argument `vnorms` is {orders:?}, too long for {layers} layers whose norm orders are learned: the last layer's \
         second order is one of no layer, which is not supported"
    );
    let is_implicit = family == Family::Implicit;
    let model = ResidualFlowConfig {
        block: block(args, family)?,
        blocks: vec![args.size("nblocks", 100)?],
        hidden_channels: hidden.into(),
        kernels: vec![1; layers],
        activation: activation(&args.text("act", "swish")?)?,
        preactivation: preactivation && !is_implicit,
        // Says that an ActNorm stands at the beginning; the only scale's blocks have preactivations all the same.
        plain_first_block: true,
        act_norm: args.flag("actnorm", false)?,
        // Has no effect on implicit blocks there.
        flow_batch_norm: !is_implicit && args.flag("batchnorm", false)?,
        dense_blocks: 0,
        logit_alpha: 0.0,
        lipschitz_bound: args.number("coeff", 0.9)?,
        norm_orders: norm_orders(&orders[..=layers], layers)?,
        learn_norm_orders: learning,
        last_layer_scale: if densenet { 1.0 } else { LAST_LAYER_SCALE },
        power_iteration: match args.optional_size("n_lipschitz_iters")? {
            Some(iterations) => PowerIteration { tol: 0.0, max_iters: iterations.max(1), ..PowerIteration::default() },
            None => PowerIteration { tol: args.optional_number("atol")?.unwrap_or(1e-3), ..PowerIteration::default() },
        },
        ..ResidualFlowConfig::default()
    };
    with_dense_layers(args, model)
}

fn log_det(args: &ScriptArguments, family: Family) -> Result<LogDetSection> {
    let terms = args.optional_size("n_power_series")?;
    let method = match (args.flag("brute_force", false)?, terms) {
        (true, _) => Method::Exact,
        (false, Some(_)) => Method::Truncated,
        (false, None) => Method::Series,
    };
    let train = LogDetConfig {
        method,
        distribution: distribution(&args.text("n_dist", "geometric")?)?,
        n_exact_terms: terms.unwrap_or(2),
        n_draws: args.size("n_samples", 1)?,
        trace: if args.flag("exact_trace", false)? { Trace::Exact } else { Trace::Hutchinson },
        gradient: GradientForm::DerivativeOfValue,
        probe: if family == Family::Implicit { Probe::Rademacher } else { Probe::Gaussian },
        ..LogDetConfig::training()
    };
    Ok(LogDetSection { train, eval: LogDetConfig::exact() })
}
