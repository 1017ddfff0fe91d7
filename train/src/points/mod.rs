//! What can be done with points: read from tables, and their densities evaluated exactly, integrated, drawn.

mod density;
mod heat_map;
mod table;

pub use density::{Density, Window};
pub use heat_map::{HeatMap, write_side_by_side};
pub use table::{TableChoice, Tables, read_for};
