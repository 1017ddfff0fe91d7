//! The `bench` program: how long a configuration takes per step, evaluation, encoding and sample, on random images.

use ::train::checkpoint;
use ::train::config::Config;
use ::train::data::kind::{DataKind, PointKind};
use ::train::run::footprint::{Work, check_use};
use ::train::system;
use ::train::system::device::DeviceChoice;
use ::train::training::parallel::ProcessGroup;
use ::train::training::trainer;
use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor};
use clap::{Parser, ValueEnum};
use datasets::io::console;
use datasets::points::Standardization;
use rand::Rng;
use residual_flows::io::Weights;
use residual_flows::optim::Timeline;
use residual_flows::training::Samples;
use residual_flows::training::Trainer;
use residual_flows::training::noise;
use residual_flows::{Convergence, LogDetContext, ResidualFlow, gaussian};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: train::system::memory::Allocator = train::system::memory::Allocator;

/// Measure how long a configuration takes for a step, an evaluation, encoding and a sample, on random images; needs no data
#[derive(Parser)]
#[command(name = "bench", version)]
#[command(after_help = "Examples:
  bench --config configs/cifar10.toml --batch 16
  bench --config configs/digits.toml --batch 64 --repeats 10 --skip sample,encode --json")]
struct Arguments {
    /// The experiment's settings, a TOML file with data.shape
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Change a setting of the file; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N [default: `device` of the file]
    #[arg(long, value_name = "NAME")]
    device: Option<DeviceChoice>,
    /// Evaluate, encode and sample with the averaged weights of a checkpoint of this configuration instead of initial ones
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Use this many images in a batch
    #[arg(long, value_name = "N")]
    batch: std::num::NonZeroUsize,
    /// Measure each kind this often; the median is reported
    #[arg(long, value_name = "N", default_value = "3")]
    repeats: std::num::NonZeroUsize,
    /// Leave these out, separated by commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    skip: Vec<Part>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Step,
    Evaluate,
    Encode,
    Sample,
}

/// Medians; `null` for what was left out.
#[derive(Serialize)]
struct Outcome {
    batch: usize,
    repeats: usize,
    /// Numbers that are trained.
    parameters: Option<usize>,
    /// A whole optimiser step, power iteration and averaging included.
    step_seconds: Option<f64>,
    /// Useful work in a step's matrix products, `n + 7` passes through the branches with the expected `n` terms and direct
    /// convolutions, in 10⁹ operations a second.
    step_gflops: Option<f64>,
    /// The rate of one large matrix product in the same run.
    gemm_gflops: f64,
    /// Shares of a step: forward and backward, clipping and update, power iterations, averaging.
    step_shares: Option<StepShares>,
    /// The most memory resident after the steps.
    peak_memory_bytes: Option<u64>,
    /// `log_prob` with the estimator of evaluation.
    evaluate_seconds: Option<f64>,
    encode_seconds: Option<f64>,
    sample_seconds: Option<f64>,
    /// Evaluations of residual branches for one sample, the mean over the batch.
    branch_evaluations_per_sample: Option<f64>,
}

/// Parts of a step, as fractions of the time of all measured steps.
#[derive(Serialize)]
struct StepShares {
    gradients: f64,
    optimizer: f64,
    lipschitz: f64,
    average: f64,
}

