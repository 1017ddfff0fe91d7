//! Signs that training goes wrong, and the layer at which they appear.

pub mod costs;
pub mod layers;
pub mod overfitting;
pub mod watch;
