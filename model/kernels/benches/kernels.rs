//! The rate of every kernel beside the processor's peak; an item is a floating-point operation, so `Gitem/s` are GFLOP/s.
//!
//! ```console
//! $ cargo bench -p flow-kernels --features benchmarks
//! ```

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use flow_kernels::benchmarks::{Work, case, names};

fn main() {
    divan::main();
}

#[divan::bench(args = names())]
fn kernel(bencher: Bencher, name: &str) {
    let mut case = case(name);
    match case.work {
        Work::Flops(n) => bencher.counter(ItemsCount::new(n)).bench_local(&mut case.run),
        Work::Bytes(n) => bencher.counter(BytesCount::new(n)).bench_local(&mut case.run),
    }
}
