//! What a file says about its model: architecture, shape of samples, units of the data.

use super::archive::FormatError;
use crate::multiscale::ResidualFlowConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: &str = "residual-flows-checkpoint";
const VERSION: &str = "2";

/// What a file says about its model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDescription {
    /// The architecture; `None` of a model whose layers a program has put together, such as one with layers of its own.
    pub config: Option<ResidualFlowConfig>,
    /// Shape of the samples, `[channels, height, width]`; `[dimensions, 1, 1]` of points.
    pub shape: [usize; 3],
    /// What the model's inputs are in the data's own units.
    pub units: DataUnits,
}

/// What the inputs of a model are in the data's own units, in which likelihoods are measured.
#[derive(Clone, Debug, PartialEq)]
pub enum DataUnits {
    /// Images whose pixels have this many levels, dequantised and scaled to `[0, 1]`; measured in bits per dimension.
    Images {
        /// Number of values of a pixel.
        levels: u32,
    },
    /// Points, standardised; measured in nats of the data's own units.
    Points(PointUnits),
}

/// The columns of points: `z = (x - mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct PointUnits {
    /// What is subtracted from each column.
    pub mean: Vec<f64>,
    /// What each column is divided by, positive.
    pub std: Vec<f64>,
    /// Names of the columns, if they have some.
    pub columns: Option<Vec<String>>,
    /// Width of the noise that dequantises each column, in its own units; 0: there is none.
    pub noise: Vec<f64>,
}

/// `standardization` in the metadata.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Standardization {
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// The settings in the metadata: those of a program, of which the architecture is a part.
#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    model: ResidualFlowConfig,
}

impl DataUnits {
    /// Of samples of this shape that are a model's inputs as they are: points, or images of 256 levels.
    pub fn of_shape([channels, height, width]: [usize; 3]) -> Self {
        if height * width > 1 {
            return Self::Images { levels: 256 };
        }
        let (mean, std, noise) = (vec![0.0; channels], vec![1.0; channels], vec![0.0; channels]);
        Self::Points(PointUnits { mean, std, columns: None, noise })
    }

    /// `levels` of images; of points `standardization`, and `columns` and `noise` if they have names and noise.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let json = |value| serde_json::to_string(value).expect("numbers are JSON");
        let PointUnits { mean, std, columns, noise } = match self {
            Self::Images { levels } => return vec![("levels", levels.to_string())],
            Self::Points(points) => points,
        };
        let standardization = Standardization { mean: mean.clone(), std: std.clone() };
        let standardization = serde_json::to_string(&standardization).expect("numbers are JSON");
        let mut metadata = vec![("standardization", standardization)];
        if let Some(columns) = columns {
            metadata.push(("columns", serde_json::to_string(columns).expect("text is JSON")));
        }
        if noise.iter().any(|width| *width > 0.0) {
            metadata.push(("noise", json(noise)));
        }
        metadata
    }

    fn of_metadata(fields: &Fields, shape: [usize; 3]) -> Result<Self, FormatError> {
        let Some(Standardization { mean, std }) = fields.json("standardization")? else {
            let levels = fields.number("levels")?;
            if !(2..=1 << 16).contains(&levels) {
                return Err(FormatError::Metadata(format!("its `levels` is {levels}, expected 2 to 65536")));
            }
            return Ok(Self::Images { levels });
        };
        let columns: Option<Vec<String>> = fields.json("columns")?;
        let noise = fields.json("noise")?.unwrap_or_else(|| vec![0.0; mean.len()]);
        let names = columns.as_ref().map_or(mean.len(), Vec::len);
        let fits = [mean.len(), std.len(), names, noise.len(), shape.iter().product()] == [shape[0]; 5];
        if !fits || !mean.iter().all(|mean| mean.is_finite()) || !std.iter().all(|std| std.is_finite() && *std > 0.0) {
            let dimensions = shape[0];
            let text = format!("its `standardization`, `columns` or `noise` does not fit points of {dimensions} dimensions");
            return Err(FormatError::Metadata(text));
        }
        if !noise.iter().all(|width: &f64| width.is_finite() && *width >= 0.0) {
            return Err(FormatError::Metadata("its `noise` holds a width that is none".into()));
        }
        Ok(Self::Points(PointUnits { mean, std, columns, noise }))
    }
}

