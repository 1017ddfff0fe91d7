//! numpy's arrays, taken as they lie in memory.

use anyhow::{Context, Result, bail, ensure};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{Element, PyArrayDyn, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use std::borrow::Cow;
use train::data::kind::DataKind;
use train::scoring::array_model::{ArrayModel, Inputs};
use train::scoring::arrays::Array;

/// An array of real numbers, row-major: the package has seen to that.
#[derive(FromPyObject)]
pub enum Numbers<'py> {
    /// float32.
    Single(PyReadonlyArrayDyn<'py, f32>),
    /// float64.
    Double(PyReadonlyArrayDyn<'py, f64>),
}

/// What is in one, without the interpreter's lock.
pub struct View<'a> {
    /// Length of each dimension.
    pub shape: &'a [usize],
    values: Values<'a>,
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Single(&'a [f32]),
    Double(&'a [f64]),
}

impl Numbers<'_> {
    /// What is in it, where it lies.
    ///
    /// # Errors
    /// If it is not row-major.
    pub fn view(&self) -> Result<View<'_>> {
        Ok(match self {
            Self::Single(array) => View { shape: array.shape(), values: Values::Single(slice(array)?) },
            Self::Double(array) => View { shape: array.shape(), values: Values::Double(slice(array)?) },
        })
    }
}

/// The elements of a row-major array.
///
/// # Errors
/// If it is not row-major.
pub fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>) -> Result<&'a [T]> {
    ensure!(array.is_c_contiguous(), "the array is not row-major; pass numpy.ascontiguousarray of it");
    array.as_slice().context("the array has gaps; pass numpy.ascontiguousarray of it")
}

impl<'a> View<'a> {
    /// What a model is applied to, with its shape checked: images without a copy if they are float32.
    ///
    /// # Errors
    /// If the array has another shape than the model's samples, with both; or points are not finite.
    pub fn inputs(&self, model: &ArrayModel) -> Result<Inputs<'a>> {
        match model.kind() {
            DataKind::Images { .. } => Ok(Inputs::Images { shape: self.shape.to_vec(), values: self.single() }),
            DataKind::Points(kind) => {
                let d = model.dimensions();
                let fits = matches!(self.shape, [_, columns] | [_, columns, 1, 1] if *columns == d);
                ensure!(fits, "the shape is {:?}, expected [n, {d}]", self.shape);
                let values = self.double();
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    bail!("row {}, column {} is {}, expected finite numbers", at / d, at % d, values[at]);
                }
                Ok(Inputs::Points(kind.table(values)))
            }
        }
    }

    /// An array of its own in single precision.
    pub fn array(&self) -> Array {
        Array { shape: self.shape.to_vec(), values: self.single().into_owned() }
    }

    fn single(&self) -> Cow<'a, [f32]> {
        match self.values {
            Values::Single(values) => values.into(),
            Values::Double(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    /// The numbers in double precision.
    pub fn double(&self) -> Vec<f64> {
        match self.values {
            Values::Single(values) => values.iter().copied().map(f64::from).collect(),
            Values::Double(values) => values.to_vec(),
        }
    }
}

/// An array that takes the numbers as they are, without a copy.
///
/// # Errors
/// If there are not as many as the shape says.
pub fn to_numpy<T: Element>(py: Python<'_>, Array { shape, values }: Array<T>) -> PyResult<Bound<'_, PyArrayDyn<T>>> {
    let array = ArrayD::from_shape_vec(IxDyn(&shape), values);
    let array = array.context("an array of another size than its shape").map_err(crate::errors::exception)?;
    Ok(PyArrayDyn::from_owned_array(py, array))
}

/// What a model gives: float32 of images, float64 of points.
///
/// # Errors
/// As [`to_numpy`].
pub fn outputs<'py>(py: Python<'py>, outputs: Inputs) -> PyResult<Bound<'py, PyAny>> {
    match outputs {
        Inputs::Images { shape, values } => Ok(to_numpy(py, Array { shape, values: values.into_owned() })?.into_any()),
        Inputs::Points(points) => {
            let shape = vec![points.len(), points.dimensions()];
            Ok(to_numpy(py, Array { shape, values: points.values().to_vec() })?.into_any())
        }
    }
}
