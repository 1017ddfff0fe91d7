//! The contract of every layer: inverse, log-determinant against a numerical Jacobian, gradients against finite
//! differences, state saved and loaded.

use crate::support::{device, values};
use burn::tensor::Tensor;
use rand::Rng;
use residual_flows::flows::{
    ActNorm, Coupling, CouplingNetConfig, ImplicitBlock, InvertibleLinear, Logit, MonotoneBlock, MovingBatchNorm, Normalize,
    ResidualBlock, Split, Squeeze,
};
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::testing::{ContractError, Tolerances, check_gradients, check_inverse, check_log_det, check_state};
use residual_flows::{
    ActivationKind, ContractiveNetConfig, DenseLayersConfig, FixedPoint, Flow, FlowLayer, Gradients, LayerId, LogDetConfig,
    LogDetContext, ModelError, NoiseKey, NormLearning, NormOrder, PowerIteration, gaussian,
};

const BATCH: usize = 2;

struct Case {
    name: &'static str,
    layer: FlowLayer,
    x: Tensor<4>,
}

/// A residual layer; `large` weights, so that the constraint binds in some layers.
fn residual(name: &'static str, config: ContractiveNetConfig, large: f32) -> Case {
    let mut rng = NoiseKey::new(11, [0, 0]).stream(0);
    let layer = FlowLayer::Residual(ResidualBlock::new(config.init(&mut rng, &device())));
    constrained(name, layer, config.shape, large, &mut rng)
}

/// What monotone and implicit layers solve, as exactly as differences need it.
const SOLVER: FixedPoint = FixedPoint { tol: 2e-7, max_iters: 200, anderson_window: 4 };

fn monotone(name: &'static str, config: ContractiveNetConfig) -> Case {
    let mut rng = NoiseKey::new(11, [0, 0]).stream(0);
    let layer = FlowLayer::Monotone(MonotoneBlock::new(config.init(&mut rng, &device()), SOLVER));
    constrained(name, layer, config.shape, 2.5, &mut rng)
}

fn implicit(name: &'static str, config: ContractiveNetConfig) -> Case {
    let mut rng = NoiseKey::new(11, [0, 0]).stream(0);
    let [net_x, net_z] = [(); 2].map(|()| config.init(&mut rng, &device()));
    constrained(name, FlowLayer::Implicit(ImplicitBlock::new(net_x, net_z, SOLVER)), config.shape, 2.5, &mut rng)
}

/// The layer with weights that are larger by this factor, and its constraint converged.
fn constrained(name: &'static str, layer: FlowLayer, [c, h, w]: [usize; 3], large: f32, mut rng: &mut impl Rng) -> Case {
    let tensors = named_tensors(&layer).into_iter().map(|mut tensor| {
        if tensor.name.ends_with("weight") {
            tensor.values.iter_mut().for_each(|w| *w *= large);
        }
        // These start at zero, or at the same number.
        if ["batch_norms", "orders", "concatenations"].iter().any(|part| tensor.name.contains(part)) {
            tensor.values = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.5);
        }
        tensor
    });
    let mut layer = with_tensors(layer.clone(), tensors.collect()).unwrap();
    layer.update_lipschitz(&PowerIteration { tol: 1e-7, max_iters: 1000, random_starts: 10 });
    layer.draw_dropout(BATCH, &mut rng);
    Case { name, layer, x: gaussian([BATCH, c, h, w], &mut rng, &device()) }
}

