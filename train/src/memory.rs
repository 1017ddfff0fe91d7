//! The allocator of the programs: mimalloc, but where the system refuses memory, the program ends with a message.
//!
//! Systems that promise more memory than they have end the program by a signal instead, without a word; the last
//! checkpoint is whole then too.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};

/// See the module.
pub struct Allocator;

/// Keeps the pages of freed memory for what is allocated next, from now on.
///
/// Every step allocates and frees the same large tensors; pages that the system takes back in between must be cleared
/// again, which was a tenth of a step of the paper's models.
pub fn keep_freed_pages() {
    // Of the options of mimalloc 2 and 3; the bindings name only the one after it.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;
    const NEVER: std::ffi::c_long = -1;
    // SAFETY: sets a number that the allocator reads.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER) }
}

// SAFETY: every call is passed on to mimalloc as it is, and what it returns is returned unless it is null.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract.
        or_end(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        or_end(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller keeps `realloc`'s contract.
        or_end(unsafe { MiMalloc.realloc(pointer, layout, new_size) }, new_size)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

/// The pointer, unless there is none: then the program ends. Nothing is allocated on the way.
fn or_end(pointer: *mut u8, size: usize) -> *mut u8 {
    if pointer.is_null() {
        eprintln!(
            "error: out of memory: the system refused {} MiB; lower the batch size (optim.batch_size, with \
             optim.accumulate raised in return, or run.eval_batch_size); a run goes on from its last checkpoint with \
             --resume",
            size >> 20
        );
        signal_hook::low_level::exit(1);
    }
    pointer
}
