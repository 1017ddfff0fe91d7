//! On a space so small that every image can be tried: the probabilities of all images together are at most 1, unless the
//! bins of the dequantisation overlap.

use burn::tensor::{Device, Tensor, TensorData};
use datasets::{
    BatchConfig, BatchSource, Batcher, CodecKind, Dequantization, ImageDataset, ImageShape, Provenance, ShardWriter,
    ShardWriterConfig, Split,
};
use residual_flows::{LogDetConfig, LogDetContext, NoiseKey, ResidualFlow, ResidualFlowConfig, bits_per_dim};
use std::path::Path;
use std::sync::Arc;

const LEVELS: u32 = 4;
const DIMENSIONS: usize = 2;
const IMAGES: usize = 16;
const EPOCHS: u64 = 400;

/// All images of two pixels with four levels.
fn write_all_images(dir: &Path) {
    let config = ShardWriterConfig {
        name: "all images".into(),
        split: Split::Train,
        shape: ImageShape { channels: 1, height: 1, width: DIMENSIONS },
        levels: LEVELS,
        codec: CodecKind::Raw,
        provenance: Provenance::default(),
        images_per_shard: None,
        overwrite: false,
    };
    let mut writer = ShardWriter::create(dir, config).expect("a new directory");
    for (first, second) in (0..4).flat_map(|first| (0..4).map(move |second| (first, second))) {
        writer.push(&[first, second], None).expect("an image of the set");
    }
    writer.finish().expect("written");
}

/// Every image with fresh noise in each epoch, one epoch after the other.
fn images(batcher: &Batcher) -> Tensor<4> {
    let batches = (0..EPOCHS).map(|epoch| {
        let batch = batcher.train_batch(epoch, 0).expect("a batch");
        Tensor::<4>::from_data(TensorData::new(batch.pixels, batch.shape), &Device::flex())
    });
    Tensor::cat(batches.collect(), 0)
}

/// The sum over all images of `P = E_u[p(x + u)] / levels^D`, from the bits/dim that the program reports, with its standard
/// error over the noise.
fn sum_of_probabilities(model: &ResidualFlow, images: Tensor<4>) -> [f64; 2] {
    let exact = LogDetConfig::exact();
    let context = LogDetContext { config: &exact, noise: NoiseKey::new(0, [0, 0]) };
    let log_prob: Vec<f32> = model.log_prob_with(images, &context).expect("a density").total().try_into_vec_as().expect("floats");
    let probability = |&log_prob: &f32| 2f64.powf(-bits_per_dim(log_prob.into(), DIMENSIONS, LEVELS) * DIMENSIONS as f64);
    let sums: Vec<f64> = log_prob.chunks(IMAGES).map(|epoch| epoch.iter().map(probability).sum()).collect();
    let n = sums.len() as f64;
    let mean = sums.iter().sum::<f64>() / n;
    let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / (n - 1.0);
    [mean, (variance / n).sqrt()]
}

#[test]
fn probabilities_sum_to_at_most_one_unless_bins_overlap() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_all_images(dir.path());
    let dataset = Arc::new(ImageDataset::open(dir.path(), Split::Train).expect("the images"));
    let images = |dequantization| {
        let config = BatchConfig { batch_size: IMAGES, dequantization, ..BatchConfig::default() };
        images(&Batcher::new(dataset.clone(), config).expect("settings"))
    };
    let config = ResidualFlowConfig {
        blocks: vec![2],
        hidden_channels: 16.into(),
        dense_blocks: 1,
        dense_hidden: 8,
        ..Default::default()
    };
    let model = |data: &Tensor<4>| {
        let mut rng = NoiseKey::new(4, [0, 0]).stream(0);
        let mut model = config.init([1, 1, DIMENSIONS], &mut rng, &Device::flex()).expect("a model");
        // Fitted to the mean and variance of the data: enough for most of its mass to lie where they are.
        model.initialize(data.clone()).expect("images that fit");
        model
    };
    let (uniform, overlapping) = (images(Dequantization::Uniform), images(Dequantization::Overlapping));
    for fitted in [&uniform, &overlapping] {
        let [sum, error] = sum_of_probabilities(&model(fitted), uniform.clone());
        assert!(error < 0.02 && sum > 0.7, "{sum} ± {error}");
        assert!(sum < 1.0 + 4.0 * error, "the probabilities of all images sum to {sum} ± {error}");
    }
    let [sum, error] = sum_of_probabilities(&model(&overlapping), overlapping);
    assert!(sum > 1.05 + 4.0 * error, "overlapping bins count density twice, but the sum is {sum} ± {error}");
}
