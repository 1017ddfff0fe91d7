//! The contract of a layer, for tests: whether its inverse, its log-determinant and its gradients belong to its forward map.
//!
//! The layers of this crate are tested by [`check_layer`], and so can yours be.

use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext};
use crate::gradients::Gradients;
use crate::io::state::{NamedTensor, StateError, named_tensors, with_tensors};
use crate::log_det::{LogDetConfig, LogDetDraw};
use crate::numerics::tensor::{from_vec, to_vec};
use crate::numerics::{FixedPoint, NoiseKey, gaussian};
use crate::parameters::visit_parameters;
use burn::tensor::Tensor;
use thiserror::Error;

/// How exactly a layer must keep its contract. The defaults are for layers in single precision whose outputs are of order 1.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tolerances {
    /// `|f⁻¹(f(x)) - x|` of every element, and the solver's tolerance.
    pub inverse: f32,
    /// Error of the log-determinant, nats.
    pub log_det: f64,
    /// Error of a gradient `g`, relative to `1 + |g|`.
    pub gradient: f64,
    /// Step of the finite differences of the numerical Jacobian.
    pub jacobian_step: f32,
    /// Step of the finite differences of gradients. 0: gradients are not compared, for layers with kinks, which differences
    /// step over.
    pub gradient_step: f32,
    /// Names of parameters, or parts of names, that have no gradient because they are not trained by the loss.
    pub constants: Vec<&'static str>,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self {
            inverse: 2e-5,
            log_det: 5e-3,
            gradient: 1e-2,
            jacobian_step: 5e-3,
            gradient_step: 4e-3,
            constants: vec![".vector", ".running_mean", ".orders."],
        }
    }
}