fn residual_cases() -> Vec<Case> {
    use ActivationKind::*;
    let plain = |shape, kernels: &[usize]| ContractiveNetConfig {
        kernels: kernels.to_vec(),
        bound: 0.9,
        ..ContractiveNetConfig::new(shape, 5)
    };
    let orders = |orders: &[f64], config: ContractiveNetConfig| ContractiveNetConfig {
        norm_orders: orders.iter().map(|&p| NormOrder::new(p).unwrap()).collect(),
        ..config
    };
    let learned = |learning| ContractiveNetConfig { learn_norm_orders: learning, ..plain([2, 3, 2], &[3, 1, 3]) };
    let with = |shape, activation| ContractiveNetConfig { activation, ..plain(shape, &[3, 1, 3]) };
    vec![
        residual("3-1-3", ContractiveNetConfig { preactivation: false, ..plain([1, 4, 4], &[3, 1, 3]) }, 2.5),
        residual("3-1-3 preactivated", plain([2, 3, 2], &[3, 1, 3]), 2.5),
        residual("elu", with([2, 2, 3], Elu), 2.5),
        residual("3-1-1-5", plain([1, 3, 4], &[3, 1, 1, 5]), 2.5),
        residual("3-3, two layers", plain([1, 4, 3], &[3, 3]), 2.5),
        residual("3-3-3, general path", plain([1, 3, 4], &[3, 3, 3]), 2.5),
        residual("dense", ContractiveNetConfig { dense: true, ..plain([2, 2, 2], &[3, 1, 3]) }, 2.5),
        residual("one layer", plain([2, 3, 2], &[3]), 2.5),
        residual("widths", ContractiveNetConfig { hidden: vec![3, 6].into(), ..plain([2, 2, 2], &[3, 1, 3]) }, 2.5),
        residual("softplus", with([2, 2, 3], Softplus), 2.5),
        residual("lipschitz_cube", with([2, 2, 3], LipschitzCube), 2.5),
        residual("relu", with([2, 2, 3], Relu), 2.5),
        residual("identity", with([2, 2, 3], Identity), 2.5),
        residual("tanh", with([2, 2, 3], Tanh), 2.5),
        residual("selu", ContractiveNetConfig { bound: 0.5, ..with([2, 2, 3], Selu) }, 2.5),
        residual("max_min", ContractiveNetConfig { hidden: 6.into(), ..with([2, 2, 3], MaxMin) }, 2.5),
        residual("full_sort", with([3, 2, 2], FullSort), 2.5),
        residual("orders 1-2-2-inf", orders(&[1.0, 2.0, 2.0, f64::INFINITY], plain([1, 3, 3], &[3, 1, 3])), 4.0),
        residual(
            "orders inf-inf-inf-1",
            orders(&[f64::INFINITY, f64::INFINITY, f64::INFINITY, 1.0], plain([1, 3, 3], &[3, 1, 3])),
            4.0,
        ),
        residual("orders 1-1-3-1", orders(&[1.0, 1.0, 3.0, 1.0], plain([1, 3, 3], &[3, 1, 3])), 4.0),
        residual(
            "orders 3-2-1.5-3, dense",
            ContractiveNetConfig { dense: true, ..orders(&[3.0, 2.0, 1.5, 3.0], plain([2, 2, 2], &[1, 1, 1])) },
            4.0,
        ),
        residual("orders learned", learned(NormLearning::PerLayer), 4.0),
        residual("order learned, shared", learned(NormLearning::Shared), 4.0),
        residual("batch norm", ContractiveNetConfig { batch_norm: true, ..plain([2, 3, 2], &[3, 1, 3]) }, 2.5),
        residual(
            "batch norm, dropout",
            ContractiveNetConfig { batch_norm: true, dropout: 0.4, preactivation: false, ..plain([2, 3, 2], &[3, 3]) },
            2.5,
        ),
        residual("dense layers", dense_layers(CLipSwish, None, true, [2, 3, 2]), 2.5),
        residual("dense layers, fixed weights", dense_layers(LipSwish, None, false, [1, 3, 3]), 2.5),
        residual("dense layers, fully connected", fully_connected(dense_layers(CPila, Some(7), true, [2, 2, 2])), 2.5),
        residual("clip_swish", ContractiveNetConfig { hidden: 6.into(), ..with([2, 2, 3], CLipSwish) }, 2.5),
        residual("cpila", ContractiveNetConfig { hidden: 6.into(), ..with([2, 2, 3], CPila) }, 2.5),
        residual("sin", with([2, 2, 3], Sin), 2.5),
        monotone("monotone", plain([2, 3, 2], &[3, 1, 3])),
        monotone("monotone, dense layers", dense_layers(CPila, None, true, [2, 3, 2])),
        monotone("monotone, dense layers, fully connected", fully_connected(dense_layers(CLipSwish, Some(7), true, [2, 2, 2]))),
        implicit("implicit", plain([2, 3, 2], &[3, 1, 3])),
        implicit("implicit, sin", ContractiveNetConfig { preactivation: false, ..with([3, 1, 1], Sin) }),
        implicit("implicit, dense layers", dense_layers(CPila, None, true, [2, 2, 3])),
        residual("near the identity", ContractiveNetConfig { last_layer_scale: 0.1, ..plain([2, 1, 1], &[1, 1, 1]) }, 1.0),
    ]
}

