//! A batch of samples.

/// Samples ready for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Dequantized pixels in `[0, 1)`, in the order of `shape`.
    pub pixels: Vec<f32>,
    /// `[batch, channels, height, width]`.
    pub shape: [usize; 4],
    /// Class of each image, in sets with classes.
    pub labels: Option<Vec<u32>>,
    /// Index of each image in the data set.
    pub indices: Vec<usize>,
}
