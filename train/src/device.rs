//! Where tensors live.

use burn::tensor::Device;

/// The device of all tensors: the CPU.
pub fn device() -> Device {
    Device::flex()
}