/// A network with two dense layers.
fn dense_layers(activation: ActivationKind, entrance: Option<usize>, learnable: bool, shape: [usize; 3]) -> ContractiveNetConfig {
    let dense_layers = Some(DenseLayersConfig { depth: 2, growth: 4, entrance, bound: 0.95, learnable });
    ContractiveNetConfig { activation, dense_layers, bound: 0.95, ..ContractiveNetConfig::new(shape, 5) }
}

fn fully_connected(config: ContractiveNetConfig) -> ContractiveNetConfig {
    ContractiveNetConfig { dense: true, ..config }
}

/// The layer with Gaussian noise on its whole state: what starts as the identity or a permutation is not any more.
fn shaken(layer: FlowLayer) -> FlowLayer {
    let mut rng = NoiseKey::new(12, [0, 0]).stream(0);
    let state = named_tensors(&layer).into_iter().map(|mut tensor| {
        let noise = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.3);
        tensor.values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
        tensor
    });
    with_tensors(layer.clone(), state.collect()).unwrap()
}

fn coupling(name: &'static str, shape: [usize; 3], split: Split, swapped: bool, dense: bool) -> Case {
    let [c, h, w] = shape;
    let [channels, channels_out] = split.net_channels(c, swapped);
    let net = CouplingNetConfig {
        input: [channels, h, w],
        channels_out,
        hidden: 5.into(),
        kernels: vec![3, 1, 3],
        activation: ActivationKind::LipSwish,
        preactivation: swapped,
        dense,
        dropout: if swapped { 0.4 } else { 0.0 },
    };
    let mut rng = NoiseKey::new(13, [0, 0]).stream(0);
    let mut layer = shaken(FlowLayer::Coupling(Coupling::new(net.init(&mut rng, &device()), split, swapped)));
    layer.draw_dropout(BATCH, &mut rng);
    Case { name, layer, x: gaussian([BATCH, c, h, w], &mut rng, &device()) }
}

/// The layer with a dependence on what is known about each sample.
fn conditional(name: &'static str, case: Case) -> Case {
    const FEATURES: usize = 3;
    let mut rng = NoiseKey::new(15, [0, 0]).stream(0);
    let Case { mut layer, x, .. } = case;
    layer.condition_on(FEATURES);
    let state = named_tensors(&layer).into_iter().map(|mut tensor| {
        if tensor.name.contains("conditioner") {
            tensor.values = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.5);
        }
        tensor
    });
    layer = with_tensors(layer.clone(), state.collect()).unwrap();
    layer.set_embedding(Some(&gaussian([BATCH, FEATURES], &mut rng, &device())));
    Case { name, layer, x }
}

