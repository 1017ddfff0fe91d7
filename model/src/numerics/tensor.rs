//! Numbers in and out of tensors.

use burn::backend::Flex;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_flex::FlexTensor;
use std::ops::Deref;
use std::sync::Arc;

/// What [`values`] returns.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// In the tensor's own memory.
    Own(FlexTensor),
    /// A copy.
    Read(Arc<[f32]>),
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Values::Own(tensor) => tensor.as_slice().expect("it was made contiguous and of f32"),
            Values::Read(values) => values,
        }
    }
}

impl AsRef<[f32]> for Values {
    fn as_ref(&self) -> &[f32] {
        self
    }
}

/// The values of a tensor, row-major, to be read only: nothing is copied on the CPU where they lie so.
///
/// # Panics
/// If the device fails.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Values {
    if tensor.dtype() == DType::F32
        && let Ok(tensor) = tensor.clone().try_into_primitive::<Flex>()
    {
        return Values::Own(tensor.to_contiguous());
    }
    Values::Read(to_vec(tensor).into())
}

/// The values of a tensor, row-major.
///
/// # Panics
/// If the device fails.
pub(crate) fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    #[cfg(test)]
    READS.set(READS.get() + 1);
    tensor.try_into_vec_as::<f32>().expect("a float tensor can be read as f32")
}

/// A tensor of these values.
pub(crate) fn from_vec<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The first of some rows of this length, one after the other, in which a number is not finite.
pub(crate) fn first_not_finite(values: &[f32], row: usize) -> Option<usize> {
    values.iter().position(|value| !value.is_finite()).map(|at| at / row.max(1))
}

/// The first sample of a batch in which a number is not finite.
pub(crate) fn first_broken_sample<const D: usize>(tensor: &Tensor<D>) -> Option<usize> {
    let row = tensor.dims()[1..].iter().product();
    first_not_finite(&values(tensor.clone()), row)
}

/// The values of a tensor in double precision, row-major.
///
/// # Panics
/// If the device fails.
pub(crate) fn to_doubles<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    #[cfg(test)]
    READS.set(READS.get() + 1);
    tensor.try_into_vec_as::<f64>().expect("a float tensor can be read as f64")
}

/// A tensor of these values in double precision, on the host.
pub(crate) fn from_doubles<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

/// The mean over batch and pixels of `[batch, channels, height, width]`, `[channels]`.
pub(crate) fn channel_means(x: Tensor<4>) -> Tensor<1> {
    let [b, _, h, w] = x.dims();
    x.sum_dims_squeeze(&[0, 2, 3]) / (b * h * w) as f64
}

#[cfg(test)]
thread_local! {
    static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many tensors this thread has read.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn reads() -> usize {
    READS.get()
}
