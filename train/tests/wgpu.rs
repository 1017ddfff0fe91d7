//! The general path on a GPU, or on Vulkan's driver in software.

use crate::common::{Workshop, number};
use std::process::Command;

#[test]
fn a_run_on_a_gpu_is_the_run_on_the_cpu() {
    let workshop = Workshop::new();
    let settings = ["run.max_steps=12", "run.evaluate_every_epochs=0", "run.eval_batch_size=450", "run.n_samples=2"];
    let train = |device: &str| {
        let mut arguments = vec!["--config", "tiny.toml", "--json", "--out", device, "--device", device];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        workshop.json(&arguments)
    };
    let [cpu, gpu] = ["cpu", "wgpu"].map(train);
    // The same images and noise, the same steps but for rounding.
    let [a, b] = [&cpu, &gpu].map(|summary| number(summary, "test_bits_per_dim"));
    let standard_error = number(&cpu, "test_standard_error");
    assert!((a - b).abs() < 3.0 * standard_error, "{a} {b} ± {standard_error}");
    let norm = |run: &str| number(&workshop.lines(&format!("{run}/metrics.jsonl"))[0], "gradient_norm");
    assert!((norm("wgpu") - norm("cpu")).abs() < 1e-3 * norm("cpu"), "{} {}", norm("cpu"), norm("wgpu"));
}

#[test]
fn without_a_driver_it_says_what_to_install() {
    let workshop = Workshop::new();
    let output = Command::new(env!("CARGO_BIN_EXE_train"))
        .args(["--config", "tiny.toml", "--out", "run", "--device", "wgpu"])
        .current_dir(workshop.path("."))
        .env("VK_DRIVER_FILES", "/none.json")
        .env("VK_ICD_FILENAMES", "/none.json")
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/none.json")
        .output()
        .expect("the program can be started");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.starts_with("error: --device: device wgpu: no driver"), "{message}");
    assert!(message.lines().count() == 1 && message.contains("mesa-vulkan-drivers"), "{message}");
}
