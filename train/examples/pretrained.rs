//! A checkpoint of the reference implementation, <https://github.com/rtqichen/residual-flows>, in Rust: densities and samples of its
//! averaged weights, and a file that the library reads in one call.
//!
//!     cargo run -p train --example pretrained -- [CHECKPOINT.pth]

use burn::tensor::{Device, Tensor};
use residual_flows::io::Weights;
use residual_flows::{NoiseKey, ResidualFlow};
use std::path::{Path, PathBuf};
use train::checkpoint;

fn main() -> anyhow::Result<()> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/research/rgb_swish/checkpoint.pth");
    run(&std::env::args().nth(1).map_or(default, PathBuf::from))
}

/// Reads a checkpoint.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let device = Device::flex();
    // The architecture follows from the script's arguments in the file.
    let read = checkpoint::load(path, Weights::Average, &device)?;
    let [channels, height, width] = read.description.shape;
    let model = read.readiness.apply(read.model)?;

    let images = Tensor::<4>::full([2, channels, height, width], 0.5, &device);
    println!("ln p(x) of gray images, nats: {}", model.log_prob(images.clone())?);
    println!("samples: {:?}", model.sample(4, 0.7, &mut NoiseKey::new(1, [0, 0]).stream(0), &device)?.dims());

    let saved = std::env::temp_dir().join("pretrained.safetensors");
    model.save(&saved)?;
    assert_eq!(ResidualFlow::load(&saved, &device)?.log_prob(images.clone())?.into_data(), model.log_prob(images)?.into_data());
    println!("saved in {}", saved.display());
    Ok(())
}
