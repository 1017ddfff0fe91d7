//! Models in files, in one call each way.

use super::archive::{Archive, Contents, FormatError};
use super::description::{DataUnits, ModelDescription};
use super::state::{NamedTensor, named_tensors};
use crate::error::ModelError;
use crate::monitor::Monitor;
use crate::multiscale::{Convergence, ResidualFlow};
use crate::numerics::tensor::to_vec;
use crate::parameters::visit_parameters;
use burn::tensor::Device;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The section of the weights, and of averaged ones.
const WEIGHTS: &str = "model";
const AVERAGE: &str = "average";
/// The section of the vectors of power iteration of the averaged weights after their constraint has converged.
const CONVERGED: &str = "converged";
/// In the metadata of checkpoints of a run: what tells its data from others.
const OF_RUN: &str = "train_data";

/// Which of a file's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// The moving average of the weights, which is what training evaluates; of files that have none, the weights.
    #[default]
    Average,
    /// The weights of the last step.
    Raw,
}

/// Why a model is not written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("{} is not a usable model: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
}

/// A file with a model: one that [`ResidualFlow::save`] wrote, or a checkpoint of the program `train`.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::io::{ModelFile, Weights};
/// use residual_flows::{NoiseKey, ResidualFlow, ResidualFlowConfig};
///
/// let device = Device::flex();
/// let config = ResidualFlowConfig { blocks: vec![2], kernels: vec![1, 1, 1], hidden_channels: 8.into(), dense_blocks: 0, logit_alpha: 0.0, ..Default::default() };
/// let model = config.init([2, 1, 1], &mut NoiseKey::new(7, [0, 0]).stream(0), &device)?;
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("model.safetensors");
/// model.save(&path)?;
///
/// let loaded = ResidualFlow::load(&path, &device)?;
/// assert_eq!(residual_flows::state::named_tensors(&loaded), residual_flows::state::named_tensors(&model));
/// // Or with a look at what the file says, and a choice of weights.
/// let mut file = ModelFile::open(&path)?;
/// assert_eq!(file.description().shape, [2, 1, 1]);
/// let loaded = file.model(Weights::Raw, &device)?;
/// # Ok(()) }
/// ```
pub struct ModelFile {
    path: PathBuf,
    archive: Archive,
    description: ModelDescription,
}

impl ModelFile {
    /// Reads what a file says about its model.
    ///
    /// # Errors
    /// If it cannot be read, was damaged, or is no file with a model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let of_path = |source| FileError::Format { path: path.into(), source };
        let mut archive = Archive::open(path).map_err(of_path)?;
        let description = ModelDescription::of_metadata(archive.metadata()).map_err(of_path)?;
        archive.verify_header().map_err(of_path)?;
        Ok(Self { path: path.into(), archive, description })
    }

    /// What it says.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The model with these weights, ready for use. Only these are read, and no random model is built.
    ///
    /// What is stored with the constraint that belongs to it is taken as it is. Of averaged weights that were stored between two
    /// evaluations, and of those of earlier versions, the constraint is updated, as where training evaluates.
    ///
    /// # Errors
    /// If the file was damaged, its tensors do not fit its own settings, or the layers are not all described in it: then build the
    /// model and take [`ResidualFlow::with_weights_of`].
    pub fn model(&mut self, weights: Weights, device: &Device) -> Result<ResidualFlow, FileError> {
        self.model_monitored(weights, device, &Monitor::default())
    }

    /// [`model`](Self::model), followed by a monitor, which the model then has.
    ///
    /// # Errors
    /// As [`model`](Self::model), and if it was stopped.
    pub fn model_monitored(&mut self, weights: Weights, device: &Device, monitor: &Monitor) -> Result<ResidualFlow, FileError> {
        let ModelDescription { config, shape, .. } = self.description.clone();
        let loaded = || -> Result<ResidualFlow, FormatError> {
            let config = config.ok_or_else(|| {
                let text = "it has layers that its settings do not describe: build the model, and take `with_weights_of`";
                FormatError::Metadata(text.into())
            })?;
            ModelDescription::expect_size(&config, shape, self.archive.section_len(WEIGHTS))?;
            let mut empty = config.init_for_state(shape, device)?;
            empty.set_monitor(monitor);
            let (model, readiness) = fill(empty, &mut self.archive, weights)?;
            Ok(readiness.apply(model)?)
        };
        loaded().map_err(|source| FileError::Format { path: self.path.clone(), source })
    }
}

/// Checks that all numbers of a section are finite, before it is written.
///
/// # Errors
/// If one is not: names it.
pub fn expect_finite(section: &str, tensors: &[NamedTensor]) -> Result<(), FormatError> {
    let first = tensors.iter().find_map(|tensor| Some((tensor, tensor.first_not_finite()?)));
    first.map_or(Ok(()), |(tensor, (element, value))| {
        Err(FormatError::NotFinite { name: format!("{section}.{}", tensor.name), element, value })
    })
}

