//! The safetensors container as this format uses it: all small tensors before the pixels, bytes that depend on the
//! contents only.

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::Serialize;
use std::collections::BTreeMap;

/// The `__metadata__` of a file.
pub(crate) type Metadata = BTreeMap<&'static str, String>;

/// Name, type and shape of a tensor.
pub(crate) type Description = (&'static str, Dtype, Vec<usize>);

#[derive(Serialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<&'static str, TensorInfo>,
}

/// The header of a file whose `tensors` follow it in the given order; put tensors with wider elements first, so that all
/// are aligned. It is filled up with spaces to `min_len` bytes, if it is shorter, and a multiple of 8.
///
/// The safetensors crate's own writer would put the metadata in random order.
pub(crate) fn header(metadata: Metadata, tensors: Vec<Description>, min_len: usize) -> serde_json::Result<Vec<u8>> {
    let mut end = 0;
    let mut infos = BTreeMap::new();
    for (name, dtype, shape) in tensors {
        let data_offsets = (end, end + shape.iter().product::<usize>() * dtype.bitsize() / 8);
        end = data_offsets.1;
        infos.insert(name, TensorInfo { dtype, shape, data_offsets });
    }
    let json = serde_json::to_vec(&Header { metadata, tensors: infos })?;
    let len = json.len().next_multiple_of(8).max(min_len.saturating_sub(8));
    let mut bytes = (len as u64).to_le_bytes().to_vec();
    bytes.extend(json);
    bytes.resize(8 + len, b' ');
    Ok(bytes)
}