/// Elementwise layers, matrices and couplings.
fn other_cases() -> Vec<Case> {
    let mut rng = NoiseKey::new(14, [0, 0]).stream(0);
    let images = gaussian([BATCH, 2, 2, 4], &mut rng, &device());
    let points = gaussian([BATCH, 3, 1, 1], &mut rng, &device());
    let per_pixel = InvertibleLinear::per_pixel(2, &mut rng, &device());
    let of_all = InvertibleLinear::dense([2, 2, 4], &mut rng, &device());
    let batch_norm = |channels| shaken(FlowLayer::MovingBatchNorm(MovingBatchNorm::new(channels, &device())));
    let normalize = |mean, std| FlowLayer::Normalize(Normalize::new(mean, std));
    vec![
        Case { name: "normalize", layer: normalize(vec![0.3, -1.0], vec![0.5, 3.0]), x: images.clone() },
        Case { name: "normalize, padded", layer: normalize(vec![0.3], vec![0.2]), x: images.clone() },
        Case { name: "moving_batch_norm", layer: batch_norm(2), x: images.clone() },
        Case { name: "moving_batch_norm of points", layer: batch_norm(3), x: points },
        Case { name: "invertible_linear per pixel", layer: shaken(FlowLayer::InvertibleLinear(per_pixel)), x: images.clone() },
        Case { name: "invertible_linear dense", layer: shaken(FlowLayer::InvertibleLinear(of_all)), x: images },
        coupling("coupling of channels", [2, 3, 2], Split::Channels, false, false),
        coupling("coupling of channels, swapped, odd, dropout", [3, 2, 2], Split::Channels, true, false),
        coupling("coupling of pixels", [2, 3, 3], Split::Checkerboard, false, false),
        coupling("coupling of pixels, swapped, dropout", [1, 4, 3], Split::Checkerboard, true, false),
        coupling("coupling, dense", [4, 2, 1], Split::Channels, false, true),
        coupling("coupling of points, dropout", [3, 1, 1], Split::Channels, true, true),
    ]
}

fn cases() -> Vec<Case> {
    let mut rng = NoiseKey::new(5, [0, 0]).stream(0);
    let images = gaussian([BATCH, 2, 2, 4], &mut rng, &device());
    let unit = burn::tensor::activation::sigmoid(images.clone());
    let act_norm = |mut layer: ActNorm| {
        layer.initialize(gaussian([16, 2, 2, 4], &mut NoiseKey::new(6, [0, 0]).stream(0), &device()) * 3.0 + 1.0);
        FlowLayer::ActNorm(layer)
    };
    let mut cases = vec![
        Case { name: "logit", layer: FlowLayer::Logit(Logit::new(0.05)), x: unit },
        Case { name: "act_norm per channel", layer: act_norm(ActNorm::per_channel(2, &device())), x: images.clone() },
        Case { name: "act_norm per element", layer: act_norm(ActNorm::per_element([2, 2, 4], &device())), x: images.clone() },
        Case { name: "squeeze", layer: FlowLayer::Squeeze(Squeeze {}), x: images },
    ];
    let images = gaussian([BATCH, 2, 2, 4], &mut rng, &device());
    let named = |layer| Case { name: "", layer, x: images.clone() };
    let small = |config: ContractiveNetConfig| residual("", ContractiveNetConfig { bound: 0.9, ..config }, 2.5);
    cases.extend([
        conditional("act_norm per channel, conditional", named(ActNorm::per_channel(2, &device()).into())),
        conditional("act_norm per element, conditional", named(ActNorm::per_element([2, 2, 4], &device()).into())),
        conditional("3-1-3, conditional", small(ContractiveNetConfig::new([2, 3, 2], 5))),
        conditional("points, conditional", small(ContractiveNetConfig::points(3, 6))),
        conditional("dense, conditional", small(ContractiveNetConfig { dense: true, ..ContractiveNetConfig::new([2, 2, 2], 5) })),
        conditional(
            "one layer, conditional",
            small(ContractiveNetConfig { kernels: vec![3], ..ContractiveNetConfig::new([2, 3, 2], 5) }),
        ),
        conditional(
            "batch norm, dropout, conditional",
            small(ContractiveNetConfig { batch_norm: true, dropout: 0.4, ..ContractiveNetConfig::new([2, 2, 2], 5) }),
        ),
        conditional("coupling, conditional", coupling("", [2, 3, 2], Split::Channels, false, false)),
    ]);
    cases.extend(residual_cases());
    cases.extend(other_cases());
    cases
}

