//! Errors as Python's exceptions.

use datasets::DatasetError;
use pyo3::exceptions::{PyFileExistsError, PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::{PyErr, Python};
use residual_flows::ModelError;
use residual_flows::training::TrainingError;
use std::io::{self, ErrorKind};

/// The exception of an error, with the whole message: an `OSError` where the system refused something, a `RuntimeError` where a
/// computation broke down, a `ValueError` where something that was given is at fault.
pub fn exception(error: anyhow::Error) -> PyErr {
    let message = format!("{error:#}");
    for cause in error.chain() {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return of_system(cause.kind(), message);
        }
        match cause.downcast_ref() {
            Some(DatasetError::NotFound { .. } | DatasetError::MissingShard { .. }) => {
                return PyFileNotFoundError::new_err(message);
            }
            Some(DatasetError::Exists { .. } | DatasetError::OutputExists { .. }) => return PyFileExistsError::new_err(message),
            _ => {}
        }
        let of_model = match cause.downcast_ref() {
            Some(TrainingError::Model(error)) => Some(error),
            _ => cause.downcast_ref(),
        };
        match of_model {
            Some(ModelError::Interrupted) => return PyKeyboardInterrupt::new_err(message),
            Some(ModelError::Config { .. } | ModelError::Shape { .. }) | None => {}
            Some(_) => return PyRuntimeError::new_err(message),
        }
    }
    PyValueError::new_err(message)
}

/// The exception of an error that what was given is not at fault for.
pub fn breakdown(py: Python<'_>, error: anyhow::Error) -> PyErr {
    let message = format!("{error:#}");
    let raised = exception(error);
    if raised.is_instance_of::<PyValueError>(py) { PyRuntimeError::new_err(message) } else { raised }
}

fn of_system(kind: ErrorKind, message: String) -> PyErr {
    match kind {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(message),
        ErrorKind::AlreadyExists => PyFileExistsError::new_err(message),
        ErrorKind::PermissionDenied => PyPermissionError::new_err(message),
        // What a reader of a format says of its input.
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => PyValueError::new_err(message),
        _ => PyOSError::new_err(message),
    }
}
