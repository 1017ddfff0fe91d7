//! `train sample CHECKPOINT`: images from a checkpoint's averaged weights.

use super::report;
use ::train::device::device;
use ::train::progress::duration;
use ::train::{checkpoint, noise, picture, step, system};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Samples images from a checkpoint's averaged weights
#[derive(Args)]
pub struct Sample {
    /// The checkpoint, a .safetensors file
    checkpoint: PathBuf,
    /// How many images
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = super::at_least_one)]
    n: usize,
    /// Standard deviation of the latents
    #[arg(long, default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f64,
    /// Decides the latents
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Directory of the picture [default: that of the checkpoint]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Prints the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    picture: PathBuf,
    images: usize,
    temperature: f64,
    seed: u64,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
    checkpoint: PathBuf,
}

impl Sample {
    /// Samples.
    ///
    /// # Errors
    /// If the checkpoint cannot be read, an inverse does not converge, or the picture cannot be written.
    pub fn run(self) -> Result<()> {
        let start = Instant::now();
        let device = device();
        let model = step::ready(checkpoint::load(&self.checkpoint, &device)?.average);
        let &Self { n, temperature, seed, .. } = &self;
        let images = model.sample(n, temperature, &mut noise::samples(seed).stream(0), &device)?;
        let beside = self.checkpoint.parent().unwrap_or(Path::new(""));
        let dir = self.out.as_deref().unwrap_or(beside);
        if self.out.is_some() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
        }
        let path = dir.join(format!("samples-n{n}-temperature{temperature}-seed{seed}.png"));
        picture::write(&path, vec![images])?;
        let outcome = Outcome {
            picture: path,
            images: n,
            temperature,
            seed,
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: system::peak_memory_bytes(),
            checkpoint: self.checkpoint,
        };
        report(self.json, &outcome, || format!("{n} samples in {} ({})", outcome.picture.display(), duration(outcome.seconds)))
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    let temperature: f64 = text.parse().map_err(|_| "expected a number")?;
    if temperature.is_finite() && temperature >= 0.0 { Ok(temperature) } else { Err("expected a number from 0 up".into()) }
}