/// The part of its contract that a layer broke.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The layer failed.
    #[error(transparent)]
    Layer(#[from] ModelError),
    /// Its state cannot be put back.
    #[error(transparent)]
    State(#[from] StateError),
    /// Two results that must agree.
    #[error("{what}, number {index}: {got} for {want}")]
    Mismatch {
        /// What was compared.
        what: String,
        /// Position among the numbers compared.
        index: usize,
        /// What the layer says.
        got: f64,
        /// What it is.
        want: f64,
    },
    /// A parameter without gradient.
    #[error("parameter `{0}` has no gradient")]
    NoGradient(String),
}

/// Checks a layer at a batch `x` of any size: that
///
/// - `f⁻¹(f(x)) = x`,
/// - `forward_log_det` has the outputs of `forward`, and the log-determinant of the numerical Jacobian,
/// - `backward` and `pullback` give the gradients of finite differences, by `x` and by every element of every parameter,
///   with unequal weights of samples,
/// - the state is the same after it was read and put back.
///
/// Cost: two evaluations for each element of a sample and of the parameters; for small layers.
///
/// # Errors
/// Names what does not agree.
pub fn check_layer<const D: usize>(
    layer: &impl Flow<D>,
    x: &Tensor<D>,
    tolerances: &Tolerances,
) -> std::result::Result<(), ContractError> {
    check_inverse(layer, x, tolerances)?;
    check_log_det(layer, x, tolerances)?;
    if tolerances.gradient_step > 0.0 {
        check_gradients(layer, x, tolerances)?;
    }
    check_state(layer, x)
}

/// # Errors
/// If `f⁻¹(f(x))` is not `x`.
pub fn check_inverse<const D: usize>(
    layer: &impl Flow<D>,
    x: &Tensor<D>,
    tolerances: &Tolerances,
) -> std::result::Result<(), ContractError> {
    let solver = FixedPoint { tol: (tolerances.inverse / 20.0).max(1e-8), ..FixedPoint::default() };
    let z = layer.forward(x.clone())?;
    let back = layer.inverse(z, &solver, &LayerId::alone(), &mut Default::default())?;
    agree("the inverse of the output", &to_vec(back), &to_vec(x.clone()), |_| f64::from(tolerances.inverse))
}

/// # Errors
/// If the log-determinant is not that of the numerical Jacobian, or the outputs are not those of `forward`.
pub fn check_log_det<const D: usize>(
    layer: &impl Flow<D>,
    x: &Tensor<D>,
    tolerances: &Tolerances,
) -> std::result::Result<(), ContractError> {
    let (z, log_det) = exact(layer, x.clone())?;
    agree("the output with log-determinant", &z, &to_vec(layer.forward(x.clone())?), |_| 0.0)?;
    let want = numerical_log_dets(x, tolerances.jacobian_step, |x| layer.forward(x).map(to_vec))?;
    let want: Vec<f32> = want.into_iter().map(|value| value as f32).collect();
    agree("the log-determinant", &log_det, &want, |_| tolerances.log_det)
}

/// # Errors
/// If a gradient is not that of finite differences, or is missing.
pub fn check_gradients<const D: usize, L: Flow<D>>(
    layer: &L,
    x: &Tensor<D>,
    tolerances: &Tolerances,
) -> std::result::Result<(), ContractError> {
    let (step, device) = (tolerances.gradient_step, x.device());
    let z_bar = to_vec(gaussian(layer.forward(x.clone())?.dims(), &mut NoiseKey::new(8, [0, 0]).stream(0), &device));
    // Unequal, and of both signs: the log-determinant of each sample has its own weight.
    let weights: Vec<f32> = (0..x.dims()[0]).map(|sample| 1.0 - 1.4 * (sample % 2) as f32 + 0.1 * (sample / 2) as f32).collect();
    for with_log_det in [true, false] {
        let what = |of: &str| format!("the gradient of {of}{}", if with_log_det { "" } else { " without log-determinant" });
        let objective = |layer: &L, x: Tensor<D>| -> std::result::Result<f64, ContractError> {
            let (z, log_det) = if with_log_det { exact(layer, x)? } else { (to_vec(layer.forward(x)?), Vec::new()) };
            let of_z: f64 = z.iter().zip(&z_bar).map(|(z, bar)| f64::from(z * bar)).sum();
            Ok(of_z + log_det.iter().zip(&weights).map(|(l, w)| f64::from(l * w)).sum::<f64>())
        };
        let mut gradients = Gradients::new();
        let z_bar = from_vec(z_bar.clone(), layer.forward(x.clone())?.dims(), &device);
        let x_bar = if with_log_det {
            let weights = from_vec(weights.clone(), [weights.len()], &device);
            let draw = (layer.probes() > 0).then_some(LogDetDraw::Exact);
            layer.backward(x.clone(), z_bar, weights, draw, &mut gradients)?.0
        } else {
            layer.pullback(x.clone(), z_bar, &mut gradients)?
        };
        let tol = |want: f32| tolerances.gradient * (1.0 + f64::from(want.abs()));
        let difference = |up: f64, down: f64| ((up - down) / f64::from(2.0 * step)) as f32;
        let numbers = to_vec(x.clone());
        let moved = |index: usize, by: f32| {
            let mut numbers = numbers.clone();
            numbers[index] += by;
            from_vec(numbers, x.dims(), &device)
        };
        let want = (0..numbers.len())
            .map(|index| Ok(difference(objective(layer, moved(index, step))?, objective(layer, moved(index, -step))?)))
            .collect::<std::result::Result<Vec<f32>, ContractError>>()?;
        agree(&what("the input"), &to_vec(x_bar), &want, tol)?;

        let state = named_tensors(layer);
        for (name, gradient) in gradients_by_name(layer, &gradients) {
            if tolerances.constants.iter().any(|constant| format!(".{name}.").contains(constant)) {
                continue;
            }
            let gradient = gradient.ok_or_else(|| ContractError::NoGradient(name.clone()))?;
            let place = state.iter().position(|tensor| tensor.name == name);
            let place = place.ok_or_else(|| ContractError::NoGradient(name.clone()))?;
            let moved = |index: usize, by: f32| {
                let mut state = state.clone();
                state[place].values[index] += by;
                with_tensors(layer.clone(), state)
            };
            let want = (0..gradient.len())
                .map(|index| {
                    let (up, down) = (moved(index, step)?, moved(index, -step)?);
                    Ok(difference(objective(&up, x.clone())?, objective(&down, x.clone())?))
                })
                .collect::<std::result::Result<Vec<f32>, ContractError>>()?;
            agree(&what(&format!("`{name}`")), &gradient, &want, tol)?;
        }
    }
    Ok(())
}

/// # Errors
/// If the state is another after it was read and put back in the place of other numbers, or outputs are.
pub fn check_state<const D: usize>(layer: &impl Flow<D>, x: &Tensor<D>) -> std::result::Result<(), ContractError> {
    let state = named_tensors(layer);
    let blank = state.iter().map(|tensor| NamedTensor { values: vec![0.1; tensor.values.len()], ..tensor.clone() }).collect();
    let loaded = with_tensors(with_tensors(layer.clone(), blank)?, state.clone())?;
    for (got, want) in named_tensors(&loaded).iter().zip(&state) {
        agree(&format!("`{}` after it was put back", want.name), &got.values, &want.values, |_| 0.0)?;
    }
    let [got, want] = [loaded.forward(x.clone())?, layer.forward(x.clone())?].map(to_vec);
    agree("the output with the state put back", &got, &want, |_| 0.0)
}

/// `ln|det ∂f/∂x|` of every sample by central differences and elimination in double precision; `f` returns the values of a
/// batch, sample by sample.
///
/// # Errors
/// If `f` fails.
pub fn numerical_log_dets<const D: usize>(
    x: &Tensor<D>,
    step: f32,
    f: impl Fn(Tensor<D>) -> Result<Vec<f32>>,
) -> Result<Vec<f64>> {
    let (dims, numbers) = (x.dims(), to_vec(x.clone()));
    let size = dims[1..].iter().product::<usize>();
    let moved = |element: usize, by: f32| {
        let mut numbers = numbers.clone();
        numbers.iter_mut().skip(element).step_by(size).for_each(|value| *value += by);
        f(from_vec(numbers, dims, &x.device()))
    };
    // By columns: the transpose has the same determinant.
    let mut jacobians = vec![Vec::new(); dims[0]];
    for column in 0..size {
        let slopes = moved(column, step)?.into_iter().zip(moved(column, -step)?);
        let slopes: Vec<f64> = slopes.map(|(up, down)| f64::from(up - down) / f64::from(2.0 * step)).collect();
        jacobians.iter_mut().zip(slopes.chunks_exact(size)).for_each(|(jacobian, slopes)| jacobian.push(slopes.to_vec()));
    }
    Ok(jacobians.into_iter().map(log_abs_det).collect())
}

/// `ln|det A|` by Gaussian elimination, on purpose not by the code that is tested with it.
fn log_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut sum = 0.0;
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        sum += a[i][i].abs().ln();
        for j in i + 1..n {
            let factor = a[j][i] / a[i][i];
            let head = a[i].clone();
            a[j].iter_mut().zip(&head).for_each(|(value, head)| *value -= factor * head);
        }
    }
    sum
}

