//! What the program says: errors with exit codes, progress, numbers and names.

pub mod fault;
pub mod progress;
pub mod text;
