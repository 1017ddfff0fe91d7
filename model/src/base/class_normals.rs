//! One normal distribution for each class.

use super::mixture::log_sum_exp;
use super::normal_log_prob;
use crate::error::{ModelError, Result};
use crate::numerics::gaussian;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;

/// `ln p(z | c) = Σ_d ln N(z_d; μ_cd, σ_cd²)` where the class `c` of each sample is given, else the mixture of all classes with
/// equal weights, `ln p(z) = ln (1/K) Σ_c p(z | c)`. Samples at temperature `T` are `μ_c + T σ_c ε`, of the given classes or of
/// classes drawn with equal probability.
///
/// # References
/// Izmailov et al. (2020), Semi-supervised learning with normalizing flows. <https://arxiv.org/abs/1912.13025>
#[derive(Module, Debug)]
pub struct ClassNormals {
    /// `μ`, `[classes, dimensions]`
    pub mean: Param<Tensor<2>>,
    /// `ln σ`, `[classes, dimensions]`
    pub log_scale: Param<Tensor<2>>,
    /// The class of each sample of the batch, if they are given.
    #[module(skip)]
    given: Option<Vec<u32>>,
}

impl ClassNormals {
    /// Standard normal distributions, to be trained.
    pub fn standard(classes: usize, dimensions: usize, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([classes, dimensions], device));
        Self { mean: zeros(), log_scale: zeros(), given: None }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.mean.lazy_shape()[0]
    }

    /// # Errors
    /// If a label is no class.
    pub(super) fn given(self, classes: &[u32]) -> Result<Self> {
        if let Some(&class) = classes.iter().find(|&&class| class as usize >= self.classes()) {
            let expected = format!("more than {class}, which is the class of a sample");
            return Err(ModelError::Config { key: "base.classes", expected, got: self.classes().to_string() });
        }
        Ok(Self { given: Some(classes.to_vec()), ..self })
    }

    pub(super) fn not_given(self) -> Self {
        Self { given: None, ..self }
    }

    pub(super) fn log_prob(&self, z: Tensor<2>) -> Tensor<1> {
        let (mean, log_scale) = (self.mean.val(), self.log_scale.val());
        match &self.given {
            Some(classes) => {
                let rows = indices(classes, &z.device());
                normal_log_prob(z, mean.select(0, rows.clone()), log_scale.select(0, rows))
            }
            None => {
                let of_class = |class: usize| {
                    let [mean, log_scale] = [&mean, &log_scale].map(|rows| rows.clone().narrow(0, class, 1));
                    normal_log_prob(z.clone(), mean, log_scale)
                };
                let classes = self.classes();
                log_sum_exp(Tensor::stack((0..classes).map(of_class).collect(), 1)) - (classes as f64).ln()
            }
        }
    }

    pub(super) fn sample(&self, n: usize, temperature: f64, rng: &mut impl Rng) -> Result<Tensor<2>> {
        let (mean, scale) = (self.mean.val(), self.log_scale.val().exp());
        let device = mean.device();
        let classes = match &self.given {
            Some(classes) if classes.len() != n => {
                let (expected, got) = (format!("[{n}], one class a sample"), vec![classes.len()]);
                return Err(ModelError::Shape { what: "the given classes", expected, got });
            }
            Some(classes) => classes.clone(),
            None => (0..n).map(|_| rng.random_range(0..self.classes() as u32)).collect(),
        };
        let rows = indices(&classes, &device);
        let noise = gaussian([n, mean.dims()[1]], rng, &device) * temperature;
        Ok(noise * scale.select(0, rows.clone()) + mean.select(0, rows))
    }
}

fn indices(classes: &[u32], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
    Tensor::from_data(TensorData::new(rows, [classes.len()]), device)
}
