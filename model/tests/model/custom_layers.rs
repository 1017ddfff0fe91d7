//! Layers of users: by the contract of ours, and among ours.

use crate::support::{device, values};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use residual_flows::flows::{ActNorm, ResidualBlock};
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::testing::{ContractError, Tolerances, check_layer};
use residual_flows::{
    ContractiveNetConfig, CustomLayer, FixedPoint, Flow, FlowLayer, Gradients, InversionReport, LayerId, LogDetConfig,
    LogDetContext, NoiseKey, Objective, ResidualFlow, Result, Sequential, gaussian,
};

/// `z = asinh(exp(s) x)` for each element, on points or images; `WRONG` forgets a factor of its log-determinant.
#[derive(Module, Debug)]
struct Asinh<const D: usize, const WRONG: bool> {
    log_rate: Param<Tensor<1>>,
}

impl<const D: usize, const WRONG: bool> Asinh<D, WRONG> {
    fn new(channels: usize) -> Self {
        let values: Vec<f32> = (0..channels).map(|channel| 0.3 - 0.2 * channel as f32).collect();
        Self { log_rate: Param::from_tensor(Tensor::from_floats(values.as_slice(), &device())) }
    }

    fn rate(&self) -> Tensor<D> {
        let mut shape = [1; D];
        shape[1] = self.log_rate.dims()[0];
        self.log_rate.val().exp().reshape(shape)
    }
}

impl<const D: usize, const WRONG: bool> Flow<D> for Asinh<D, WRONG> {
    fn forward(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        Ok((x * self.rate()).asinh())
    }

    fn forward_log_det(&self, x: Tensor<D>, _: &LogDetContext, _: &LayerId) -> Result<(Tensor<D>, Tensor<1>)> {
        let factor = if WRONG { 0.0 } else { 1.0 };
        let slopes = ((x.clone() * self.rate()).square() + 1.0).log() * -0.5 + self.rate().log() * factor;
        let dims: Vec<usize> = (1..D).collect();
        Ok((self.forward(x)?, slopes.sum_dims_squeeze(&dims)))
    }

    fn inverse(&self, z: Tensor<D>, _: &FixedPoint, _: &LayerId, _: &mut InversionReport) -> Result<Tensor<D>> {
        Ok(z.sinh() / self.rate())
    }
}

fn rng() -> impl rand::Rng {
    NoiseKey::new(3, [0, 0]).stream(0)
}

#[test]
fn layers_keep_the_contract_by_three_methods() {
    check_layer(&Asinh::<2, false>::new(3), &gaussian([3, 3], &mut rng(), &device()), &Tolerances::default()).unwrap();
    let images = gaussian([2, 2, 2, 1], &mut rng(), &device());
    check_layer(&Asinh::<4, false>::new(2), &images, &Tolerances::default()).unwrap();
    // In the box, on images and on points.
    check_layer(&FlowLayer::custom(Asinh::<4, false>::new(2)), &images, &Tolerances::default()).unwrap();
    check_layer(&CustomLayer::new(Asinh::<2, false>::new(4)), &images, &Tolerances::default()).unwrap();
}

#[test]
fn a_wrong_log_determinant_is_found() {
    let x = gaussian([2, 2], &mut rng(), &device());
    let error = check_layer(&Asinh::<2, true>::new(2), &x, &Tolerances::default()).unwrap_err();
    assert!(matches!(&error, ContractError::Mismatch { what, .. } if what.contains("log-determinant")), "{error}");
}

fn flow() -> Sequential {
    let net = ContractiveNetConfig { bound: 0.7, ..ContractiveNetConfig::points(2, 8) }.init(&mut rng(), &device());
    let custom = FlowLayer::custom(Asinh::<2, false>::new(2));
    Sequential::points(2, vec![custom, ActNorm::per_channel(2, &device()).into(), ResidualBlock::new(net).into()]).unwrap()
}

#[test]
fn a_custom_layer_stands_among_ours() {
    let mut flow = flow();
    let x: Tensor<2> = gaussian([4, 2], &mut rng(), &device());
    flow.initialize(x.clone()).unwrap();
    let names: Vec<String> = named_tensors(&flow).into_iter().map(|tensor| tensor.name).collect();
    assert_eq!(names[0], "layers.0.Custom.log_rate");

    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(0, [0, 0]) };
    let (z, log_det) = flow.forward_log_det(x.clone(), &context).unwrap();
    assert_eq!(values(z.clone()), values(flow.forward(x.clone()).unwrap()));
    let back = flow.inverse(z.clone()).unwrap();
    assert!(values(back).iter().zip(values(x.clone())).all(|(a, b)| (a - b).abs() < 1e-4));
    let forward = |x| flow.forward::<2>(x).map(values);
    let numerical = residual_flows::testing::numerical_log_dets(&x, 5e-3, forward).unwrap();
    assert!(values(log_det.clone()).iter().zip(numerical).all(|(a, b)| (f64::from(*a) - b).abs() < 5e-3));

    // As a model of its own.
    let model = ResidualFlow::from(flow.clone());
    let want = residual_flows::standard_normal_log_prob(z) + log_det;
    let got = model.log_prob_with(x.clone(), &context).unwrap().total();
    assert!(values(got).iter().zip(values(want)).all(|(a, b)| (a - b).abs() < 1e-4));
    let mut gradients = Gradients::new();
    flow.gradients(x.clone(), Objective::log_prob(Tensor::ones([4], &device())), &context, &mut gradients).unwrap();
    let FlowLayer::Custom(custom) = &flow.layers()[0] else { panic!("the first layer is the custom one") };
    let custom: &Asinh<2, false> = custom.downcast_ref().unwrap();
    assert!(gradients.get(&custom.log_rate).is_some());

    let state = named_tensors(&model);
    let loaded = ResidualFlow::from(self::flow()).with_state(state).unwrap();
    assert_eq!(values(loaded.log_prob(x.clone()).unwrap()), values(model.log_prob(x).unwrap()));
    let samples: Tensor<2> = flow.sample(3, &mut rng(), &device()).unwrap();
    assert_eq!(samples.dims(), [3, 2]);
}

#[test]
fn points_and_images_of_one_pixel_are_the_same() {
    let flow = flow();
    let x: Tensor<2> = gaussian([4, 2], &mut rng(), &device());
    let images = x.clone().reshape([4, 2, 1, 1]);
    assert_eq!(values(flow.log_prob(x.clone()).unwrap()), values(flow.log_prob::<4>(images).unwrap()));
    let error = flow.forward::<2>(Tensor::zeros([4, 3], &device())).unwrap_err().to_string();
    assert!(error.contains("[4, 3]") && error.contains("[n, 2]"), "{error}");
    assert!(Sequential::images([1, 3, 3], vec![residual_flows::flows::Squeeze {}.into()]).is_err());
    let state = named_tensors(&flow);
    assert_eq!(named_tensors(&with_tensors(flow, state.clone()).unwrap()), state);
}
