//! Settings that are left out and follow from the data: the size of the model, the length of the run, and what goes with them.
//!
//! The one place where these rules are. What is set always counts. A configuration that says `model.blocks` itself has the fixed
//! defaults of [`reference`](super::reference) for all that it leaves out, as in earlier versions; `defaults = "data"` asks for these
//! rules all the same. A run's own configuration says everything, so that a resumed run does not depend on them.

use super::{Config, DataConfig, NoiseKind, Source};
use anyhow::{Context, Result};
use residual_flows::log_det::{Method, Probe, TermDistribution};
use residual_flows::optim::ScheduleKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

/// Where settings that are left out come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DefaultsKind {
    /// Settings that depend on the data are chosen by them.
    Data,
    /// All have the defaults that are given here.
    Fixed,
}

/// What the rules know of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What they are.
    pub kind: FactsKind,
    /// Of a sample, `[channels, height, width]`; a table has a channel for each column.
    pub shape: [usize; 3],
    /// Samples for training; of a distribution, those of an epoch do not matter.
    pub training: usize,
    /// Samples by which checkpoints are chosen.
    pub selection: usize,
}

impl Facts {
    /// Before the data are read: with a number of samples that many data sets have.
    pub(super) fn assumed(data: &DataConfig, shape: [usize; 3]) -> Self {
        let kind = match (data.points, &data.file) {
            (Some(_), _) => FactsKind::Distribution,
            (_, Some(_)) => FactsKind::Table,
            _ => FactsKind::Images(data.levels.unwrap_or(256)),
        };
        Self { kind, shape, training: 1_000, selection: 100 }
    }
}

/// What data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactsKind {
    /// Images, whose pixels have so many values.
    Images(u32),
    /// A known distribution on the plane.
    Distribution,
    /// A table.
    Table,
}

/// Each key that may be chosen, and how, in words.
pub const RULES: [(&str, &str); 33] = [
    ("data.noise", "1 for tables"),
    ("data.noise_kind", "\"bounded\" for tables"),
    ("model.blocks", "images: 4 a scale, on as many of 3 scales as fit; points: 16"),
    ("model.hidden_channels", "images: 64, with colours 128; points: from 16 to 64, the more the more rows there are"),
    ("model.kernels", "points: [1, 1, 1]"),
    ("model.preactivation", "points: false"),
    ("model.dense_blocks", "points, and images of at most 256 values: 0"),
    ("model.factor_out", "images of more than 32 pixels a side: true"),
    ("model.squeeze_first", "images of more than 32 pixels a side: true"),
    ("model.logit_alpha", "points: 0; images of one channel: 0.05 / levels"),
    ("model.last_layer_scale", "tables: 0.1, near the identity"),
    ("model.whiten", "tables of at least 2 columns: true"),
    ("log_det.train.distribution", "distributions: \"geometric\""),
    ("log_det.train.probe", "points: \"rademacher\""),
    ("log_det.eval.method", "up to 64 dimensions: \"exact\""),
    ("optim.learning_rate", "distributions: 3e-2; tables, and images of at most 256 values: 1e-2"),
    ("optim.warmup_steps", "a twentieth of the run, 1000 at most"),
    ("optim.schedule", "\"cosine\""),
    ("optim.batch_size", "distributions: 500; tables: 128 to 512; images: 64, of fewer than 5000 16"),
    ("optim.clip_norm", "points: 10"),
    ("optim.ema_decay", "averages over about a 25th of the run: from 0.99 to 0.999"),
    ("run.epochs", "1,000,000, more than `run.max_steps` takes"),
    ("run.max_steps", "images: 10 epochs, at least 5000; tables: 10 epochs, from 1500 to 10,000; distributions: 6000"),
    ("run.evaluate_every_epochs", "0, see `run.evaluate_every_steps`"),
    ("run.evaluate_every_steps", "a 20th of the run (tables: a 60th), or more where evaluations would take a tenth of the time"),
    ("run.patience", "10; tables: 20"),
    ("run.eval_batch_size", "tables: up to 10,000, the fewer the more columns; distributions: 1000"),
    ("run.sample_every_epochs", "0, see `run.sample_every_steps`"),
    ("run.sample_every_steps", "after every fifth of the run"),
    ("run.sample_at_start", "true"),
    ("run.keep_best", "points: 1"),
    ("run.n_samples", "tables: 5000; distributions: 10,000"),
    ("data.validation_most", "images: 2000"),
];

