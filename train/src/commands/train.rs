//! `train --config FILE`, `train --resume DIR`: trains a model.

use super::{SUCCESS, report};
use crate::config::{Config, Source};
use crate::data;
use crate::directory::BEST;
use crate::directory::Lock;
use crate::reporting::progress::{Progress, Work, duration};
use crate::run::fit::{self, Start};
use crate::run::footprint;
use crate::run::resume::{self, Resumption};
use crate::run::summary::Summary;
use crate::system::device::DeviceChoice;
use crate::system::signals::Stop;
use crate::training::parallel::{ProcessGroup, together};
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Args;
use datasets::io::console::note;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The exit code of a run that was stopped by a signal and saved: "try again later" of sysexits.h.
const STOPPED: u8 = 75;

/// Arguments of training.
#[derive(Args)]
pub struct Train {
    /// The experiment's settings: a TOML file, or the name of a shipped configuration, such as digits or toy/moons
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Resume a run from its directory or a checkpoint, also the reference implementation's (.pth). Settings are the run's unless
    /// --config or --set say otherwise
    #[arg(long, value_name = "DIR|FILE")]
    resume: Option<PathBuf>,
    /// Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Compute there, in place of the file's `device`: auto, cpu, cuda, cuda:N, wgpu or wgpu:N
    #[arg(long, value_name = "NAME")]
    device: Option<DeviceChoice>,
    /// Write the run into this directory [default: experiments/runs/<name of the file>, or that of the resumed run]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also evaluate on the test samples after every N epochs, as run.test_every_epochs
    #[arg(long, value_name = "N")]
    test_every: Option<u64>,
    /// Replace the run that is in the directory
    #[arg(long)]
    force: bool,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Train {
    /// Trains; the exit code is 75 if the run was stopped and saved.
    ///
    /// # Errors
    /// Those of the configuration, the data, and training.
    pub fn run(self) -> Result<u8> {
        let stop = Stop::on_signals()?;
        together(stop.flag(), |group| {
            let Some(start) = self.start(group, &stop)? else { return Ok(SUCCESS) };
            let (unit, out) = (start.data.test.kind.unit(), start.dir.root().to_path_buf());
            if group.is_root() {
                start.data.notes().iter().for_each(note);
            }
            let summary = fit::fit(start, &stop)?;
            if group.is_root() {
                self.tell(&summary, unit, &out);
            }
            // `mpirun` ends other processes where one reports failure.
            let is_success = summary.finished || !group.is_root();
            Ok(if is_success { SUCCESS } else { STOPPED })
        })
    }

    fn tell(&self, summary: &Summary, unit: &str, out: &Path) {
        if !summary.finished {
            let Summary { steps, checkpoint, .. } = summary;
            note(format_args!("stopped after {steps} steps, saved in {}", checkpoint.display()));
            note(format_args!("go on with: train --resume {}", out.display()));
        }
        // The run is what it is, whether somebody reads about it or not: `summary.json` has the same.
        if let Err(error) = report(self.json, summary, || lines(summary, unit, out)) {
            note(format_args!("warning: {error:#}; see {}", out.join("summary.json").display()));
        }
    }

    /// Settings, data and directory, checked before any work; `None` if a run has done already what it was asked for.
    fn start(&self, group: &Arc<ProcessGroup>, stop: &Stop) -> Result<Option<Start>> {
        let mut progress = Progress::new().seen(group.is_root());
        let Some(target) = &self.resume else {
            let file = self.config.as_deref().context("expected --config FILE or --resume DIR")?;
            let (mut config, source) = Config::load(file, &self.set)?;
            config.settle(&source);
            config.run.test_every_epochs = self.test_every.unwrap_or(config.run.test_every_epochs);
            let device = self.open_device(&mut config, &source, group)?;
            let out = self.out.clone().unwrap_or_else(|| default_out(file));
            return Start::new(config, source, device, group, &out, self.force, &mut progress).map(Some);
        };
        let home = resume::home_of(target)?;
        let out = self.out.clone().or(home.clone()).or_else(|| self.config.as_deref().map(default_out));
        let out = out.with_context(|| format!("{} belongs to no run: --out DIR says where to train on", target.display()))?;
        let is_in_place = home.is_some_and(|home| resume::same(&home, &out));
        // What is read from now on stays as it is.
        let lock = (is_in_place && group.is_root()).then(|| Lock::acquire(&out)).transpose()?;
        let stage = progress.stage("reading the checkpoint", Work::unknown());
        let mut resumption = Resumption::open(target, self.config.as_deref(), &self.set)?;
        drop(stage);
        let run = &mut resumption.config.run;
        run.test_every_epochs = self.test_every.unwrap_or(run.test_every_epochs);
        if resumption.from.is_some() {
            stop.answer_early_with("stopped before anything had changed: the run is as it was");
        }
        let device = self.open_device(&mut resumption.config, &resumption.source, group)?;
        let stage = progress.stage("opening the data", Work::unknown());
        let data = data::open_all_as(&resumption.config, &resumption.source, resumption.kind())?;
        drop(stage);
        resumption.adapt(&data)?;
        if is_in_place && resumption.is_done(&data.train) {
            return self.tell_done(&resumption, &out, group).map(|()| None);
        }
        let memory = footprint::Run { config: &resumption.config, source: &resumption.source, data: &data, group }.check()?;
        resumption.ensure_model_fits()?;
        let config = resumption.config.clone();
        // All have read what the first may now remove.
        group.barrier()?;
        let is_saved = is_in_place && resumption.is_unchanged();
        let (dir, state, source) = match group.is_root() {
            true => resumption.prepare(&out, self.force, lock)?,
            false => resumption.prepared_by_another(&out),
        };
        Ok(Some(Start {
            config,
            source,
            data,
            device,
            group: group.clone(),
            dir,
            state,
            is_saved,
            notes: vec![memory],
            listener: None,
        }))
    }

    /// That a run has made all steps that it was asked for.
    fn tell_done(&self, resumption: &Resumption, out: &Path, group: &ProcessGroup) -> Result<()> {
        let Some((path, state)) = resumption.from.as_ref().filter(|_| group.is_root()) else { return Ok(()) };
        let steps = state.description.step;
        resumption.warnings().iter().for_each(note);
        note(format_args!("the run in {} has made {steps} steps, all that are asked for; nothing was changed", out.display()));
        let best = Some(out.join(BEST)).filter(|best| best.is_file());
        let summary = Summary::of_finished(state, path.clone(), best);
        if let Some(reason) = &summary.stopped_early {
            note(format_args!("it ended early: {reason}; --set run.patience=0 goes on"));
        }
        report(self.json, &summary, || lines(&summary, state.description.kind.unit(), out))
    }

    /// The device that the command line asks for, which becomes that of the settings, or the one that they ask for.
    fn open_device(&self, config: &mut Config, source: &Source, group: &ProcessGroup) -> Result<Device> {
        config.device = self.device.unwrap_or(config.device);
        let place = || if self.device.is_some() { "--device".into() } else { source.place("device") };
        let device = config.device.open(group).with_context(place)?;
        config.validate_device(&device, source)?;
        Ok(device)
    }
}

fn default_out(config: &Path) -> PathBuf {
    let runs = Path::new("experiments/runs");
    config.file_stem().map_or_else(|| runs.into(), |name| runs.join(name))
}

fn lines(summary: &Summary, unit: &str, out: &Path) -> String {
    let result = match (summary.test_loss.value, summary.test_standard_error) {
        (Some(loss), Some(error)) => format!("test {unit} {loss:.4} ± {error:.4}"),
        _ => "not evaluated".into(),
    };
    let of_best = match (&summary.validation_loss, summary.best_loss.value, summary.best_step) {
        (Some(_), Some(loss), Some(step)) => format!(" with the weights after {step} steps, the best by validation ({loss:.4});"),
        _ => String::new(),
    };
    let (steps, epochs, time) = (summary.steps, summary.epochs, duration(summary.wall_seconds));
    format!("{result}{of_best} after {steps} steps ({epochs} epochs) in {time}; see {}", out.display())
}
