//! Eight densities on the plane on which flows are compared.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_4, PI, TAU};
use std::fmt;

/// A distribution on the plane, with most of its mass in `[-4, 4]²`.
///
/// Formulas and constants are those of the reference implementation of Residual Flows (which takes `swissroll`, `circles` and `moons`
/// from scikit-learn), except that places along a curve are independent and uniform where it spaces them evenly.
///
/// # References
/// Chen et al. (2019), Residual Flows, section 5.1. <https://arxiv.org/abs/1906.02735>
///
/// # Examples
/// ```
/// use datasets::points::Distribution;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let [x, y] = Distribution::Checkerboard.sample(&mut ChaCha8Rng::seed_from_u64(1));
/// assert!(x.abs() <= 4.0 && y.abs() <= 4.0);
/// // Of its fields, two units wide, only every second is used.
/// assert_eq!(((x / 2.0).floor() + (y / 2.0).floor()).rem_euclid(2.0), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// A spiral that begins away from the origin, blurred.
    Swissroll,
    /// Normal distributions around eight points of a circle.
    #[serde(rename = "8gaussians")]
    EightGaussians,
    /// Five bent blades.
    Pinwheel,
    /// Two blurred circles.
    Circles,
    /// Two interlocked half circles, blurred.
    Moons,
    /// Two spirals from the origin, blurred.
    #[serde(rename = "2spirals")]
    TwoSpirals,
    /// Every second field of a board, uniform: its entropy is `ln 32`.
    Checkerboard,
    /// Four narrow circles.
    Rings,
}

impl Distribution {
    /// All distributions.
    pub const ALL: [Self; 8] = [
        Self::Swissroll,
        Self::EightGaussians,
        Self::Pinwheel,
        Self::Circles,
        Self::Moons,
        Self::TwoSpirals,
        Self::Checkerboard,
        Self::Rings,
    ];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swissroll => "swissroll",
            Self::EightGaussians => "8gaussians",
            Self::Pinwheel => "pinwheel",
            Self::Circles => "circles",
            Self::Moons => "moons",
            Self::TwoSpirals => "2spirals",
            Self::Checkerboard => "checkerboard",
            Self::Rings => "rings",
        }
    }

    /// Draws a point.
    pub fn sample(self, rng: &mut ChaCha8Rng) -> [f64; 2] {
        match self {
            Self::Swissroll => {
                let angle = 1.5 * PI * (1.0 + 2.0 * rng.random::<f64>());
                blurred(on_circle(angle, angle), 1.0, rng).map(|x| x / 5.0)
            }
            Self::EightGaussians => {
                let centre = on_circle(4.0, f64::from(rng.random_range(0..8)) * FRAC_PI_4);
                blurred(centre, 0.5, rng).map(|x| x / 1.414)
            }
            Self::Pinwheel => {
                let blade = TAU / 5.0 * f64::from(rng.random_range(0..5));
                let [radial, tangential] = blurred([0.0, 0.0], 1.0, rng);
                let (r, t) = (1.0 + 0.3 * radial, 0.1 * tangential);
                let (sin, cos) = (blade + 0.25 * r.exp()).sin_cos();
                [2.0 * (r * cos + t * sin), 2.0 * (t * cos - r * sin)]
            }
            Self::Circles => {
                let radius = if rng.random() { 1.0 } else { 0.5 };
                blurred(on_circle(radius, TAU * rng.random::<f64>()), 0.08, rng).map(|x| 3.0 * x)
            }
            Self::Moons => {
                let upper: bool = rng.random();
                let [x, y] = on_circle(1.0, PI * rng.random::<f64>());
                let [x, y] = blurred(if upper { [x, y] } else { [1.0 - x, 0.5 - y] }, 0.1, rng);
                [2.0 * x - 1.0, 2.0 * y - 0.2]
            }
            Self::TwoSpirals => {
                let angle = 3.0 * PI * rng.random::<f64>().sqrt();
                let side = if rng.random() { 1.0 } else { -1.0 };
                let [x, y] = [-angle.cos() * angle, angle.sin() * angle].map(|x| x + 0.5 * rng.random::<f64>());
                blurred([side * x / 3.0, side * y / 3.0], 0.1, rng)
            }
            Self::Checkerboard => {
                let x: f64 = 4.0 * rng.random::<f64>() - 2.0;
                let row = rng.random::<f64>() - 2.0 * f64::from(rng.random_range(0..2));
                [2.0 * x, 2.0 * (row + x.floor().rem_euclid(2.0))]
            }
            Self::Rings => {
                let radius = 0.75 * f64::from(rng.random_range(1..=4));
                blurred(on_circle(radius, TAU * rng.random::<f64>()), 0.08, rng)
            }
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn on_circle(radius: f64, angle: f64) -> [f64; 2] {
    [radius * angle.cos(), radius * angle.sin()]
}

/// Adds independent normal noise of this standard deviation.
fn blurred(point: [f64; 2], deviation: f64, rng: &mut ChaCha8Rng) -> [f64; 2] {
    point.map(|x| {
        let noise: f64 = StandardNormal.sample(rng);
        x + deviation * noise
    })
}
