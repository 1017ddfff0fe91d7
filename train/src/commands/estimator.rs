//! `train estimator CONFIG|CHECKPOINT`: bias, variance and cost of log-determinant estimators against the exact value.

use super::{Compute, Overwrite, checkpoint_at, load, ready, report};
use crate::config::Config;
use crate::data::table::TableChoice;
use crate::data::{self, DataSet, Splits};
use crate::reporting::path_text;
use crate::reporting::pictures::estimators as plots;
use crate::reporting::pictures::plot::Plot;
use crate::reporting::progress::{self, Progress};
use crate::run::fit;
use crate::run::footprint::{self, Work};
use crate::scoring::estimators::{self, BEYOND, Estimator, Measurement, Rounding, Study};
use crate::scoring::model_data::{Found, Sought};
use crate::scoring::weights::Weights;
use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use clap::Args;
use datasets::Split;
use datasets::io::console::note;
use datasets::io::output;
use residual_flows::log_det::SeriesPrecision;
use residual_flows::{Convergence, LogDetConfig, ResidualFlow};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Measure estimators of log-determinants against the exact value: bias, variance and cost
#[derive(Args)]
#[command(after_help = "Examples:
  train estimator experiments/runs/digits
  train estimator configs/digits.toml --terms 2,4,8 --draws 100 --out study")]
pub struct EstimatorStudy {
    /// A checkpoint or the directory of a run (its best checkpoint), or a configuration (.toml, its initial weights)
    #[arg(value_name = "CONFIG|CHECKPOINT")]
    model: PathBuf,
    /// Use these of a checkpoint's weights [default: average]
    #[arg(long, value_enum)]
    weights: Option<Weights>,
    #[command(flatten)]
    table: TableChoice,
    /// Change a setting of the configuration; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// The directory of the data set, or the file of points, if it has moved since training
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Measure on this many test samples, the first ones
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = super::at_least_one)]
    n: usize,
    /// Draw each estimator this many times
    #[arg(long, value_name = "N", default_value_t = 400)]
    draws: usize,
    /// Expected numbers of terms, rising
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "2,4,6,10,20")]
    terms: Vec<usize>,
    /// Instead measure the estimator of [log_det.train] in every precision of its products that the device computes in
    #[arg(long, conflicts_with = "terms")]
    rounding: bool,
    /// Choose the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also write estimator.md (the table), estimator.json, bias.svg and deviation.svg to a directory; of rounding,
    /// rounding.md and rounding.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    compute: Compute,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome<M> {
    measurements: Vec<M>,
    /// Mean log-determinant of the samples, nats.
    exact_mean: f64,
    exact_seconds: f64,
    samples: usize,
    draws: usize,
    seed: u64,
    #[serde(serialize_with = "path_text::serialize")]
    model: PathBuf,
}

/// Expected terms at most.
const MOST_TERMS: usize = 10_000;
/// Draws at most: all of them are kept.
const MOST_DRAWS: usize = 1_000_000;

impl EstimatorStudy {
    /// Measures.
    ///
    /// # Errors
    /// If the model or the data cannot be read or do not fit each other, samples have too many dimensions for an exact value,
    /// or an estimate is not finite.
    pub fn run(self) -> Result<()> {
        ensure!(
            self.terms.iter().all(|&terms| terms >= BEYOND) && self.terms.is_sorted(),
            "--terms is {:?}: expected numbers from {BEYOND} on (a roulette's mean without exact terms), rising",
            self.terms
        );
        self.check_outputs()?;
        ensure!(
            self.terms.iter().all(|&terms| terms <= MOST_TERMS) && self.draws <= MOST_DRAWS,
            "--terms can be {MOST_TERMS} at most, and --draws {MOST_DRAWS}"
        );
        let device = self.compute.device()?;
        let mut progress = Progress::new();
        let (model, test, training) = self.open(&device, &mut progress)?;
        LogDetConfig::exact().validate_size(model.latent_dimensions())?;
        let samples = test.samples(test.batches.eval_batch(0)?, &device);
        let samples = samples.narrow(0, self.n.min(samples.count()));
        let (model, n) = (samples.condition(&model)?, samples.count());
        let stage = progress.stage("exact log-determinants", progress::Work::unknown());
        let study = Study::new(&model, samples.x, self.seed, self.draws)?;
        drop(stage);
        if self.rounding {
            let outcome = self.outcome(&study, n, measure_rounding(&study, &training, &device, &mut progress)?);
            let text = lines(&outcome, &estimators::rounding_table(&outcome.measurements));
            return self.hand_out(&outcome, "rounding", &text, &[]);
        }
        let outcome = self.outcome(&study, n, measure_all(&study, &self.terms, &mut progress)?);
        let measurements = &outcome.measurements;
        let plots = [("bias.svg", plots::bias_plot(measurements)), ("deviation.svg", plots::deviation_plot(measurements))];
        self.hand_out(&outcome, "estimator", &lines(&outcome, &estimators::table(measurements)), &plots)
    }

