//! Work divided among processes.

use std::ops::Range;

/// One of several parts of something, as equal as they can be, the first ones the larger.
///
/// # Examples
/// ```
/// use team::Part;
///
/// let parts = [0, 1, 2].map(|index| Part { index, of: 3 }.range(10..18));
/// assert_eq!(parts, [10..13, 13..16, 16..18]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// This part of a range.
    pub fn range(self, whole: Range<usize>) -> Range<usize> {
        let n = whole.len();
        let begin = |index: usize| whole.start + index * (n / self.of) + index.min(n % self.of);
        begin(self.index)..begin(self.index + 1)
    }
}
