//! All integration tests of the crate, in one binary, which is linked once.

mod archives;
mod cli;
mod damage;
mod interruption;
mod pickles;
mod pictures;
mod published;
mod support;
mod synth;
