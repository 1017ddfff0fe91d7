//! Layers one after the other.

use super::FlowLayer;
use crate::error::{ModelError, Result};
use crate::flow::{Flow, LayerId, LogDetContext, zeros_of};
use crate::numerics::shape::{as_images, from_images};
use crate::numerics::{FixedPoint, InversionReport};
use burn::module::Module;
use burn::tensor::Tensor;

/// The composition `f_n ∘ … ∘ f_1` of layers, on points or on images of one shape.
///
/// As a density model it has a standard normal latent; see [`log_prob`](Self::log_prob), [`sample`](Self::sample) and
/// [`gradients`](Self::gradients). [`ResidualFlow`](crate::ResidualFlow) is made of one for each scale, and `ResidualFlow::from`
/// makes a model of a single one.
///
/// # Shapes
/// Batches are `[n, channels, height, width]`, or `[n, dimensions]` of points; what comes out has the rank of what went in.
///
/// # Examples
/// ```
/// use residual_flows::burn::tensor::{Device, Tensor};
/// use residual_flows::flows::{ActNorm, ResidualBlock};
/// use residual_flows::{ContractiveNetConfig, NoiseKey, Sequential};
///
/// let device = Device::flex();
/// let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
/// let net = ContractiveNetConfig::points(2, 16).init(&mut rng, &device);
/// let flow = Sequential::points(2, vec![ActNorm::per_channel(2, &device).into(), ResidualBlock::new(net).into()])?;
///
/// let x = Tensor::<2>::from_floats([[0.1, 0.2], [-0.3, 0.4]], &device);
/// let log_prob = flow.log_prob(x)?;
/// let samples: Tensor<2> = flow.sample(5, &mut rng, &device)?;
/// assert_eq!((log_prob.dims(), samples.dims()), ([2], [5, 2]));
/// # Ok::<(), residual_flows::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct Sequential {
    pub(crate) layers: Vec<FlowLayer>,
    input: [usize; 3],
    output: [usize; 3],
}

impl Sequential {
    /// Layers on points with this number of dimensions.
    ///
    /// # Errors
    /// If the layers do not fit each other.
    pub fn points(dimensions: usize, layers: Vec<FlowLayer>) -> Result<Self> {
        Self::images([dimensions, 1, 1], layers)
    }

    /// Layers on images `[channels, height, width]`.
    ///
    /// # Errors
    /// If the layers do not fit each other.
    pub fn images(shape: [usize; 3], layers: Vec<FlowLayer>) -> Result<Self> {
        if shape.contains(&0) {
            let expected = "[channels, height, width], all positive".into();
            return Err(ModelError::Shape { what: "the image", expected, got: shape.to_vec() });
        }
        let output = layers.iter().try_fold(shape, |shape, layer| layer.output_shape(shape))?;
        Ok(Self { layers, input: shape, output })
    }

    /// The layers, in forward order.
    pub fn layers(&self) -> &[FlowLayer] {
        &self.layers
    }

    /// Shape `[channels, height, width]` of inputs; `[dimensions, 1, 1]` of points.
    pub fn input_shape(&self) -> [usize; 3] {
        self.input
    }

    /// Shape of what leaves the last layer.
    pub fn output_shape(&self) -> [usize; 3] {
        self.output
    }

    /// Number of dimensions of inputs, and of latents.
    pub fn dimensions(&self) -> usize {
        self.input.iter().product()
    }

    /// `z = f(x)`.
    ///
    /// # Errors
    /// If the batch has another shape, or an iteration does not converge.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        let x = as_images("the batch", x, self.input)?;
        let step = |x, (layer, id): (&FlowLayer, LayerId)| layer.forward(x).map_err(|error| error.in_layer(&id.path));
        from_images(self.layers.iter().zip(self.ids()).try_fold(x, step)?)
    }

    /// `z = f(x)` and `ln|det ∂z/∂x|`, `[n]`, nats.
    ///
    /// # Errors
    /// If the batch has another shape, or a log-determinant cannot be computed.
    pub fn forward_log_det<const D: usize>(&self, x: Tensor<D>, context: &LogDetContext) -> Result<(Tensor<D>, Tensor<1>)> {
        let mut x = as_images("the batch", x, self.input)?;
        let mut total = zeros_of(&x);
        for (layer, id) in self.layers.iter().zip(self.ids()) {
            let (z, log_det) = layer.forward_log_det(x, context, &id)?;
            (x, total) = (z, total + log_det);
        }
        Ok((from_images(x)?, total))
    }

    /// `x = f⁻¹(z)`, with the default settings of fixed-point iterations.
    ///
    /// # Errors
    /// If the batch has another shape, or an iteration does not converge.
    pub fn inverse<const D: usize>(&self, z: Tensor<D>) -> Result<Tensor<D>> {
        Ok(self.inverse_with(z, &FixedPoint::default())?.0)
    }

    /// `x = f⁻¹(z)`, with what inverting residual layers took.
    ///
    /// # Errors
    /// As [`inverse`](Self::inverse).
    pub fn inverse_with<const D: usize>(&self, z: Tensor<D>, solver: &FixedPoint) -> Result<(Tensor<D>, InversionReport)> {
        let mut z = as_images("the latent", z, self.output)?;
        let mut report = InversionReport::default();
        for (layer, id) in self.layers.iter().zip(self.ids()).rev() {
            z = layer.inverse(z, solver, &id, &mut report)?;
        }
        Ok((from_images(z)?, report))
    }

    fn ids(&self) -> impl DoubleEndedIterator<Item = LayerId> + ExactSizeIterator {
        (0..self.layers.len()).map(|index| LayerId { index, path: format!("layers.{index}") })
    }
}
