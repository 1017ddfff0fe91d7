//! For how long other processes are waited for.

use crate::TeamError;
use std::time::Duration;

/// The environment variable, in seconds; `mpirun` hands it to processes on its own machine, and to others with `-x`.
pub const VARIABLE: &str = "TEAM_PATIENCE_SECONDS";

/// Longer than the first process ever works by itself while the others wait.
const DEFAULT: Duration = Duration::from_secs(30 * 60);

/// The time after which a process that does not answer is given up.
pub fn limit() -> Result<Duration, TeamError> {
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(DEFAULT) };
    let value = value.to_string_lossy().into_owned();
    let seconds = value.parse().ok().filter(|&seconds: &f64| seconds > 0.0);
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or(TeamError::Patience { variable: VARIABLE, value })
}
