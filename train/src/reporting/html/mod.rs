//! One self-contained HTML file about one or several runs: curves, samples over time, settings, environment. It has no
//! scripts and loads nothing, so that it can be mailed, archived, and read without a network.

mod run;

pub use run::Run;

use crate::data::loss_unit::LossUnit;
use crate::reporting::pictures::curve::SMOOTHING;
use crate::reporting::pictures::plot::{Plot, Series, smoothed};
use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

/// Pictures of a run at the most; of more, some evenly spaced ones are shown.
const MAX_PICTURES: usize = 8;

/// Curves that come first, after those of the losses, with the labels of their axes. What else was measured follows under its
/// own name.
const CURVES: [(&str, &str); 7] = [
    ("log_pz", "mean ln N(z; 0, I), nats"),
    ("log_det", "mean log-determinant, nats"),
    ("gradient_norm", "norm of the gradient"),
    ("max_lipschitz", "largest Lipschitz estimate"),
    ("learning_rate", "learning rate"),
    ("images_per_second", "images per second"),
    ("points_per_second", "points per second"),
];

/// The report.
///
/// # Errors
/// If a picture cannot be read or a curve cannot be drawn.
pub fn html(runs: &[Run]) -> Result<String> {
    let mut page = String::from(include_str!("head.html"));
    let names: Vec<String> = runs.iter().map(|run| escaped(&run.name)).collect();
    writeln!(page, "<h1>{}</h1>", names.join(", "))?;
    results(&mut page, runs)?;
    curves(&mut page, runs)?;
    for run in runs {
        pictures(&mut page, run)?;
    }
    settings(&mut page, runs)?;
    for run in runs {
        sessions(&mut page, run)?;
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

/// One row a run: where it is, and how good.
fn results(page: &mut String, runs: &[Run]) -> Result<()> {
    page.push_str("<h2>Results</h2>\n<table>\n<tr><th>run</th><th>state</th><th>steps</th><th>training loss</th>");
    page.push_str("<th>test loss</th><th>best evaluation</th><th>training time</th><th>warnings</th></tr>\n");
    for run in runs {
        let finished = run.summary.as_ref().and_then(|summary| summary["finished"].as_bool());
        let state = match finished {
            Some(true) => "finished",
            Some(false) => "stopped",
            None => "going on",
        };
        let loss = run.loss();
        let training = smoothed(run.metrics.get(loss.key()), SMOOTHING);
        let [test, validation] = ["test", "validation"].map(|split| run.metrics.get(&format!("{split}_{}", loss.key())));
        // Checkpoints are chosen by validation, where there is any.
        let selection = if validation.is_empty() { test } else { validation };
        let best = selection.iter().map(|point| point.1).reduce(f64::min);
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4} {}", loss.words()));
        let seconds = run.timings.get("elapsed_seconds").last().map_or(0.0, |point| point.1);
        writeln!(
            page,
            "<tr><th>{}</th><td>{state}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&run.name),
            training.last().map_or(0.0, |point| point.0),
            number(training.last().map(|point| point.1)),
            number(test.last().map(|point| point.1)),
            number(best),
            crate::reporting::progress::duration(seconds),
            run.metrics.warnings.len(),
        )?;
    }
    page.push_str("</table>\n");
    for run in runs.iter().filter(|run| !run.metrics.warnings.is_empty()) {
        writeln!(page, "<details><summary>Warnings of {}</summary>\n<ul>", escaped(&run.name))?;
        for (step, text) in run.metrics.warnings.iter().rev().take(100) {
            writeln!(page, "<li>step {step}: {}</li>", escaped(text))?;
        }
        page.push_str("</ul></details>\n");
    }
    Ok(())
}

fn curves(page: &mut String, runs: &[Run]) -> Result<()> {
    page.push_str("<h2>Curves</h2>\n<div class=\"curves\">\n");
    for (key, label) in charts(runs) {
        let mut series = Vec::new();
        for (colour, run) in runs.iter().enumerate() {
            let points = match run.timings.get(key) {
                [] => run.metrics.get(key),
                timings => timings,
            };
            let points = if key == "learning_rate" { points.to_vec() } else { smoothed(points, SMOOTHING) };
            series.push(Series::line(&run.name, colour, thinned(points)));
            for split in ["validation", "test"] {
                let points = run.metrics.get(&format!("{split}_{key}")).to_vec();
                series.push(Series::dots(format!("{}, {split}", run.name), colour, points));
            }
        }
        series.retain(|series| !series.points.is_empty());
        let svg = Plot { x_label: "optimiser steps", y_label: label.into(), series }.svg((640, 400))?;
        if !svg.is_empty() {
            writeln!(page, "<figure>{svg}</figure>")?;
        }
    }
    page.push_str("</div>\n");
    Ok(())
}

/// Keys of the metrics that are drawn, with the labels of their axes; what is measured in evaluations too has its dots in the
/// same chart.
fn charts(runs: &[Run]) -> Vec<(&str, &str)> {
    let mut charts: Vec<(&str, &str)> = LossUnit::ALL.iter().map(|loss| (loss.key(), loss.axis())).chain(CURVES).collect();
    let is_evaluated = |key: &str| ["test_", "validation_"].iter().any(|split| key.starts_with(split));
    let hidden = |key: &str| key == "epoch" || is_evaluated(key) || key.ends_with("standard_error");
    let keys: BTreeSet<&str> = runs.iter().flat_map(|run| run.metrics.series.keys()).map(String::as_str).collect();
    let others = keys.into_iter().filter(|key| !hidden(key) && charts.iter().all(|(known, _)| known != key));
    charts.extend(others.map(|key| (key, key)).collect::<Vec<_>>());
    charts
}

/// No more points than can be seen.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(2000).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last).map(|(_, point)| point).collect()
}

