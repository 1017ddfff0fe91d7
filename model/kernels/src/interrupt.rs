//! How a caller stops a computation that takes long.

use std::fmt;

/// Asked between the products of a computation whether it is to end early. Results are then of the right shape, and not to be
/// used.
pub trait Interrupt: fmt::Debug + Send + Sync {
    /// Whether the computation is to end. Once it is, it stays so.
    fn is_stopped(&self) -> bool;
}

/// Never stops.
impl Interrupt for () {
    fn is_stopped(&self) -> bool {
        false
    }
}
