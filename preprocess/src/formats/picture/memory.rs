//! How much memory pictures take while they are decoded.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Pictures that take at most this many bytes are decoded several at the same time, one in each job.
pub const EACH: u64 = 256 << 20;
/// Others are decoded one at a time and may take this many; still larger ones are refused.
pub const ALONE: u64 = 2 << 30;

static TURNS: RwLock<()> = RwLock::new(());

/// Kept while a picture is decoded.
pub enum Turn {
    /// Beside others.
    Beside(RwLockReadGuard<'static, ()>),
    /// While no other one is decoded.
    Alone(RwLockWriteGuard<'static, ()>),
}

/// Waits until a picture that takes `bytes` can be decoded. A thread has one turn at a time.
pub fn turn(bytes: u64) -> Turn {
    match bytes {
        0..=EACH => Turn::Beside(TURNS.read().unwrap_or_else(PoisonError::into_inner)),
        _ => Turn::Alone(TURNS.write().unwrap_or_else(PoisonError::into_inner)),
    }
}
