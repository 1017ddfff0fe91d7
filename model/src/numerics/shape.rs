//! Points and images: what users have as `[n, dimensions]` is inside of the crate a batch of images of one pixel.

use crate::error::{ModelError, Result};
use burn::tensor::Tensor;

/// A batch of images of this shape, from one of rank 4, or from points `[n, dimensions]` where images have one pixel.
///
/// # Errors
/// If the batch has another shape.
pub(crate) fn as_images<const D: usize>(what: &'static str, x: Tensor<D>, shape: [usize; 3]) -> Result<Tensor<4>> {
    let ([c, h, w], dims) = (shape, x.dims());
    let is_point = [h, w] == [1, 1];
    match dims[..] {
        [n, channels, height, width] if [channels, height, width] == shape => Ok(x.reshape([n, c, h, w])),
        [n, dimensions] if is_point && dimensions == c => Ok(x.reshape([n, c, 1, 1])),
        _ => {
            let expected = if is_point { format!("[n, {c}] or [n, {c}, 1, 1]") } else { format!("[n, {c}, {h}, {w}]") };
            Err(ModelError::Shape { what, expected, got: dims.to_vec() })
        }
    }
}

/// Back to the rank that the user has: 4, or 2 with all elements of an image in a row.
///
/// # Errors
/// If the rank is another.
pub(crate) fn from_images<const D: usize>(x: Tensor<4>) -> Result<Tensor<D>> {
    let [n, c, h, w] = x.dims();
    let shape = match D {
        2 => vec![n, c * h * w],
        4 => vec![n, c, h, w],
        _ => {
            let expected = "rank 2 for points, or rank 4 for images".into();
            return Err(ModelError::Shape { what: "the result", expected, got: vec![D] });
        }
    };
    Ok(x.reshape::<D, [usize; D]>(shape.try_into().expect("as many dimensions as the rank")))
}