    /// Makes the directory that was named, in which all files must be writable.
    fn check_outputs(&self) -> Result<()> {
        let Some(dir) = &self.out else { return Ok(()) };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
        let names: &[&str] = match self.rounding {
            true => &["rounding.md", "rounding.json"],
            false => &["estimator.md", "estimator.json", "bias.svg", "deviation.svg"],
        };
        let paths: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
        let outputs: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        Ok(output::check_all(&outputs, &[&self.model], self.overwrite.existing())?)
    }

    fn outcome<M>(&self, study: &Study, samples: usize, measurements: Vec<M>) -> Outcome<M> {
        let (exact_mean, exact_seconds) = (study.exact_mean(), study.exact_seconds);
        let &Self { draws, seed, .. } = self;
        Outcome { measurements, exact_mean, exact_seconds, samples, draws, seed, model: self.model.clone() }
    }

    /// Prints the outcome, and writes it if a directory was named.
    fn hand_out<M: Serialize>(&self, outcome: &Outcome<M>, name: &str, text: &str, plots: &[(&str, Plot)]) -> Result<()> {
        if let Some(dir) = &self.out {
            let existing = self.overwrite.existing();
            let write = |name: &str, text: &str| {
                output::write(&dir.join(name), existing, |out| anyhow::Ok(out.write_all(text.as_bytes())?))
            };
            write(&format!("{name}.md"), &format!("{text}\n"))?;
            write(&format!("{name}.json"), &serde_json::to_string_pretty(outcome)?)?;
            for (name, plot) in plots {
                write(name, &plot.svg((800, 500))?)?;
            }
        }
        report(self.json, outcome, || text.into())
    }

    /// The model ready for use, its test data in batches of the size that is asked for, and the estimator of its training.
    fn open(&self, device: &Device, progress: &mut Progress) -> Result<(ResidualFlow, DataSet, LogDetConfig)> {
        if self.model.extension().is_some_and(|extension| extension == "toml") {
            self.table.ensure_unused("a configuration has its own settings")?;
            let (mut config, source) = Config::load(&self.model, &self.set)?;
            config.data.relocate(self.data.clone());
            config.run.eval_batch_size = self.n;
            let (Splits { train, test, .. }, _) = data::open_new(&mut config, &source)?;
            self.check_memory(&config, &test)?;
            let model = fit::initial_model(&config, &source, &train, device, progress)?;
            let model = model.with_converged_constraint(Convergence::Estimate)?;
            return Ok((model, test, config.log_det.train));
        }
        ensure!(self.set.is_empty(), "--set goes with a configuration; {} has its settings", self.model.display());
        let file = checkpoint_at(&self.model, &ProcessGroup::alone())?;
        let checkpoint = load(&file, self.weights.unwrap_or_default(), device, progress)?;
        let description = &checkpoint.description;
        let mut config = description.config.clone();
        config.run.eval_batch_size = self.n;
        let (elsewhere, table) = (self.data.as_deref(), &self.table);
        let sought = Sought { description, config: &config, checkpoint: &file, elsewhere, split: Split::Test, table };
        let Found { data: test, .. } = sought.open()?;
        test.notes.iter().for_each(note);
        self.check_memory(&config, &test)?;
        let (ready, _) = ready(checkpoint, progress)?;
        Ok((ready.model, test, config.log_det.train))
    }

    /// That the exact values of all samples can be computed at once.
    fn check_memory(&self, config: &Config, test: &DataSet) -> Result<()> {
        let mut config = config.clone();
        config.log_det.eval = LogDetConfig::exact();
        let work = Work::Evaluate(self.n.min(test.batches.len()));
        footprint::check_use(&config, test.shape(), (self.compute.choice, &ProcessGroup::alone()), work, "--n")
    }
}

/// All estimators with these expected numbers of terms.
fn measure_all(study: &Study, terms: &[usize], progress: &mut Progress) -> Result<Vec<Measurement>> {
    let all = Estimator::with_terms(terms);
    let stage = progress.stage("measuring", progress::Work::count("estimators", all.len()));
    let measure = |(index, estimator): (usize, Estimator)| {
        let measured = study.measure(estimator);
        stage.set(index as u64 + 1, format!("{} of {} terms", estimator.sum.name(), estimator.terms));
        measured
    };
    all.into_iter().enumerate().map(measure).collect()
}

/// One estimator in the precisions of a device.
fn measure_rounding(study: &Study, config: &LogDetConfig, device: &Device, progress: &mut Progress) -> Result<Vec<Rounding>> {
    let stage = progress.stage("measuring precisions", progress::Work::unknown());
    let in_precision = |&series_precision: &_| LogDetConfig { series_precision, ..config.clone() };
    let of_device = |precision: &_| in_precision(precision).validate_device(device).is_ok();
    let measured = study.measure_rounding(config, &SeriesPrecision::REDUCED.into_iter().filter(of_device).collect::<Vec<_>>());
    drop(stage);
    measured
}

fn lines<M>(outcome: &Outcome<M>, table: &str) -> String {
    let Outcome { exact_mean, exact_seconds, samples, draws, seed, .. } = outcome;
    format!(
        "{table}\n{samples} samples with a mean log-determinant of {exact_mean:.4} nats, exactly, in {:.1} milliseconds; {draws} \
         draws of each estimator, seed {seed}. Bias with its standard error; standard deviation of one sample's estimate; time of \
         one estimate of all samples.",
        1e3 * exact_seconds
    )
}
