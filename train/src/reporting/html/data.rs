//! What a page's charts show: every number as it is in the files of the runs.

use super::Run;
use super::fragments;
use crate::data::loss_unit::LossUnit;
use crate::reporting::history::History;
use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Pictures of a run in a file at most, and bytes of all of them: of more, some evenly spaced ones are shown.
const MOST_PICTURES: usize = 60;
const MOST_BYTES: u64 = 16 << 20;

/// Charts that come first, after those of the losses, with titles and units. What else was measured follows under its own name.
const CHARTS: [(&str, &str, &str); 11] = [
    ("accuracy", "accuracy", "fraction of images"),
    ("log_pz", "mean ln p(z)", "nats"),
    ("log_det", "mean log-determinant", "nats"),
    ("gradient_norm", "norm of the gradient, before clipping", "norm"),
    ("max_lipschitz", "largest estimated Lipschitz constant of a block", "constant"),
    ("largest_lipschitz_bound", "largest guaranteed Lipschitz bound of a block", "bound"),
    ("log_det_deviation", "standard deviation of an estimated log-determinant", "nats"),
    ("learning_rate", "learning rate", "rate"),
    ("images_per_second", "speed", "images per second"),
    ("points_per_second", "speed", "points per second"),
    ("elapsed_seconds", "time in training", "seconds"),
];
/// Keys that say where a record belongs.
const PLACES: [&str; 2] = ["epoch", "step"];
/// What an evaluation puts before a key.
pub(super) const EVALUATIONS: [&str; 2] = ["validation_", "test_"];

/// All of it.
#[derive(Serialize)]
pub(super) struct PageData {
    /// Whether a program answers, which has newer numbers later.
    is_served: bool,
    /// Which state of the files this is.
    version: String,
    charts: Vec<Chart>,
    runs: Vec<RunData>,
    /// Tables by their places in the page, for pages that are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    fragments: Option<BTreeMap<&'static str, String>>,
}

#[derive(Serialize)]
struct Chart {
    key: String,
    label: String,
    unit: String,
    /// Whether single records are noisy, so that their mean says more.
    is_noisy: bool,
}

#[derive(Serialize)]
struct RunData {
    name: String,
    is_over: bool,
    loss: Loss,
    steps_per_epoch: Option<f64>,
    tables: Vec<Table>,
    pictures: Vec<Picture>,
    left_out: usize,
}

#[derive(Serialize)]
struct Loss {
    key: &'static str,
    unit: &'static str,
}

/// Series that were measured at the same steps.
#[derive(Serialize)]
struct Table {
    steps: Vec<f64>,
    values: BTreeMap<String, Vec<f64>>,
}

#[derive(Serialize)]
struct Picture {
    label: String,
    src: String,
}

impl PageData {
    /// With the pictures in it.
    pub(super) fn embedded(runs: &[Run]) -> Result<Self> {
        let pictures = runs.iter().map(|run| {
            let shown = evenly(&run.pictures, number_that_fits(&run.pictures));
            let pictures = shown.iter().map(|path| {
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                let src = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes));
                Ok(Picture { label: label_of(path), src })
            });
            pictures.collect::<Result<Vec<_>>>()
        });
        Ok(Self::new(runs, pictures.collect::<Result<_>>()?, None, String::new()))
    }

    /// With the addresses of pictures, and tables that replace those of the page.
    pub(super) fn served(runs: &[Run], version: String) -> Result<Self> {
        let address = |index: usize, path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Picture { label: label_of(path), src: format!("pictures/{index}/{name}") }
        };
        let of_run = |(index, run): (usize, &Run)| run.pictures.iter().map(|path| address(index, path)).collect();
        let pictures = runs.iter().enumerate().map(of_run).collect();
        let tables = [
            ("results", fragments::results(runs)?),
            ("settings", fragments::settings(runs)?),
            ("sessions", fragments::sessions(runs)?),
        ];
        Ok(Self::new(runs, pictures, Some(tables.into_iter().collect()), version))
    }

    fn new(
        runs: &[Run],
        pictures: Vec<Vec<Picture>>,
        fragments: Option<BTreeMap<&'static str, String>>,
        version: String,
    ) -> Self {
        let of_run = |(run, pictures): (&Run, Vec<Picture>)| RunData {
            name: run.name.clone(),
            is_over: run.summary.is_some(),
            loss: Loss { key: run.loss().key(), unit: run.loss().words() },
            steps_per_epoch: steps_per_epoch(&run.metrics),
            tables: [&run.metrics, &run.timings].into_iter().flat_map(tables).collect(),
            left_out: run.pictures.len() - pictures.len(),
            pictures,
        };
        let is_served = fragments.is_some();
        Self { is_served, version, charts: charts(runs), runs: runs.iter().zip(pictures).map(of_run).collect(), fragments }
    }
}

/// All series of a file, those with the same steps together.
fn tables(history: &History) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (key, points) in &history.series {
        let (steps, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        match tables.iter_mut().find(|table| table.steps == steps) {
            Some(table) => drop(table.values.insert(key.clone(), values)),
            None => tables.push(Table { steps, values: [(key.clone(), values)].into() }),
        }
    }
    tables
}

