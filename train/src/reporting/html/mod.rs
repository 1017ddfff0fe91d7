//! A page about one or several runs: curves of what was measured, samples over time, settings, environment. As a file it loads
//! nothing, so that it can be mailed, archived, and read without a network; `train report --serve` follows runs that go on.

mod data;
mod fragments;
mod run;
mod serve;

pub use run::Run;
pub use serve::{Address, Served};

use anyhow::Result;
use data::PageData;
use fragments::{escaped, results, sessions, settings};

/// The page as one file.
///
/// # Errors
/// If a picture cannot be read.
pub fn html(runs: &[Run]) -> Result<String> {
    page(runs, &PageData::embedded(runs)?)
}

fn page(runs: &[Run], data: &PageData) -> Result<String> {
    let names: Vec<String> = runs.iter().map(|run| escaped(&run.name)).collect();
    let (title, heading) = (format!("Report: {}", names.join(", ")), names.join(", "));
    let json = serde_json::to_string(data)?.replace('<', "\\u003c");
    let [results, settings, sessions] = [results(runs)?, settings(runs)?, sessions(runs)?];
    let parts = [
        ("title", title.as_str()),
        ("heading", &heading),
        ("licence", include_str!("uplot/LICENSE")),
        ("uplot_css", include_str!("uplot/uPlot.min.css")),
        ("css", include_str!("page.css")),
        ("results", &results),
        ("settings", &settings),
        ("sessions", &sessions),
        ("data", &json),
        ("uplot_js", include_str!("uplot/uPlot.iife.min.js")),
        ("js", include_str!("page.js")),
    ];
    Ok(filled(include_str!("page.html"), &parts))
}

/// A template with its `{{parts}}`; what a part contains is not looked at again.
fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    let (mut page, mut rest) = (String::new(), template);
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(parts.iter().find(|(part, _)| *part == name).map_or("", |(_, text)| text));
        rest = after;
    }
    page + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_filled_in_once() {
        let parts = [("a", "1{{b}}"), ("b", "2")];
        assert_eq!(filled("<{{a}}|{{b}}|{{c}}>{", &parts), "<1{{b}}|2|>{");
    }

    #[test]
    fn every_part_of_the_page_is_known() {
        let template = include_str!("page.html");
        let names: Vec<&str> = template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0)).collect();
        assert_eq!(names.len(), 11, "{names:?}");
    }
}
