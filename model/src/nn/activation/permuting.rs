//! Activations that let channels change places: their derivative is a permutation.

use burn::tensor::{Int, Tensor};

/// A permutation of the channels of each pixel, channels last.
#[derive(Clone)]
pub(crate) struct Permutation {
    /// Which channel comes to each place.
    from: Tensor<4, Int>,
    /// To which place each channel goes.
    to: Tensor<4, Int>,
}

impl Permutation {
    /// What brings the channels into ascending order.
    pub fn sort(a: Tensor<4>) -> Self {
        Self::new(a.argsort(3))
    }

    /// What brings the larger of each pair of neighbouring channels to the front half, and the smaller to the back half.
    pub fn max_min(a: Tensor<4>) -> Self {
        let [b, h, w, c] = a.dims();
        let pairs = a.reshape([b * h * w, c / 2, 2]);
        let first = Tensor::<1, Int>::arange_step(0..c as i64, 2, &pairs.device()).reshape([1, c / 2, 1]);
        let larger = pairs.argmax(2) + first.clone();
        let smaller = larger.clone().neg() + first * 2 + 1;
        Self::new(Tensor::cat(vec![larger, smaller], 1).reshape([b, h, w, c]))
    }

    fn new(from: Tensor<4, Int>) -> Self {
        Self { to: from.clone().argsort(3), from }
    }

    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        x.gather(3, self.from.clone())
    }

    pub fn undo(&self, x: Tensor<4>) -> Tensor<4> {
        x.gather(3, self.to.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::tensor::to_vec;
    use burn::tensor::Device;

    #[test]
    fn channels_are_ordered_and_brought_back() {
        let a = Tensor::<4>::from_floats([[[[3.0, -1.0, 0.5, 2.0], [1.0, 2.0, 4.0, -3.0]]]], &Device::flex());
        let sort = Permutation::sort(a.clone());
        assert_eq!(to_vec(sort.apply(a.clone())), [-1.0, 0.5, 2.0, 3.0, -3.0, 1.0, 2.0, 4.0]);
        let max_min = Permutation::max_min(a.clone());
        assert_eq!(to_vec(max_min.apply(a.clone())), [3.0, 2.0, -1.0, 0.5, 2.0, 4.0, 1.0, -3.0]);
        for permutation in [sort, max_min] {
            assert_eq!(to_vec(permutation.undo(permutation.apply(a.clone()))), to_vec(a.clone()));
        }
    }
}
