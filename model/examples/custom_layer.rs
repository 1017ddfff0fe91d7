//! A layer of your own among ours: `z = asinh(k x) / k`, which makes heavy tails light, before a residual block.
//!
//!     cargo run -p residual-flows --example custom_layer

use residual_flows::burn::module::{Module, Param};
use residual_flows::burn::tensor::{Device, Tensor};
use residual_flows::flows::{ActNorm, ResidualBlock};
use residual_flows::testing::{Tolerances, check_layer};
use residual_flows::{
    ContractiveNetConfig, FixedPoint, Flow, FlowLayer, Gradients, InversionReport, LayerId, LogDetConfig, LogDetContext,
    NoiseKey, Objective, Result, Sequential, gaussian,
};

/// `z = asinh(k x) / k` with `k = exp(s)` for each dimension.
#[derive(Module, Debug)]
struct Asinh {
    /// `s`, `[dimensions]`
    log_rate: Param<Tensor<1>>,
}

impl Asinh {
    fn new(dimensions: usize, device: &Device) -> Self {
        Self { log_rate: Param::from_tensor(Tensor::zeros([dimensions], device)) }
    }

    fn rate(&self) -> Tensor<2> {
        self.log_rate.val().exp().unsqueeze()
    }
}

/// Only these three methods: Burn differentiates them.
impl Flow<2> for Asinh {
    fn forward(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok((x * self.rate()).asinh() / self.rate())
    }

    /// `ln|det ∂z/∂x| = -½ Σ ln(1 + (k x)²)`
    fn forward_log_det(&self, x: Tensor<2>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<2>, Tensor<1>)> {
        let log_slopes = ((x.clone() * self.rate()).square() + 1.0).log() * -0.5;
        Ok((self.forward(x)?, log_slopes.sum_dims_squeeze(&[1])))
    }

    fn inverse(&self, z: Tensor<2>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<2>> {
        Ok((z * self.rate()).sinh() / self.rate())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
    let x: Tensor<2> = gaussian([4, 2], &mut rng, &device);

    // Do the inverse, the log-determinant and the gradients belong to the forward map?
    check_layer(&Asinh::new(2, &device), &x, &Tolerances::default())?;

    // Among ours.
    let net = ContractiveNetConfig::points(2, 16).init(&mut rng, &device);
    let layers =
        vec![FlowLayer::custom(Asinh::new(2, &device)), ActNorm::per_channel(2, &device).into(), ResidualBlock::new(net).into()];
    let mut flow = Sequential::points(2, layers)?;
    flow.initialize(x.clone())?;

    // A density, samples, and the gradients of the mean log-density by all parameters, the custom layer's too.
    let samples: Tensor<2> = flow.sample(3, &mut rng, &device)?;
    println!("ln p(x) = {}", flow.log_prob(x.clone())?);
    println!("samples = {samples}");
    let config = LogDetConfig::training();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(7, [1, 0]) };
    let mut gradients = Gradients::new();
    flow.gradients(x, Objective::log_prob(Tensor::full([4], 0.25, &device)), &context, &mut gradients)?;
    println!("{} parameter tensors have gradients", gradients.parameters().len());
    Ok(())
}
