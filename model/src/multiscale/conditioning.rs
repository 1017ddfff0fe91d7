//! Densities of samples about which something is known: `p(x | c)`.

use super::residual_flow::ResidualFlow;
use crate::error::{ModelError, Result};
use crate::flow::Flow;
use crate::gradients::Gradients;
use crate::nn::Embedding;
use crate::numerics::tensor::from_vec;
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use std::borrow::Cow;

/// What is known about each sample of a batch.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a batch")]
#[non_exhaustive]
pub enum Context {
    /// Its class, from 0.
    Classes(Vec<u32>),
    /// Numbers, `[batch, columns]`, in the units in which the model was trained.
    Vectors(Tensor<2>),
}

impl Context {
    /// Of how many samples.
    pub fn count(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Vectors(vectors) => vectors.dims()[0],
        }
    }

    /// Of this many samples, about which the same is known as about these, one after the other and again from the first on.
    pub fn repeated(&self, count: usize) -> Self {
        let rows = || (0..count).map(|row| row % self.count().max(1));
        match self {
            Self::Classes(classes) => Self::Classes(rows().map(|row| classes[row]).collect()),
            Self::Vectors(vectors) => {
                let rows: Vec<i32> = rows().map(|row| row as i32).collect();
                let rows = Tensor::from_data(TensorData::new(rows, [count]), &vectors.device());
                Self::Vectors(vectors.clone().select(0, rows))
            }
        }
    }

    /// Of this many samples, from this one on.
    pub fn narrow(&self, begin: usize, count: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes[begin..begin + count].to_vec()),
            Self::Vectors(vectors) => Self::Vectors(vectors.clone().narrow(0, begin, count)),
        }
    }

    /// Of this many samples, from this one on, where what is known about one alone is known about all.
    pub fn of_samples(&self, begin: usize, count: usize) -> Self {
        if self.count() == 1 { self.repeated(count) } else { self.narrow(begin, count) }
    }
}

impl ResidualFlow {
    /// The model of a batch about whose samples something is known: all that it computes holds for that batch, sample by sample.
    /// The parameters are the same. Models whose [context](crate::ContextConfig) is set compute nothing otherwise.
    ///
    /// # Examples
    /// ```
    /// use residual_flows::burn::tensor::{Device, Tensor};
    /// use residual_flows::{Context, ContextConfig, ContextKind, NoiseKey, ResidualFlowConfig};
    ///
    /// let context = ContextConfig { kind: ContextKind::Classes, classes: 3, ..Default::default() };
    /// let config = ResidualFlowConfig { blocks: vec![1], context, ..ResidualFlowConfig::toy() };
    /// let (device, mut rng) = (Device::flex(), NoiseKey::new(7, [0, 0]).stream(0));
    /// let model = config.init([2, 1, 1], &mut rng, &device)?;
    ///
    /// let of_classes = model.given(&Context::Classes(vec![0, 2]))?;
    /// let log_prob = of_classes.log_prob(Tensor::<2>::zeros([2, 2], &device))?;
    /// let samples = of_classes.sample_points(2, 1.0, &mut rng, &device)?;
    /// assert_eq!((log_prob.dims(), samples.dims()), ([2], [2, 2]));
    /// # Ok::<(), residual_flows::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// If the context does not fit the model, such as a class that it does not know.
    pub fn given(&self, context: &Context) -> Result<Self> {
        let mut model = self.clone();
        if let Context::Classes(classes) = context {
            model.base = model.base.given_classes(classes)?;
        }
        if let Some(embedding) = &self.embedding {
            let input = embedding.input(context, &self.device())?;
            let features = embedding.forward(input.clone());
            model.set_embedding(Some(&features));
            model.given = Some(Box::new(input));
        }
        Ok(model)
    }

