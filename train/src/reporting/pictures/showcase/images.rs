//! Test images, what the inverse makes of their latents, and samples.

use super::{Budget, Lacks};
use crate::config::RunConfig;
use crate::data::DataSet;
use crate::reporting::pictures::grid;
use crate::reporting::progress::duration;
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use datasets::BatchSource;
use datasets::io::output::Existing;
use residual_flows::training::{Samples, noise};
use residual_flows::{ModelError, ResidualFlow};
use std::path::Path;
use std::time::Instant;

/// Floating-point operations of a pass with as many images as are drawn at a time: a second or two of a processor.
const PASS: f64 = 2e11;
/// What stands where an image was left out.
const BLANK: f32 = 0.2;

/// Images, and the seed of as many samples.
pub struct ImageShowcase {
    shown: Samples,
    seed: u64,
}

/// Images of one kind, or why there are none.
type Drawn = Result<Vec<Tensor<4>>, ModelError>;

impl ImageShowcase {
    /// With the first test images.
    pub(super) fn new(run: &RunConfig, test: &DataSet, device: &Device) -> Result<Self> {
        let shown = test.samples(test.batches.eval_batch(0)?, device);
        Ok(Self { shown: shown.narrow(0, run.n_samples.min(shown.count())), seed: run.seed })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.shown.count()
    }

    /// Draws images, reconstructions and samples, from top to bottom.
    pub(super) fn draw(&self, model: &ResidualFlow, path: &Path, budget: &Budget) -> Result<Lacks> {
        let images = self.shown.x.clone();
        let (noise, n, device) = (noise::samples(self.seed), self.count(), images.device());
        let padded = model.pad(images.clone(), &mut noise.stream(1))?.input;
        let latents = self.shown.condition(model)?.sample_latents(n, 1.0, &mut noise.stream(0), &device)?;
        let (begin, at_a_time) = (Instant::now(), at_a_time(model, n));
        let (mut reconstructed, mut sampled): (Drawn, Drawn) = (Ok(Vec::new()), Ok(Vec::new()));
        let mut done = 0;
        while done < n && (done == 0 || is_time_for_more(begin, done, at_a_time, budget)) {
            let more = at_a_time.min(n - done);
            // Samples are given what is known about the image above them.
            let given = self.shown.narrow(done, more).condition(model)?;
            let decode = |z| given.decode(z).map(|x| given.unpad(x));
            add(&mut reconstructed, || decode(given.encode(padded.clone().narrow(0, done, more))?))?;
            add(&mut sampled, || decode(latents.clone().narrow(0, done, more)))?;
            done += more;
            (budget.told)(done as u64);
        }
        let mut lacks = Lacks::default();
        if done < n {
            let (time, limit) = (duration(begin.elapsed().as_secs_f64()), duration(budget.seconds));
            lacks.left_out = Some(format!("{done} of {n} images in {time}; more would take longer than {limit}"));
        }
        let mut sections = vec![("held-out images", images)];
        for (what, result) in [("reconstructions", reconstructed), ("samples", sampled)] {
            match result {
                Ok(images) => sections.push((what, filled_up(images, n))),
                Err(error) => lacks.failed.push(format!("no {what} in {}: {error}", path.display())),
            }
        }
        grid::write(path, Existing::Own, sections)?;
        Ok(lacks)
    }
}

/// As many of `n` images as make a pass of bearable length. Only shapes decide.
fn at_a_time(model: &ResidualFlow, n: usize) -> usize {
    ((PASS / model.pass_flops(1).max(1.0)) as usize).clamp(1, n)
}

/// Whether the next images will be done in time, if they take as long as those before.
fn is_time_for_more(begin: Instant, done: usize, more: usize, budget: &Budget) -> bool {
    let elapsed = begin.elapsed().as_secs_f64();
    elapsed * (done + more) as f64 / done as f64 <= budget.seconds
}

/// Adds images of a kind of which none has failed.
///
/// # Errors
/// If the work was stopped.
fn add(drawn: &mut Drawn, draw: impl FnOnce() -> Result<Tensor<4>, ModelError>) -> Result<(), ModelError> {
    let Ok(images) = drawn else { return Ok(()) };
    match draw() {
        Ok(more) => images.push(more),
        Err(ModelError::Interrupted) => return Err(ModelError::Interrupted),
        Err(error) => *drawn = Err(error),
    }
    Ok(())
}

/// With blanks up to `n` images: all pictures of a run have the same size.
fn filled_up(mut images: Vec<Tensor<4>>, n: usize) -> Tensor<4> {
    let drawn: usize = images.iter().map(|images| images.dims()[0]).sum();
    if let Some([_, c, h, w]) = images.first().map(Tensor::dims)
        && drawn < n
    {
        images.push(Tensor::full([n - drawn, c, h, w], BLANK, &images[0].device()));
    }
    Tensor::cat(images, 0)
}
