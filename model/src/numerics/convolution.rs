//! A convolution (stride 1, zero padding, same size) as one matrix product.

use burn::tensor::{FloatDType, Tensor};
use std::sync::OnceLock;

/// On which side the `k²` taps stand: the narrow one costs least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `y = unfold(x) W` with `W` of shape `[k² in, out]`.
    Unfold,
    /// `y = fold(x W)` with `W` of shape `[in, k² out]`.
    Fold,
}

/// A convolution of images `[batch, height, width, channels]`, its weight divided by a number.
///
/// With taps `t`: `y[p, o] = Σ_{t, i} weight[o, i, t] x[p + t, i]`.
#[derive(Debug)]
pub(crate) struct Convolution {
    pub form: Form,
    /// Before the division, `[out, in, k, k]`.
    pub weight: Tensor<4>,
    /// `[1]`
    pub divisor: Option<Tensor<1>>,
    matrix: OnceLock<Tensor<2>>,
}

impl Convolution {
    /// From a weight `[out, in, k, k]`.
    pub fn new(form: Form, weight: Tensor<4>) -> Self {
        Self { form, weight, divisor: None, matrix: OnceLock::new() }
    }

    /// With its weight divided by a number, `[1]`.
    pub fn divided(self, divisor: Tensor<1>) -> Self {
        Self { divisor: Some(divisor), matrix: OnceLock::new(), ..self }
    }

    /// Its divided weight rounded to another type.
    pub fn rounded(&self, dtype: FloatDType) -> Self {
        Self::new(self.form, self.divided_weight().cast(dtype))
    }

    pub fn kernel(&self) -> usize {
        self.weight.dims()[2]
    }

    /// The weight after the division, `[out, in, k, k]`.
    pub fn divided_weight(&self) -> Tensor<4> {
        match &self.divisor {
            Some(divisor) => self.weight.clone() / divisor.clone().reshape([1, 1, 1, 1]),
            None => self.weight.clone(),
        }
    }

    /// The weight after the division in its form's layout.
    fn matrix(&self) -> Tensor<2> {
        let matrix = self.matrix.get_or_init(|| {
            let weight = self.divided_weight();
            let [c_out, c_in, kernel, _] = weight.dims();
            let taps = kernel * kernel;
            match self.form {
                Form::Unfold => weight.permute([2, 3, 1, 0]).reshape([taps * c_in, c_out]),
                Form::Fold => weight.permute([1, 2, 3, 0]).reshape([c_in, taps * c_out]),
            }
        });
        matrix.clone()
    }

    /// `y = W x`, without bias.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        match self.form {
            Form::Unfold => product(unfold(x, self.kernel(), 1), self.matrix()),
            Form::Fold => fold(product(x, self.matrix()), self.kernel(), 1),
        }
    }

    /// `x̄ = Wᵀ ȳ`.
    pub fn apply_transposed(&self, y_bar: Tensor<4>) -> Tensor<4> {
        let transposed = self.matrix().transpose();
        match self.form {
            Form::Unfold => fold(product(y_bar, transposed), self.kernel(), -1),
            Form::Fold => product(unfold(y_bar, self.kernel(), -1), transposed),
        }
    }

    /// The products of the weight's rows or columns that belong to taps: `W Wᵀ` of an unfolded convolution, else `Wᵀ W`,
    /// `[k² c, k² c]`; `None` where it is larger than the weight.
    pub fn gram(&self) -> Option<Tensor<2>> {
        let (weight, transposed) = (self.matrix(), self.matrix().transpose());
        let (by_taps, others) = match self.form {
            Form::Unfold => (weight, transposed),
            Form::Fold => (transposed, weight),
        };
        let [taps, channels] = by_taps.dims();
        (taps <= channels).then(|| by_taps.matmul(others))
    }

    /// `Wᵀ W x` of an unfolded convolution, else `W Wᵀ x`, by its [`gram`](Self::gram): nothing is as wide as the other side.
    pub fn apply_gram(&self, gram: &Tensor<2>, x: Tensor<4>) -> Tensor<4> {
        let sign = match self.form {
            Form::Unfold => 1,
            Form::Fold => -1,
        };
        fold(product(unfold(x, self.kernel(), sign), gram.clone()), self.kernel(), -sign)
    }

    /// The gradient of `⟨ȳ, W x⟩` by the divided weight, `[out, in, k, k]`.
    pub fn weight_gradient(&self, x: Tensor<4>, y_bar: Tensor<4>) -> Tensor<4> {
        let [c_out, c_in, k, _] = self.weight.dims();
        let (left, right) = match self.form {
            Form::Unfold => (unfold(x, k, 1), y_bar),
            Form::Fold => (x, unfold(y_bar, k, -1)),
        };
        let matrix = pixels(left).transpose().matmul(pixels(right));
        match self.form {
            Form::Unfold => matrix.reshape([k, k, c_in, c_out]).permute([3, 2, 0, 1]),
            Form::Fold => matrix.reshape([c_in, k, k, c_out]).permute([3, 0, 1, 2]),
        }
    }
}

/// `[batch, height, width, channels]` as `[pixels, channels]`.
fn pixels(x: Tensor<4>) -> Tensor<2> {
    let [b, h, w, c] = x.dims();
    x.reshape([b * h * w, c])
}

fn product(x: Tensor<4>, weight: Tensor<2>) -> Tensor<4> {
    let [b, h, w, _] = x.dims();
    let columns = weight.dims()[1];
    pixels(x).matmul(weight).reshape([b, h, w, columns])
}

/// `unfold(x)[p, (t, c)] = x[p + sign·t, c]`, taps in raster order, zeros outside.
fn unfold(x: Tensor<4>, kernel: usize, sign: i32) -> Tensor<4> {
    if kernel == 1 {
        return x;
    }
    let [b, h, w, _] = x.dims();
    let padded = pad(x, kernel / 2);
    let taps = offsets(kernel, sign).map(|(y, x)| padded.clone().slice([0..b, y..y + h, x..x + w]));
    Tensor::cat(taps.collect(), 3)
}

/// `fold(m)[p, c] = Σ_t m[p + sign·t, (t, c)]`.
fn fold(m: Tensor<4>, kernel: usize, sign: i32) -> Tensor<4> {
    if kernel == 1 {
        return m;
    }
    let [b, h, w, columns] = m.dims();
    let c = columns / (kernel * kernel);
    let padded = pad(m, kernel / 2);
    let taps =
        offsets(kernel, sign).enumerate().map(|(t, (y, x))| padded.clone().slice([0..b, y..y + h, x..x + w, t * c..(t + 1) * c]));
    taps.reduce(|sum, tap| sum + tap).expect("a kernel has at least one tap")
}

/// Where each tap's window starts in the padded image.
fn offsets(kernel: usize, sign: i32) -> impl Iterator<Item = (usize, usize)> {
    let place = move |tap: usize| if sign > 0 { tap } else { kernel - 1 - tap };
    (0..kernel).flat_map(move |y| (0..kernel).map(move |x| (place(y), place(x))))
}

fn pad(x: Tensor<4>, radius: usize) -> Tensor<4> {
    let [b, h, w, c] = x.dims();
    let padded = Tensor::zeros([b, h + 2 * radius, w + 2 * radius, c], (&x.device(), x.dtype()));
    padded.slice_assign([0..b, radius..radius + h, radius..radius + w, 0..c], x)
}
