//! What can be done with densities of points: evaluated exactly, integrated, drawn.

mod density;
mod heat_map;

pub use density::{Density, Window};
pub use heat_map::{HeatMap, write_side_by_side};
