//! Following a model's computations from another thread, and stopping them.

use crate::error::{ModelError, Result};
use flow_kernels::Interrupt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts the layers that a model's computations pass, and stops them on request: between two layers, or inside one that
/// takes long.
///
/// A model has the one that [`ResidualFlow::set_monitor`](crate::ResidualFlow::set_monitor) gave it, and by default one that
/// counts nothing and never stops. Clones count and stop together.
///
/// Once a stop was requested it is final: every computation of the model ends with [`ModelError::Interrupted`], and what returns
/// no error leaves its work undone.
///
/// # Examples
/// ```
/// use residual_flows::Monitor;
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
///
/// let stop = Arc::new(AtomicBool::new(false));
/// let monitor = Monitor::new(stop.clone());
/// assert!(!monitor.is_stopped());
/// stop.store(true, Ordering::Relaxed);
/// assert!(monitor.is_stopped());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Monitor(Option<Arc<State>>);

#[derive(Debug)]
struct State {
    stop: Arc<AtomicBool>,
    /// Whether a stop was seen: from then on nothing is computed, whatever becomes of `stop`.
    stopped: AtomicBool,
    layers: AtomicU64,
}

impl Monitor {
    /// One that stops as soon as the flag is set.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self(Some(Arc::new(State { stop, stopped: AtomicBool::new(false), layers: AtomicU64::new(0) })))
    }

    /// Layers passed so far, forward and backward counted alike.
    pub fn layers(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.layers.load(Ordering::Relaxed))
    }

    /// Whether computations end.
    pub fn is_stopped(&self) -> bool {
        let Some(state) = &self.0 else { return false };
        if state.stop.load(Ordering::Relaxed) {
            state.stopped.store(true, Ordering::Relaxed);
        }
        state.stopped.load(Ordering::Relaxed)
    }

    /// Counts a layer.
    ///
    /// # Errors
    /// If computations end, in which case the layer's results are not to be used.
    pub(crate) fn pass(&self) -> Result<()> {
        if let Some(state) = &self.0 {
            state.layers.fetch_add(1, Ordering::Relaxed);
        }
        if self.is_stopped() { Err(ModelError::Interrupted) } else { Ok(()) }
    }
}

impl Interrupt for Monitor {
    fn is_stopped(&self) -> bool {
        Monitor::is_stopped(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_final() {
        let flag = Arc::new(AtomicBool::new(false));
        let monitor = Monitor::new(flag.clone());
        assert!(monitor.pass().is_ok() && monitor.clone().pass().is_ok());
        flag.store(true, Ordering::Relaxed);
        assert!(matches!(monitor.pass(), Err(ModelError::Interrupted)));
        flag.store(false, Ordering::Relaxed);
        assert!(matches!(monitor.pass(), Err(ModelError::Interrupted)));
        assert_eq!(monitor.layers(), 4);
        assert!(Monitor::default().pass().is_ok());
    }
}
