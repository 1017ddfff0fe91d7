//! A start of the program, one line of `sessions.jsonl`: when, where, with what.

use crate::directory::RunDir;
use crate::system;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What may matter for a run's numbers and speed.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Universal time.
    pub started: String,
    /// Steps made before.
    pub step: u64,
    /// This program's version.
    pub version: &'static str,
    /// The command line.
    pub command: String,
    /// Operating system and architecture.
    pub system: String,
    /// The machine's name.
    pub host: Option<String>,
    /// The processor's name.
    pub processor: Option<String>,
    /// Threads that can run at once.
    pub threads: usize,
    /// Processes that train together.
    pub processes: usize,
    /// Of the machine.
    pub memory_bytes: Option<u64>,
}

impl Session {
    /// This process, one of several, which goes on after this many steps.
    pub fn begin(step: u64, processes: usize) -> Self {
        let command: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
        Self {
            started: OffsetDateTime::now_utc()
                .replace_nanosecond(0)
                .ok()
                .and_then(|now| now.format(&Rfc3339).ok())
                .unwrap_or_default(),
            step,
            version: env!("CARGO_PKG_VERSION"),
            command: command.join(" "),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            host: system::host(),
            processor: system::processor(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            processes,
            memory_bytes: system::memory_bytes(),
        }
    }

    /// Appends it to the run's.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn record(&self, dir: &RunDir) -> Result<()> {
        let path = dir.file("sessions.jsonl");
        let line = serde_json::to_string(self)? + "\n";
        let append = || File::options().create(true).append(true).open(&path)?.write_all(line.as_bytes());
        append().with_context(|| format!("cannot write {}", path.display()))
    }
}