/// An empty model with a set of weights, and how it becomes ready for use.
///
/// # Errors
/// If tensors were damaged or do not fit.
pub fn fill(empty: ResidualFlow, archive: &mut Archive, weights: Weights) -> Result<(ResidualFlow, Readiness), FormatError> {
    let section = match weights {
        Weights::Average if archive.has_section(AVERAGE) => AVERAGE,
        _ => WEIGHTS,
    };
    let is_of_run = archive.metadata().contains_key(OF_RUN);
    let mut tensors = archive.section(section)?;
    let readiness = match section {
        AVERAGE => Readiness::of_average(&mut tensors, archive.section(CONVERGED)?, is_of_run),
        _ => Readiness::AsStored,
    };
    let model = empty.with_state(tensors).map_err(|error| FormatError::State { section: section.into(), error })?;
    Ok((model, readiness))
}

/// How stored weights become a model that is ready for use: one way for all that evaluates, scores and samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The stored vectors of power iteration belong to the weights.
    AsStored,
    /// The constraint is to be updated, as where training evaluates.
    Update,
    /// The constraint is to converge to single precision, for comparisons with the reference implementation, from which the weights
    /// come.
    Converge,
}

impl Readiness {
    /// Of averaged weights. Vectors that have converged take the place of those that were stored with the average, which are the
    /// ones of the last step; `is_of_run` says that the weights are of a run of this project.
    pub fn of_average(average: &mut Vec<NamedTensor>, converged: Vec<NamedTensor>, is_of_run: bool) -> Self {
        if converged.is_empty() {
            return if is_of_run { Self::Update } else { Self::Converge };
        }
        let mut converged: HashMap<String, NamedTensor> = converged.into_iter().map(|t| (t.name.clone(), t)).collect();
        average.retain(|tensor| !tensor.name.ends_with(".opposite"));
        for tensor in average {
            if let Some(vector) = converged.remove(&tensor.name) {
                *tensor = vector;
            }
        }
        Self::AsStored
    }

    /// Makes a model ready.
    ///
    /// # Errors
    /// If the constraint does not converge, or the model's monitor stops it.
    pub fn apply(self, model: ResidualFlow) -> Result<ResidualFlow, ModelError> {
        match self {
            Self::AsStored => Ok(model),
            Self::Update => model.with_converged_constraint(Convergence::Estimate),
            Self::Converge => model.with_converged_constraint(Convergence::SinglePrecision),
        }
    }
}

/// The vectors of power iteration of a model, which [`Readiness::of_average`] puts in the place of others.
pub fn vectors(model: &ResidualFlow) -> Vec<NamedTensor> {
    let mut vectors = Vec::new();
    visit_parameters(model, |name, parameter| {
        if name.ends_with(".vector") {
            vectors.push(NamedTensor { name: name.into(), shape: parameter.shape(), values: to_vec(parameter.flat()) });
        }
    });
    vectors
}

impl ResidualFlow {
    /// Writes the model with its architecture, in the format of checkpoints of the program `train`, which evaluates such files and
    /// samples from them. There is a whole file under this name at every moment: the earlier or the new one.
    ///
    /// Inputs count as the data themselves: points, or images of 256 levels in `[0, 1]`. [`save_as`](Self::save_as) says otherwise.
    ///
    /// # Errors
    /// If a number is not finite, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        self.save_as(path, DataUnits::of_shape(self.image_shape()))
    }

    /// [`save`](Self::save), with the units of the data, in which likelihoods are measured.
    ///
    /// # Errors
    /// As [`save`](Self::save), and if the units do not fit the model.
    pub fn save_as(&self, path: impl AsRef<Path>, units: DataUnits) -> Result<(), FileError> {
        let path = path.as_ref();
        let of_path = |source| FileError::Format { path: path.into(), source };
        let description = ModelDescription { config: self.config().cloned(), shape: self.image_shape(), units };
        let metadata = description.metadata();
        ModelDescription::of_metadata(&metadata).map_err(of_path)?;
        let tensors = named_tensors(self);
        expect_finite(WEIGHTS, &tensors).map_err(of_path)?;
        let contents = Contents { metadata, sections: BTreeMap::from([(WEIGHTS.into(), tensors.as_slice())]) };
        let write = || -> io::Result<()> {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // Open to whom the user's mask opens files.
            let mut builder = tempfile::Builder::new();
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let file = builder.prefix(".unfinished-").suffix(".tmp").tempfile_in(dir)?;
            let mut out = BufWriter::new(&file);
            contents.write(&mut out)?;
            out.flush()?;
            drop(out);
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| FileError::Write { path: path.into(), source })
    }

    /// The model in a file, ready for use, with the same numbers as the one that was saved: see [`ModelFile`]. Of a checkpoint
    /// of the program `train` it has the averaged weights.
    ///
    /// # Errors
    /// As [`ModelFile::open`] and [`ModelFile::model`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, FileError> {
        ModelFile::open(path)?.model(Weights::Average, device)
    }

    /// This model with the weights in a file, of a model with the same layers; for models with layers that no settings describe.
    ///
    /// # Errors
    /// As [`ModelFile::open`], and if the file's tensors do not fit the model.
    pub fn with_weights_of(self, path: impl AsRef<Path>) -> Result<Self, FileError> {
        let ModelFile { path, mut archive, .. } = ModelFile::open(path)?;
        let filled = || -> Result<ResidualFlow, FormatError> {
            let (model, readiness) = fill(self, &mut archive, Weights::Average)?;
            Ok(readiness.apply(model)?)
        };
        filled().map_err(|source| FileError::Format { path, source })
    }
}
