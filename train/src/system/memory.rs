//! The allocator of the programs: mimalloc for what is small, the system's for what is large; where the system refuses memory,
//! the program ends with a message.
//!
//! Of large blocks of many sizes, mimalloc leaves gaps that were a third of the memory of a training run; glibc fits them
//! together, but is slow where they are small and many.
//!
//! Systems that promise more memory than they have end the program by a signal instead, without a word; the last
//! checkpoint is whole then too.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes from which on a block is the system's.
const LARGE: usize = 1 << 16;

/// Bytes that no machine has: not memory is missing then.
const IMPOSSIBLE: usize = 1 << 46;

/// What the program is doing, for the advice where memory runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Reading and building.
    Loading,
    /// Making steps.
    Training,
    /// Computing densities.
    Evaluating,
    /// Drawing samples and reconstructions.
    Drawing,
}

static PHASE: AtomicU8 = AtomicU8::new(Phase::Loading as u8);

impl Phase {
    const ALL: [Self; 4] = [Self::Loading, Self::Training, Self::Evaluating, Self::Drawing];

    fn now() -> Self {
        Self::ALL.get(usize::from(PHASE.load(Ordering::Relaxed))).copied().unwrap_or(Self::Loading)
    }

    /// What takes less memory.
    fn advice(self) -> &'static str {
        match self {
            Self::Loading => "the model or its data are too large for this machine, or for its limits (ulimit -v)",
            Self::Training => {
                "lower optim.batch_size and raise optim.accumulate in return; a run goes on from its last checkpoint with --resume"
            }
            Self::Evaluating => "lower run.eval_batch_size, or --batch",
            Self::Drawing => "lower run.n_samples, or --n",
        }
    }
}

/// Does work, and says meanwhile what it is.
pub fn during<T>(phase: Phase, work: impl FnOnce() -> T) -> T {
    let before = PHASE.swap(phase as u8, Ordering::Relaxed);
    let done = work();
    PHASE.store(before, Ordering::Relaxed);
    done
}

/// See the module.
pub struct Allocator;

/// Keeps the pages of freed large blocks for what is allocated next, from now on.
///
/// Every step allocates and frees the same large tensors; pages that the system takes back in between must be cleared
/// again, which was a tenth of a step of the paper's models. Does something with glibc only, and is to be called before there
/// are threads.
pub fn keep_freed_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // The most that it takes; what is larger is mapped by itself, and unmapped when it is freed.
        const MAPPED_ALONE: libc::c_int = 32 << 20;
        let options = [
            (libc::M_MMAP_THRESHOLD, MAPPED_ALONE),
            (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
            // One heap for all threads: what one of them frees is of the size that another needs next.
            (libc::M_ARENA_MAX, 1),
        ];
        for (option, value) in options {
            // SAFETY: sets a number that the allocator reads; one that it does not take changes nothing.
            unsafe { libc::mallopt(option, value) };
        }
    }
}

/// Who gives out blocks of this size, and takes them back.
fn allocator(size: usize) -> &'static dyn GlobalAlloc {
    if size >= LARGE { &System } else { &MiMalloc }
}

// SAFETY: every call is passed on to the allocator that the block's size names whenever it is touched, and what that returns
// is returned unless it is null.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract.
        or_end(unsafe { allocator(layout.size()).alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        or_end(unsafe { allocator(layout.size()).alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if (layout.size() >= LARGE) == (new_size >= LARGE) {
            // SAFETY: the caller keeps `realloc`'s contract.
            return or_end(unsafe { allocator(new_size).realloc(pointer, layout, new_size) }, new_size);
        }
        // SAFETY: the caller keeps `realloc`'s contract, so the new size is good for a layout, and the old block is its own.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            moved.copy_from_nonoverlapping(pointer, layout.size().min(new_size));
            self.dealloc(pointer, layout);
            moved
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { allocator(layout.size()).dealloc(pointer, layout) }
    }
}

/// The pointer, unless there is none: then the program ends. Nothing is allocated on the way.
fn or_end(pointer: *mut u8, size: usize) -> *mut u8 {
    if pointer.is_null() {
        let advice = Phase::now().advice();
        // Where nobody reads it, the exit code remains.
        let _ = if size > IMPOSSIBLE {
            writeln!(
                std::io::stderr(),
                "error: {size} bytes were asked for, which no machine has: a size is far too large; {advice}"
            )
        } else {
            writeln!(std::io::stderr(), "error: out of memory: the system refused {} KiB; {advice}", size.div_ceil(1024))
        };
        signal_hook::low_level::exit(1);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_what_is_in_them_when_they_grow_and_shrink() {
        let value = |i: usize| (i * 31 % 251) as u8;
        let (mut size, mut kept) = (1000, 1000);
        let layout = |size: usize| Layout::from_size_align(size, 64).expect("a power of two");
        // SAFETY: the block is as large as `size` says, and is written before it is read.
        unsafe {
            let mut block = Allocator.alloc(layout(size));
            (0..size).for_each(|i| *block.add(i) = value(i));
            for next in [LARGE - 1, LARGE, 40 << 20, LARGE + 1, LARGE - 1, 500] {
                block = Allocator.realloc(block, layout(size), next);
                kept = kept.min(next);
                size = next;
                assert!((0..kept).all(|i| *block.add(i) == value(i)), "{next} bytes");
                assert_eq!(block as usize % 64, 0);
            }
            Allocator.dealloc(block, layout(size));
            let zeros = Allocator.alloc_zeroed(layout(LARGE));
            assert!((0..LARGE).all(|i| *zeros.add(i) == 0));
            Allocator.dealloc(zeros, layout(LARGE));
        }
    }
}
