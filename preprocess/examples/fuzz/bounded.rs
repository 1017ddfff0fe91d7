//! The allocator of programs that look for faults: memory that no reader of small files needs is a finding.

use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes of the largest allocation.
const MAX: usize = 1 << 28;

struct Bounded;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > MAX {
            // Null makes the caller abort, which names the size.
            return std::ptr::null_mut();
        }
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;
