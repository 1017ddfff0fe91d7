//! Encode and decode speed of one core on the images of a data set:
//! `cargo run --release -p datasets --example codec_speed -- data/cifar10`
//!
//! Times are those of the processor where the system tells them (Linux), so that other work does not count.
use datasets::{shards::codec::Codec, *};
use std::time::Instant;

/// Seconds that this thread has been running.
fn seconds(start: Instant) -> f64 {
    let on_cpu = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = on_cpu.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |n| n * 1e-9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give the directory of a data set")?;
    let dataset = ImageDataset::open(dir.as_ref(), Split::Train)?;
    let n = dataset.len().min(10_000);
    let start = Instant::now();
    let images = (0..n).map(|i| dataset.image(i)).collect::<Result<Vec<_>, _>>()?;
    for kind in CodecKind::ALL {
        let mut codec = Codec::new(kind, dataset.shape())?;
        let mut out = vec![0; dataset.shape().len()];
        let mut rates = Vec::new();
        let mut ratio = 0.0;
        for _ in 0..5 {
            let before = seconds(start);
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for image in &images {
                codec.encode(image, &mut bytes)?;
                ends.push(bytes.len());
            }
            let encoded = seconds(start);
            for (image, range) in images.iter().zip(ends.windows(2)) {
                codec.decode(&bytes[range[0]..range[1]], &mut out)?;
                assert_eq!(&out, image);
            }
            rates.push([n as f64 / (encoded - before), n as f64 / (seconds(start) - encoded)]);
            ratio = bytes.len() as f64 / (n * out.len()) as f64;
        }
        let [encode, decode] = [0, 1].map(|i| {
            let mut rates: Vec<f64> = rates.iter().map(|rate| rate[i]).collect();
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        println!("{kind}: encode {encode:.0} images/s, decode {decode:.0} images/s, {:.2} % of raw", 100.0 * ratio);
    }
    let before = seconds(start);
    let order = permutation(n, 1, 0);
    for &i in &order {
        dataset.read_into(i, &mut vec![0; dataset.shape().len()])?;
    }
    println!("random access with checksums: {:.0} images/s", n as f64 / (seconds(start) - before));
    let batcher = Batcher::new(std::sync::Arc::new(dataset), BatchConfig::default())?;
    let before = Instant::now();
    let batches = (n / 64).min(batcher.batches_per_epoch());
    for i in 0..batches {
        batcher.train_batch(0, i)?;
    }
    println!("batches: {:.0} images/s", (64 * batches) as f64 / before.elapsed().as_secs_f64());
    Ok(())
}
