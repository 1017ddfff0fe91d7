//! What the operating system knows about this process and its machine; `None` where it does not tell.

pub mod device;
pub mod memory;
pub mod signals;
pub mod stopwatch;

use std::fs::read_to_string;
use std::process::Command;

/// The largest amount of memory the process has had resident so far.
pub fn peak_memory_bytes() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// Memory of the machine.
pub fn memory_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemTotal:")
}

/// Memory of an NVIDIA GPU by its number, as its driver's program says.
pub fn nvidia_memory_bytes(gpu: usize) -> Option<usize> {
    let query = ["--query-gpu=memory.total", "--format=csv,noheader,nounits", "--id", &gpu.to_string()];
    let output = Command::new("nvidia-smi").args(query).output().ok()?;
    let mebibytes: usize = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(mebibytes << 20)
}

/// The machine's name.
pub fn host() -> Option<String> {
    Some(read_to_string("/proc/sys/kernel/hostname").ok()?.trim().into())
}

/// The processor's name.
pub fn processor() -> Option<String> {
    let text = read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).into())
}

/// Bytes to be read.
pub fn readable_bytes(bytes: f64) -> String {
    match bytes {
        bytes if bytes >= 1e15 => format!("{bytes:.1e} bytes"),
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes => format!("{:.0} MB", bytes / 1e6),
    }
}

fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