/// Epochs of a run whose length is a number of steps.
const NO_END: u64 = 1_000_000;
/// Up to so many dimensions log-determinants are evaluated exactly.
const EXACT_DIMENSIONS: usize = 64;
/// Numbers in the Jacobians of an evaluation batch of a table.
const JACOBIAN_NUMBERS: usize = 1_250_000;
/// Steps take this many times the time of evaluations.
const EVALUATION_SHARE: u64 = 10;
/// Images that are held out for validation at most.
pub(super) const VALIDATION_IMAGES: usize = 2_000;

/// How a key is chosen by the data, in words; `None` if it is not.
pub fn rule(key: &str) -> Option<&'static str> {
    RULES.iter().find(|(of, _)| *of == key).map(|(_, words)| *words)
}

impl Config {
    /// Fills in what a new run's settings leave out, where that follows from the data: a line for each section that says what was
    /// chosen. With fixed defaults there is nothing to choose.
    pub fn choose(&mut self, source: &Source, facts: &Facts) -> Vec<String> {
        if !source.chooses_by_data() {
            return Vec::new();
        }
        let mut chooser = Chooser { config: self, source, chosen: Vec::new() };
        chooser.model(facts);
        chooser.estimators(facts);
        chooser.run(facts);
        let mut chosen = chooser.chosen;
        chosen.sort_by_key(|key| section_of(key));
        self.defaults = None;
        let line = |keys: &[String]| format!("chosen by the data: {}", keys.join(", "));
        chosen.chunk_by(|before, after| section_of(before) == section_of(after)).map(line).collect()
    }

    /// Takes what the settings leave out from those of a run before, where new runs would choose it.
    ///
    /// # Errors
    /// If settings cannot be written as TOML.
    pub fn choose_like(&mut self, source: &Source, before: &Self) -> Result<()> {
        if !source.chooses_by_data() {
            return Ok(());
        }
        let mut table = Value::try_from(&*self).context("the settings cannot be written as TOML")?;
        let before = Value::try_from(before).context("the settings cannot be written as TOML")?;
        for (key, _) in RULES.iter().filter(|(key, _)| !source.is_set(key)) {
            let (section, name) = key.rsplit_once('.').unwrap_or_default();
            let within = |value: &Value| section.split('.').try_fold(value.clone(), |value, part| value.get(part).cloned());
            let Some(target) = section.split('.').try_fold(&mut table, |value, part| value.get_mut(part)) else { continue };
            let Some(target) = target.as_table_mut() else { continue };
            match within(&before).and_then(|section| section.get(name).cloned()) {
                Some(value) => drop(target.insert(name.into(), value)),
                None => drop(target.remove(name)),
            }
        }
        *self = Self::deserialize(table).context("the settings of the run before do not go with these")?;
        self.defaults = None;
        Ok(())
    }
}

/// Chooses key by key; what is set counts, also for what follows from it.
struct Chooser<'a> {
    config: &'a mut Config,
    source: &'a Source,
    chosen: Vec<String>,
}

