//! A range of work divided among processes.

use std::ops::Range;

/// One of `of` consecutive parts of a range. Their lengths differ by one at most; the longer parts come first.
///
/// # Examples
/// ```
/// use process_group::Part;
///
/// let parts = [0, 1, 2].map(|index| Part { index, of: 3 }.range(10..18));
/// assert_eq!(parts, [10..13, 13..16, 16..18]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of this part, in `0..of`.
    pub index: usize,
    /// The number of parts.
    pub of: usize,
}

impl Part {
    /// The whole range.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// This part of `whole`.
    pub fn range(self, whole: Range<usize>) -> Range<usize> {
        let n = whole.len();
        let begin = |index: usize| whole.start + index * (n / self.of) + index.min(n % self.of);
        begin(self.index)..begin(self.index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_follow_each_other_and_differ_by_one_at_most(begin in 0usize..100, n in 0usize..200, of in 1usize..40) {
            let parts: Vec<_> = (0..of).map(|index| Part { index, of }.range(begin..begin + n)).collect();
            prop_assert!(parts.iter().cloned().flatten().eq(begin..begin + n));
            prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lengths = || parts.iter().map(ExactSizeIterator::len);
            prop_assert!(lengths().max().unwrap_or(0) - lengths().min().unwrap_or(0) <= 1);
            prop_assert!(lengths().is_sorted_by(|a, b| a >= b));
        }
    }
}
