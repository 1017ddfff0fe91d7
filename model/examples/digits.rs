//! A density of images from shards, with the settings that `configs/digits.toml` has: 8×8 digits, which are part of this
//! repository. Steps at most: the first argument.
//!
//!     cargo run -p residual-flows --example digits -- 1000

use datasets::{BatchConfig, BatchSource, Batcher, ImageDataset, Split};
use residual_flows::burn::tensor::{Device, Tensor, TensorData};
use residual_flows::optim::{OptimConfig, ScheduleKind};
use residual_flows::training::{Data, DensityLoss, Event, FitConfig, Samples, fit};
use residual_flows::{NoiseKey, ResidualFlowConfig};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(std::env::args().nth(1).map(|steps| steps.parse()).transpose()?)
}

/// Trains for this many steps at most, and samples.
pub fn run(max_steps: Option<u64>) -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/digits");
    let open = |split, batch_size| -> Result<Batcher, Box<dyn std::error::Error>> {
        let images = Arc::new(ImageDataset::open(&dir, split)?);
        Ok(Batcher::new(images, BatchConfig { batch_size, ..BatchConfig::default() })?)
    };
    let (train, test) = (open(Split::Train, 16)?, open(Split::Test, 299)?);
    let (levels, of_device) = (train.levels(), device.clone());
    let samples = move |batch: datasets::Batch| Samples {
        x: Tensor::from_data(TensorData::new(batch.pixels, batch.shape), &of_device),
        labels: batch.labels,
        context: None,
    };
    let held_out = samples(test.eval_batch(0)?);
    let per_epoch = train.batches_per_epoch();
    let data = Data::batches(per_epoch as u64, move |epoch| {
        let (train, samples) = (train.clone(), samples.clone());
        Box::new((0..per_epoch).map(move |index| Ok(samples(train.train_batch(epoch, index)?))))
    });

    let optim = OptimConfig {
        learning_rate: 1e-2,
        warmup_steps: 200,
        schedule: ScheduleKind::Cosine,
        ema_decay: 0.995,
        ..FitConfig::default().optim
    };
    let density = Some(DensityLoss::BitsPerDim { levels });
    let config = FitConfig { optim, density, epochs: 60, max_steps, evaluate_every_epochs: 15, ..FitConfig::default() };
    let model = ResidualFlowConfig {
        blocks: vec![4, 4],
        hidden_channels: 64.into(),
        dense_blocks: 0,
        logit_alpha: 0.003,
        ..ResidualFlowConfig::default()
    };
    let model = model.init([1, 8, 8], &mut NoiseKey::new(0, [0, 0]).stream(0), &device)?;
    let fitted = fit(model, data.with_validation(held_out), &config, &mut |event: &Event| {
        if let Event::Evaluated { evaluation, .. } = event {
            println!("step {}: {:.4} bits/dim", evaluation.step, evaluation.loss);
        }
        ControlFlow::Continue(())
    })?;
    let images = fitted.model.sample(16, 1.0, &mut NoiseKey::new(1, [0, 0]).stream(0), &device)?;
    println!("{:?} samples of a model trained in {} steps", images.dims(), fitted.steps);
    Ok(())
}
