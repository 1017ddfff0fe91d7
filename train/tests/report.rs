//! What can be seen of a run: TensorBoard's files, the report, the certificate.

use crate::common::{POINTS, Workshop, number};

#[test]
fn a_report_shows_runs_and_where_they_differ() {
    let workshop = Workshop::new();
    workshop.train("first", &["run.max_steps=6", "run.sample_at_start=true"]);
    workshop.train("second", &["run.max_steps=6", "run.sample_at_start=true", "optim.learning_rate=1e-3"]);
    let output = workshop.run(&["report", "first", "second", "--out", "both.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = workshop.read("both.html");
    for part in ["first, second", "<th>optim.learning_rate</th><td>0.005</td><td>0.001</td>", "bits per dimension", "finished"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.matches("<svg").count() >= 8, "{}", page.matches("<svg").count());
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 4, "the start and the end of two runs");
    assert!(page.contains("first, test") && page.contains("second, test"), "both are in the legend");
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http") && !outside.contains("<script"), "nothing is loaded");
    let message = workshop.error(&["report", "nowhere"]);
    assert!(message.contains("nowhere is not the directory of a run"), "{message}");
}

#[test]
fn a_report_measures_every_run_in_its_own_unit() {
    let workshop = Workshop::new();
    workshop.write("points.toml", POINTS);
    workshop.json(&["--config", "points.toml", "--out", "points", "--json"]);
    workshop.train("images", &["run.max_steps=6"]);
    workshop
        .train("classes", &["run.max_steps=6", "task.kind=classification", "model.classes=10", "model.classifier_channels=8"]);
    let report = |runs: &[&str]| {
        let output = workshop.run(&[&["report"], runs, &["--out", "report.html", "--force"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        workshop.read("report.html")
    };
    let points = report(&["points"]);
    assert!(points.contains("negative log-likelihood, nats") && points.contains("points per second"), "{points}");
    assert!(!points.contains("bits"), "points have no bits per dimension");
    // Training, test and best loss of each run.
    let all = report(&["points", "images", "classes"]);
    let cells = |unit: &str| all.matches(&format!(" {unit}</td>")).count();
    assert_eq!((cells("nats"), cells("bits/dim"), cells("nats of cross entropy")), (3, 3, 3));
}

#[test]
fn every_start_leaves_an_event_file_and_a_line() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    workshop.json(&["--resume", "run", "--json", "--set", "run.max_steps=4"]);
    let entries = std::fs::read_dir(workshop.path("run")).expect("a run");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with("events.out.tfevents.")).count(), 2);
    let steps: Vec<f64> = workshop.lines("run/sessions.jsonl").iter().map(|session| number(session, "step")).collect();
    assert_eq!(steps, [0.0, 2.0]);
    workshop.train("quiet", &["run.max_steps=2", "run.tensorboard=false"]);
    assert_eq!(std::fs::read_dir(workshop.path("quiet")).expect("a run").count(), 12);
}

#[test]
fn a_certificate_bounds_every_layer_from_above() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=20"]);
    let result = workshop.json(&["check", "run/checkpoints/last.safetensors", "--n", "7", "--json"]);
    let blocks = result["blocks"].as_array().expect("blocks");
    assert_eq!((blocks.len(), result["certified"].as_bool()), (3, Some(true)), "two on two scales, and a dense one");
    for block in blocks {
        let layers = block["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 3);
        let product: f64 = layers.iter().map(|layer| number(layer, "bound")).product();
        assert!((number(block, "bound") / product - 1.0).abs() < 1e-12);
        for layer in layers {
            let (estimate, bound) = (number(layer, "estimate"), number(layer, "bound"));
            assert!(bound >= estimate * (1.0 - 1e-5) && bound <= estimate * 1.06, "{layer}");
        }
    }
    assert_eq!(number(&result["reconstruction"], "images"), 7.0);
    assert!(number(&result["reconstruction"], "largest_error") < 1e-3, "{result}");
    workshop.train("padded", &["run.max_steps=2", "model.padding_channels=1"]);
    let padded = workshop.json(&["check", "padded/checkpoints/last.safetensors", "--n", "7", "--json"]);
    assert_eq!(number(&padded["reconstruction"], "images"), 7.0);
    assert!(number(&padded["reconstruction"], "largest_error") < 1e-3, "{padded}");
    let output = workshop.run(&["check", "run/checkpoints/last.safetensors", "--n", "0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("3 of 3 blocks") && text.contains("invertible for sure"), "{text}");
}
