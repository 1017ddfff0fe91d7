//! The density of points of one's own, with a layer of one's own among ours: trained until the validation loss stops falling,
//! saved, and loaded. The first argument is the number of epochs at most.
//!
//!     cargo run -p residual-flows --example two_moons -- 40

use residual_flows::burn::{module::Module, module::Param, tensor::Device, tensor::Tensor};
use residual_flows::training::{FitConfig, Silent, fit};
use residual_flows::{flows::*, *};

#[derive(Module, Debug)]
struct Scale {
    log: Param<Tensor<1>>,
}

impl Flow<2> for Scale {
    fn forward(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(x * self.log.val().exp().unsqueeze())
    }
    fn forward_log_det(&self, x: Tensor<2>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<2>, Tensor<1>)> {
        Ok((self.forward(x.clone())?, self.log.val().sum().expand([x.dims()[0]])))
    }
    fn inverse(&self, z: Tensor<2>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<2>> {
        Ok(z * self.log.val().neg().exp().unsqueeze())
    }
}

fn model(device: &Device) -> Result<ResidualFlow> {
    let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
    let mut layers = vec![FlowLayer::custom(Scale { log: Param::from_tensor(Tensor::zeros([2], device)) })];
    layers.extend((0..8).map(|_| ResidualBlock::new(ContractiveNetConfig::points(2, 32).init(&mut rng, device)).into()));
    Ok(Sequential::points(2, layers)?.into())
}

/// Trains for this many epochs at most, saves and loads.
pub fn run(epochs: u64) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let noise = |stream| gaussian::<1>([1000], &mut NoiseKey::new(1, [0, 0]).stream(stream), &device);
    let (angle, side) = (noise(0) * 2.0, noise(1).sign());
    let x = (angle.clone().cos() + 0.5) * side.clone() + noise(2) * 0.1;
    let points: Tensor<2> = Tensor::stack(vec![x, (angle.sin().abs() - 0.25) * side + noise(3) * 0.1], 1);
    let fitted = fit(model(&device)?, points.clone(), &FitConfig { epochs, patience: 5, ..Default::default() }, &mut Silent)?;
    fitted.model.save(std::env::temp_dir().join("two_moons.safetensors"))?;
    let loaded = model(&device)?.with_weights_of(std::env::temp_dir().join("two_moons.safetensors"))?;
    println!("{} steps, {:?}", fitted.steps, fitted.best);
    assert_eq!(loaded.log_prob(points.clone())?.into_data(), fitted.model.log_prob(points)?.into_data());
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    run(std::env::args().nth(1).map_or(Ok(40), |epochs| epochs.parse())?)
}