impl Chooser<'_> {
    fn pick<T: Serialize + Clone>(&mut self, key: &'static str, place: impl Fn(&mut Config) -> &mut T, value: T) {
        debug_assert!(rule(key).is_some(), "{key} has a rule");
        if self.source.is_set(key) {
            return;
        }
        let written = Value::try_from(&value).map_or_else(|_| String::new(), |value| value.to_string());
        *place(self.config) = value;
        self.chosen.push(format!("{key} = {written}"));
    }

    fn model(&mut self, facts: &Facts) {
        let Facts { kind, shape: [channels, height, width], training, .. } = *facts;
        let FactsKind::Images(levels) = kind else {
            let hidden = match (kind, training) {
                (FactsKind::Distribution, _) => 16,
                (_, ..=1_000) => 16,
                (_, ..=10_000) => 32,
                _ => 64,
            };
            let is_table = kind == FactsKind::Table;
            self.pick("model.blocks", |c| &mut c.model.blocks, vec![16]);
            self.pick("model.hidden_channels", |c| &mut c.model.hidden_channels, hidden.into());
            self.pick("model.kernels", |c| &mut c.model.kernels, vec![1, 1, 1]);
            self.pick("model.preactivation", |c| &mut c.model.preactivation, false);
            self.pick("model.dense_blocks", |c| &mut c.model.dense_blocks, 0);
            self.pick("model.logit_alpha", |c| &mut c.model.logit_alpha, 0.0);
            if is_table {
                self.pick("model.last_layer_scale", |c| &mut c.model.last_layer_scale, 0.1);
                self.pick("model.whiten", |c| &mut c.model.whiten, channels > 1);
                self.pick("data.noise", |c| &mut c.data.noise, 1.0);
                self.pick("data.noise_kind", |c| &mut c.data.noise_kind, NoiseKind::Bounded);
            }
            return;
        };
        let (side, is_small) = (height.min(width), is_small(facts));
        let squeezes = usize::from(side > 32);
        let room =
            |scale: &usize| side >> (scale + squeezes) >= 4 && [height, width].iter().all(|n| n % (1 << (scale + squeezes)) == 0);
        let scales = (0..3).take_while(room).count().max(1);
        self.pick("model.blocks", |c| &mut c.model.blocks, vec![4; scales]);
        self.pick("model.hidden_channels", |c| &mut c.model.hidden_channels, if channels > 1 { 128 } else { 64 }.into());
        if is_small {
            self.pick("model.dense_blocks", |c| &mut c.model.dense_blocks, 0);
        }
        if squeezes > 0 {
            self.pick("model.squeeze_first", |c| &mut c.model.squeeze_first, true);
            self.pick("model.factor_out", |c| &mut c.model.factor_out, true);
        }
        if channels == 1 && self.config.model.input_mean.is_empty() {
            self.pick("model.logit_alpha", |c| &mut c.model.logit_alpha, 0.05 / f64::from(levels));
        }
    }

    fn estimators(&mut self, facts: &Facts) {
        let dimensions: usize = facts.shape.iter().product();
        if facts.kind == FactsKind::Distribution {
            self.pick("log_det.train.distribution", |c| &mut c.log_det.train.distribution, TermDistribution::Geometric);
        }
        if !matches!(facts.kind, FactsKind::Images(_)) {
            self.pick("log_det.train.probe", |c| &mut c.log_det.train.probe, Probe::Rademacher);
        }
        if dimensions <= EXACT_DIMENSIONS {
            self.pick("log_det.eval.method", |c| &mut c.log_det.eval.method, Method::Exact);
        }
    }

    /// The length of the run, and what goes with it.
    fn run(&mut self, facts: &Facts) {
        let Facts { kind, training, .. } = *facts;
        let is_points = !matches!(kind, FactsKind::Images(_));
        let batch_size = match kind {
            FactsKind::Distribution => 500,
            FactsKind::Table => (training / 40).clamp(128, 512).next_power_of_two().min(training.max(1)),
            FactsKind::Images(_) => if training < 5_000 { 16 } else { 64 }.min(training.max(1)),
        };
        self.pick("optim.batch_size", |c| &mut c.optim.batch_size, batch_size);
        let steps = self.length(facts);
        let (patience, rate) = match kind {
            FactsKind::Distribution => (10, 3e-2),
            FactsKind::Table => (20, 1e-2),
            FactsKind::Images(_) => (10, if is_small(facts) { 1e-2 } else { 1e-3 }),
        };
        self.pick("optim.learning_rate", |c| &mut c.optim.learning_rate, rate);
        self.pick("optim.warmup_steps", |c| &mut c.optim.warmup_steps, (steps / 20).clamp(1, 1000));
        self.pick("optim.schedule", |c| &mut c.optim.schedule, ScheduleKind::Cosine);
        self.pick("optim.ema_decay", |c| &mut c.optim.ema_decay, (1.0 - 25.0 / steps as f64).clamp(0.99, 0.999));
        if is_points {
            self.pick("optim.clip_norm", |c| &mut c.optim.clip_norm, 10.0);
            self.pick("run.keep_best", |c| &mut c.run.keep_best, 1);
        }
        self.pick("run.patience", |c| &mut c.run.patience, patience);
        self.evaluations(facts, steps);
    }

    /// The steps of the run.
    fn length(&mut self, facts: &Facts) -> u64 {
        let Facts { kind, training, .. } = *facts;
        let optim = &self.config.optim;
        let by_step = (optim.batch_size * optim.accumulate) as u64;
        let steps_per_epoch = match kind {
            FactsKind::Distribution => self.config.data.epoch_batches() as f64 / optim.accumulate as f64,
            _ => (training as f64 / by_step as f64).max(1.0),
        };
        let of_epochs = |epochs: u64| (epochs as f64 * steps_per_epoch).ceil() as u64;
        let usual = match kind {
            FactsKind::Distribution => 6_000,
            FactsKind::Table => of_epochs(10).clamp(1_500, 10_000),
            FactsKind::Images(_) => of_epochs(10).max(5_000),
        };
        if !self.source.is_set("run.epochs") {
            self.pick("run.max_steps", |c| &mut c.run.max_steps, Some(usual));
            self.pick("run.epochs", |c| &mut c.run.epochs, NO_END);
        }
        let run = &self.config.run;
        of_epochs(run.epochs).min(run.max_steps.unwrap_or(u64::MAX)).max(1)
    }

    fn evaluations(&mut self, facts: &Facts, steps: u64) {
        let Facts { kind, selection, .. } = *facts;
        let (dimensions, optim) = (facts.shape.iter().product::<usize>(), &self.config.optim);
        let by_step = (optim.batch_size * optim.accumulate) as f64;
        // A sample's share of a step's time.
        let relative = if self.config.log_det.eval.method == Method::Exact { (dimensions + 1) as f64 / 8.0 } else { 3.0 };
        let evaluation = (selection as f64 * relative / by_step).ceil() as u64;
        let parts = if kind == FactsKind::Table { 60 } else { 20 };
        let every = (steps / parts).max(EVALUATION_SHARE * evaluation).clamp(1, steps);
        let every = if self.source.is_set("run.evaluate_every_epochs") { 0 } else { every };
        self.pick("run.evaluate_every_steps", |c| &mut c.run.evaluate_every_steps, every);
        self.pick("run.evaluate_every_epochs", |c| &mut c.run.evaluate_every_epochs, 0);
        let every = if self.source.is_set("run.sample_every_epochs") { 0 } else { steps.div_ceil(5) };
        self.pick("run.sample_every_steps", |c| &mut c.run.sample_every_steps, every);
        self.pick("run.sample_every_epochs", |c| &mut c.run.sample_every_epochs, 0);
        self.pick("run.sample_at_start", |c| &mut c.run.sample_at_start, true);
        match kind {
            FactsKind::Images(_) => {}
            FactsKind::Distribution => {
                self.pick("run.eval_batch_size", |c| &mut c.run.eval_batch_size, 1_000);
                self.pick("run.n_samples", |c| &mut c.run.n_samples, 10_000);
            }
            FactsKind::Table => {
                let rows = (JACOBIAN_NUMBERS / (dimensions * dimensions)).clamp(100, 10_000);
                self.pick("run.eval_batch_size", |c| &mut c.run.eval_batch_size, rows);
                self.pick("run.n_samples", |c| &mut c.run.n_samples, 5_000);
            }
        }
    }
}

/// Where a key belongs, of a text that begins with one.
fn section_of(key: &str) -> String {
    key.split('.').next().unwrap_or_default().into()
}

/// Whether images are few numbers.
fn is_small(facts: &Facts) -> bool {
    facts.shape.iter().product::<usize>() <= 256
}
