//! `train devices`: what there is to compute on.

use super::report;
use crate::system::device::{self, Listed};
use anyhow::Result;
use clap::Args;

/// List the devices that `device` and --device can name, and what others would need
#[derive(Args)]
#[command(after_help = "Examples:
  train devices
  train devices --json")]
pub struct Devices {
    /// Print one JSON list
    #[arg(long)]
    json: bool,
}

impl Devices {
    /// Lists.
    ///
    /// # Errors
    /// Never, but for JSON that cannot be written.
    pub fn run(self) -> Result<()> {
        let devices = device::list();
        report(self.json, &devices, || devices.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

fn line(Listed { name, available, description }: &Listed) -> String {
    let note = if *available { "" } else { "not available: " };
    format!("{name:<8} {note}{description}")
}
