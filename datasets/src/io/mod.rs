//! Files and lines, read with care and written whole or not at all.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`output`] | files that programs write: the one place where a finished file gets its name |
//! | [`console`], [`message`] | lines for people, with control characters escaped |
//! | [`input`] | files that are read whole, within limits |
//! | [`npy`] | checks of numpy's headers before they are read |
//! | [`pickle`] | Python's pickles as inert data |
//! | [`record`] | the framing of TFRecord and TensorBoard files |
//! | [`program`] | the threads that a program computes with, and its exit |

pub(crate) mod atomic;
pub mod console;
pub mod input;
pub mod message;
pub mod npy;
pub mod output;
pub mod pickle;
pub mod program;
pub mod record;