/// The least steps that an epoch can have by the records that know of a completed one: exact as soon as a record was made at the
/// end of an epoch.
fn steps_per_epoch(metrics: &History) -> Option<f64> {
    let completed = metrics.get("epoch").iter().filter(|(_, epoch)| *epoch >= 1.0);
    completed.map(|(step, epoch)| step / epoch).reduce(f64::min)
}

/// Keys that are drawn, with the labels of their axes; what is measured in evaluations is in the chart of its name without
/// `validation_` or `test_`.
fn charts(runs: &[Run]) -> Vec<Chart> {
    let losses = LossUnit::ALL.iter().map(|loss| {
        let title = loss.axis().split(',').next().unwrap_or_default();
        (loss.key(), title, loss.words().split(" of").next().unwrap_or_default())
    });
    let known: Vec<(&str, &str, &str)> = losses.chain(CHARTS).collect();
    let series = runs.iter().flat_map(|run| run.metrics.series.keys().chain(run.timings.series.keys()));
    let without = |key: &str| EVALUATIONS.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key).to_string();
    let is_shown = |key: &String| !PLACES.contains(&key.as_str()) && !key.ends_with("standard_error");
    let keys: BTreeSet<String> = series.map(|key| without(key)).filter(is_shown).collect();
    let is_noisy = |key: &str| !["learning_rate", "elapsed_seconds"].contains(&key);
    let chart =
        |key: &str, label: String, unit: &str| Chart { key: key.into(), label, unit: unit.into(), is_noisy: is_noisy(key) };
    let of_known =
        known.iter().filter(|(key, ..)| keys.contains(*key)).map(|(key, label, unit)| chart(key, (*label).into(), unit));
    let of_others = keys.iter().filter(|key| known.iter().all(|(other, ..)| other != key));
    of_known.chain(of_others.map(|key| chart(key, key.replace('_', " "), ""))).collect()
}

/// How many pictures a file can have.
fn number_that_fits(pictures: &[PathBuf]) -> usize {
    let bytes = pictures.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).max().unwrap_or(1);
    ((MOST_BYTES / bytes.max(1)) as usize).clamp(1, MOST_PICTURES)
}

/// At most this many: the first, the last, and evenly spaced ones between.
fn evenly(pictures: &[PathBuf], most: usize) -> Vec<&PathBuf> {
    let Some(last) = pictures.len().checked_sub(1) else { return Vec::new() };
    let indices: BTreeSet<usize> = match most.min(pictures.len()) {
        1 => [last].into(),
        n => (0..n).map(|i| i * last / (n - 1)).collect(),
    };
    indices.into_iter().map(|index| &pictures[index]).collect()
}

/// When a picture was drawn, by its name.
fn label_of(path: &std::path::Path) -> String {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    match (name.as_str(), number.parse::<u64>()) {
        ("start", _) => "before the first step".into(),
        ("end", _) => "at the end".into(),
        (name, Ok(n)) => format!("{} {n}", name.trim_end_matches(|c: char| c.is_ascii_digit())),
        (name, Err(_)) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(series: &[(&str, &[(f64, f64)])]) -> History {
        let mut history = History::default();
        history.series = series.iter().map(|(key, points)| (key.to_string(), points.to_vec())).collect();
        history
    }

    #[test]
    fn series_of_the_same_steps_share_a_table() {
        let history = history(&[
            ("bits_per_dim", &[(1.0, 3.0), (2.0, 2.5)]),
            ("log_det", &[(1.0, 7.0), (2.0, 8.0)]),
            ("test_bits_per_dim", &[(2.0, 2.75)]),
        ]);
        let tables = tables(&history);
        assert_eq!(tables.len(), 2);
        assert_eq!((tables[0].steps.as_slice(), tables[0].values["log_det"].as_slice()), (&[1.0, 2.0][..], &[7.0, 8.0][..]));
        assert_eq!(tables[1].values["test_bits_per_dim"], [2.75]);
    }

    #[test]
    fn an_epoch_s_length_is_known_once_one_has_ended() {
        let epochs = |points: &[(f64, f64)]| steps_per_epoch(&history(&[("epoch", points)]));
        assert_eq!(epochs(&[(10.0, 0.0), (20.0, 0.0)]), None);
        assert_eq!(epochs(&[(90.0, 0.0), (100.0, 1.0), (94.0, 1.0), (200.0, 2.0)]), Some(94.0));
    }

    #[test]
    fn pictures_are_evenly_chosen() {
        let all: Vec<PathBuf> = (0..100).map(|i| format!("epoch{i:05}.png").into()).collect();
        let chosen = evenly(&all, 4);
        assert_eq!(chosen, [&all[0], &all[33], &all[66], &all[99]]);
        assert_eq!((evenly(&all, 1), evenly(&all[..2], 60).len(), evenly(&[], 60).len()), (vec![&all[99]], 2, 0));
        assert_eq!(
            ["start", "epoch00010", "step0300", "end"].map(|name| label_of(name.as_ref())),
            ["before the first step", "epoch 10", "step 300", "at the end"]
        );
    }
}
