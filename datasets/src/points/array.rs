//! Tables in numpy's arrays.

use super::columns::choose;
use super::excerpt::excerpt;
use super::summary::Reading;
use super::table::{Cell, Places, Table};
use super::{Points, TableOptions, error};
use crate::error::DatasetError;
use crate::io::input;
use crate::io::npy::{check_header, without_long_suffixes};
use ndarray::Array2;
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use std::path::Path;

/// Reads a `.npy` file.
pub(super) fn read(path: &Path, options: &TableOptions) -> Result<Points, DatasetError> {
    let bytes = input::read(path, u64::MAX).map_err(DatasetError::io("read", path))?;
    let fail = |reason: String| error(path, "the array", reason);
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(fail("it does not begin as .npy files do, which hold float32 or float64; save it with numpy.save".into()));
    }
    let bytes = without_long_suffixes(&bytes);
    check_header(&bytes).map_err(|e| fail(e.to_string()))?;
    let mut data = &bytes[..];
    let header = Header::from_reader(&mut data).map_err(|e| fail(format!("its header is damaged: {e}; save it again")))?;
    let dtype = header.type_descriptor.to_string();
    let dtype = dtype.trim_matches('\'');
    let size = size(dtype).map_err(fail)?;
    check_shape(&header.shape, size, data.len()).map_err(fail)?;

    let names = Points::numbered(header.shape[1]);
    let chosen = choose(path, &names, options)?;
    let mut table = Table::new(path, &chosen, options.missing);
    let positions = &chosen.positions;
    let added = match dtype {
        "<f8" => add(&bytes, positions, &mut table, Cell::of),
        "<f4" => add(&bytes, positions, &mut table, |x: f32| Cell::of(x.into())),
        "<i8" => add(&bytes, positions, &mut table, |x: i64| Cell::whole(x.into())),
        "<u8" => add(&bytes, positions, &mut table, |x: u64| Cell::whole(x.into())),
        "<i4" => add(&bytes, positions, &mut table, |x: i32| Cell::of(x.into())),
        "<u4" => add(&bytes, positions, &mut table, |x: u32| Cell::of(x.into())),
        "<i2" => add(&bytes, positions, &mut table, |x: i16| Cell::of(x.into())),
        "<u2" => add(&bytes, positions, &mut table, |x: u16| Cell::of(x.into())),
        "|i1" => add(&bytes, positions, &mut table, |x: i8| Cell::of(x.into())),
        _ => add(&bytes, positions, &mut table, |x: u8| Cell::of(x.into())),
    };
    added.map_err(|e| fail(format!("{e}; save it again with numpy.save")))?;
    let finished = table.finish(&Rows)?;
    Points::from_table(path, chosen, false, finished, Reading::default())
}

fn add<T: ReadableElement + Copy>(
    bytes: &[u8],
    positions: &[usize],
    table: &mut Table<'_>,
    cell: impl Fn(T) -> Cell<'static>,
) -> Result<(), ReadNpyError> {
    let values = Array2::<T>::read_npy(bytes)?;
    for (at, row) in (0..).zip(values.rows()) {
        table.row(at, positions.iter().map(|&c| cell(row[c])));
    }
    Ok(())
}

/// Bytes of an element.
fn size(dtype: &str) -> Result<usize, String> {
    let remedy = "save array.astype('<f8')";
    match dtype {
        "|i1" | "|u1" => Ok(1),
        "<i2" | "<u2" => Ok(2),
        "<i4" | "<u4" | "<f4" => Ok(4),
        "<i8" | "<u8" | "<f8" => Ok(8),
        _ if dtype.starts_with('>') => Err(format!("its numbers are big-endian ({}); {remedy}", excerpt(dtype))),
        _ if dtype.starts_with('[') => {
            Err(format!("it has named fields of several types ({}); save them as CSV", excerpt(dtype)))
        }
        _ => {
            Err(format!("its elements have the type {}, expected float32 or float64 or whole numbers; {remedy}", excerpt(dtype)))
        }
    }
}

/// Checks that the array is a table and no larger than the file.
fn check_shape(shape: &[usize], size: usize, n_bytes: usize) -> Result<(), String> {
    let expected = shape.iter().try_fold(size, |size, &length| size.checked_mul(length));
    match shape {
        [n] => Err(format!("its shape is [{n}], expected [points, dimensions]; save x.reshape(-1, 1) if each number is a point")),
        [_, 0] => Err("it has no columns".into()),
        [_, _] if expected != Some(n_bytes) => {
            Err(format!("elements of shape {shape:?} do not take {n_bytes} bytes: the file is cut short or damaged"))
        }
        [_, _] => Ok(()),
        _ if shape.len() > 8 => Err(format!("it has {} dimensions, expected 2: [points, dimensions]", shape.len())),
        _ => Err(format!("its shape is {shape:?}, expected [points, dimensions]; save x.reshape(len(x), -1)")),
    }
}

/// Rows are counted from 0, as in numpy.
pub(super) struct Rows;

impl Places for Rows {
    fn row(&self, at: u64) -> Result<String, DatasetError> {
        Ok(format!("row {at} (counted from 0)"))
    }

    fn explain(&self, _: &str) -> &'static str {
        ""
    }
}
