//! A training run: its directory, its loop, and how it resumes.

pub mod directory;
pub mod fit;
pub mod footprint;
pub mod resume;
pub mod session;
pub mod summary;
