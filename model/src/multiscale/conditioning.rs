//! Densities of samples about which something is known: `p(x | c)`.

use super::residual_flow::ResidualFlow;
use crate::error::Result;

/// What is known about each sample of a batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Context {
    /// Its class, from 0.
    Classes(Vec<u32>),
}

impl Context {
    /// Of so many samples, from this one on.
    pub fn narrow(&self, begin: usize, count: usize) -> Self {
        let Self::Classes(classes) = self;
        Self::Classes(classes[begin..begin + count].to_vec())
    }
}

impl ResidualFlow {
    /// The model of a batch about whose samples something is known: all that it computes holds for that batch, sample by sample,
    /// until it is dropped. Parts of the model that do not depend on the context are as before; the parameters are the same.
    ///
    /// # Examples
    /// ```
    /// use residual_flows::burn::tensor::{Device, Tensor};
    /// use residual_flows::{BaseConfig, BaseKind, Context, NoiseKey, ResidualFlowConfig};
    ///
    /// let base = BaseConfig { kind: BaseKind::ClassNormals, classes: 3, ..Default::default() };
    /// let config = ResidualFlowConfig { blocks: vec![1], base, ..ResidualFlowConfig::toy() };
    /// let device = Device::flex();
    /// let model = config.init([2, 1, 1], &mut NoiseKey::new(7, [0, 0]).stream(0), &device)?;
    /// let x = Tensor::<2>::zeros([2, 2], &device);
    /// let log_prob = model.given(&Context::Classes(vec![0, 2]))?.log_prob(x)?;
    /// assert_eq!(log_prob.dims(), [2]);
    /// # Ok::<(), residual_flows::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// If the context does not fit the model, such as a class that it does not know.
    pub fn given(&self, context: &Context) -> Result<Self> {
        let Context::Classes(classes) = context;
        let model = self.clone();
        Ok(Self { base: model.base.given_classes(classes)?, ..model })
    }
}
