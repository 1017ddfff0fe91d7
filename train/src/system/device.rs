//! Which devices there are, and which one computes.
//!
//! The program always computes on the CPU. Its features `cuda` and `wgpu` add GPUs: those of NVIDIA, and those
//! that Vulkan, Metal or DirectX 12 reach.

use crate::system;
use anyhow::{Result, anyhow};
use burn::tensor::Device;
use process_group::ProcessGroup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A device by its name in configurations and on the command line: `auto`, `cpu`, `cuda`, `cuda:1`, `wgpu`, `wgpu:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// A CUDA GPU where there is one, else the CPU. GPUs of `wgpu` only by name: the CPU's own kernels may be quicker than
    /// a small one.
    #[default]
    Auto,
    /// The CPU, by kernels of our own.
    Cpu,
    /// A GPU by its number; without one the first, or where several processes train together, one for each.
    Gpu(Driver, Option<usize>),
}

/// What a GPU is reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// NVIDIA's driver.
    Cuda,
    /// Vulkan, Metal or DirectX 12.
    Wgpu,
}

impl Driver {
    const ALL: [Self; 2] = [Self::Cuda, Self::Wgpu];

    /// Its name, and that of the feature it needs.
    fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
        }
    }

    fn is_built(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Wgpu => cfg!(feature = "wgpu"),
        }
    }

    /// The devices that it finds; none without the feature, a driver or a GPU. Does nothing on them yet.
    fn devices(self) -> Vec<Device> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
            #[allow(unreachable_patterns, reason = "a program with all features has none that is missing")]
            _ => Vec::new(),
        }
    }

    /// Why there is no device, and what to do.
    fn missing(self) -> String {
        if !self.is_built() {
            let name = self.name();
            return format!(
                "this program was built without `{name}`: build it with `cargo build --release --features {name}`, or choose cpu"
            );
        }
        let install = match self {
            Self::Cuda => "no NVIDIA GPU with its driver was found: install the driver, so that `nvidia-smi` lists the GPU",
            Self::Wgpu => {
                "no driver with a device was found: install one of Vulkan (Debian and Ubuntu: mesa-vulkan-drivers and libvulkan1)"
            }
        };
        format!("{install}, or choose cpu")
    }
}

impl DeviceChoice {
    /// The device, for one of the processes that compute together.
    ///
    /// # Errors
    /// If there is no such device, with what to build or install. Nothing has been computed then.
    pub fn open(self, group: &ProcessGroup) -> Result<Device> {
        let Some((driver, index)) = self.gpu(group) else { return Ok(Device::flex()) };
        let devices = driver.devices();
        let n = devices.len();
        if n == 0 {
            return Err(anyhow!("device {self}: {}", driver.missing()));
        }
        devices.into_iter().nth(index).ok_or_else(|| {
            let last = n - 1;
            anyhow!("device {self}: `{0}` has {n} devices, {0}:0 to {0}:{last}; see `train devices`", driver.name())
        })
    }

    /// Whether it is the CPU.
    pub fn is_cpu(self, group: &ProcessGroup) -> bool {
        self.gpu(group).is_none()
    }

    /// Memory that it has for each of the processes that compute together, where that can be found out: not of `wgpu`'s.
    pub fn memory_bytes(self, group: &ProcessGroup) -> Option<usize> {
        match self.gpu(group) {
            None => Some(usize::try_from(system::memory_bytes()?).ok()? / group.local_size()),
            Some((Driver::Cuda, index)) => system::nvidia_memory_bytes(index),
            Some((Driver::Wgpu, _)) => None,
        }
    }

    /// The driver and the number of the GPU that is meant; `None`: the CPU.
    fn gpu(self, group: &ProcessGroup) -> Option<(Driver, usize)> {
        let (driver, index) = match self {
            Self::Cpu => return None,
            Self::Auto => (Driver::Cuda, None),
            Self::Gpu(driver, index) => (driver, index),
        };
        let n = driver.devices().len();
        match self {
            Self::Auto if n == 0 => None,
            _ => Some((driver, index.unwrap_or(group.local_rank() % n.max(1)))),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(driver, None) => f.write_str(driver.name()),
            Self::Gpu(driver, Some(index)) => write!(f, "{}:{index}", driver.name()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index.parse::<usize>().ok())),
            None => (text, None),
        };
        let driver = Driver::ALL.into_iter().find(|driver| driver.name() == name);
        match (name, driver, index) {
            ("auto", _, None) => Ok(Self::Auto),
            ("cpu", _, None) => Ok(Self::Cpu),
            (_, Some(driver), None) => Ok(Self::Gpu(driver, None)),
            (_, Some(driver), Some(Some(index))) => Ok(Self::Gpu(driver, Some(index))),
            _ => Err(format!("unknown device `{text}`: expected auto, cpu, cuda, cuda:N, wgpu or wgpu:N with a number N from 0")),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

/// A line of [`list`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What it is called in configurations.
    pub name: String,
    /// Whether it can be used.
    pub available: bool,
    /// What it is, or what it needs.
    pub description: String,
}

/// All devices, and what there could be with other features or drivers.
pub fn list() -> Vec<Listed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = system::processor().unwrap_or_else(|| std::env::consts::ARCH.into());
    let memory = system::memory_bytes().map_or_else(String::new, |bytes| format!(", {:.1} GB", bytes as f64 / 1e9));
    let cpu = Listed { name: "cpu".into(), available: true, description: format!("{cpu}, {threads} threads{memory}") };
    std::iter::once(cpu).chain(Driver::ALL.into_iter().flat_map(listed)).collect()
}

fn listed(driver: Driver) -> Vec<Listed> {
    let devices = driver.devices();
    if devices.is_empty() {
        return vec![Listed { name: driver.name().into(), available: false, description: driver.missing() }];
    }
    let line = |(index, device)| Listed {
        name: DeviceChoice::Gpu(driver, Some(index)).to_string(),
        available: true,
        description: described(&device),
    };
    devices.into_iter().enumerate().map(line).collect()
}

/// What its driver calls it.
fn described(device: &Device) -> String {
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    if let Some(identity) = device.identity() {
        return identity.name;
    }
    format!("{device:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "wgpu", "wgpu:3"] {
            assert_eq!(name.parse::<DeviceChoice>().map(|choice| choice.to_string()), Ok(name.into()));
        }
        for name in ["", "gpu", "cpu:0", "auto:1", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(name.parse::<DeviceChoice>().is_err_and(|error| error.contains("cuda:N")), "{name}");
        }
    }

    #[test]
    fn the_cpu_is_always_there() -> Result<()> {
        assert_eq!(DeviceChoice::Cpu.open(&ProcessGroup::alone())?, Device::flex());
        assert_eq!(list()[0].name, "cpu");
        Ok(())
    }
}
