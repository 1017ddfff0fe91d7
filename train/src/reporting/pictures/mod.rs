//! Pictures: grids of images, drawings of series, densities on the plane, animations.

pub mod animation;
pub mod curve;
pub mod estimators;
pub mod grid;
pub mod heat_map;
pub mod plot;
pub mod showcase;
