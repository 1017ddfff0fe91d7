//! The choice of a device, as a user makes it.

mod common;
#[cfg(feature = "wgpu")]
mod wgpu;

use common::{Workshop, tiny_config};
use serde_json::Value;

#[test]
fn the_cpu_is_listed_and_what_is_missing_says_what_it_needs() {
    let devices = Workshop::new().json(&["devices", "--json"]);
    let devices = devices.as_array().expect("a list");
    assert_eq!((&devices[0]["name"], &devices[0]["available"]), (&"cpu".into(), &true.into()));
    let text = |device: &Value, key: &str| device[key].as_str().expect("a text").to_string();
    for name in ["cuda", "wgpu"] {
        assert!(devices.iter().any(|device| text(device, "name").starts_with(name)), "{name}");
    }
    for device in devices.iter().filter(|device| device["available"] == false) {
        let description = text(device, "description");
        assert!(description.contains("build it with") || description.contains("install"), "{description}");
    }
}

#[test]
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn a_device_without_its_feature_is_refused_before_anything_is_begun() {
    let workshop = Workshop::new();
    for (name, feature) in [("cuda", "cuda"), ("cuda:0", "cuda"), ("wgpu:1", "wgpu")] {
        let message = workshop.error(&["--config", "tiny.toml", "--out", "run", "--device", name]);
        let expected = format!("error: --device: device {name}: this program was built without `{feature}`: build it with");
        assert!(message.starts_with(&expected) && message.lines().count() == 1, "{message}");
        workshop.write("gpu.toml", &format!("device = \"{name}\"\n{}", tiny_config()));
        let message = workshop.error(&["--config", "gpu.toml", "--out", "run"]);
        assert!(message.starts_with(&format!("error: gpu.toml, line 1: device {name}: ")), "{message}");
    }
    assert!(!workshop.path("run").exists());
}

#[test]
fn unknown_devices_are_refused() {
    let workshop = Workshop::new();
    workshop.write("gpu.toml", &format!("device = \"gpu\"\n{}", tiny_config()));
    for message in [
        workshop.error(&["--config", "gpu.toml"]),
        workshop.error(&["--config", "tiny.toml", "--set", "device=gpu"]),
        workshop.error(&["--config", "tiny.toml", "--device", "gpu"]),
    ] {
        assert!(message.contains("unknown device `gpu`: expected auto, cpu, cuda, cuda:N"), "{message}");
    }
}

#[test]
fn a_run_and_what_follows_it_compute_where_they_are_told() {
    let workshop = Workshop::new();
    workshop.json(&["--config", "tiny.toml", "--json", "--out", "run", "--device", "cpu", "--set", "run.max_steps=1"]);
    assert!(workshop.read("run/config.toml").starts_with("device = \"cpu\"\n"));
    let evaluate = |device| workshop.json(&["evaluate", "run/checkpoints/last.safetensors", "--json", "--device", device]);
    assert_eq!(evaluate("cpu")["test_bits_per_dim"], evaluate("auto")["test_bits_per_dim"]);
}

#[test]
fn a_batch_that_does_not_fit_is_refused_with_the_largest_that_does() {
    let workshop = Workshop::new();
    workshop.write(
        "points.toml",
        "[data]\npoints = \"checkerboard\"\n\n[model]\nblocks = [2]\ndense = true\ndense_blocks = 0\nlogit_alpha = 0.0\n",
    );
    let message = workshop.error_of_run(&["--config", "points.toml", "--out", "run", "--set", "optim.batch_size=1000000000"]);
    assert!(message.starts_with("error: --set optim.batch_size=1000000000: batches of 1000000000 take about"), "{message}");
    let largest = message.split("can be at most ").nth(1).and_then(|rest| rest.split(';').next()?.parse::<u64>().ok());
    assert!(largest.is_some_and(|largest| (1..1_000_000_000).contains(&largest)), "{message}");
}