impl ModelDescription {
    /// As text by key: `format`, `version`, `shape`, the units of the data, and `config`, TOML whose section `[model]` is the
    /// architecture.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let [channels, height, width] = self.shape;
        let mut metadata: Vec<(&str, String)> =
            vec![("format", FORMAT.into()), ("version", VERSION.into()), ("shape", format!("{channels}x{height}x{width}"))];
        metadata.extend(self.units.metadata());
        if let Some(config) = &self.config {
            let settings = BTreeMap::from([("model", config)]);
            metadata.push(("config", toml::to_string(&settings).expect("an architecture is TOML")));
        }
        metadata.into_iter().map(|(key, text)| (key.into(), text)).collect()
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// If it is of another format or version, a key is missing, or its text is not what it should be.
    pub fn of_metadata(metadata: &BTreeMap<String, String>) -> Result<Self, FormatError> {
        Self::expect_format(metadata)?;
        let (shape, units) = Self::samples(metadata)?;
        let config = metadata.get("config").map(|text| {
            let settings = toml::from_str::<Settings>(text);
            settings.map_err(|error| FormatError::Metadata(format!("its settings: {}", error.message())))
        });
        let config = config.transpose()?.map(|settings| settings.model);
        if let Some(config) = &config {
            config.validate(shape)?;
        }
        Ok(Self { config, shape, units })
    }

    /// Checks that metadata are of a model or checkpoint of the version that is read here.
    ///
    /// # Errors
    /// If they are not.
    pub fn expect_format(metadata: &BTreeMap<String, String>) -> Result<(), FormatError> {
        Fields(metadata).expect_format()
    }

    /// The shape and the units of the samples.
    ///
    /// # Errors
    /// If a key is missing, or its text is not what it should be.
    pub fn samples(metadata: &BTreeMap<String, String>) -> Result<([usize; 3], DataUnits), FormatError> {
        let fields = Fields(metadata);
        let shape = fields.shape()?;
        Ok((shape, DataUnits::of_metadata(&fields, shape)?))
    }

    /// Checks that a file with this number of numbers can be one of such a model, before the model is built.
    ///
    /// # Errors
    /// If the model is much larger.
    pub fn expect_size(config: &ResidualFlowConfig, shape: [usize; 3], held: usize) -> Result<(), FormatError> {
        let described = config.footprint(shape).state;
        if described <= 2.0 * held as f64 + 1000.0 {
            return Ok(());
        }
        Err(FormatError::Metadata(format!(
            "its settings describe a model of {described:e} numbers, the one in the file has {held}: it belongs to another \
             architecture"
        )))
    }
}

struct Fields<'a>(&'a BTreeMap<String, String>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Result<&str, FormatError> {
        self.0.get(key).map(String::as_str).ok_or_else(|| FormatError::Metadata(format!("its metadata lack `{key}`")))
    }

    fn expect_format(&self) -> Result<(), FormatError> {
        if self.0.get("format").map(String::as_str) != Some(FORMAT) {
            let text = format!("it is another safetensors file: its metadata lack `format` = `{FORMAT}`");
            return Err(FormatError::Metadata(text));
        }
        match self.0.get("version").map(String::as_str) {
            Some(VERSION) => Ok(()),
            other => Err(FormatError::Metadata(format!(
                "it has version {}, this program reads version {VERSION}; use the program that wrote it",
                other.unwrap_or("unknown")
            ))),
        }
    }

    fn shape(&self) -> Result<[usize; 3], FormatError> {
        let sides = self.get("shape")?.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>();
        let shape = sides.ok().and_then(|sides| <[usize; 3]>::try_from(sides).ok());
        shape.ok_or_else(|| FormatError::Metadata("its `shape` is not channels x height x width".into()))
    }

    fn number(&self, key: &str) -> Result<u32, FormatError> {
        let text = self.get(key)?;
        text.parse().map_err(|_| FormatError::Metadata(format!("its `{key}` is `{text}`, expected a number")))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, FormatError> {
        let read = |text| serde_json::from_str(text).map_err(|error| FormatError::Metadata(format!("its `{key}`: {error}")));
        self.0.get(key).map(|text| read(text)).transpose()
    }
}
