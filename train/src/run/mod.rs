//! A training run: its loop, and how it resumes.

pub mod fit;
pub mod footprint;
pub mod plan;
pub mod resume;
pub mod session;
pub mod summary;
