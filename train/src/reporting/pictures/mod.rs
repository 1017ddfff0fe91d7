//! Pictures: grids of images, drawings of series, densities on the plane, pairs of a table's columns, animations.

pub mod animation;
pub mod axis;
pub mod curve;
pub mod density_curve;
pub mod estimators;
pub mod grid;
pub mod heat_map;
pub mod pair_plot;
pub mod panel;
pub mod plot;
pub mod showcase;
pub mod text;
