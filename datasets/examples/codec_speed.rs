//! Encode and decode speed of one core on the images of a data set:
//! `cargo run --release -p datasets --example codec_speed -- data/cifar10`
use datasets::{codec::Codec, *};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give the directory of a data set")?;
    let dataset = ImageDataset::open(dir.as_ref(), Split::Train)?;
    let n = dataset.len().min(10_000);
    let images = (0..n).map(|i| dataset.image(i)).collect::<Result<Vec<_>, _>>()?;
    for kind in CodecKind::ALL {
        let mut codec = Codec::new(kind, dataset.shape())?;
        let mut out = vec![0; dataset.shape().len()];
        for _ in 0..3 {
            let start = Instant::now();
            let (mut bytes, mut ends) = (Vec::new(), vec![0]);
            for image in &images {
                codec.encode(image, &mut bytes)?;
                ends.push(bytes.len());
            }
            let encode = n as f64 / start.elapsed().as_secs_f64();
            let start = Instant::now();
            for (image, range) in images.iter().zip(ends.windows(2)) {
                codec.decode(&bytes[range[0]..range[1]], &mut out)?;
                assert_eq!(&out, image);
            }
            let decode = n as f64 / start.elapsed().as_secs_f64();
            let ratio = bytes.len() as f64 / (n * out.len()) as f64;
            println!("{kind}: encode {encode:.0} images/s, decode {decode:.0} images/s, {:.2} % of raw", 100.0 * ratio);
        }
    }
    let start = Instant::now();
    let order = permutation(n, 1, 0);
    for &i in &order {
        dataset.read_into(i, &mut vec![0; dataset.shape().len()])?;
    }
    println!("random access with checksums: {:.0} images/s", n as f64 / start.elapsed().as_secs_f64());
    let batcher = Batcher::new(std::sync::Arc::new(dataset), BatchConfig::default())?;
    let start = Instant::now();
    let batches = (n / 64).min(batcher.batches_per_epoch());
    for i in 0..batches {
        batcher.train_batch(0, i)?;
    }
    println!("batches: {:.0} images/s", (64 * batches) as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
