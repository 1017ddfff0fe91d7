//! Random crops: an image shifted by a few pixels, with padding at the edges.

use crate::shards::shape::ImageShape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The values outside of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// Zeros.
    Constant,
    /// The image mirrored at its outermost pixels, which are not repeated.
    #[default]
    Reflect,
}

/// A crop of the image's own size out of the image padded on all sides, at a uniformly random place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomCrop {
    /// By up to this many pixels in each direction.
    #[schemars(extend("x-unit" = "pixels"))]
    pub padding: usize,
    /// What comes in from outside of the image.
    pub outside: Outside,
}

impl Default for RandomCrop {
    /// 4 pixels, reflected.
    fn default() -> Self {
        RandomCrop { padding: 4, outside: Outside::Reflect }
    }
}

impl RandomCrop {
    /// The most padding that images of this shape can have: less than a side if reflected.
    pub(crate) fn most_padding(self, shape: ImageShape) -> usize {
        match self.outside {
            Outside::Constant => shape.height.max(shape.width),
            Outside::Reflect => shape.height.min(shape.width) - 1,
        }
    }

    /// Crops an image at a place given by two numbers of 15 random bits.
    ///
    /// Of the `2 · padding + 1` places in each direction none is more likely than another by more than one in
    /// `2^15 / (2 · padding + 1)`.
    pub(crate) fn apply(self, image: &mut [u8], shape: ImageShape, [down, right]: [u32; 2]) {
        let places = 2 * self.padding as u64 + 1;
        let place = |bits: u32| ((u64::from(bits) * places) >> 15) as usize;
        let (down, right) = (place(down), place(right));
        let ImageShape { height, width, .. } = shape;
        let rows: Vec<Option<usize>> = (0..height).map(|y| self.source(y + down, height)).collect();
        let columns: Vec<Option<usize>> = (0..width).map(|x| self.source(x + right, width)).collect();
        for channel in image.chunks_exact_mut(height * width) {
            let before = channel.to_vec();
            for (row, y) in channel.chunks_exact_mut(width).zip(&rows) {
                for (pixel, x) in row.iter_mut().zip(&columns) {
                    *pixel = y.zip(*x).map_or(0, |(y, x)| before[y * width + x]);
                }
            }
        }
    }

    /// The source of element `index` of a padded side.
    fn source(self, index: usize, length: usize) -> Option<usize> {
        let inside = index.checked_sub(self.padding).filter(|&i| i < length);
        match (self.outside, inside) {
            (_, Some(i)) => Some(i),
            (Outside::Constant, None) => None,
            (Outside::Reflect, None) if index < self.padding => Some(self.padding - index),
            (Outside::Reflect, None) => Some(2 * (length - 1) + self.padding - index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 2, height: 3, width: 4 };

    fn cropped(crop: RandomCrop, places: [u32; 2]) -> Vec<u8> {
        let mut image: Vec<u8> = (1..=24).collect();
        // Bits that choose this place out of five.
        crop.apply(&mut image, SHAPE, places.map(|place| (place << 15) / 5 + 1));
        image
    }

    #[test]
    fn the_middle_is_the_image() {
        for outside in [Outside::Constant, Outside::Reflect] {
            assert_eq!(cropped(RandomCrop { padding: 2, outside }, [2, 2]), (1..=24).collect::<Vec<u8>>());
        }
    }

    /// As torchvision's `RandomCrop(padding=2, padding_mode=…)` pads.
    #[test]
    fn outside_are_zeros_or_a_mirror_image() {
        let constant = RandomCrop { padding: 2, outside: Outside::Constant };
        assert_eq!(cropped(constant, [0, 1])[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
        assert_eq!(cropped(constant, [3, 4])[12..], [19, 20, 0, 0, 23, 24, 0, 0, 0, 0, 0, 0]);
        let reflect = RandomCrop { padding: 2, outside: Outside::Reflect };
        assert_eq!(cropped(reflect, [0, 1])[..12], [10, 9, 10, 11, 6, 5, 6, 7, 2, 1, 2, 3]);
        assert_eq!(cropped(reflect, [3, 4])[12..], [19, 20, 19, 18, 23, 24, 23, 22, 19, 20, 19, 18]);
    }

    #[test]
    fn every_place_is_reached() {
        let crop = RandomCrop { padding: 2, outside: Outside::Constant };
        let first = |bits| {
            let mut image: Vec<u8> = (1..=24).collect();
            crop.apply(&mut image, SHAPE, [bits, (2 << 15) / 5 + 1]);
            image[..12].to_vec()
        };
        let all: std::collections::HashSet<Vec<u8>> = (0..1 << 15).step_by(64).map(first).collect();
        assert_eq!(all.len(), 5);
        assert_eq!(first(0)[8..], [1, 2, 3, 4]);
        assert_eq!(first(0x7fff)[..4], [9, 10, 11, 12]);
    }
}
