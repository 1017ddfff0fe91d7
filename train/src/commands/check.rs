//! `train check CHECKPOINT`: how far a checkpoint's weights are from not being invertible.

use super::{Chosen, Compute, Opened, report};
use crate::data::table::TableChoice;
use crate::data::{DataSet, PREFETCH_DEPTH};
use crate::monitoring::costs::Costs;
use crate::reporting::path_text;
use crate::reporting::progress::{Progress, Work};
use crate::scoring::model_data::{Found, Sought};
use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Args;
use datasets::io::console::note;
use datasets::{Prefetch, Split};
use residual_flows::training::noise;
use residual_flows::{BlockCertificate, Effort, ResidualFlow};
use serde::Serialize;
use std::path::PathBuf;

/// Certify the Lipschitz bounds of a checkpoint's weights, and measure how well samples are reconstructed
#[derive(Args)]
#[command(after_help = "Examples:
  train check experiments/runs/digits
  train check experiments/runs/digits --n 0 --json")]
pub struct Check {
    #[command(flatten)]
    chosen: Chosen,
    /// The directory of the data set, if it has moved since training; or any file of points
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    #[command(flatten)]
    table: TableChoice,
    /// Reconstruct this many test samples; 0: only the bounds
    #[arg(long, value_name = "N", default_value_t = 64)]
    n: usize,
    #[command(flatten)]
    compute: Compute,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    /// Whether every block's bound is below 1, so that the inverse of each is sure to exist and to be found.
    certified: bool,
    largest_bound: f64,
    blocks: Vec<BlockCertificate>,
    reconstruction: Option<Reconstruction>,
    #[serde(serialize_with = "path_text::serialize")]
    checkpoint: PathBuf,
}

/// What is left of images after encoding and decoding, in units of the data, where images span 0 to 1.
#[derive(Serialize)]
struct Reconstruction {
    images: usize,
    largest_error: f64,
    root_mean_square_error: f64,
}

impl Check {
    /// Checks.
    ///
    /// # Errors
    /// If the checkpoint or the data cannot be read, or an inverse does not converge.
    pub fn run(self) -> Result<()> {
        let device = self.compute.device()?;
        let mut progress = Progress::new();
        let Opened { checkpoint, description, model, monitor } = self.chosen.open(&device, &mut progress)?;
        let stage = progress.stage("certifying", Work::count("blocks", model.n_branches()));
        let mut blocks: Vec<BlockCertificate> = Vec::new();
        for block in model.certificates(Effort::Sharp) {
            stage.set(blocks.len() as u64 + 1, format!("{} at most {:.4}", block.path, block.bound));
            blocks.push(block);
        }
        drop(stage);
        if self.n == 0 {
            self.table.ensure_unused("no samples are reconstructed")?;
        }
        let reconstruction = if self.n > 0 {
            let mut config = description.config.clone();
            config.run.eval_batch_size = config.run.eval_batch_size.min(self.n);
            let (config, checkpoint, elsewhere, table) = (&config, &checkpoint, self.data.as_deref(), &self.table);
            let sought = Sought { description: &description, config, checkpoint, elsewhere, split: Split::Test, table };
            let Found { data, .. } = sought.open()?;
            data.notes.iter().for_each(note);
            let n_images = data.batches.len();
            let batches = Prefetch::eval(data.batches.clone(), PREFETCH_DEPTH);
            // Each batch to latents and back.
            let rounds = self.n.min(n_images).div_ceil(config.run.eval_batch_size);
            let work = Work::layers(&monitor, &Costs::there_and_back(&model), rounds);
            let stage = progress.stage(format!("reconstructing {} images", self.n.min(n_images)), work);
            let reconstruction = self.reconstruct(&model, &data, batches, config.run.seed, &device)?;
            drop(stage);
            Some(reconstruction)
        } else {
            None
        };
        let largest_bound = blocks.iter().map(|block| block.bound).fold(0.0, f64::max);
        let certified = blocks.iter().all(|block| block.bound < 1.0);
        let outcome = Outcome { certified, largest_bound, blocks, reconstruction, checkpoint };
        report(self.json, &outcome, || lines(&outcome))
    }

    fn reconstruct(
        &self,
        model: &ResidualFlow,
        data: &DataSet,
        batches: Prefetch,
        seed: u64,
        device: &Device,
    ) -> Result<Reconstruction> {
        let (mut images, mut values, mut largest, mut squares) = (0, 0, 0.0f64, 0.0);
        for (index, batch) in batches.enumerate() {
            let left = self.n - images;
            if left == 0 {
                break;
            }
            let samples = data.samples(batch?, device);
            let samples = samples.narrow(0, left.min(samples.count()));
            let (model, n) = (samples.condition(model)?, samples.count());
            let mut rng = noise::evaluation(seed, index).stream(u64::MAX);
            let padded = model.pad(samples.x, &mut rng)?.input;
            let error = model.unpad(model.decode(model.encode(padded.clone())?)? - padded);
            let error = error.try_into_vec_as::<f32>().context("cannot read a result from the device")?;
            images += n;
            values += error.len();
            largest = error.iter().fold(largest, |largest, error| largest.max(f64::from(error.abs())));
            squares += error.iter().map(|&error| f64::from(error).powi(2)).sum::<f64>();
        }
        let root_mean_square_error = (squares / values as f64).sqrt();
        Ok(Reconstruction { images, largest_error: largest, root_mean_square_error })
    }
}

fn lines(outcome: &Outcome) -> String {
    let mut lines = vec![format!("{:<44} {:>10} {:>10}", "layer", "estimate", "bound")];
    for block in &outcome.blocks {
        for layer in &block.layers {
            lines.push(format!("{:<44} {:>10.5} {:>10.5}", layer.path, layer.estimate, layer.bound));
        }
        let sure = if block.bound < 1.0 { "invertible for sure" } else { "not certified" };
        lines.push(format!("{:<44} {:>10.5} {:>10.5}  {sure}", block.path, block.estimate, block.bound));
    }
    let certified = outcome.blocks.iter().filter(|block| block.bound < 1.0).count();
    let (all, largest) = (outcome.blocks.len(), outcome.largest_bound);
    lines.push(format!(
        "{certified} of {all} blocks have a guaranteed Lipschitz constant below 1; the largest bound is {largest:.5}"
    ));
    if let Some(Reconstruction { images, largest_error, root_mean_square_error }) = &outcome.reconstruction {
        lines.push(format!(
            "reconstruction of {images} test samples: largest error {largest_error:.2e}, root mean square \
             {root_mean_square_error:.2e}"
        ));
    }
    lines.join("\n")
}