/// Every case, with its name where the contract is broken.
fn each_case(check: impl Fn(&Case) -> Result<(), ContractError>) {
    for case in cases() {
        check(&case).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    }
}

#[test]
fn inverse_undoes_forward() {
    each_case(|case| check_inverse(&case.layer, &case.x, &Tolerances::default()));
}

#[test]
fn log_determinant_is_that_of_the_numerical_jacobian() {
    each_case(|case| check_log_det(&case.layer, &case.x, &Tolerances::default()));
}

/// Differences would step over the kinks of these; `networks.rs` compares their gradients with the reference implementation's.
const KINKED: [&str; 3] = ["relu", "max_min", "full_sort"];

#[test]
fn gradients_are_those_of_finite_differences() {
    each_case(|case| match KINKED.contains(&case.name) {
        true => Ok(()),
        false => check_gradients(&case.layer, &case.x, &Tolerances::default()),
    });
}

#[test]
fn state_is_saved_and_loaded() {
    each_case(|case| check_state(&case.layer, &case.x));
}

#[test]
fn shapes_of_outputs_are_known_beforehand() {
    for Case { name, layer, x } in cases() {
        let [_, c, h, w] = x.dims();
        let [_, c_out, h_out, w_out] = layer.forward(x).unwrap().dims();
        assert_eq!(layer.output_shape([c, h, w]).unwrap(), [c_out, h_out, w_out], "{name}");
    }
    assert!(FlowLayer::from(Squeeze {}).output_shape([1, 3, 2]).is_err());
}

