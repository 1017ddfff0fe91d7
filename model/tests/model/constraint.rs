//! A model whose weights have changed is not evaluated silently.

use crate::support::{device, values};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::{
    Convergence, LogDetConfig, LogDetContext, ModelError, NoiseKey, PowerIteration, ResidualFlow, ResidualFlowConfig,
};

fn model() -> ResidualFlow {
    let config = ResidualFlowConfig { blocks: vec![2], ..ResidualFlowConfig::toy() };
    config.init([2, 1, 1], &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).unwrap()
}

fn points() -> Tensor<2> {
    Tensor::from_floats([[0.5, -0.25], [1.0, 2.0]], &device())
}

/// As an optimiser changes parameters.
struct Grow;

impl ModuleMapper for Grow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value * 3.0)
    }
}

fn assert_refused(model: &ResidualFlow) {
    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(0, [0, 0]) };
    let (x, z) = (points().reshape([2, 2, 1, 1]), points());
    let refusals = [
        model.log_prob(points()).map(|_| ()),
        model.log_prob_with(points(), &context).map(|_| ()),
        model.encode(x.clone()).map(|_| ()),
        model.encode_log_det(x, &context).map(|_| ()),
        model.decode(z).map(|_| ()),
        model.sample(1, 1.0, &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).map(|_| ()),
    ];
    for (index, refusal) in refusals.into_iter().enumerate() {
        match refusal {
            Err(ModelError::StaleConstraint { layer }) => assert_eq!(layer, "scales.0.layers.1"),
            other => panic!("{index}: {other:?}"),
        }
    }
}

#[test]
fn changed_weights_are_refused_until_the_constraint_is_updated() {
    let fresh = model();
    fresh.log_prob(points()).unwrap();
    let grown = fresh.map(&mut Grow);
    assert_refused(&grown);
    assert_refused(&grown.clone());

    let mut updated = grown.clone();
    updated.update_lipschitz(&PowerIteration { tol: 1e-6, max_iters: 1000, random_starts: 0 });
    let log_prob = updated.log_prob(points()).unwrap();
    for to in [Convergence::Estimate, Convergence::SinglePrecision] {
        let ready = grown.clone().with_converged_constraint(to).unwrap();
        let too = ready.log_prob(points()).unwrap();
        for (a, b) in values(log_prob.clone()).into_iter().zip(values(too)) {
            assert!((a - b).abs() < 1e-2, "{to:?}: {a} {b}");
        }
    }
}

#[test]
fn a_whole_state_brings_its_own_vectors() {
    let model = model();
    let state = named_tensors(&model);
    let by_tensors = with_tensors(model.clone(), state.clone()).unwrap();
    assert_refused(&by_tensors);
    let loaded = model.clone().with_state(state).unwrap();
    assert_eq!(values(loaded.log_prob(points()).unwrap()), values(model.log_prob(points()).unwrap()));
    let mut trusted = by_tensors;
    trusted.trust_vectors();
    assert_eq!(values(trusted.log_prob(points()).unwrap()), values(model.log_prob(points()).unwrap()));
}

#[test]
fn a_weight_that_is_set_is_a_change() {
    let mut model = model();
    let net = model.layers_mut().find_map(|layer| layer.nets_mut().pop()).unwrap().1;
    let weight = net.convolutions()[0].weight().val();
    net.convolutions_mut()[0].set_weight(weight * 2.0);
    assert_refused(&model);
}

/// Norms in closed form have no vectors, and are never out of date.
#[test]
fn norms_in_closed_form_follow_weights() {
    let config = ResidualFlowConfig {
        blocks: vec![1],
        norm_orders: vec![residual_flows::NormOrder::new(f64::INFINITY).unwrap()],
        ..ResidualFlowConfig::toy()
    };
    let model = config.init([2, 1, 1], &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).unwrap();
    model.map(&mut Grow).log_prob(points()).unwrap();
}
