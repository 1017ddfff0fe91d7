//! What all conversions share: where inputs are looked for, how results are written, and numbers of images.

pub mod counts;
pub mod files;
pub mod find;
pub mod output;
