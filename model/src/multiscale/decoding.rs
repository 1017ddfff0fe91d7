//! From latents to images: inversion and sampling.

use super::residual_flow::ResidualFlow;
use crate::error::{ModelError, Result};
use crate::flow::Flow;
use crate::numerics::InversionReport;
use crate::numerics::finite::expect_finite;
use crate::numerics::shape::from_images;
use crate::numerics::tensor::first_broken_sample;
use burn::tensor::{Device, Tensor};
use rand::Rng;

impl ResidualFlow {
    /// Latents `[batch, latent dimensions]` to padded images, all of them finite.
    ///
    /// # Errors
    /// If the latents have another number of dimensions, the inverse of a layer does not converge, or a number is not finite:
    /// names the sample and the layer.
    pub fn decode(&self, z: Tensor<2>) -> Result<Tensor<4>> {
        Ok(self.decode_with_report(z)?.0)
    }

    /// Latents to padded images, with what the inversion took.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_with_report(&self, z: Tensor<2>) -> Result<(Tensor<4>, InversionReport)> {
        let [batch, dimensions] = z.dims();
        if dimensions != self.latent_dimensions() {
            let expected = format!("[batch, {}]", self.latent_dimensions());
            return Err(ModelError::Shape { what: "the latent", expected, got: vec![batch, dimensions] });
        }
        self.check_context(batch)?;
        self.check_constraint()?;
        let inverted = self.invert(z.clone(), |_, _| Ok(()));
        let is_broken = match &inverted {
            Ok((x, _)) => first_broken_sample(x).is_some(),
            Err(error) => matches!(error, ModelError::NotFinite(_)),
        };
        if is_broken {
            // Once more, with a look at what leaves every layer.
            expect_finite("the latent", &z, None)?;
            self.invert(z, |x, path| expect_finite("the inverse", x, Some(path)))?;
        }
        inverted
    }

    /// Runs all layers backward; `check` sees what each makes.
    fn invert(&self, z: Tensor<2>, check: impl Fn(&Tensor<4>, &str) -> Result<()>) -> Result<(Tensor<4>, InversionReport)> {
        let mut report = InversionReport::default();
        let mut parts = self.split_latent(z);
        let mut ids = self.layer_ids();
        let mut x = parts.pop().expect("the last scale leaves a part");
        for (index, scale) in self.scales.iter().enumerate().rev() {
            if self.factors_out_after(index) {
                x = Tensor::cat(vec![x, parts.pop().expect("one part a scale")], 1);
            }
            for layer in scale.layers.iter().rev() {
                let id = ids.pop().expect("one id a layer");
                x = layer.inverse(x, &self.fixed_point, &id, &mut report)?;
                self.monitor.pass()?;
                check(&x, &id.path)?;
            }
        }
        Ok((x, report))
    }

    /// `n` points `[n, dimensions]` from latents at a temperature: the elements of [`sample`](Self::sample) in rows.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn sample_points(&self, n: usize, temperature: f64, rng: &mut impl Rng, device: &Device) -> Result<Tensor<2>> {
        from_images(self.sample(n, temperature, rng, device)?)
    }

    /// `n` images from latents at a temperature, which scales their distance from the mean of the normal that they are drawn from.
    ///
    /// # Errors
    /// As [`sample_latents`](Self::sample_latents) and [`decode`](Self::decode).
    pub fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng, device: &Device) -> Result<Tensor<4>> {
        let z = self.sample_latents(n, temperature, rng, device)?;
        Ok(self.unpad(self.decode(z)?))
    }

    /// `n` latents `[n, latent dimensions]` at a temperature: see [`Base::sample`](crate::Base::sample).
    ///
    /// # Errors
    /// If the temperature is negative or not finite, or not 1 for a base that has no other.
    pub fn sample_latents(&self, n: usize, temperature: f64, rng: &mut impl Rng, device: &Device) -> Result<Tensor<2>> {
        self.check_context(n)?;
        self.base.sample(n, self.latent_dimensions(), temperature, rng, device)
    }
}
