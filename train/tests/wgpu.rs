//! Programs with `wgpu` on machines without a driver.
#![cfg(feature = "wgpu")]

mod common;

use common::Workshop;
use std::process::Command;

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