    /// The model of a batch about whose samples something may be known: [given](Self::given) that, or as it is.
    ///
    /// # Errors
    /// As [`given`](Self::given).
    pub fn given_if_known(&self, context: Option<&Context>) -> Result<Cow<'_, Self>> {
        context.map_or(Ok(Cow::Borrowed(self)), |context| self.given(context).map(Cow::Owned))
    }

    /// The model without what was [given](Self::given), such as to be given something else after a change.
    pub fn without_context(mut self) -> Self {
        self.set_embedding(None);
        self.given = None;
        self.base = self.base.without_classes();
        self
    }

    /// Whether the model has a density only of samples about which something is known.
    pub fn is_conditional(&self) -> bool {
        self.embedding.is_some()
    }

    /// What makes features of what is known about samples.
    pub fn embedding(&self) -> Option<&Embedding> {
        self.embedding.as_ref()
    }

    /// How many classes it knows to condition on; 0 if it does not condition on classes.
    pub fn context_classes(&self) -> usize {
        match (&self.embedding, &self.base) {
            (Some(Embedding::Classes(classes)), _) => classes.classes(),
            (None, crate::Base::ClassNormals(normals)) => normals.classes(),
            _ => 0,
        }
    }

    /// How many columns the vectors have on which it is conditioned; 0 if it is on none.
    pub fn context_columns(&self) -> usize {
        match &self.embedding {
            Some(Embedding::Vectors(vectors)) => vectors.columns(),
            _ => 0,
        }
    }

    /// Has vectors standardised: their columns less these means, over these standard deviations. To be called before training.
    ///
    /// # Errors
    /// If the model is not conditioned on vectors with as many columns.
    pub fn set_context_units(&mut self, mean: &[f64], std: &[f64]) -> Result<()> {
        let columns = self.context_columns();
        if [mean.len(), std.len()] != [columns; 2] || columns == 0 {
            let (expected, got) = (format!("[{columns}]"), vec![mean.len(), std.len()]);
            return Err(ModelError::Shape { what: "the means and deviations of the context", expected, got });
        }
        let device = self.device();
        if let Some(Embedding::Vectors(embedding)) = &mut self.embedding {
            let numbers = |values: &[f64]| from_vec(values.iter().map(|&value| value as f32).collect(), [columns], &device);
            embedding.mean = Param::initialized(embedding.mean.id, numbers(mean));
            embedding.std = Param::initialized(embedding.std.id, numbers(std));
        }
        Ok(())
    }

    /// Has all layers and the base depend on this number of features.
    pub(super) fn condition_on(&mut self, features: usize) {
        self.layers_mut().for_each(|layer| layer.condition_on(features));
        self.base.condition_on(features);
    }

    fn set_embedding(&mut self, features: Option<&Tensor<2>>) {
        self.layers_mut().for_each(|layer| layer.set_embedding(features));
        self.base.set_embedding(features);
    }

    /// Where the parameters are.
    pub(super) fn device(&self) -> Device {
        burn::module::Module::devices(self).into_iter().next().unwrap_or_default()
    }

    /// Checks that what is given is about this many samples, where a model needs to be given something.
    pub(super) fn check_context(&self, batch: usize) -> Result<()> {
        match (&self.embedding, self.given.as_deref()) {
            (None, _) => Ok(()),
            (Some(_), Some(given)) if given.dims()[0] == batch => Ok(()),
            (Some(_), Some(given)) => {
                let (expected, got) = (format!("[{batch}, …], one row a sample"), given.dims().to_vec());
                Err(ModelError::Shape { what: "the context", expected, got })
            }
            (Some(_), None) => Err(ModelError::NoContext),
        }
    }

    /// Takes the cotangent of the embedding through it.
    pub(super) fn embedding_backward(&self, gradients: &mut Gradients) {
        if let (Some(embedding), Some(given), Some(bar)) = (&self.embedding, self.given.as_deref(), gradients.take_embedding()) {
            match embedding {
                Embedding::Classes(embedding) => embedding.backward(given.clone(), bar, gradients),
                Embedding::Vectors(embedding) => embedding.backward(given.clone(), bar, gradients),
            }
        }
    }
}

impl Embedding {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Classes(embedding) => embedding.forward(input),
            Self::Vectors(embedding) => embedding.forward(input),
        }
    }

    /// Classes as rows of the unit matrix, or vectors as they are.
    fn input(&self, context: &Context, device: &Device) -> Result<Tensor<2>> {
        let unfit = |expected: String, got: Vec<usize>| ModelError::Shape { what: "the context", expected, got };
        match (self, context) {
            (Self::Classes(embedding), Context::Classes(classes)) => {
                let n = embedding.classes();
                let mut rows = vec![0.0; classes.len() * n];
                for (row, &class) in rows.chunks_exact_mut(n).zip(classes) {
                    let Some(place) = row.get_mut(class as usize) else {
                        let expected = format!("more than {class}, which is the class of a sample");
                        return Err(ModelError::Config { key: "context.classes", expected, got: n.to_string() });
                    };
                    *place = 1.0;
                }
                Ok(from_vec(rows, [classes.len(), n], device))
            }
            (Self::Vectors(embedding), Context::Vectors(vectors)) => {
                let dims = vectors.dims();
                let fits = dims[1] == embedding.columns();
                let expected = || format!("[batch, {}]", embedding.columns());
                if fits { Ok(vectors.clone()) } else { Err(unfit(expected(), dims.to_vec())) }
            }
            (Self::Classes(_), Context::Vectors(vectors)) => {
                Err(unfit("a class for each sample".into(), vectors.dims().to_vec()))
            }
            (Self::Vectors(embedding), Context::Classes(classes)) => {
                Err(unfit(format!("[batch, {}] numbers", embedding.columns()), vec![classes.len()]))
            }
        }
    }
}