/// The outputs and the exact log-determinants.
fn exact<const D: usize>(layer: &impl Flow<D>, x: Tensor<D>) -> Result<(Vec<f32>, Vec<f32>)> {
    let (config, noise) = (LogDetConfig::exact(), NoiseKey::new(0, [0, 0]));
    let (z, log_det) = layer.forward_log_det(x, &LogDetContext { config: &config, noise }, &LayerId::alone())?;
    Ok((to_vec(z), to_vec(log_det)))
}

/// The gradient of every parameter, where there is one.
fn gradients_by_name<const D: usize>(layer: &impl Flow<D>, gradients: &Gradients) -> Vec<(String, Option<Vec<f32>>)> {
    let mut by_name = Vec::new();
    visit_parameters(layer, |name, parameter| {
        by_name.push((name.to_string(), parameter.flat_gradient(gradients).map(to_vec)));
    });
    by_name
}

/// # Errors
/// If two numbers differ by more than the tolerance of the second.
fn agree(what: &str, got: &[f32], want: &[f32], tol: impl Fn(f32) -> f64) -> std::result::Result<(), ContractError> {
    let mismatch = |index: usize, got: f64, want: f64| ContractError::Mismatch { what: what.into(), index, got, want };
    if got.len() != want.len() {
        return Err(mismatch(got.len().min(want.len()), got.len() as f64, want.len() as f64));
    }
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        let (a, b) = (f64::from(got), f64::from(want));
        // NaN agrees with nothing.
        let agrees = (a - b).abs() <= tol(want);
        if !agrees {
            return Err(mismatch(index, a, b));
        }
    }
    Ok(())
}
