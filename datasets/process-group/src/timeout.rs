//! How long a process waits for the others.

use crate::ProcessGroupError;
use std::ffi::OsString;
use std::time::Duration;

/// The environment variable, in seconds. `mpirun` hands it to processes of its own machine, and to other machines with `-x`.
pub const VARIABLE: &str = "PROCESS_GROUP_TIMEOUT_SECONDS";

/// Its earlier name, which is still read.
pub const OLD_VARIABLE: &str = "TEAM_PATIENCE_SECONDS";

/// Longer than rank 0 ever works by itself while the others wait.
const DEFAULT: Duration = Duration::from_secs(30 * 60);

/// How long to wait, and the variable that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    pub limit: Duration,
    pub variable: &'static str,
}

impl Timeout {
    /// That of the environment; the new name is used where both are set.
    ///
    /// # Errors
    /// If the variable is not a positive number of seconds.
    #[cfg(feature = "mpi")]
    pub fn from_environment() -> Result<Self, ProcessGroupError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(value_of: impl Fn(&str) -> Option<OsString>) -> Result<Self, ProcessGroupError> {
        let found = [VARIABLE, OLD_VARIABLE].into_iter().find_map(|name| Some((name, value_of(name)?)));
        let Some((variable, value)) = found else { return Ok(Self { limit: DEFAULT, variable: VARIABLE }) };
        let value = value.to_string_lossy().into_owned();
        let seconds = value.parse().ok().filter(|&seconds: &f64| seconds > 0.0);
        let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match limit {
            Some(limit) => Ok(Self { limit, variable }),
            None => Err(ProcessGroupError::InvalidTimeout { variable, value }),
        }
    }

    /// What to tell the user who set the old name.
    pub fn note(self) -> Option<String> {
        (self.variable == OLD_VARIABLE)
            .then(|| format!("note: {OLD_VARIABLE} is now {VARIABLE}; the old name is still read, please use the new one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Timeout, ProcessGroupError> {
        Timeout::from_variables(|name| Some(variables.iter().find(|(key, _)| *key == name)?.1.into()))
    }

    #[test]
    fn the_new_name_wins_and_the_old_one_comes_with_a_note() {
        let unset = with(&[]).expect("the default");
        assert_eq!((unset.limit, unset.note()), (DEFAULT, None));
        let new = with(&[(OLD_VARIABLE, "7"), (VARIABLE, "2.5")]).expect("a timeout");
        assert_eq!((new.limit, new.note()), (Duration::from_millis(2500), None));
        let old = with(&[(OLD_VARIABLE, "7")]).expect("a timeout");
        assert_eq!(old.limit, Duration::from_secs(7));
        assert!(old.note().is_some_and(|note| note.contains(VARIABLE)));
    }

    #[test]
    fn what_is_no_positive_number_of_seconds_is_an_error_that_names_the_variable() {
        for value in ["", "0", "-1", "soon", "nan", "inf", "1e300"] {
            for name in [VARIABLE, OLD_VARIABLE] {
                let message = with(&[(name, value)]).expect_err(value).to_string();
                assert!(message.contains(&format!("{name} is `{value}`")), "{message}");
            }
        }
    }
}
