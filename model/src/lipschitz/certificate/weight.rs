//! The map whose norm is bounded.

/// A convolution of stride 1 with zero padding that keeps height and width.
pub struct ConvolutionWeight<'a> {
    /// `[out, in, kernel, kernel]`, row-major.
    pub values: &'a [f32],
    /// Channels of its output.
    pub channels_out: usize,
    /// Channels of its input.
    pub channels_in: usize,
    /// Odd.
    pub kernel: usize,
    /// Height and width of the images.
    pub image: [usize; 2],
}