#[test]
fn a_residual_layer_needs_a_draw() {
    let case = residual_cases().remove(0);
    let (z_bar, weight) = (case.x.clone(), Tensor::ones([BATCH], &device()));
    let error = case.layer.backward(case.x, z_bar, weight, None, &mut Gradients::new()).unwrap_err();
    assert!(matches!(error, ModelError::NoDraw), "{error}");
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name() {
    let case = cases().remove(1);
    let state = named_tensors(&case.layer);
    let short = with_tensors(case.layer.clone(), state[1..].to_vec()).unwrap_err().to_string();
    assert!(short.contains("no tensor `ActNorm.bias`"), "{short}");
    let mut reshaped = state.clone();
    reshaped[1].shape = vec![3];
    let shape = with_tensors(case.layer.clone(), reshaped).unwrap_err().to_string();
    assert!(shape.contains("ActNorm.log_scale") && shape.contains("[3]") && shape.contains("[2]"), "{shape}");
    let mut extra = state.clone();
    extra.push(residual_flows::state::NamedTensor { name: "other".into(), ..state[0].clone() });
    let left_over = with_tensors(case.layer, extra).unwrap_err().to_string();
    assert!(left_over.contains("`other`"), "{left_over}");
}

#[test]
fn squeeze_orders_channels_as_documented() {
    let x = Tensor::<4>::from_floats([[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]], &device());
    assert_eq!(values(Squeeze {}.forward(x)), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let wide = Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]], &device());
    assert_eq!(values(Squeeze {}.forward(wide)), [1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
}

#[test]
fn invertible_matrices_start_as_permutations() {
    let layer = InvertibleLinear::per_pixel(6, &mut NoiseKey::new(1, [0, 0]).stream(0), &device());
    let x: Vec<f32> = (0..6).map(|value| value as f32).collect();
    let z = values(layer.forward(Tensor::<1>::from_floats(x.as_slice(), &device()).reshape([1, 6, 1, 1])));
    let mut sorted = z.clone();
    sorted.sort_by(f32::total_cmp);
    assert_eq!(sorted, x);
    assert_ne!(z, x);
}

/// With points that are a known matrix times independent ones.
#[test]
fn a_whitening_matrix_makes_the_first_data_uncorrelated() {
    let mut rng = NoiseKey::new(3, [0, 0]).stream(0);
    let x: Tensor<2> = gaussian([400, 3], &mut rng, &device());
    let mixing = Tensor::<2>::from_floats([[2.0, 1.0, 0.0], [0.0, 0.3, 3.0], [0.0, 0.0, 0.5]], &device());
    let x = (x.matmul(mixing) + 7.0).reshape([400, 3, 1, 1]);
    let mut layer = FlowLayer::InvertibleLinear(InvertibleLinear::whitening(3, &device()));
    assert_eq!(values(layer.forward(x.clone()).unwrap()), values(x.clone()), "the identity at first");
    layer.initialize(x.clone());
    let z = layer.forward(x.clone()).unwrap().reshape([400, 3]);
    let centred = z.clone() - z.mean_dim(0);
    let covariance = values(centred.clone().transpose().matmul(centred) / 400.0);
    for (index, got) in covariance.iter().enumerate() {
        let expected = if index % 4 == 0 { 1.0 } else { 0.0 };
        assert!((got - expected).abs() < 1e-3, "{covariance:?}");
    }
    let before = named_tensors(&layer)[0].values.clone();
    layer.initialize(Tensor::ones([400, 3, 1, 1], &device()));
    assert_eq!(named_tensors(&layer)[0].values, before, "constants have no covariance to divide by");
    let mut permutation = FlowLayer::InvertibleLinear(InvertibleLinear::per_pixel(3, &mut rng, &device()));
    let before = named_tensors(&permutation)[0].values.clone();
    permutation.initialize(x);
    assert_eq!(named_tensors(&permutation)[0].values, before, "other matrices stay as they are");
}

/// The determinant of a large matrix does not overflow, nor does it lose the precision of its logarithm.
#[test]
fn log_determinants_of_large_matrices_are_exact() {
    let layer = FlowLayer::InvertibleLinear(InvertibleLinear::per_pixel(96, &mut NoiseKey::new(2, [0, 0]).stream(0), &device()));
    let mut state = named_tensors(&layer);
    state[0].values.iter_mut().for_each(|w| *w *= 10.0);
    let layer = with_tensors(layer.clone(), state).unwrap();
    let (config, noise) = (LogDetConfig::exact(), NoiseKey::new(0, [0, 0]));
    let context = LogDetContext { config: &config, noise };
    let x = Tensor::zeros([1, 96, 2, 3], &device());
    let log_det = values(layer.forward_log_det(x, &context, &LayerId::alone()).unwrap().1);
    assert!((f64::from(log_det[0]) - 6.0 * 96.0 * 10f64.ln()).abs() < 1e-3, "{log_det:?}");
}

#[test]
fn a_singular_matrix_is_an_error() {
    let layer = FlowLayer::InvertibleLinear(InvertibleLinear::per_pixel(2, &mut NoiseKey::new(2, [0, 0]).stream(0), &device()));
    let mut state = named_tensors(&layer);
    state[0].values = vec![1.0, 2.0, 2.0, 4.0];
    let layer = with_tensors(layer.clone(), state).unwrap();
    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(0, [0, 0]) };
    let x = Tensor::ones([1, 2, 1, 1], &device());
    let forward = layer.forward_log_det(x.clone(), &context, &LayerId::alone()).unwrap_err().to_string();
    assert!(forward.contains("`layer`") && forward.contains("singular"), "{forward}");
    assert!(layer.inverse(x, &FixedPoint::default(), &LayerId::alone(), &mut Default::default()).is_err());
}
