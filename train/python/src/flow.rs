//! A model from a file, applied to arrays.

use crate::arrays::{Numbers, outputs, to_numpy};
use crate::compute::interruptibly;
use crate::errors::exception;
use anyhow::{Context, Result, anyhow, ensure};
use numpy::{PyArray1, PyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use residual_flows::io::Weights;
use residual_flows::optim::OptimizerState;
use residual_flows::state::named_tensors;
use residual_flows::{LogDetConfig, Monitor};
use std::path::PathBuf;
use train::checkpoint::state::{Description, RunLog, TrainingState};
use train::checkpoint::{self, Checkpoint, format, retention};
use train::data::kind::DataKind;
use train::run::footprint;
use train::scoring::array_model::ArrayModel;
use train::scoring::arrays::Array;
use train::scoring::samples;
use train::scoring::weights;
use train::system::device::DeviceChoice;
use train::training::parallel::ProcessGroup;

/// A model, ready for use, and what its file says about it.
#[pyclass(frozen, module = "residual_flows._native")]
pub struct Flow {
    model: ArrayModel,
    description: Description,
    device: DeviceChoice,
}

impl Flow {
    fn new(checkpoint: Checkpoint, device: DeviceChoice, monitor: &Monitor) -> Result<Self> {
        let ready = weights::ready(checkpoint, monitor)?;
        let description = ready.description.clone();
        let model = ArrayModel::new(ready, device.open(&ProcessGroup::alone())?);
        Ok(Self { model, description, device })
    }

    /// What a file of this model alone holds.
    fn state(&self) -> TrainingState {
        let kind = self.description.config.optim.optimizer;
        TrainingState {
            description: Description { data: None, ..self.description.clone() },
            weights: named_tensors(self.model.model()),
            average: Vec::new(),
            converged: Vec::new(),
            optimizer: OptimizerState { kind, steps: self.description.step, ..Default::default() },
            log: RunLog::default(),
        }
    }

    /// The model, with other estimators, noise and batches than in training's evaluations.
    fn scorer(&self, exact: bool, seed: Option<u64>, batch: Option<usize>, monitor: &Monitor) -> Result<ArrayModel> {
        let mut model = self.model.followed_by(monitor);
        model.seed = seed.unwrap_or(model.seed);
        model.batch = batch.unwrap_or(model.batch);
        ensure!(model.batch > 0, "batch is 0, expected at least 1");
        if exact {
            model.log_det = LogDetConfig::exact();
        }
        Ok(model)
    }
}

#[pymethods]
impl Flow {
    /// Reads a checkpoint, a `.pth` file, or the best checkpoint of the run in a directory.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, weights: &str, device: &str) -> PyResult<Self> {
        let weights = match weights {
            "average" => Weights::Average,
            "raw" => Weights::Raw,
            other => return Err(exception(anyhow!("weights is {other:?}, expected \"average\" or \"raw\""))),
        };
        let device: DeviceChoice = device.parse().map_err(|error| exception(anyhow!("device is {device:?}: {error}")))?;
        interruptibly(py, |monitor| {
            let file = if path.is_dir() { retention::of_run(&path)?.0 } else { path };
            let checkpoint = checkpoint::load(&file, weights, &device.open(&ProcessGroup::alone())?)?;
            Self::new(checkpoint, device, monitor).with_context(|| file.display().to_string())
        })
    }

    /// The model that [`to_bytes`](Self::to_bytes) has written.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Self> {
        interruptibly(py, |monitor| {
            let device = DeviceChoice::default();
            let state = format::read(bytes)?;
            Self::new(state.into_checkpoint(Weights::Raw, &device.open(&ProcessGroup::alone())?)?, device, monitor)
        })
    }

    /// A file of this model, as bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let written = py.detach(|| {
            let mut bytes = Vec::new();
            format::write(&self.state(), &mut bytes).map(|()| bytes)
        });
        Ok(PyBytes::new(py, &written.map_err(exception)?))
    }

    /// Writes a file that the programs and this package read.
    fn save(&self, py: Python<'_>, path: PathBuf, overwrite: bool) -> PyResult<()> {
        let existing = datasets::io::output::Existing::replaced_if(overwrite);
        py.detach(|| checkpoint::save(&path, existing, &self.state())).map_err(exception)
    }

    /// `ln p(x)` in nats, `[n]`.
    fn log_prob<'py>(
        &self,
        py: Python<'py>,
        x: Numbers<'py>,
        exact: bool,
        seed: Option<u64>,
        batch: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let view = x.view().map_err(exception)?;
        let densities = interruptibly(py, |monitor| {
            let model = self.scorer(exact, seed, batch, monitor)?;
            let inputs = view.inputs(&model)?;
            if inputs.is_empty() { Ok(Vec::new()) } else { Ok(model.log_densities(&inputs)?.total) }
        })?;
        Ok(PyArray1::from_vec(py, densities))
    }

    /// Latents `[n, latent dimensions]`.
    fn encode<'py>(&self, py: Python<'py>, x: Numbers<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let view = x.view().map_err(exception)?;
        let latents = interruptibly(py, |monitor| {
            let model = self.model.followed_by(monitor);
            let inputs = view.inputs(&model)?;
            if inputs.is_empty() {
                return Ok(Array { shape: vec![0, model.model().latent_dimensions()], values: Vec::new() });
            }
            model.encode(&inputs)
        })?;
        to_numpy(py, latents)
    }

    /// Samples of latents `[n, latent dimensions]`.
    fn decode<'py>(&self, py: Python<'py>, z: Numbers<'py>) -> PyResult<Bound<'py, PyAny>> {
        let view = z.view().map_err(exception)?;
        let decoded = interruptibly(py, |monitor| self.model.followed_by(monitor).decode(&view.array()))?;
        outputs(py, decoded)
    }

    /// `n` samples.
    fn sample<'py>(&self, py: Python<'py>, n: usize, temperature: f64, seed: u64) -> PyResult<Bound<'py, PyAny>> {
        let drawn = interruptibly(py, |monitor| {
            samples::check_temperature(temperature).map_err(|expected| anyhow!("temperature is {temperature}: {expected}"))?;
            ensure!(n > 0, "n is 0, expected at least 1");
            let Description { config, shape, .. } = &self.description;
            footprint::check_use(config, *shape, (self.device, &ProcessGroup::alone()), footprint::Work::Draw(n), "n =")?;
            self.model.followed_by(monitor).sample(n, temperature, seed)
        })?;
        outputs(py, drawn)
    }

    /// The classifier's logits, `[n, classes]`.
    fn logits<'py>(&self, py: Python<'py>, x: Numbers<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let view = x.view().map_err(exception)?;
        let logits = interruptibly(py, |monitor| {
            let model = self.model.followed_by(monitor);
            ensure!(model.classes() > 0, "the model has no classes: it was trained for density alone");
            let inputs = view.inputs(&model)?;
            if inputs.is_empty() {
                return Ok(Array { shape: vec![0, model.classes()], values: Vec::new() });
            }
            model.logits(&inputs)
        })?;
        to_numpy(py, logits)
    }

    /// All settings of the model's training, as JSON.
    fn settings(&self) -> PyResult<String> {
        serde_json::to_string(&self.description.config).map_err(|error| exception(error.into()))
    }

    /// Shape of a sample: `[channels, height, width]`, or `[dimensions]` of points.
    #[getter]
    fn shape(&self) -> Vec<usize> {
        let shape = self.description.shape;
        match self.model.kind() {
            DataKind::Images { .. } => shape.to_vec(),
            DataKind::Points(_) => vec![shape[0]],
        }
    }

    /// Number of dimensions of latents.
    #[getter]
    fn latent_dimensions(&self) -> usize {
        self.model.model().latent_dimensions()
    }

    /// Number of values of a pixel; `None` of points.
    #[getter]
    fn levels(&self) -> Option<u32> {
        match self.model.kind() {
            DataKind::Images { levels, .. } => Some(*levels),
            DataKind::Points(_) => None,
        }
    }

    /// Names of the columns of a table that had some.
    #[getter]
    fn columns(&self) -> Option<Vec<String>> {
        match self.model.kind() {
            DataKind::Images { .. } => None,
            DataKind::Points(kind) => kind.columns.clone(),
        }
    }

    /// Number of classes; 0 without a classifier.
    #[getter]
    fn classes(&self) -> usize {
        self.model.classes()
    }

    /// Steps that were made in training.
    #[getter]
    fn step(&self) -> u64 {
        self.description.step
    }

    /// Bits per dimension of log-densities (nats) of images.
    fn bits_per_dim(&self, log_prob: Vec<f64>) -> PyResult<Vec<f64>> {
        match self.model.kind() {
            DataKind::Images { .. } => Ok(log_prob.into_iter().map(|nats| self.model.loss(nats).value).collect()),
            DataKind::Points(_) => Err(exception(anyhow!(
                "bits per dimension are of images; of points there is log_prob, in nats of the columns' own units"
            ))),
        }
    }
}
