//! Student's t distribution.

use crate::error::{ModelError, Result};
use crate::numerics::limits::require;
use crate::numerics::tensor::{from_vec, to_vec};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rand_distr::Distribution;
use std::f64::consts::PI;

/// Independent coordinates with `ν_d = exp(log_degrees)` degrees of freedom:
///
/// ```text
/// ln p(z) = Σ_d ln Γ((ν_d + 1)/2) - ln Γ(ν_d/2) - ½ ln(π ν_d) - ½ (ν_d + 1) ln(1 + z_d²/ν_d)
/// ```
///
/// Tails fall like `|z|^{-(ν+1)}` instead of `exp(-z²/2)`, so that a flow of bounded slope can have data with heavy tails. Location
/// and scale are left to the flow's last layers.
///
/// Samples have temperature 1 only: what flattens or sharpens a density, `p(z)^{1/T²}`, changes the degrees of freedom of this one,
/// and a scaled `z` would be no such thing.
///
/// # References
/// Jaini et al. (2020), Tails of Lipschitz triangular flows. <https://arxiv.org/abs/1907.04481>
#[derive(Module, Debug)]
pub struct StudentT {
    /// `ln ν`, `[dimensions]`
    pub log_degrees: Param<Tensor<1>>,
}

impl StudentT {
    /// The same degrees of freedom in all dimensions, to be trained.
    pub fn new(degrees_of_freedom: f64, dimensions: usize, device: &Device) -> Self {
        Self { log_degrees: Param::from_tensor(Tensor::full([dimensions], degrees_of_freedom.ln(), device)) }
    }

    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        let degrees = self.log_degrees.val().exp();
        let constant = log_normalizer(degrees.clone() * 0.5) - 0.5 * (2.0 * PI).ln();
        let degrees: Tensor<2> = degrees.unsqueeze();
        let tails = (z.square() / degrees.clone()).log1p() * (degrees + 1.0) * -0.5;
        (tails + constant.unsqueeze()).sum_dims_squeeze(&[1])
    }

    /// # Errors
    /// If the temperature is not 1, or training has left degrees of freedom that are 0 in double precision.
    pub(super) fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng) -> Result<Tensor<2>> {
        let expected = "1: latents with Student's t distribution have no other temperature";
        require(temperature == 1.0, "temperature", expected, temperature)?;
        let degrees: Vec<f64> = to_vec(self.log_degrees.val()).into_iter().map(|log| f64::from(log).exp()).collect();
        let coordinate = |&degrees: &f64| {
            let error = |_| {
                let expected = "positive degrees of freedom".into();
                ModelError::Config { key: "base", expected, got: format!("{degrees:?}") }
            };
            rand_distr::StudentT::new(degrees).map_err(error)
        };
        let coordinates = degrees.iter().map(coordinate).collect::<Result<Vec<_>>>()?;
        let mut values = Vec::with_capacity(n * degrees.len());
        for _ in 0..n {
            values.extend(coordinates.iter().map(|coordinate| coordinate.sample(rng) as f32));
        }
        Ok(from_vec(values, [n, degrees.len()], &self.log_degrees.device()))
    }
}

/// `ln Γ(x + ½) - ln Γ(x) - ½ ln x` for positive `x`, without the cancellation of large logarithms: by
/// `Γ(x + 1) = x Γ(x)` from its asymptotic series, `-1/(8y) + 1/(192y³) - 1/(640y⁵)`, at `y = x + 4`.
fn log_normalizer(x: Tensor<1>) -> Tensor<1> {
    const STEPS: u8 = 4;
    let y = x.clone() + f64::from(STEPS);
    let (inverse, square) = (y.clone().recip(), y.clone().square().recip());
    let series = inverse * ((square.clone() * (-1.0 / 640.0) + 1.0 / 192.0) * square - 0.125);
    let below = (0..STEPS).map(|step| ((x.clone() + f64::from(step)).recip() * 0.5).log1p());
    let below = below.reduce(|sum, term| sum + term).expect("there are steps");
    series + (y / x).log() * 0.5 - below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::NoiseKey;

    /// `exp(-1000)` is 0.
    #[test]
    fn degrees_of_freedom_that_vanish_are_an_error() {
        let base = StudentT { log_degrees: Param::from_tensor(Tensor::full([2], -1000.0, &Device::flex())) };
        let error = base.sample(3, 1.0, &mut NoiseKey::new(1, [0, 0]).stream(0)).unwrap_err().to_string();
        assert!(error.contains("degrees of freedom"), "{error}");
    }

    /// From `mpmath.loggamma(x + 0.5) - mpmath.loggamma(x) - mpmath.log(x) / 2` with 30 digits.
    #[test]
    fn the_normalizer_is_that_of_gamma_functions() {
        let expected = [
            (0.25, -0.391_594_392_706_836_8),
            (0.5, -0.225_791_352_644_727_4),
            (1.0, -0.120_782_237_635_245_2),
            (2.5, -0.049_681_055_850_051_38),
            (50.0, -0.002_499_958_338_331_816),
            (5000.0, -2.499999995833333e-05),
        ];
        let x: Vec<f32> = expected.iter().map(|(x, _)| *x as f32).collect();
        let got = to_vec(log_normalizer(from_vec(x, [expected.len()], &Device::flex())));
        for ((x, want), got) in expected.into_iter().zip(got) {
            assert!((f64::from(got) - want).abs() < 3e-7, "{x}: {got} for {want}");
        }
    }
}
