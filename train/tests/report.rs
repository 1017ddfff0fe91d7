//! What can be seen of a run: TensorBoard's files, the report, the certificate.

use crate::common::{POINTS, Workshop, number};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

/// What the charts of a page show.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("data");
    serde_json::from_str(rest.split_once("</script>").expect("an end").0).expect("JSON")
}

/// Every number of a file of records, `(key, step, value)`, in the order of the file.
fn recorded(workshop: &Workshop, file: &str) -> Vec<(String, f64, f64)> {
    let numbers = |record: &Value| -> Vec<(String, f64, f64)> {
        let step = number(record, "step");
        let fields = record.as_object().expect("an object").iter().filter(|(key, _)| *key != "step");
        fields.filter_map(|(key, value)| Some((key.clone(), step, value.as_f64()?))).collect()
    };
    workshop.lines(file).iter().flat_map(numbers).collect()
}

/// Every number of a run in a page.
fn drawn(run: &Value) -> Vec<(String, f64, f64)> {
    let list =
        |value: &Value| -> Vec<f64> { value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect() };
    let mut all = Vec::new();
    for table in run["tables"].as_array().expect("tables") {
        let steps = list(&table["steps"]);
        for (key, values) in table["values"].as_object().expect("series") {
            all.extend(steps.iter().zip(list(values)).map(|(step, value)| (key.clone(), *step, value)));
        }
    }
    all
}

fn sorted(mut numbers: Vec<(String, f64, f64)>) -> Vec<(String, f64, f64)> {
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    numbers
}

