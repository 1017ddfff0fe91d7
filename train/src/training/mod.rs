//! One optimiser step, and what it is made of: objectives, optimisers, schedules, averaged weights, random streams, all-reduce.

pub mod average;
pub mod classification;
pub mod fault;
pub mod noise;
pub mod objective;
pub mod optimizer;
pub mod parallel;
pub mod position;
pub mod schedule;
pub mod step;
