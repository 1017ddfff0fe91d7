//! The shape of the images of a data set.

use crate::error::DatasetError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest number of pixel values in one image that the format accepts (64 MiB).
pub const MAX_IMAGE_LEN: usize = 1 << 26;

/// The shape `[channels, height, width]` of one image.
///
/// # Examples
/// ```
/// let shape = datasets::ImageShape { channels: 3, height: 32, width: 32 };
/// assert_eq!(shape.len(), 3072);
/// assert_eq!(shape.to_string(), "3x32x32");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Colour channels: 1 or 3 in the published sets, any positive number here.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Number of pixel values in one image, `channels * height * width`.
    ///
    /// # Panics
    /// If the product overflows; [`ImageShape::validate`] accepts no such shape.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image of this shape has no pixels at all. No data set has such a shape.
    pub fn is_empty(&self) -> bool {
        self.channels == 0 || self.height == 0 || self.width == 0
    }

    /// Accepts shapes with at least one and at most [`MAX_IMAGE_LEN`] pixel values.
    ///
    /// # Errors
    /// [`DatasetError::Setting`] for any other shape.
    pub fn validate(&self) -> Result<(), DatasetError> {
        let len = (self.channels).checked_mul(self.height).and_then(|n| n.checked_mul(self.width));
        match len {
            Some(1..=MAX_IMAGE_LEN) => Ok(()),
            _ => Err(DatasetError::Setting {
                key: "shape",
                expected: format!("between 1 and {MAX_IMAGE_LEN} pixel values in an image"),
                got: self.to_string(),
            }),
        }
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}