#[test]
fn a_report_shows_runs_and_where_they_differ() {
    let workshop = Workshop::new();
    workshop.train("first", &["run.max_steps=6", "run.sample_at_start=true"]);
    workshop.train("second", &["run.max_steps=6", "run.sample_at_start=true", "optim.learning_rate=1e-3"]);
    let output = workshop.run(&["report", "first", "second", "--out", "both.html"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = workshop.read("both.html");
    for part in [
        "first, second",
        "<th>optim.learning_rate</th><td>0.005</td><td>0.001</td>",
        "bits per dimension",
        "bits/dim",
        "finished",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let data = data_of(&page);
    let runs = data["runs"].as_array().expect("runs");
    for (run, name) in runs.iter().zip(["first", "second"]) {
        let files = ["metrics.jsonl", "timings.jsonl"].map(|file| recorded(&workshop, &format!("{name}/{file}")));
        assert_eq!(sorted(drawn(run)), sorted(files.concat()), "{name} is drawn as it was recorded");
        let pictures = run["pictures"].as_array().expect("pictures");
        let labels: Vec<&str> = pictures.iter().map(|picture| picture["label"].as_str().expect("a label")).collect();
        assert_eq!(labels, ["before the first step", "at the end"]);
        assert!(
            pictures.iter().all(|picture| picture["src"].as_str().is_some_and(|src| src.starts_with("data:image/png;base64,")))
        );
    }
    for loading in ["src=\"http", "href=\"http", "@import", "url(http", "<link rel=\"stylesheet"] {
        assert!(!page.contains(loading), "nothing is loaded, but {loading} is there");
    }
    assert!(page.contains("Permission is hereby granted"), "the licence of the charts is with them");
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
        data_of(&workshop.read("report.html"))
    };
    let labels = |data: &Value| -> Vec<String> {
        let charts = data["charts"].as_array().expect("charts");
        charts.iter().map(|chart| format!("{}, {}", chart["label"], chart["unit"]).replace('"', "")).collect()
    };
    let points = labels(&report(&["points"]));
    assert!(
        points.contains(&"negative log-likelihood, nats".into()) && points.contains(&"speed, points per second".into()),
        "{points:?}"
    );
    assert!(!points.concat().contains("bits"), "points have no bits per dimension: {points:?}");
    let all = report(&["points", "images", "classes"]);
    let units: Vec<&str> = all["runs"].as_array().expect("runs").iter().filter_map(|run| run["loss"]["unit"].as_str()).collect();
    assert_eq!(units, ["nats", "bits/dim", "nats of cross entropy"]);
    for unit in units {
        assert!(workshop.read("report.html").matches(&format!(" {unit}</td>")).count() >= 2, "training and test in {unit}");
    }
}

#[test]
fn evaluations_of_both_sets_are_told_apart() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=2"]);
    let records = [
        r#"{"step":2,"epoch":0,"bits_per_dim":4.5}"#,
        r#"{"step":4,"epoch":1,"validation_bits_per_dim":4.25,"standard_error":0.01}"#,
        r#"{"step":8,"epoch":2,"validation_bits_per_dim":4.125,"standard_error":0.01}"#,
        r#"{"step":9,"epoch":2,"validation_bits_per_dim":4.1875,"standard_error":0.01}"#,
        r#"{"step":9,"epoch":2,"test_bits_per_dim":4.375,"standard_error":0.02}"#,
    ];
    workshop.write("run/metrics.jsonl", &(records.join("\n") + "\n"));
    assert!(workshop.run(&["report", "run"]).status.success());
    let page = workshop.read("run/report.html");
    for cell in ["4.1875 bits/dim</td>", "4.3750 bits/dim</td>", "4.1250 bits/dim in validation, step 8</td>"] {
        assert!(page.contains(cell), "{cell}");
    }
    let data = data_of(&page);
    assert_eq!(number(&data["runs"][0], "steps_per_epoch"), 4.0);
    let keys: Vec<&str> = data["charts"].as_array().expect("charts").iter().filter_map(|chart| chart["key"].as_str()).collect();
    assert!(keys.contains(&"bits_per_dim") && keys.iter().all(|key| !key.contains("test") && !key.contains("error")), "{keys:?}");
}

/// One answer of a server.
fn get(address: &str, path: &str, host: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("a server");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("the end of the head");
    let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
    (status, answer[end + 4..].to_vec())
}

#[test]
fn a_served_report_follows_the_run() {
    let workshop = Workshop::new();
    workshop.train("run", &["run.max_steps=4"]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_train"));
    let command = command.args(["report", "run", "--serve"]).current_dir(workshop.path("")).stdout(Stdio::piped());
    let mut program = command.stderr(Stdio::null()).spawn().expect("the program can be started");
    let mut url = String::new();
    BufReader::new(program.stdout.take().expect("a pipe")).read_line(&mut url).expect("an address");
    let address = url.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).expect("a URL").to_string();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let json = |path: &str| -> Value { serde_json::from_slice(&get(&address, path, &address).1).expect("JSON") };

    let (status, page) = get(&address, "/", &address);
    let page = String::from_utf8(page).expect("text");
    let first = data_of(&page);
    assert!(status == 200 && first["is_served"] == true);
    let version = first["version"].as_str().expect("a version");
    assert_eq!(get(&address, &format!("/data.json?version={version}"), &address).0, 204, "nothing is new");

    // A line, and the beginning of another.
    let more = r#"{"step":6,"epoch":0,"bits_per_dim":3.25}"#;
    let metrics = format!("{}{more}\n{{\"step\":8,", workshop.read("run/metrics.jsonl"));
    workshop.write("run/metrics.jsonl", &metrics);
    let later = json(&format!("/data.json?version={version}"));
    assert!(drawn(&later["runs"][0]).contains(&("bits_per_dim".into(), 6.0, 3.25)));
    assert!(
        later["version"] != first["version"]
            && later["fragments"]["results"].as_str().is_some_and(|text| text.contains("<td>6</td>"))
    );

    let src = later["runs"][0]["pictures"][0]["src"].as_str().expect("an address");
    let (status, picture) = get(&address, &format!("/{src}"), &address);
    assert!(status == 200 && picture == std::fs::read(workshop.path("run/images/end.png")).expect("a picture"));
    for other in ["/pictures/0/../config.toml", "/pictures/1/end.png", "/config.toml", "/../run/config.toml"] {
        assert_eq!(get(&address, other, &address).0, 404, "{other}");
    }
    assert_eq!(get(&address, "/", "example.org").0, 403, "a page of somebody else reads nothing");
    program.kill().expect("it runs");
    program.wait().expect("a status");
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
