//! Samples of a model.

use crate::training::parallel::ProcessGroup;
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use residual_flows::training::noise;
use residual_flows::{Context as Known, ResidualFlow};

/// Beyond it, nothing is left of what a model has learned, and numbers overflow.
const MOST_TEMPERATURE: f64 = 1000.0;

/// A temperature that samples can be drawn with.
///
/// # Errors
/// If it is negative, too large or not a number.
pub fn check_temperature(temperature: f64) -> Result<f64, String> {
    if (0.0..=MOST_TEMPERATURE).contains(&temperature) {
        Ok(temperature)
    } else {
        Err(format!("expected a number from 0 to {MOST_TEMPERATURE}"))
    }
}

/// Latents `[n, latent dimensions]` of the model's own density at a temperature, which a seed chooses.
///
/// # Errors
/// As [`ResidualFlow::sample_latents`].
pub fn latents(
    model: &ResidualFlow,
    known: Option<&Known>,
    n: usize,
    temperature: f64,
    seed: u64,
    device: &Device,
) -> Result<Tensor<2>> {
    let model = model.given_if_known(known)?;
    Ok(model.sample_latents(n, temperature, &mut noise::samples(seed).stream(0), device)?)
}

/// The samples `[n, channels, height, width]` of latents `[n, latent dimensions]`, of which each process decodes a part.
///
/// # Errors
/// If an inverse does not converge, or a process is lost.
pub fn draw(model: &ResidualFlow, known: Option<&Known>, latents: Tensor<2>, group: &ProcessGroup) -> Result<Tensor<4>> {
    let (device, [n, _], [c, h, w]) = (latents.device(), latents.dims(), model.image_shape());
    let mut values = vec![0.0; n * c * h * w];
    let mine = group.part().range(0..n);
    if !mine.is_empty() {
        let model = model.given_if_known(known.map(|known| known.narrow(mine.start, mine.len())).as_ref())?;
        let decoded = model.decode(latents.slice([mine.clone()])).map_err(|error| error.in_batch_from(mine.start))?;
        let samples = model.unpad(decoded);
        let samples = samples.try_into_vec_as::<f32>().context("cannot read samples from the device")?;
        values[mine.start * c * h * w..mine.end * c * h * w].copy_from_slice(&samples);
    }
    Ok(Tensor::from_data(TensorData::new(group.all_reduce(values)?, [n, c, h, w]), &device))
}
