//! Values that are shared, not copied.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Read-only values in somebody else's memory, such as a tensor's. Clones share it.
#[derive(Clone)]
pub struct SharedValues(Arc<dyn AsRef<[f32]> + Send + Sync>);

impl SharedValues {
    /// Takes the owner of the values, which must return the same ones each time.
    pub fn new(owner: impl AsRef<[f32]> + Send + Sync + 'static) -> Self {
        Self(Arc::new(owner))
    }
}

impl Deref for SharedValues {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for SharedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedValues").field(&self.len()).finish()
    }
}
