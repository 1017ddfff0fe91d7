//! The terms of one layer's series as a batch shows them, from which its roulette is fitted.

use super::FittedSurvival;
use super::optimal::{Besides, RouletteTerms, survival_probabilities};
use super::products::Products;
use crate::numerics::tensor::to_doubles;
use burn::tensor::Tensor;

/// Terms that are measured beyond the exact ones. What comes after them is a thousandth of the first at `L = 0.7`; probabilities go on
/// as they fell before.
const TERMS: usize = 20;

/// Means over samples and two probes of each, with tails `R_m` that begin with the `m`-th term beyond the exact ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeasuredSeries {
    /// `E[R_m²]` of the value's terms `(-1)^{k+1}/k ⟨u_k, v⟩`, `m = 1 … TERMS`.
    value_tails: Vec<f64>,
    /// The variance of a sample's whole series, which comes from its probe.
    value_variance: f64,
    /// `E‖R_m‖²` of the gradient's terms `(-1)ᵏ u_k`.
    gradient_tails: Vec<f64>,
    /// `E‖w‖²` of the whole series `w`.
    gradient_square: f64,
}

/// Numbers in [`MeasuredSeries::numbers`].
pub(crate) const NUMBERS: usize = 2 * TERMS + 2;

impl MeasuredSeries {
    /// From two independent probes of every sample.
    pub fn of(probes: [Tensor<4>; 2], n_exact: usize, products: &Products) -> Self {
        let [first, second] = probes.map(|probe| Chain::of(probe, n_exact, products));
        let samples = first.sums.len() as f64;
        let spread = first.sums.iter().zip(&second.sums).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
        Self {
            value_tails: mean(&first.value_tails, &second.value_tails),
            value_variance: 0.5 * spread / samples,
            gradient_tails: mean(&first.gradient_tails, &second.gradient_tails),
            gradient_square: 0.5 * (first.gradient_square + second.gradient_square),
        }
    }

    /// All numbers, whose means over batches are those of all batches.
    pub fn numbers(&self) -> Vec<f64> {
        let Self { value_tails, value_variance, gradient_tails, gradient_square } = self;
        [value_tails.as_slice(), &[*value_variance], gradient_tails, &[*gradient_square]].concat()
    }

    /// From [`NUMBERS`] numbers.
    pub fn of_numbers(numbers: &[f64]) -> Self {
        let (value_tails, gradient_tails) = (numbers[..TERMS].to_vec(), numbers[TERMS + 1..NUMBERS - 1].to_vec());
        let (value_variance, gradient_square) = (numbers[TERMS], numbers[NUMBERS - 1]);
        Self { value_tails, value_variance, gradient_tails, gradient_square }
    }
}

/// What one probe of each sample shows.
struct Chain {
    value_tails: Vec<f64>,
    /// Of each sample, the whole series.
    sums: Vec<f64>,
    gradient_tails: Vec<f64>,
    gradient_square: f64,
}

impl Chain {
    fn of(probe: Tensor<4>, n_exact: usize, products: &Products) -> Self {
        let (n, determinant) = (n_exact + TERMS, products.determinant);
        let samples = probe.dims()[0];
        let dot = |a: &Tensor<4>, b: &Tensor<4>| -> Tensor<1> { (a.clone() * b.clone()).sum_dims_squeeze(&[1, 2, 3]) };
        let mut vectors = Vec::with_capacity(n);
        let mut u = probe.clone();
        for _ in 0..n {
            u = (products.vjp)(u);
            vectors.push(u.clone());
        }
        let traces: Tensor<2> = Tensor::stack(vectors.iter().map(|u| dot(u, &probe)).collect(), 0);
        let traces = to_doubles(traces);
        let term = |index: usize, sample: usize| determinant.weight(index + 1) * traces[index * samples + sample];
        let mut tails = vec![0.0; samples];
        let mut value_tails: Vec<f64> = Vec::with_capacity(TERMS);
        for index in (n_exact..n).rev() {
            tails.iter_mut().enumerate().for_each(|(sample, tail)| *tail += term(index, sample));
            value_tails.push(tails.iter().map(|tail| tail * tail).sum::<f64>() / samples as f64);
        }
        value_tails.reverse();
        let sums = (0..samples).map(|sample| tails[sample] + (0..n_exact).map(|index| term(index, sample)).sum::<f64>());

        let mut tail = probe.zeros_like();
        let mut squares: Vec<Tensor<1>> = Vec::with_capacity(TERMS + 1);
        for (index, u) in vectors.iter().enumerate().rev() {
            tail = tail + u.clone() * determinant.slope_weight(index + 1);
            if index >= n_exact {
                squares.push(dot(&tail, &tail).mean());
            }
        }
        let whole = tail + probe * determinant.slope_weight(0);
        squares.push(dot(&whole, &whole).mean());
        let mut squares = to_doubles(Tensor::cat(squares, 0));
        let gradient_square = squares.pop().expect("the whole series");
        squares.reverse();
        Self { value_tails, sums: sums.collect(), gradient_tails: squares, gradient_square }
    }
}

/// Passes through a branch that a value takes besides its products: the forward pass.
const PASSES_OF_VALUE: f64 = 1.0;
/// Passes that a gradient takes besides: see [`crate::ResidualFlow::pass_flops`].
const PASSES_OF_GRADIENT: f64 = 7.0;

/// The best roulettes of all layers' values together, whose sum is the estimate; `costs` are those of a pass through each.
pub(crate) fn fit_values(layers: &[MeasuredSeries], costs: &[f64], n_exact: usize) -> Vec<FittedSurvival> {
    let series: Vec<RouletteTerms> =
        layers.iter().zip(costs).map(|(layer, &cost)| RouletteTerms { gains: gains(&layer.value_tails), cost }).collect();
    let besides = Besides {
        variance: layers.iter().map(|layer| layer.value_variance - layer.value_tails[0]).sum(),
        cost: costs.iter().sum::<f64>() * (n_exact as f64 + PASSES_OF_VALUE),
    };
    survival_probabilities(&series, besides).iter().map(|best| FittedSurvival::new(best)).collect()
}

/// The best roulette of one layer's gradient. Its vectors stand for it: derivatives `∂⟨w, J v⟩` in directions of which none is
/// preferred have variances in proportion to `‖w‖²`.
pub(crate) fn fit_gradient(layer: &MeasuredSeries, n_exact: usize) -> FittedSurvival {
    let series = [RouletteTerms { gains: gains(&layer.gradient_tails), cost: 1.0 }];
    let besides =
        Besides { variance: layer.gradient_square - layer.gradient_tails[0], cost: n_exact as f64 + PASSES_OF_GRADIENT };
    FittedSurvival::new(&survival_probabilities(&series, besides)[0])
}

/// `E[R_m²] - E[R_{m+1}²]`
fn gains(tails: &[f64]) -> Vec<f64> {
    let after = tails.iter().skip(1).chain([&0.0]);
    tails.iter().zip(after).map(|(tail, after)| tail - after).collect()
}
