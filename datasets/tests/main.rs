//! All integration tests of the crate, in one binary, which is linked once.

mod batches;
mod build;
mod corruption;
mod documented_format;
mod documents;
mod earlier_versions;
mod pickles;
mod points;
mod properties;
mod random;
mod round_trip;
mod shipped_digits;
mod tables;
