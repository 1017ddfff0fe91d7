//! What can be done beside conversions: look at shards, verify and export them, and make inputs without downloads.

pub mod export;
pub mod inspect;
pub mod manual;
pub mod sheet;
pub mod synth;
pub mod verify;
