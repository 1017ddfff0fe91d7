//! Images in shards.

use crate::arrays::{slice, to_numpy};
use crate::compute::interruptibly;
use crate::errors::exception;
use anyhow::{Result, anyhow, ensure};
use datasets::{CodecKind, ImageDataset, ImageShape, Provenance, ShardWriter, ShardWriterConfig};
use numpy::{PyArray1, PyArrayDyn, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use rayon::prelude::*;
use residual_flows::{ModelError, Monitor};
use std::path::PathBuf;
use train::data::shipped;
use train::scoring::arrays::Array;

/// One split of a data set.
#[pyclass(frozen, module = "residual_flows._native")]
pub struct Split(ImageDataset);

/// The split of this name.
fn named(split: &str) -> Result<datasets::Split> {
    let mut possible = datasets::Split::POSSIBLE.into_iter();
    let found = possible.find(|possible| possible.to_string() == split);
    found.ok_or_else(|| anyhow!("split is {split:?}, expected \"train\", \"validation\" or \"test\""))
}

impl Split {
    fn image_shape(&self) -> [usize; 3] {
        let ImageShape { channels, height, width } = self.0.shape();
        [channels, height, width]
    }

    /// Reads images one after the other into places of the same length, each checked.
    fn read(&self, pixels: &mut [u8], monitor: &Monitor) -> Result<()> {
        let size = self.0.shape().len();
        pixels.par_chunks_mut(size).enumerate().try_for_each(|(index, image)| {
            ensure!(!monitor.is_stopped(), ModelError::Interrupted);
            Ok(self.0.read_into(index, image)?)
        })
    }
}

#[pymethods]
impl Split {
    /// Opens a split of a directory, or of the shipped digits.
    #[staticmethod]
    fn open(py: Python<'_>, dir: PathBuf, split: &str) -> PyResult<Self> {
        let split = named(split).map_err(exception)?;
        py.detach(|| shipped::open(&dir, split)).map(Self).map_err(|error| exception(error.into()))
    }

    /// What describes the split, as JSON.
    fn manifest(&self) -> PyResult<String> {
        serde_json::to_string(self.0.manifest()).map_err(|error| exception(error.into()))
    }

    /// All images, bytes `[n, channels, height, width]`.
    fn images<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        let images = interruptibly(py, |monitor| {
            let mut pixels = vec![0; self.0.len() * self.0.shape().len()];
            self.read(&mut pixels, monitor)?;
            Ok(pixels)
        })?;
        to_numpy(py, Array { shape: [&[self.0.len()], &self.image_shape()[..]].concat(), values: images })
    }

    /// Reads all images and compares them with their checksums.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        interruptibly(py, |monitor| {
            (0..self.0.len()).into_par_iter().try_for_each_init(
                || vec![0; self.0.shape().len()],
                |image, index| {
                    ensure!(!monitor.is_stopped(), ModelError::Interrupted);
                    Ok(self.0.read_into(index, image)?)
                },
            )
        })
    }

    /// The classes, `[n]`; `None` in sets without classes.
    fn labels<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<u32>>> {
        let labels: Option<Vec<u32>> = (0..self.0.len()).map(|index| self.0.label(index)).collect();
        labels.map(|labels| PyArray1::from_vec(py, labels))
    }

    /// The attributes, `[n, attributes]`; `None` in sets without them.
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDyn<i8>>>> {
        let width = self.0.manifest().attributes;
        if width == 0 {
            return Ok(None);
        }
        let values = (0..self.0.len()).filter_map(|index| self.0.attributes(index)).flatten().collect();
        to_numpy(py, Array { shape: vec![self.0.len(), width], values }).map(Some)
    }
}

/// Writes images, bytes `[n, channels, height, width]` below `levels`, as a split, for training.
#[pyfunction]
pub fn write_images(
    py: Python<'_>,
    dir: PathBuf,
    split: &str,
    images: PyReadonlyArrayDyn<'_, u8>,
    labels: Option<PyReadonlyArrayDyn<'_, u32>>,
    levels: u32,
    overwrite: bool,
) -> PyResult<()> {
    let write = |split: datasets::Split, shape: &[usize], pixels: &[u8], labels: Option<&[u32]>| -> Result<()> {
        let &[n, channels, height, width] = shape else {
            return Err(anyhow!("the shape is {shape:?}, expected [n, channels, height, width]"));
        };
        let classes = labels.map_or(n, <[u32]>::len);
        ensure!(classes == n, "there are {classes} labels, expected {n}, one for each image");
        let shape = ImageShape { channels, height, width };
        shape.validate()?;
        let tool = concat!("residual_flows ", env!("CARGO_PKG_VERSION")).into();
        let config = ShardWriterConfig {
            name: "array".into(),
            split,
            shape,
            levels,
            codec: CodecKind::Raw,
            provenance: Provenance { source: "an array in memory".into(), tool, ..Provenance::default() },
            images_per_shard: None,
            overwrite,
        };
        let mut writer = ShardWriter::create(&dir, config)?;
        for (index, image) in pixels.chunks_exact(shape.len()).enumerate() {
            writer.push(image, labels.map(|labels| labels[index]))?;
        }
        writer.finish()?;
        Ok(())
    };
    let all = || -> Result<()> {
        let labels = labels.as_ref().map(slice).transpose()?;
        let (split, shape, pixels) = (named(split)?, images.shape(), slice(&images)?);
        py.detach(|| write(split, shape, pixels, labels))
    };
    all().map_err(exception)
}
