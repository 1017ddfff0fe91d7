//! A convolution as the linear map whose norm is bounded, seen from the side of the singular vector that is kept.

use crate::numerics::convolution::{Convolution, Form};
use crate::numerics::tensor::{Values, from_doubles, from_vec, to_doubles, values};
use burn::tensor::{Device, Tensor};
use flow_kernels::{NarrowMap, SharedValues, Side};

/// `A = W` where the kept vector is the right one, `A = Wᵀ` where it is the left one.
///
/// Images are `[1, height, width, channels]`. On the CPU, `A x` is never in memory as a whole.
pub(super) struct SpectralMap {
    pub convolution: Convolution,
    fused: Option<NarrowMap>,
}

impl SpectralMap {
    /// For a weight `[out, in, k, k]` on images of this height and width.
    pub fn new(form: Form, weight: Tensor<4>, [height, width]: [usize; 2]) -> Self {
        let (shape, convolution) = (weight.dims(), Convolution::new(form, weight));
        let fused = (convolution.weight.device() == Device::flex()).then(|| {
            let side = match form {
                Form::Unfold => Side::Input,
                Form::Fold => Side::Output,
            };
            NarrowMap::new(side, SharedValues::new(values(convolution.weight.clone())), shape, [height, width])
        });
        Self { convolution, fused }
    }

    /// The same map in double precision, on the host.
    pub fn in_double_precision(&self) -> Self {
        let weight = &self.convolution.weight;
        let weight = from_doubles(to_doubles(weight.clone()), weight.dims());
        Self { convolution: Convolution::new(self.convolution.form, weight), fused: None }
    }

    /// `A x`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        match self.convolution.form {
            Form::Unfold => self.convolution.apply(x),
            Form::Fold => self.convolution.apply_transposed(x),
        }
    }

    /// `Aᵀ y`.
    pub fn apply_transposed(&self, y: Tensor<4>) -> Tensor<4> {
        match self.convolution.form {
            Form::Unfold => self.convolution.apply_transposed(y),
            Form::Fold => self.convolution.apply(y),
        }
    }

    /// `‖A x‖`, `[1]`.
    pub fn length(&self, x: Tensor<4>) -> Tensor<1> {
        match &self.fused {
            Some(map) => {
                let device = x.device();
                scalar(map.squares(&channels_first(x)).sqrt(), &device)
            }
            None => self.apply(x).square().sum().sqrt(),
        }
    }

    /// `Aᵀ A x` and `‖A x‖`, `[1]`.
    pub fn gram(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<1>) {
        match &self.fused {
            Some(map) => {
                let ([_, h, w, c], device) = (x.dims(), x.device());
                let (product, squares) = map.gram(&channels_first(x));
                (from_vec(product, [1, c, h, w], &device).permute([0, 2, 3, 1]), scalar(squares.sqrt(), &device))
            }
            None => {
                let image = self.apply(x);
                let length = image.clone().square().sum().sqrt();
                (self.apply_transposed(image), length)
            }
        }
    }

    /// `‖A x‖` and its gradient by the weight, `[out, in, k, k]`.
    pub fn length_and_gradient(&self, x: Tensor<4>) -> (Tensor<1>, Tensor<4>) {
        let image = self.apply(x.clone());
        let length = image.clone().square().sum().sqrt();
        let unit = image / length.clone().clamp_min(f32::MIN_POSITIVE).reshape([1, 1, 1, 1]);
        (length, self.product_gradient(x, unit))
    }

    /// From the gradient by `W / max(1, σ/c)` with `σ = ‖A x‖` the one by `W`, `[out, in, k, k]`, where the map has a kernel for
    /// it.
    pub fn pull_bound(&self, x: &Tensor<4>, bound: f64, gradient: &Tensor<4>) -> Option<Tensor<4>> {
        let pulled = self.fused.as_ref()?.pull_bound(&channels_first(x.clone()), bound, &values(gradient.clone()));
        Some(from_vec(pulled, gradient.dims(), &gradient.device()))
    }

    /// The gradient of `⟨y, A x⟩` by the weight, `[out, in, k, k]`.
    pub fn product_gradient(&self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        match self.convolution.form {
            Form::Unfold => self.convolution.weight_gradient(x, y),
            Form::Fold => self.convolution.weight_gradient(y, x),
        }
    }
}

fn channels_first(x: Tensor<4>) -> Values {
    values(x.permute([0, 3, 1, 2]))
}

fn scalar(value: f64, device: &Device) -> Tensor<1> {
    from_vec(vec![value as f32], [1], device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::randomness::{NoiseKey, gaussian};
    use crate::numerics::tensor::to_vec;

    /// The fused products against those in tensor operations, on more and fewer pixels than a block of rows.
    #[test]
    fn both_paths_agree() {
        let device = Device::flex();
        let mut rng = NoiseKey::new(4, [0, 0]).stream(0);
        let cases = [
            (Form::Unfold, [7, 3, 3, 3], [5, 4]),
            (Form::Fold, [3, 9, 5, 5], [6, 7]),
            (Form::Fold, [2, 8, 3, 3], [40, 33]),
            (Form::Fold, [2, 24, 3, 3], [40, 33]),
            (Form::Unfold, [30, 2, 3, 3], [5, 4]),
            (Form::Unfold, [6, 5, 1, 1], [1, 1]),
        ];
        for (form, weight, image) in cases {
            let fused = SpectralMap::new(form, gaussian(weight, &mut rng, &device), image);
            assert!(fused.fused.is_some());
            let general = SpectralMap { convolution: Convolution::new(form, fused.convolution.weight.clone()), fused: None };
            let channels = if form == Form::Unfold { weight[1] } else { weight[0] };
            let x = gaussian([1, image[0], image[1], channels], &mut rng, &device);
            let close = |a: Vec<f32>, b: Vec<f32>| {
                let scale = b.iter().fold(0f32, |max, value| max.max(value.abs()));
                assert!(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5 * scale), "{form:?} {weight:?}");
            };
            let ((a, length), (b, length_too)) = (fused.gram(x.clone()), general.gram(x.clone()));
            close(to_vec(a), to_vec(b));
            let length = to_vec(length);
            close(length.clone(), to_vec(length_too));
            close(to_vec(fused.length(x.clone())), length);
            let gradient: Tensor<4> = gaussian(weight, &mut rng, &device);
            let length = f64::from(to_vec(fused.length(x.clone()))[0]);
            let pulled = |bound| to_vec(fused.pull_bound(&x, bound, &gradient).expect("the CPU has a kernel for it"));
            assert_eq!(pulled(1.1 * length), to_vec(gradient.clone()), "the bound does not act");
            let (factor, bound) = (2.0, length / 2.0);
            let along = f64::from(to_vec((gradient.clone() * general.convolution.weight.clone()).sum())[0]);
            let of_length = general.length_and_gradient(x.clone()).1;
            close(pulled(bound), to_vec(gradient.clone() / factor - of_length * (along / (factor * factor * bound))));
        }
    }
}
