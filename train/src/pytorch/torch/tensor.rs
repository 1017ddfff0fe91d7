//! Tensors: a kind of number, a shape, and a place in a storage.

use super::{Element, Storage, StorageReference, TorchFile};
use anyhow::{Context, Result, bail, ensure};
use datasets::io::pickle::Item;
use half::{bf16, f16};

/// Parameters around parameters at most.
const MAX_WRAPPERS: usize = 4;

/// A tensor whose place in its storage has been checked.
pub struct TorchTensor<'f> {
    storage: &'f Storage<'f>,
    element: Element,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// Of the first element, in elements.
    first: usize,
}

/// The tensor that a call in the pickle would have made.
pub(super) fn describe<'f>(file: &'f TorchFile<'_>, item: Item, wrappers: usize) -> Result<TorchTensor<'f>> {
    let object = item.object().with_context(|| format!("it is {}, expected a tensor", item.kind()))?;
    let arguments: Vec<_> = object.arguments().tuple().into_iter().flatten().collect();
    match (object.class_name().as_deref(), arguments.as_slice()) {
        (Some("torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor"), [storage, offset, shape, strides, ..]) => {
            place(file, *storage, *offset, *shape, *strides)
        }
        (Some("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"), [data, ..]) => {
            ensure!(wrappers < MAX_WRAPPERS, "it is a parameter around a parameter around a parameter");
            describe(file, *data, wrappers + 1)
        }
        _ => bail!("it is {} with {} arguments, expected a dense tensor", item.kind(), arguments.len()),
    }
}

fn place<'f>(file: &'f TorchFile<'_>, storage: Item, offset: Item, shape: Item, strides: Item) -> Result<TorchTensor<'f>> {
    let id = storage.persistent_id().with_context(|| format!("its storage is {}", storage.kind()))?;
    let reference = StorageReference::read(id)?.context("its storage is a reference to something else")?;
    let sizes = |what, item: Item| -> Result<Vec<usize>> {
        let sizes: Option<Vec<_>> = item.tuple().and_then(|sizes| sizes.map(|size| size.size()).collect());
        sizes.with_context(|| format!("its {what} is {}, expected a tuple of sizes", item.kind()))
    };
    let (shape, strides) = (sizes("shape", shape)?, sizes("strides", strides)?);
    ensure!(shape.len() == strides.len(), "it has {} dimensions but {} strides", shape.len(), strides.len());
    let offset = offset.size().with_context(|| format!("its offset is {}", offset.kind()))?;
    let storage = file.storage(&reference)?;
    let last = last_index(&shape, &strides, offset);
    let fits = last.is_some_and(|last| last < reference.part) && count(&shape).is_some_and(|n| n <= reference.part);
    ensure!(
        fits || count(&shape) == Some(0),
        "its shape {shape:?} with strides {strides:?} from element {offset} on does not fit the {} elements of storage `{}`",
        reference.part,
        reference.key
    );
    let end = reference.start.checked_add(reference.part);
    ensure!(
        end.is_some_and(|end| end <= reference.len) && storage.bytes.len() == reference.byte_len()?,
        "storage `{}` has {} bytes, expected {} elements of {} bytes",
        reference.key,
        storage.bytes.len(),
        reference.len,
        reference.element.size()
    );
    Ok(TorchTensor { storage, element: reference.element, shape, strides, first: reference.start.saturating_add(offset) })
}

/// Number of elements, unless it is more than memory can hold.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
}

/// The largest index of an element in the storage; `None` if there is no element, or no such index.
fn last_index(shape: &[usize], strides: &[usize], first: usize) -> Option<usize> {
    shape
        .iter()
        .zip(strides)
        .try_fold(first, |last, (&size, &stride)| last.checked_add(size.checked_sub(1)?.checked_mul(stride)?))
}

impl TorchTensor<'_> {
    /// Length of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in single precision, row by row.
    ///
    /// # Errors
    /// If they are whole numbers, or were damaged.
    pub fn floats(&self) -> Result<Vec<f32>> {
        match self.element {
            Element::F32 => self.read(f32::from_le_bytes),
            Element::F64 => self.read(|bytes| f64::from_le_bytes(bytes) as f32),
            Element::F16 => self.read(|bytes| f16::from_le_bytes(bytes).to_f32()),
            Element::Bf16 => self.read(|bytes| bf16::from_le_bytes(bytes).to_f32()),
            other => bail!("its elements are {other:?}, expected real numbers"),
        }
    }

    /// The values, whole numbers, row by row.
    ///
    /// # Errors
    /// If they are real numbers, or were damaged.
    pub fn ints(&self) -> Result<Vec<i64>> {
        match self.element {
            Element::I64 => self.read(i64::from_le_bytes),
            Element::I32 => self.read(|bytes| i32::from_le_bytes(bytes).into()),
            Element::I16 => self.read(|bytes| i16::from_le_bytes(bytes).into()),
            Element::I8 => self.read(|bytes| i8::from_le_bytes(bytes).into()),
            Element::U8 | Element::Bool => self.read(|bytes| u8::from_le_bytes(bytes).into()),
            other => bail!("its elements are {other:?}, expected whole numbers"),
        }
    }

    fn read<const SIZE: usize, T>(&self, value: impl Fn([u8; SIZE]) -> T) -> Result<Vec<T>> {
        self.storage.check()?;
        let (elements, _) = self.storage.bytes.as_chunks::<SIZE>();
        let n = count(&self.shape).unwrap_or(0);
        let mut values = Vec::with_capacity(n);
        let mut place = vec![0; self.shape.len()];
        let mut index = self.first;
        for _ in 0..n {
            let element = elements.get(index).context("it is not within its storage")?;
            values.push(value(*element));
            // The next place, the last dimension running fastest. Strides of dimensions of length 1 may be anything.
            for ((place, &size), &stride) in place.iter_mut().zip(&self.shape).zip(&self.strides).rev() {
                *place += 1;
                index = index.wrapping_add(stride);
                if *place < size {
                    break;
                }
                index = index.wrapping_sub(place.wrapping_mul(stride));
                *place = 0;
            }
        }
        Ok(values)
    }
}
