//! Inverting `y = x + g(x)`: the fixed point of `x ↦ y - g(x)`, by Anderson-accelerated iteration.

use super::limits::{MOST_ITERATIONS, require, whole};
use super::tensor::{first_not_finite, from_vec, values};
use crate::error::Result;
use crate::monitor::Monitor;
use burn::tensor::Tensor;
use flow_kernels::inner_product;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// When the iteration stops, and how it is accelerated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FixedPoint {
    /// A sample is done when the estimated error of its solution is at most this times `1 + max|y|`. Below 1e-8, single precision
    /// would not get there; above 0.1, nothing would be inverted.
    ///
    /// With `f(x) = y - g(x)`, the estimate is `min(1, θ/(1-θ)) max|f(x) - x|` (Hairer and Wanner, Solving Ordinary Differential
    /// Equations II, section IV.8), where the contraction `θ = max|Δf| / max|Δx|` is the larger of the last two; `f(x)` is the
    /// solution.
    #[schemars(range(min = TOLERANCES[0], max = TOLERANCES[1]))]
    pub tol: f32,
    /// Iterations at most. A sample that is not done by then is an error.
    #[schemars(range(min = 1, max = MOST_ITERATIONS), extend("x-unit" = "iterations"))]
    pub max_iters: usize,
    /// Earlier iterates that Anderson's acceleration combines the next one from. 0 is the plain Banach iteration.
    #[schemars(range(min = 0, max = MOST_EARLIER), extend("x-unit" = "iterates"))]
    pub anderson_window: usize,
}

impl Default for FixedPoint {
    fn default() -> Self {
        Self { tol: 1e-5, max_iters: 1000, anderson_window: 4 }
    }
}

/// What inverting residual layers took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InversionReport {
    /// Evaluations of residual branches, summed over layers and samples.
    pub branch_evaluations: usize,
    /// The most iterations that a layer took, and its path.
    pub most_iterations: usize,
    /// That layer's path in the model.
    pub slowest_layer: String,
}

/// A solution, or how far it is from one.
pub(crate) struct Solution {
    pub x: Tensor<4>,
    pub iterations: usize,
    /// Evaluations of `g`, summed over samples.
    pub evaluations: usize,
    /// Samples that did not reach the tolerance.
    pub failed: usize,
    /// Largest last movement among them.
    pub residual: f32,
    /// The first of them that is not finite, or where `g` is not, from the beginning.
    pub not_finite: Option<usize>,
}

/// Earlier iterates at the most.
const MOST_EARLIER: usize = 100;
/// Accepted tolerances.
const TOLERANCES: [f32; 2] = [1e-8, 0.1];

