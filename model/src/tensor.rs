//! Numbers in and out of tensors.

use burn::tensor::{DType, Device, Tensor, TensorData};

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

#[cfg(test)]
thread_local! {
    static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many tensors this thread has read.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn reads() -> usize {
    READS.get()
}
