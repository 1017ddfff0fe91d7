//! The messages of TensorBoard's event files that are written here, with the field numbers of TensorFlow's
//! `event.proto` and `summary.proto`.

use prost::{Enumeration, Message, Oneof};

/// One record of an event file.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// Optimiser steps made.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// What happened.
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub what: Option<What>,
}

/// What an event tells.
#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    /// First record of a file.
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// Measurements.
    #[prost(message, tag = "5")]
    Summary(Summary),
    /// The program was started.
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// Measurements at one step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// One a tag.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

/// A measurement.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Its name.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// What was measured.
    #[prost(oneof = "Measured", tags = "2, 4, 5")]
    pub measured: Option<Measured>,
}

/// Kinds of measurement.
#[derive(Clone, PartialEq, Oneof)]
pub enum Measured {
    /// A number.
    #[prost(float, tag = "2")]
    Scalar(f32),
    /// A picture.
    #[prost(message, tag = "4")]
    Image(Image),
    /// A distribution.
    #[prost(message, tag = "5")]
    Histogram(Histogram),
}

/// A picture.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// In pixels.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// In pixels.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 3 for RGB.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// A distribution: counts of the numbers up to each limit and above the one before.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// Smallest number.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// Largest number.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// How many.
    #[prost(double, tag = "3")]
    pub num: f64,
    /// Their sum.
    #[prost(double, tag = "4")]
    pub sum: f64,
    /// The sum of their squares.
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// Upper limits, ascending.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// Counts.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

/// A mark of the program's life.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    /// What it did.
    #[prost(enumeration = "SessionStatus", tag = "1")]
    pub status: i32,
}

/// What the program did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum SessionStatus {
    /// Nothing known.
    Unspecified = 0,
    /// It started: what earlier files say of this step and later ones is void.
    Start = 1,
}

impl Histogram {
    /// Of some finite numbers; `None` of none.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        const BUCKETS: usize = 30;
        let numbers: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        let min = numbers.iter().copied().reduce(f64::min)?;
        let max = numbers.iter().copied().reduce(f64::max)?;
        let width = (max - min) / BUCKETS as f64;
        let n_buckets = if width > 0.0 { BUCKETS } else { 1 };
        let mut bucket = vec![0.0; n_buckets];
        for number in &numbers {
            let index = if width > 0.0 { ((number - min) / width).ceil() as usize } else { 1 };
            bucket[index.clamp(1, n_buckets) - 1] += 1.0;
        }
        let limit = |index| if index == n_buckets { max } else { min + width * index as f64 };
        Some(Self {
            min,
            max,
            num: numbers.len() as f64,
            sum: numbers.iter().sum(),
            sum_squares: numbers.iter().map(|number| number * number).sum(),
            bucket_limit: (1..=n_buckets).map(limit).collect(),
            bucket,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_count_everything_once() {
        let numbers: Vec<f64> = (0..100).map(f64::from).chain([f64::NAN]).collect();
        let histogram = Histogram::of(&numbers).expect("numbers");
        assert_eq!(histogram.bucket.iter().sum::<f64>(), 100.0);
        assert!(histogram.bucket.iter().all(|&count| (3.0..=4.0).contains(&count)), "{histogram:?}");
        assert!(histogram.bucket_limit.is_sorted() && histogram.bucket_limit.last() == Some(&99.0));
        let equal = Histogram::of(&[0.5; 4]).expect("numbers");
        assert_eq!((equal.bucket_limit, equal.bucket), (vec![0.5], vec![4.0]));
        assert_eq!(Histogram::of(&[f64::NAN]), None);
    }
}
