//! The tables of a page: results, settings, environment.

use super::Run;
use crate::reporting::history::History;
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Records whose mean stands for the training loss.
const MEAN_OF: usize = 20;

/// One row a run: where it is, and how good.
pub(super) fn results(runs: &[Run]) -> Result<String> {
    let mut page = String::from("<div class=\"scroll\"><table class=\"facts\">\n<tr>");
    let training = format!("training, mean of the last {MEAN_OF} records");
    let headings = ["run", "state", "steps", &training, "validation", "test", "lowest", "training time", "warnings"];
    headings.iter().try_for_each(|heading| write!(page, "<th>{heading}</th>"))?;
    page.push_str("</tr>\n");
    for run in runs {
        let loss = run.loss();
        let [validation, test] = ["validation_", "test_"].map(|prefix| run.metrics.get(&format!("{prefix}{}", loss.key())));
        let number = |value: f64| format!("{value:.4} {}", loss.words());
        let last = |points: &[(f64, f64)]| points.last().map_or_else(|| "–".into(), |point| number(point.1));
        // The set by which a run is judged while it goes on.
        let (judged, by) = if validation.is_empty() { (test, "test") } else { (validation, "validation") };
        let lowest = judged.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
        let lowest = lowest.map_or_else(|| "–".into(), |(step, value)| format!("{} in {by}, step {step}", number(value)));
        let trained = run.metrics.get(loss.key());
        let mean = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
        let recent = &trained[trained.len().saturating_sub(MEAN_OF)..];
        let seconds = run.timings.get("elapsed_seconds").last().map_or(0.0, |point| point.1);
        let cells = [
            run.state().into(),
            last_step(&run.metrics).to_string(),
            if recent.is_empty() { "–".into() } else { number(mean(recent)) },
            last(validation),
            last(test),
            lowest,
            crate::reporting::progress::duration(seconds),
            run.metrics.warnings.len().to_string(),
        ];
        write!(page, "<tr><th>{}</th>", escaped(&run.name))?;
        cells.iter().try_for_each(|cell| write!(page, "<td>{cell}</td>"))?;
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
    for run in runs.iter().filter(|run| !run.metrics.warnings.is_empty()) {
        writeln!(page, "<details><summary>Warnings of {}</summary>\n<ul>", escaped(&run.name))?;
        for (step, text) in run.metrics.warnings.iter().rev().take(100) {
            writeln!(page, "<li>step {step}: {}</li>", escaped(text))?;
        }
        page.push_str("</ul></details>\n");
    }
    Ok(page)
}

fn last_step(metrics: &History) -> f64 {
    metrics.series.values().filter_map(|points| points.last()).map(|point| point.0).fold(0.0, f64::max)
}

/// Where runs differ, then everything else.
pub(super) fn settings(runs: &[Run]) -> Result<String> {
    let mut page = String::new();
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    let differs = |key: &&String| runs.iter().any(|run| run.settings.get(*key) != runs[0].settings.get(*key));
    let (different, common): (Vec<_>, Vec<_>) = keys.into_iter().partition(differs);
    if !different.is_empty() {
        page.push_str("<p>Where the runs differ:</p>\n");
        settings_table(&mut page, &different, runs)?;
    } else if runs.len() > 1 {
        page.push_str("<p>All runs have the same settings.</p>\n");
    }
    let same = if runs.len() > 1 { "Settings that are the same" } else { "All settings" };
    writeln!(page, "<details><summary>{same}</summary>")?;
    settings_table(&mut page, &common, &runs[..1])?;
    page.push_str("</details>\n");
    Ok(page)
}

fn settings_table(page: &mut String, keys: &[&String], runs: &[Run]) -> Result<()> {
    page.push_str("<div class=\"scroll\"><table class=\"facts\">\n<tr><th>setting</th>");
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
    page.push_str("</table></div>\n");
    Ok(())
}

/// Every start of the program, with the machine it ran on.
pub(super) fn sessions(runs: &[Run]) -> Result<String> {
    let mut page = String::new();
    for run in runs {
        let Some(first) = run.sessions.first() else { continue };
        writeln!(page, "<h3>{}</h3>\n<div class=\"scroll\"><table class=\"facts\">\n<tr>", escaped(&run.name))?;
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
                    Value::Null => "–".into(),
                    other => other.to_string(),
                };
                write!(page, "<td>{}</td>", escaped(&text))?;
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</table></div>\n");
    }
    Ok(page)
}

/// Text that means itself in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