impl FixedPoint {
    /// For layers that solve an equation in their forward and backward passes: nearer to single precision than an inverse needs to
    /// be, since its errors add up over layers.
    pub const FORWARD: Self = Self { tol: 1e-6, max_iters: 1000, anderson_window: 4 };

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let [least, most] = TOLERANCES;
        let expected = format!("a number from {least:?} to {most}");
        require((least..=most).contains(&self.tol), "fixed_point.tol", &expected, format!("{:?}", self.tol))?;
        whole("fixed_point.max_iters", self.max_iters, 1..=MOST_ITERATIONS)?;
        whole("fixed_point.anderson_window", self.anderson_window, 0..=MOST_EARLIER)
    }

    /// [`solve_each`](Self::solve_each) where `g` is the same for all samples.
    #[cfg(test)]
    pub(crate) fn solve(&self, y: Tensor<4>, monitor: &Monitor, g: impl Fn(Tensor<4>) -> Tensor<4>) -> Solution {
        self.solve_each(y, monitor, |x, _| g(x))
    }

    /// The same where `g` has to see the whole batch, since it is another one for each sample.
    pub(crate) fn solve_together(&self, y: Tensor<4>, monitor: &Monitor, g: impl Fn(Tensor<4>) -> Tensor<4>) -> Solution {
        self.iterate(y, monitor, true, |x, _| g(x))
    }

    /// Solves for every sample by itself: the result does not depend on the others of the batch, and a sample that is
    /// done is not evaluated again: `g` is given the numbers of those that are. If the monitor stops it, samples that are not done
    /// have failed.
    pub(crate) fn solve_each(&self, y: Tensor<4>, monitor: &Monitor, g: impl Fn(Tensor<4>, &[usize]) -> Tensor<4>) -> Solution {
        self.iterate(y, monitor, false, g)
    }

    fn iterate(&self, y: Tensor<4>, monitor: &Monitor, together: bool, g: impl Fn(Tensor<4>, &[usize]) -> Tensor<4>) -> Solution {
        let (dims, device) = (y.dims(), y.device());
        let size = dims[1..].iter().product::<usize>();
        let y = values(y);
        let mut samples: Vec<Sample> = y.chunks_exact(size).map(|y| Sample::new(y, self)).collect();
        let (mut iterations, mut evaluations) = (0, 0);
        while iterations < self.max_iters && !monitor.is_stopped() {
            if !samples.iter().any(Sample::is_open) {
                break;
            }
            let numbered = samples.iter_mut().enumerate().filter(|(_, sample)| together || sample.is_open());
            let (numbers, mut open): (Vec<usize>, Vec<&mut Sample>) = numbered.unzip();
            let x = stacked(open.iter().map(|sample| &**sample));
            let g = values(g(from_vec(x, [open.len(), dims[1], dims[2], dims[3]], &device), &numbers));
            evaluations += open.len();
            iterations += 1;
            let evaluated = open.par_iter_mut().zip(g.par_chunks_exact(size));
            evaluated.filter(|(sample, _)| sample.is_open()).for_each(|(sample, g)| sample.advance(g, self.anderson_window));
        }
        let not_finite = samples.iter().position(|sample| sample.broken);
        let failed: Vec<&Sample> = samples.iter().filter(|sample| !sample.done).collect();
        let residual = failed.iter().map(|sample| sample.moved).fold(0.0, larger);
        let failed = failed.len();
        let x = from_vec(stacked(samples.iter()), dims, &device);
        Solution { x, iterations, evaluations, failed, residual, not_finite }
    }
}

/// All samples' iterates, one after the other.
fn stacked<'a>(samples: impl Iterator<Item = &'a Sample<'a>>) -> Vec<f32> {
    let iterates: Vec<&[f32]> = samples.map(|sample| sample.x.as_slice()).collect();
    iterates.concat()
}

/// One sample's iteration.
struct Sample<'a> {
    y: &'a [f32],
    /// The current iterate; the solution once `done`.
    x: Vec<f32>,
    limit: f32,
    done: bool,
    /// Whether `g` has been evaluated.
    begun: bool,
    /// Whether `y` is not finite, or `g(y)`: no iteration mends that.
    broken: bool,
    /// `max|f(x) - x|` at the last evaluation, `f(x) = y - g(x)`.
    moved: f32,
    /// `θ` of the last evaluation.
    contraction: f32,
    /// The smallest `‖f(x) - x‖²` since the last fall-back, and the `f(x)` it came with.
    best: Option<(f64, Vec<f32>)>,
    /// `f(x)` and `f(x) - x` of the last evaluations.
    history: VecDeque<(Vec<f32>, Vec<f32>)>,
}

impl<'a> Sample<'a> {
    fn new(y: &'a [f32], settings: &FixedPoint) -> Self {
        Self {
            y,
            x: y.to_vec(),
            limit: settings.tol * (1.0 + largest(y.iter().copied())),
            done: false,
            begun: false,
            broken: first_not_finite(y, y.len()).is_some(),
            moved: f32::INFINITY,
            contraction: 0.0,
            best: None,
            history: VecDeque::new(),
        }
    }

    /// Whether there is anything left to do.
    fn is_open(&self) -> bool {
        !self.done && !self.broken
    }

