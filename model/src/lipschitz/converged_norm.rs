//! Induced norms converged to single precision, by iterations in double precision on the host: for models whose numbers are
//! compared with another program's.
//!
//! In single precision `‖A x‖` stops changing before singular values are separated that differ by less than a thousandth.

use super::lanczos::{self, Unconverged};
use super::norm_order::NormPair;
use super::spectral_map::SpectralMap;
use super::vector_norm::{aligned, norm, scaled};
use crate::numerics::randomness::{NoiseKey, gaussian};
use crate::numerics::tensor::{from_doubles, from_vec, to_doubles};
use burn::tensor::Tensor;

/// Relative change of the norm in one iteration below which Boyd's iteration stops.
const TOL: f64 = 1e-12;
const MAX_ITERATIONS: usize = 50_000;

/// The `x` with `‖x‖_r = 1` for which `‖A x‖_s` is largest, for the pair `r → s`. For other norms than the spectral one, the
/// local maximum that the iteration finds from the start.
///
/// # Errors
/// If the iteration does not converge.
pub(super) fn maximizer(map: &SpectralMap, pair: NormPair, start: Tensor<4>) -> Result<Tensor<4>, Unconverged> {
    let (dims, device) = (start.dims(), start.device());
    let map = map.in_double_precision();
    let best = if pair == NormPair::SPECTRAL {
        lanczos::top_eigenvector(unprejudiced(start), product_with_transposed(&map, dims))?
    } else {
        boyd(&map, pair, to_doubles(start), dims)?
    };
    Ok(from_vec(best.into_iter().map(|value| value as f32).collect(), dims, &device))
}

/// The start with some noise: it may lack the direction that is looked for.
fn unprejudiced(start: Tensor<4>) -> Vec<f64> {
    let size = start.clone().square().mean().sqrt().reshape([1, 1, 1, 1]).clamp_min(f32::MIN_POSITIVE);
    let noise = gaussian(start.dims(), &mut NoiseKey::new(0, [0, 0]).stream(0), &start.device());
    to_doubles(start + noise * size * 0.1)
}

/// `x ↦ Aᵀ A x`, through the Gram matrix of the side where taps are unfolded if that is the narrow one.
fn product_with_transposed(map: &SpectralMap, dims: [usize; 4]) -> impl Fn(&[f64]) -> Vec<f64> {
    let gram = map.convolution.gram();
    move |x| {
        let x = from_doubles(x.to_vec(), dims);
        to_doubles(match &gram {
            Some(gram) => map.convolution.apply_gram(gram, x),
            None => map.apply_transposed(map.apply(x)),
        })
    }
}

/// Boyd's iteration, see [`InducedNorm`](super::induced_norm::InducedNorm).
fn boyd(map: &SpectralMap, pair: NormPair, start: Vec<f64>, dims: [usize; 4]) -> Result<Vec<f64>, Unconverged> {
    let mut x = scaled(&start, pair.domain);
    let (mut length, mut change) = (0.0, f64::INFINITY);
    for _ in 0..MAX_ITERATIONS {
        let image = map.apply(from_doubles(x.clone(), dims));
        let (values, wide) = (to_doubles(image.clone()), image.dims());
        let before = length;
        length = norm(&values, pair.codomain);
        change = (length - before).abs() / length.max(f64::MIN_POSITIVE);
        if change <= TOL {
            return Ok(x);
        }
        let opposite = aligned(&values, pair.codomain.dual());
        x = aligned(&to_doubles(map.apply_transposed(from_doubles(opposite, wide))), pair.domain);
    }
    Err(Unconverged { iterations: MAX_ITERATIONS, change })
}