fn pictures(page: &mut String, run: &Run) -> Result<()> {
    if run.pictures.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h2>Samples of {} over time</h2>", escaped(&run.name))?;
    page.push_str("<p>From top to bottom: test images, their reconstructions, samples.</p>\n<div class=\"pictures\">\n");
    for path in evenly(&run.pictures) {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (name, data) = (escaped(&name), BASE64_STANDARD.encode(bytes));
        writeln!(
            page,
            "<figure><img alt=\"{name}\" src=\"data:image/png;base64,{data}\"><figcaption>{name}</figcaption></figure>"
        )?;
    }
    page.push_str("</div>\n");
    Ok(())
}

/// The first, the last, and evenly spaced ones between.
fn evenly(pictures: &[PathBuf]) -> Vec<&PathBuf> {
    let last = pictures.len() - 1;
    let indices: BTreeSet<usize> = (0..MAX_PICTURES).map(|i| i * last / (MAX_PICTURES - 1)).collect();
    indices.into_iter().map(|index| &pictures[index]).collect()
}

/// Where runs differ, then everything else.
fn settings(page: &mut String, runs: &[Run]) -> Result<()> {
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    let differs = |key: &&String| runs.iter().any(|run| run.settings.get(*key) != runs[0].settings.get(*key));
    let (different, common): (Vec<_>, Vec<_>) = keys.into_iter().partition(differs);
    page.push_str("<h2>Settings</h2>\n");
    if !different.is_empty() {
        settings_table(page, &different, runs)?;
    } else if runs.len() > 1 {
        page.push_str("<p>All runs have the same settings.</p>\n");
    }
    let same = if runs.len() > 1 { "Settings that are the same" } else { "All settings" };
    writeln!(page, "<details><summary>{same}</summary>")?;
    settings_table(page, &common, &runs[..1])?;
    page.push_str("</details>\n");
    Ok(())
}

fn settings_table(page: &mut String, keys: &[&String], runs: &[Run]) -> Result<()> {
    page.push_str("<table>\n<tr><th>setting</th>");
    for run in runs {
        write!(page, "<th>{}</th>", escaped(&run.name))?;
    }
    page.push_str("</tr>\n");
    for key in keys {
        write!(page, "<tr><th>{}</th>", escaped(key))?;
        for run in runs {
            write!(page, "<td>{}</td>", escaped(run.settings.get(*key).map_or("", String::as_str)))?;
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
    Ok(())
}

/// Every start of the program, with the machine it ran on.
fn sessions(page: &mut String, run: &Run) -> Result<()> {
    let Some(first) = run.sessions.first() else { return Ok(()) };
    writeln!(page, "<h2>Environment of {}</h2>\n<table>\n<tr>", escaped(&run.name))?;
    let keys: Vec<&String> = first.as_object().map(|object| object.keys().collect()).unwrap_or_default();
    for key in &keys {
        write!(page, "<th>{}</th>", escaped(&key.replace('_', " ")))?;
    }
    page.push_str("</tr>\n");
    for session in &run.sessions {
        page.push_str("<tr>");
        for key in &keys {
            let text = match &session[key.as_str()] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            write!(page, "<td>{}</td>", escaped(&text))?;
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
    Ok(())
}

/// Text that means itself in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