fn main() -> ExitCode {
    train::system::memory::keep_freed_pages();
    let arguments = Arguments::parse();
    // As in `train`.
    match datasets::io::program::run(|| run(&arguments)).map_err(anyhow::Error::from).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let outcome = measure(arguments)?;
    if arguments.json {
        console::print(serde_json::to_string(&outcome)?)?;
    } else if let serde_json::Value::Object(fields) = serde_json::to_value(&outcome)? {
        for (key, value) in fields {
            console::print(format_args!("{key}: {value}"))?;
        }
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<Outcome> {
    let (config, source) = Config::load(&arguments.config, &arguments.set)?;
    let shape = config.data.known_shape().with_context(|| {
        format!(
            "{}: `data.shape` is missing; set it to [channels, height, width], which random images need",
            source.place("data")
        )
    })?;
    let device = arguments.device.unwrap_or(config.device).open(&ProcessGroup::alone())?;
    let (batch, repeats) = (arguments.batch.get(), arguments.repeats.get());
    let choice = arguments.device.unwrap_or(config.device);
    check_use(&config, shape, (choice, &ProcessGroup::alone()), Work::Evaluate(batch), "--batch")?;
    let noise = noise::benchmark(config.run.seed);
    let images = random_images(batch, shape, &mut noise.stream(0), &device);
    let mut model = config.model.init(shape, &mut noise.stream(1), &device)?;
    let padded = model.pad(images.clone(), &mut noise.stream(3))?.input;
    model.initialize(padded.clone())?;
    let mut outcome = Outcome {
        batch,
        repeats,
        parameters: None,
        step_seconds: None,
        step_gflops: None,
        gemm_gflops: 0.0,
        step_shares: None,
        peak_memory_bytes: None,
        evaluate_seconds: None,
        encode_seconds: None,
        sample_seconds: None,
        branch_evaluations_per_sample: None,
    };
    let measures = |part: Part| !arguments.skip.contains(&part);
    if measures(Part::Step) {
        let kind = match shape {
            [dimensions, 1, 1] => DataKind::Points(PointKind::unnamed(Standardization::identity(dimensions))),
            _ => DataKind::images(config.data.levels.unwrap_or(256), &config.task),
        };
        let timeline = Timeline { total_steps: 1 + repeats as u64, steps_per_epoch: 1.0 };
        let samples = Samples { x: images.clone(), labels: Some(vec![0; batch]), context: None };
        let mut trainer = trainer(&config, &kind, timeline);
        let (trained, seconds, shares) = steps(model, &mut trainer, &samples, repeats)?;
        let passes = config.log_det.train.expected_terms() + 7.0;
        outcome.step_gflops = Some(passes * trained.pass_flops(batch) / seconds / 1e9);
        outcome.step_shares = Some(shares);
        outcome.parameters = Some(trainer.n_parameters(&trained));
        (model, outcome.step_seconds) = (trained, Some(seconds));
        outcome.peak_memory_bytes = system::peak_memory_bytes();
    }
    if [Part::Evaluate, Part::Encode, Part::Sample].into_iter().any(measures) {
        let average = match &arguments.checkpoint {
            Some(path) => trained(path, shape, &device)?,
            None => model,
        };
        model = average.with_converged_constraint(Convergence::Estimate)?;
    }
    if measures(Part::Evaluate) {
        let context = LogDetContext { config: &config.log_det.eval, noise };
        outcome.evaluate_seconds = Some(median(repeats, || read(model.log_prob_with(images.clone(), &context)?.total()))?);
    }
    if measures(Part::Encode) {
        outcome.encode_seconds = Some(median(repeats, || read(model.encode(padded.clone())?))?);
    }
    if measures(Part::Sample) {
        let latents = gaussian([batch, model.latent_dimensions()], &mut noise.stream(2), &device);
        outcome.sample_seconds = Some(median(repeats, || read(model.decode(latents.clone())?))?);
        let report = model.decode_with_report(latents)?.1;
        outcome.branch_evaluations_per_sample = Some(report.branch_evaluations as f64 / batch as f64);
    }
    // Last, for its matrices not to count in the peak of memory.
    outcome.gemm_gflops = gemm_gflops(&device)?;
    Ok(outcome)
}

/// The averaged weights of a checkpoint of images of this shape.
fn trained(path: &Path, shape: [usize; 3], device: &Device) -> Result<ResidualFlow> {
    let model = checkpoint::load(path, Weights::Average, device)?.model;
    let found = model.image_shape();
    ensure!(found == shape, "{}: is of images {found:?}, the configuration's are {shape:?}", path.display());
    Ok(model)
}

/// The model after some steps, the median seconds of all but the first, and the parts of those.
fn steps(
    mut model: ResidualFlow,
    trainer: &mut Trainer,
    samples: &Samples,
    repeats: usize,
) -> Result<(ResidualFlow, f64, StepShares)> {
    (model, _) = trainer.step(model, vec![samples.clone()])?;
    let mut seconds = Vec::with_capacity(repeats);
    let mut parts = [0.0; 4];
    for _ in 0..repeats {
        let start = Instant::now();
        (model, _) = trainer.step(model, vec![samples.clone()])?;
        seconds.push(start.elapsed().as_secs_f64());
        let times = trainer.times();
        let of_step = [times.gradients, times.optimizer, times.lipschitz, times.average];
        parts.iter_mut().zip(of_step).for_each(|(sum, part)| *sum += part.as_secs_f64());
    }
    let total: f64 = parts.iter().sum();
    let [gradients, optimizer, lipschitz, average] = parts.map(|part| part / total);
    Ok((model, middle(seconds), StepShares { gradients, optimizer, lipschitz, average }))
}

/// The best of several products of two square matrices, in 10⁹ operations a second.
fn gemm_gflops(device: &Device) -> Result<f64> {
    const SIZE: usize = 2048;
    let matrix = || Tensor::<2>::ones([SIZE, SIZE], device);
    let (a, b) = (matrix(), matrix());
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        read(a.clone().matmul(b.clone()).slice([0..1, 0..1]))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(2.0 * (SIZE as f64).powi(3) / best / 1e9)
}

fn random_images(batch: usize, [c, h, w]: [usize; 3], rng: &mut impl Rng, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..batch * c * h * w).map(|_| rng.random()).collect();
    Tensor::from_data(burn::tensor::TensorData::new(values, [batch, c, h, w]), device)
}

fn median(repeats: usize, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut seconds = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let start = Instant::now();
        run()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(middle(seconds))
}

/// The median; of an even number the mean of the two in the middle.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// Waits until a tensor has been computed.
fn read<const D: usize>(tensor: Tensor<D>) -> Result<()> {
    tensor.try_into_vec_as::<f32>().context("cannot read a result from the device")?;
    Ok(())
}