    /// Takes in `g` at the current iterate and moves on.
    fn advance(&mut self, g: &[f32], window: usize) {
        let f: Vec<f32> = self.y.iter().zip(g).map(|(y, g)| y - g).collect();
        let r: Vec<f32> = f.iter().zip(&self.x).map(|(f, x)| f - x).collect();
        self.moved = largest(r.iter().copied());
        let is_first = !std::mem::replace(&mut self.begun, true);
        if is_first && !self.moved.is_finite() {
            self.broken = true;
            return;
        }
        if self.estimated_error(&f) <= self.limit {
            self.x = f;
            self.done = true;
            return;
        }
        let squares = inner_product(&r, &r);
        match self.best.take() {
            // An extrapolation that led away: back to the plain step from the best point, which contracts.
            Some((best, from)) if squares.is_nan() || squares >= best => {
                self.x = from;
                self.history.clear();
            }
            _ => {
                self.best = Some((squares, f.clone()));
                self.history.push_back((f, r));
                if self.history.len() > window + 1 {
                    self.history.pop_front();
                }
                self.x = self.extrapolate();
            }
        }
    }

    /// What [`FixedPoint::tol`] bounds.
    fn estimated_error(&mut self, f: &[f32]) -> f32 {
        let Some((last, last_r)) = self.history.back() else { return self.moved };
        let outputs = largest(f.iter().zip(last).map(|(f, last)| f - last));
        let last_x = last.iter().zip(last_r).map(|(f, r)| f - r);
        let inputs = largest(self.x.iter().zip(last_x).map(|(x, last)| x - last));
        let before = std::mem::replace(&mut self.contraction, outputs / inputs);
        let theta = larger(before, self.contraction);
        if theta < 0.5 { theta / (1.0 - theta) * self.moved } else { self.moved }
    }

    /// `f_k - Σ γ_i (f_{i+1} - f_i)`, where `γ` minimises `‖r_k - Σ γ_i (r_{i+1} - r_i)‖`.
    fn extrapolate(&self) -> Vec<f32> {
        let Some((f, r)) = self.history.back() else { return self.x.clone() };
        let steps: Vec<[Vec<f32>; 2]> = self
            .history
            .iter()
            .zip(self.history.iter().skip(1))
            .map(|((f0, r0), (f1, r1))| [difference(f1, f0), difference(r1, r0)])
            .collect();
        let normal: Vec<Vec<f64>> = steps.iter().map(|[_, a]| steps.iter().map(|[_, b]| inner_product(a, b)).collect()).collect();
        let right: Vec<f64> = steps.iter().map(|[_, a]| inner_product(a, r)).collect();
        let mut next = f.clone();
        if let Some(weights) = solve_regularized(normal, right) {
            for ([df, _], weight) in steps.iter().zip(weights) {
                next.iter_mut().zip(df).for_each(|(next, df)| *next -= weight as f32 * df);
            }
        }
        next
    }
}

