//! The safetensors container as this format uses it: all small tensors before the pixels, bytes that depend on the
//! contents only.

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Serialize;
use std::collections::BTreeMap;

/// The `__metadata__` of a file.
pub(crate) type Metadata = BTreeMap<&'static str, String>;

/// A tensor to be written, its elements little-endian.
pub(crate) struct Tensor {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn i8(name: &'static str, shape: Vec<usize>, values: &[i8]) -> Self {
        let (dtype, bytes) = (Dtype::I8, values.iter().map(|v| v.to_le_bytes()[0]).collect());
        Tensor { name, dtype, shape, bytes }
    }

    pub(crate) fn u32(name: &'static str, values: &[u32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (dtype, shape) = (Dtype::U32, vec![values.len()]);
        Tensor { name, dtype, shape, bytes }
    }

    pub(crate) fn u64(name: &'static str, values: &[u64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (dtype, shape) = (Dtype::U64, vec![values.len()]);
        Tensor { name, dtype, shape, bytes }
    }
}

#[derive(Serialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<&'static str, TensorInfo>,
}

/// The beginning of a file: header and `tensors` in the given order. What is to follow is one more tensor of bytes,
/// `last`, with its name and shape. Put tensors with wider elements first, so that all are aligned.
///
/// The safetensors crate's own writer would put the metadata in random order.
pub(crate) fn head(metadata: Metadata, tensors: Vec<Tensor>, last: (&'static str, Vec<usize>)) -> serde_json::Result<Vec<u8>> {
    let mut end = 0;
    let mut infos = BTreeMap::new();
    for tensor in &tensors {
        let data_offsets = (end, end + tensor.bytes.len());
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        infos.insert(tensor.name, TensorInfo { dtype, shape, data_offsets });
        end = data_offsets.1;
    }
    let (name, shape) = last;
    let data_offsets = (end, end + shape.iter().product::<usize>());
    infos.insert(name, TensorInfo { dtype: Dtype::U8, shape, data_offsets });
    let mut header = serde_json::to_vec(&Header { metadata, tensors: infos })?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    tensors.iter().for_each(|tensor| bytes.extend_from_slice(&tensor.bytes));
    Ok(bytes)
}
