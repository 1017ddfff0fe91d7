//! Arrays in numpy's `.npy` files: what is worked on beside Python comes in and goes out in them.

use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::io::input;
use datasets::io::npy::{check_header, without_long_suffixes};
use datasets::io::output::{self, Existing};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{ViewNpyError, ViewNpyExt, WritableElement, WriteNpyExt};
use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T = f32> {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<T>,
}

/// What arrays are computed with: single or double precision.
pub trait Real: WritableElement + Copy + Display {
    /// The nearest number of this type.
    fn from_double(value: f64) -> Self;
    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

impl Real for f32 {
    fn from_double(value: f64) -> Self {
        value as f32
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Real for f64 {
    fn from_double(value: f64) -> Self {
        value
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

/// Shape and converted elements of a file that holds one of these types.
macro_rules! view {
    ($bytes:expr, $convert:expr, $last:ty) => {
        ArrayViewD::<$last>::view_npy($bytes).map(|view| in_rows(&view, $convert))
    };
    ($bytes:expr, $convert:expr, $first:ty, $($more:ty),+) => {
        match ArrayViewD::<$first>::view_npy($bytes) {
            Err(ViewNpyError::WrongDescriptor(_)) => view!($bytes, $convert, $($more),+),
            found => found.map(|view| in_rows(&view, $convert)),
        }
    };
}

/// Reads an array of real numbers, float32 or float64.
///
/// # Errors
/// If the file cannot be read, holds another kind of numbers, is cut short, or a number is not finite in the precision that is
/// asked for.
pub fn read<T: Real>(path: &Path) -> Result<Array<T>> {
    let bytes = read_bytes(path)?;
    let read = view!(&bytes, real::<T, _>, f32, f64);
    let (shape, values) = read.map_err(|error| unusable(path, "float32 or float64", &error))?;
    if let Some(at) = values.iter().position(|value: &T| !value.is_finite()) {
        bail!("{}: element {at} is {}, expected finite numbers", path.display(), values[at]);
    }
    Ok(Array { shape, values })
}

/// Reads classes, whole numbers of any integer type, of shape `[n]`.
///
/// # Errors
/// If the file cannot be read, or holds anything else.
pub fn read_labels(path: &Path) -> Result<Vec<u32>> {
    let bytes = read_bytes(path)?;
    let read = view!(&bytes, i128::from, i64, i32, u8, u32, u64, u16, i16, i8);
    let (shape, labels) = read.map_err(|error| unusable(path, "an integer type", &error))?;
    ensure!(shape.len() == 1, "{}: labels have shape {shape:?}, expected [n]", path.display());
    let class = |(at, &label): (usize, &i128)| {
        u32::try_from(label).map_err(|_| anyhow!("{}: label {at} is {label}, expected numbers from 0 up", path.display()))
    };
    labels.iter().enumerate().map(class).collect()
}

/// Writes an array, as [`output::write`] does.
///
/// # Errors
/// If it cannot be written.
pub fn write<T: Real>(path: &Path, existing: Existing, array: Array<T>) -> Result<()> {
    let array = ArrayD::from_shape_vec(IxDyn(&array.shape), array.values).context("an array of another size than its shape")?;
    output::write(path, existing, |out| Ok(array.write_npy(out)?))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = input::read(path, u64::MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let changed = match without_long_suffixes(&bytes) {
        Cow::Owned(changed) => Some(changed),
        Cow::Borrowed(_) => None,
    };
    let bytes = changed.unwrap_or(bytes);
    check_header(&bytes)
        .with_context(|| format!("{} is not a whole .npy file; save it again with numpy.save", path.display()))?;
    Ok(bytes)
}

fn real<T: Real, S: Into<f64>>(value: S) -> T {
    T::from_double(value.into())
}

fn in_rows<T: Copy, U>(view: &ArrayViewD<'_, T>, convert: impl Fn(T) -> U) -> (Vec<usize>, Vec<U>) {
    (view.shape().to_vec(), view.iter().map(|&value| convert(value)).collect())
}

fn unusable(path: &Path, expected: &str, error: &ViewNpyError) -> anyhow::Error {
    let path = path.display();
    match error {
        ViewNpyError::WrongDescriptor(found) => {
            anyhow!("{path} holds elements of type {found}, expected {expected}; convert it with array.astype")
        }
        ViewNpyError::NonNativeEndian => anyhow!("{path} is big-endian; save it as array.astype(array.dtype.newbyteorder('<'))"),
        error => anyhow!("{path} is not a whole .npy file ({error}); save it again with numpy.save"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let array = Array { shape: vec![2, 1, 3], values: vec![0.0, -1.5, 2.0, 3.25, 1e-30, 7.0] };
        write(&path, Existing::Keep, array.clone()).unwrap();
        assert_eq!(read::<f32>(&path).unwrap(), array);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(read_labels(&path).unwrap_err().to_string().contains("<f4"));
    }

    #[test]
    fn doubles_and_columns_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let doubles = ArrayD::from_shape_vec(IxDyn(&[2, 2]), vec![0.1f64, 0.2, 0.3, 0.4]).unwrap();
        let mut bytes = Vec::new();
        doubles.t().write_npy(&mut bytes).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read::<f32>(&path).unwrap(), Array { shape: vec![2, 2], values: vec![0.1, 0.3, 0.2, 0.4] });
        assert_eq!(read::<f64>(&path).unwrap(), Array { shape: vec![2, 2], values: vec![0.1, 0.3, 0.2, 0.4] });
        for len in [0, 5, 60, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(read::<f32>(&path).unwrap_err().to_string().contains("not a whole .npy file"));
        }
    }

    #[test]
    fn unusable_numbers_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        write(&path, Existing::Keep, Array { shape: vec![3], values: vec![1.0, f32::NAN, 2.0] }).unwrap();
        assert!(read::<f32>(&path).unwrap_err().to_string().contains("element 1 is NaN"));
        write(&path, Existing::Replace, Array { shape: vec![2], values: vec![1.0, 1e300] }).unwrap();
        assert_eq!(read::<f64>(&path).unwrap().values, [1.0, 1e300]);
        assert!(read::<f32>(&path).unwrap_err().to_string().contains("element 1 is inf"));
    }

    #[test]
    fn labels_are_whole_numbers_of_any_type() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("y.npy");
        fn labels<T: WritableElement>(path: &Path, values: Vec<T>) -> Result<Vec<u32>> {
            let mut bytes = Vec::new();
            ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).unwrap().write_npy(&mut bytes).unwrap();
            std::fs::write(path, bytes).unwrap();
            read_labels(path)
        }
        macro_rules! all_read {
            ($($type:ty),+) => { $(
                assert_eq!(labels::<$type>(&path, vec![3, 0, 9]).unwrap(), [3, 0, 9], stringify!($type));
            )+ };
        }
        all_read!(i8, i16, i32, i64, u8, u16, u32, u64);
        assert!(labels(&path, vec![3i64, -1]).unwrap_err().to_string().contains("label 1 is -1"));
        assert!(labels(&path, vec![3u64, u64::MAX]).unwrap_err().to_string().contains("label 1 is 18446744073709551615"));
        assert!(read::<f32>(&path).unwrap_err().to_string().contains("expected float32 or float64"));
        assert!(labels(&path, vec![3.0f32]).unwrap_err().to_string().contains("<f4"));
    }
}
