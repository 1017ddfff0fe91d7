//! Numbers of images: as published, or as given by hand.

use crate::messages::text::thousands;
use anyhow::{Result, ensure};
use std::str::FromStr;

/// Numbers of training and test images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts(pub [usize; 2]);

impl Counts {
    /// The note in the manifests for numbers that were given by hand.
    pub fn note(self) -> String {
        let [train, test] = self.0.map(thousands);
        format!("Numbers of images given by hand: {train} and {test}.")
    }
}

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.trim().parse().map_err(|e| format!("`{n}`: {e}"));
        match text.split_once(',') {
            Some((train, test)) => Ok(Counts([number(train)?, number(test)?])),
            None => Err("expected two numbers, such as 27000,3000".into()),
        }
    }
}

/// Compares numbers of images with those expected; each split comes with its description and a detail for the message.
/// Returns the note that a data set with numbers of its own gets.
///
/// # Errors
/// If a number differs.
pub fn check_counts(splits: [(String, usize, String); 2], Counts(expected): Counts, given: bool) -> Result<String> {
    for ((place, got, detail), expected) in splits.into_iter().zip(expected) {
        ensure!(
            got == expected,
            "{place} holds {} images, expected {}{detail}: files are missing or cut short; download it again, or give --counts if \
             this is another selection of images",
            thousands(got),
            thousands(expected)
        );
    }
    Ok(if given { Counts(expected).note() } else { String::new() })
}
