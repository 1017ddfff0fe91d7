//! Arrays in numpy's `.npy` files: what is worked on beside Python comes in and goes out in them.

use anyhow::{Context, Result, anyhow, bail, ensure};
use datasets::input;
use datasets::npy::{check_header, without_long_suffixes};
use datasets::output::{self, Existing};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{ViewNpyError, ViewNpyExt, WriteNpyExt};
use std::borrow::Cow;
use std::path::Path;

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

/// Reads an array of real numbers, float32 or float64.
///
/// # Errors
/// If the file cannot be read, holds another kind of numbers, is cut short, or a number is not finite in single precision.
pub fn read(path: &Path) -> Result<Array> {
    let bytes = read_bytes(path)?;
    let array = match ArrayViewD::<f32>::view_npy(&bytes) {
        Err(ViewNpyError::WrongDescriptor(_)) => {
            ArrayViewD::<f64>::view_npy(&bytes).map(|view| in_rows(&view.mapv(|x| x as f32).view()))
        }
        other => other.map(|view| in_rows(&view)),
    };
    let array = array.map_err(|error| unusable(path, "float32 or float64", &error))?;
    if let Some(at) = array.values.iter().position(|value| !value.is_finite()) {
        bail!("{}: element {at} is {}, expected finite numbers", path.display(), array.values[at]);
    }
    Ok(array)
}

/// Reads classes, whole numbers of shape `[n]`.
///
/// # Errors
/// If the file cannot be read, or holds anything else.
pub fn read_labels(path: &Path) -> Result<Vec<u32>> {
    let bytes = read_bytes(path)?;
    let wide = |error| match error {
        ViewNpyError::WrongDescriptor(_) => ArrayViewD::<i32>::view_npy(&bytes).map(|view| view.mapv(i64::from)),
        other => Err(other),
    };
    let narrow = |error| match error {
        ViewNpyError::WrongDescriptor(_) => ArrayViewD::<u8>::view_npy(&bytes).map(|view| view.mapv(i64::from)),
        other => Err(other),
    };
    let labels = ArrayViewD::<i64>::view_npy(&bytes).map(|view| view.to_owned()).or_else(wide).or_else(narrow);
    let labels = labels.map_err(|error| unusable(path, "int64, int32 or uint8", &error))?;
    ensure!(labels.ndim() == 1, "{}: labels have shape {:?}, expected [n]", path.display(), labels.shape());
    let class = |(at, &label): (usize, &i64)| {
        u32::try_from(label).map_err(|_| anyhow!("{}: label {at} is {label}, expected numbers from 0 up", path.display()))
    };
    labels.iter().enumerate().map(class).collect()
}

/// Writes an array, float32, as [`output::write`] does.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, existing: Existing, array: Array) -> Result<()> {
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

fn in_rows(view: &ArrayViewD<'_, f32>) -> Array {
    Array { shape: view.shape().to_vec(), values: view.iter().copied().collect() }
}

fn unusable(path: &Path, expected: &str, error: &ViewNpyError) -> anyhow::Error {
    let path = path.display();
    match error {
        ViewNpyError::WrongDescriptor(found) => {
            anyhow!("{path} holds elements of type {found}, expected {expected}; convert it with array.astype")
        }
        ViewNpyError::NonNativeEndian => anyhow!("{path} is big-endian; save it as array.astype('<f4')"),
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
        assert_eq!(read(&path).unwrap(), array);
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
        assert_eq!(read(&path).unwrap(), Array { shape: vec![2, 2], values: vec![0.1, 0.3, 0.2, 0.4] });
        for len in [0, 5, 60, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("not a whole .npy file"));
        }
    }

    #[test]
    fn unusable_numbers_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        write(&path, Existing::Keep, Array { shape: vec![3], values: vec![1.0, f32::NAN, 2.0] }).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("element 1 is NaN"));
        let labels = |values: Vec<i64>| {
            let mut bytes = Vec::new();
            ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).unwrap().write_npy(&mut bytes).unwrap();
            std::fs::write(&path, bytes).unwrap();
            read_labels(&path)
        };
        assert_eq!(labels(vec![3, 0, 9]).unwrap(), [3, 0, 9]);
        assert!(labels(vec![3, -1]).unwrap_err().to_string().contains("label 1 is -1"));
        assert!(read(&path).unwrap_err().to_string().contains("expected float32 or float64"));
    }
}
