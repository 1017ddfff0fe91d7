//! Images as the rows of a matrix, for layers that mix or scale a pixel's channels, or all of an image's elements.

use burn::tensor::Tensor;

/// What such a layer acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The channels of every pixel alike.
    Pixel,
    /// All elements of an image, channels first.
    Image,
}

impl Scope {
    /// How many times the layer acts on an image.
    pub fn repeats(self, [_, _, h, w]: [usize; 4]) -> f64 {
        if self == Scope::Pixel { (h * w) as f64 } else { 1.0 }
    }

    /// A batch of images `[batch, channels, height, width]` as `[rows, size]`.
    pub fn rows(self, x: Tensor<4>) -> Tensor<2> {
        let [b, c, h, w] = x.dims();
        match self {
            Scope::Pixel => x.permute([0, 2, 3, 1]).reshape([b * h * w, c]),
            Scope::Image => x.reshape([b, c * h * w]),
        }
    }

    /// Back to images of these dimensions.
    pub fn images(self, rows: Tensor<2>, dims: [usize; 4]) -> Tensor<4> {
        let [b, c, h, w] = dims;
        match self {
            Scope::Pixel => rows.reshape([b, h, w, c]).permute([0, 3, 1, 2]),
            Scope::Image => rows.reshape(dims),
        }
    }

    /// The sum over everything that one value of [`Self::broadcast`] meets, `[size]`.
    pub fn sums(self, x: Tensor<4>) -> Tensor<1> {
        match self {
            Scope::Pixel => x.sum_dims_squeeze(&[0, 2, 3]),
            Scope::Image => x.sum_dim(0).flatten(0, 3),
        }
    }

    /// The same sum in each sample, `[batch, size]`.
    pub fn sums_of_samples(self, x: Tensor<4>) -> Tensor<2> {
        match self {
            Scope::Pixel => x.sum_dims_squeeze(&[2, 3]),
            Scope::Image => x.flatten(1, 3),
        }
    }

    /// One value for each element that the layer acts on, of all samples or of each, `[1 or batch, size]`, in a shape that
    /// broadcasts over images.
    pub fn broadcast(self, values: Tensor<2>, [_, c, h, w]: [usize; 4]) -> Tensor<4> {
        let samples = values.dims()[0];
        match self {
            Scope::Pixel => values.reshape([samples, c, 1, 1]),
            Scope::Image => values.reshape([samples, c, h, w]),
        }
    }
}
