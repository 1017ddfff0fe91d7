//! A model in a file, and back; also one of a checkpoint of the program `train`, if its name is given.
//!
//!     cargo run -p residual-flows --example save_load -- [CHECKPOINT]

use residual_flows::burn::tensor::{Device, Tensor};
use residual_flows::io::{ModelFile, Weights};
use residual_flows::{NoiseKey, ResidualFlow, ResidualFlowConfig};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(std::env::args().nth(1).map(PathBuf::from))
}

/// Saves and loads a model, and looks into a checkpoint.
pub fn run(checkpoint: Option<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
    let config = ResidualFlowConfig { blocks: vec![2, 2], hidden_channels: 16.into(), ..ResidualFlowConfig::cifar10() };
    let model = config.init([3, 8, 8], &mut rng, &device)?;

    // One call each way: the architecture is in the file.
    let path = std::env::temp_dir().join("save_load.safetensors");
    model.save(&path)?;
    let loaded = ResidualFlow::load(&path, &device)?;
    let images = Tensor::<4>::full([2, 3, 8, 8], 0.3, &device);
    assert_eq!(loaded.log_prob(images.clone())?.into_data(), model.log_prob(images)?.into_data());
    println!("the same log-densities from {}", path.display());

    // A file says what is in it before any of its weights are read; of a checkpoint, the averaged ones or those of the last step.
    let path = checkpoint.unwrap_or(path);
    let mut file = ModelFile::open(&path)?;
    println!("{}: samples of shape {:?}, {:?}", path.display(), file.description().shape, file.description().units);
    let model = file.model(Weights::Average, &device)?;
    println!("{:?}", model.sample(1, 0.7, &mut rng, &device)?.dims());
    Ok(())
}