/// Solves a small symmetric system with a slightly raised diagonal by Gaussian elimination; `None` if it is singular.
fn solve_regularized(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for (i, row) in a.iter_mut().enumerate() {
        row[i] *= 1.0 + 1e-8;
    }
    for i in 0..n {
        let (head, below) = a[i..].split_first_mut()?;
        if !(head[i].is_normal() && head[i] > 0.0) {
            return None;
        }
        for (j, row) in below.iter_mut().enumerate() {
            let factor = row[i] / head[i];
            row.iter_mut().zip(head.iter()).for_each(|(value, head)| *value -= factor * head);
            b[i + 1 + j] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| a[i][j] * b[j]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b.iter().all(|value| value.is_finite()).then_some(b)
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The largest magnitude, NaN if there is one.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).fold(0.0, larger)
}

/// The larger of two numbers, NaN if either is.
fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::tensor::to_vec;
    use burn::tensor::Device;

    fn column(values: Vec<f32>) -> Tensor<4> {
        let n = values.len();
        from_vec(values, [1, n, 1, 1], &Device::flex())
    }

    /// `g(x) = A x` with eigenvalues up to 0.95 of both signs: plain iteration needs hundreds of steps.
    fn slow(x: Tensor<4>) -> Tensor<4> {
        let n = x.dims()[1];
        let scale = (0..n).map(|i| 0.95 * if i % 2 == 0 { 1.0 } else { -1.0 } * (1.0 - i as f32 / n as f32)).collect();
        x * column(scale)
    }

    #[test]
    fn acceleration_reaches_the_same_solution_in_fewer_evaluations() {
        let y = column((0..12).map(|i| (i as f32).sin()).collect());
        let plain = FixedPoint { tol: 1e-6, anderson_window: 0, ..Default::default() };
        let accelerated = FixedPoint { anderson_window: 4, ..plain };
        let monitor = Monitor::default();
        let (slow_way, fast_way) = (plain.solve(y.clone(), &monitor, slow), accelerated.solve(y.clone(), &monitor, slow));
        assert!(slow_way.failed == 0 && fast_way.failed == 0);
        assert!(fast_way.evaluations * 3 < slow_way.evaluations, "{} {}", fast_way.evaluations, slow_way.evaluations);
        for solution in [slow_way.x, fast_way.x] {
            let back = to_vec(solution.clone() + slow(solution));
            for (a, b) in back.iter().zip(to_vec(y.clone())) {
                assert!((a - b).abs() < 5e-6, "{a} {b}");
            }
        }
    }

    #[test]
    fn an_extrapolation_that_leads_away_is_taken_back() {
        // Kinks make differences of residuals useless for extrapolation; contraction with factor 0.9 remains.
        let kinked = |x: Tensor<4>| (x.clone() * 7.0).sin().abs() * (0.9 / 7.0) + x.abs() * 0.0;
        let y = column((0..40).map(|i| 3.0 * (i as f32 * 0.7).cos()).collect());
        let solver = FixedPoint { tol: 1e-6, ..Default::default() };
        let solution = solver.solve(y.clone(), &Monitor::default(), kinked);
        assert_eq!(solution.failed, 0);
        for (a, b) in to_vec(solution.x.clone() + kinked(solution.x)).iter().zip(to_vec(y)) {
            assert!((a - b).abs() < 2e-5, "{a} {b}");
        }
    }

    #[test]
    fn what_does_not_contract_fails() {
        let solver = FixedPoint { tol: 1e-5, max_iters: 30, anderson_window: 4 };
        let solution = solver.solve(column(vec![1.0, 2.0]), &Monitor::default(), |x| x.exp() * 3.0);
        assert_eq!((solution.failed, solution.iterations), (1, 30));
        let nan = solver.solve(column(vec![1.0, 2.0]), &Monitor::default(), |x| x * f32::NAN);
        assert!(nan.failed == 1 && nan.residual.is_nan() && nan.not_finite == Some(0) && nan.evaluations == 1);
        let of_nan =
            solver
                .solve(from_vec(vec![0.5, 1.0, f32::NAN, 0.1], [2, 2, 1, 1], &Device::flex()), &Monitor::default(), |x| x * 0.5);
        assert_eq!((of_nan.failed, of_nan.not_finite), (1, Some(1)), "the other sample is solved");
    }

    #[test]
    fn tolerances_that_mean_nothing_are_refused() {
        let message = |settings: FixedPoint| settings.validate().unwrap_err().to_string();
        for tol in [f32::NAN, f32::INFINITY, -1e-5, 0.0, 1e-40, 1e-9, 0.2] {
            let message = message(FixedPoint { tol, ..Default::default() });
            assert!(message.contains("fixed_point.tol") && message.contains("from 1e-8 to 0.1"), "{message}");
        }
        assert!(message(FixedPoint { max_iters: 0, ..Default::default() }).contains("fixed_point.max_iters"));
        assert!(message(FixedPoint { max_iters: usize::MAX, ..Default::default() }).contains("fixed_point.max_iters"));
        assert!(message(FixedPoint { anderson_window: usize::MAX, ..Default::default() }).contains("anderson_window"));
        for tol in [1e-8, 1e-5, 0.1] {
            assert!(FixedPoint { tol, ..Default::default() }.validate().is_ok());
        }
    }
}
