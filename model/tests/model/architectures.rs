//! Whole models of every option: latents are inverted, log-determinants are those of the numerical Jacobian, and
//! gradients those of finite differences.

use crate::support::{device, values};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::testing::numerical_log_dets;
use residual_flows::{
    ActivationKind, BlockKind, DensityWeights, FixedPoint, Gradients, LayerId, LogDetConfig, LogDetContext, LogDetDraw, NoiseKey,
    Objective, PaddingNoise, PowerIteration, ResidualFlow, ResidualFlowConfig, gaussian, standard_normal_log_prob,
};

const BATCH: usize = 2;

/// Small, and with a small Lipschitz bound, so that inverses converge fast.
fn small() -> ResidualFlowConfig {
    ResidualFlowConfig {
        blocks: vec![2],
        hidden_channels: 6.into(),
        dense_blocks: 0,
        dense_hidden: 5,
        classifier_channels: 4,
        lipschitz_bound: 0.7,
        fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
        ..Default::default()
    }
}

fn points() -> ResidualFlowConfig {
    ResidualFlowConfig { dense: true, logit_alpha: 0.0, ..small() }
}

struct Case {
    name: &'static str,
    image: [usize; 3],
    config: ResidualFlowConfig,
    model: ResidualFlow,
    /// Padded images.
    x: Tensor<4>,
}

fn case(name: &'static str, image: [usize; 3], config: ResidualFlowConfig) -> Case {
    let mut rng = NoiseKey::new(31, [0, 0]).stream(0);
    let mut model = config.init(image, &mut rng, &device()).unwrap();
    let [c, h, w] = image;
    let mut images = |n: usize| {
        let noise = gaussian([n, c, h, w], &mut rng, &device());
        let x = if config.logit_alpha > 0.0 { burn::tensor::activation::sigmoid(noise) } else { noise };
        model.pad(x, &mut rng).unwrap().input
    };
    let (first, x) = (images(16), images(BATCH));
    model.initialize(first).unwrap();
    let mut rng = NoiseKey::new(32, [0, 0]).stream(0);
    let state = named_tensors(&model).into_iter().map(|mut tensor| {
        let noise = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.1);
        tensor.values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
        tensor
    });
    let mut model = with_tensors(model.clone(), state.collect()).unwrap();
    model.update_lipschitz(&PowerIteration::CONVERGED);
    Case { name, image, config, model, x }
}

fn cases() -> Vec<Case> {
    let two_scales = || ResidualFlowConfig { blocks: vec![1, 1], ..small() };
    let coupling = |config| ResidualFlowConfig { block: BlockKind::Coupling, ..config };
    vec![
        case("one scale", [2, 4, 4], small()),
        case("two scales, dense end", [1, 8, 8], ResidualFlowConfig { dense_blocks: 1, ..two_scales() }),
        case("factor-out", [1, 8, 8], ResidualFlowConfig { factor_out: true, ..two_scales() }),
        case("no plain first block", [1, 8, 8], ResidualFlowConfig { plain_first_block: false, ..two_scales() }),
        case("dense", [2, 4, 4], ResidualFlowConfig { dense: true, ..small() }),
        case("two ActNorms", [2, 4, 4], ResidualFlowConfig { dense_act_norm: true, ..small() }),
        case("invertible convolutions", [3, 4, 4], ResidualFlowConfig { invertible_convolutions: true, ..small() }),
        case("invertible matrices", [2, 3, 3], ResidualFlowConfig { invertible_convolutions: true, dense: true, ..small() }),
        case("points", [2, 1, 1], ResidualFlowConfig { flow_batch_norm: true, ..points() }),
        case(
            "normalised, squeezed",
            [2, 4, 4],
            ResidualFlowConfig {
                logit_alpha: 0.0,
                input_mean: vec![0.4, 0.5],
                input_std: vec![0.5, 2.0],
                squeeze_first: true,
                ..small()
            },
        ),
        case("uniform padding", [1, 4, 4], ResidualFlowConfig { padding_channels: 1, ..small() }),
        case(
            "Gaussian padding",
            [1, 4, 4],
            ResidualFlowConfig { padding_channels: 2, padding: PaddingNoise::Gaussian, ..small() },
        ),
        case("coupling", [1, 8, 8], coupling(ResidualFlowConfig { dense_blocks: 2, ..two_scales() })),
        case("coupling of channels", [2, 4, 4], coupling(ResidualFlowConfig { checkerboard: false, ..small() })),
        case("coupling, factor-out", [3, 8, 8], coupling(ResidualFlowConfig { factor_out: true, ..two_scales() })),
        case("coupling of points", [3, 1, 1], coupling(points())),
        case("classes", [1, 8, 8], ResidualFlowConfig { classes: 3, ..two_scales() }),
        case("classes, factor-out", [1, 8, 8], ResidualFlowConfig { classes: 3, factor_out: true, ..two_scales() }),
        case(
            "classes as in the reference implementation",
            [1, 8, 8],
            ResidualFlowConfig { classes: 3, factor_out: true, last_head_sees_factored: true, ..two_scales() },
        ),
    ]
}

fn exact<'a>(config: &'a LogDetConfig) -> LogDetContext<'a> {
    LogDetContext { config, noise: NoiseKey::new(3, [0, 0]) }
}

#[test]
fn latents_are_inverted() {
    for Case { name, model, x, .. } in cases() {
        let z = model.encode(x.clone()).unwrap();
        assert_eq!(z.dims(), [BATCH, model.latent_dimensions()], "{name}");
        let back = values(model.decode(z).unwrap());
        for (a, b) in back.iter().zip(values(x)) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} for {b}");
        }
        let samples = model.sample(3, 0.7, &mut NoiseKey::new(4, [0, 0]).stream(0), &device()).unwrap();
        let [c, h, w] = model.image_shape();
        assert_eq!(samples.dims(), [3, c, h, w], "{name}");
    }
}

#[test]
fn log_determinants_are_those_of_the_numerical_jacobian() {
    const STEP: f32 = 2e-3;
    let config = LogDetConfig::exact();
    for Case { name, model, x, .. } in cases() {
        let (z, log_det) = model.encode_log_det(x.clone(), &exact(&config)).unwrap();
        assert_eq!(values(z), values(model.encode(x.clone()).unwrap()), "{name}");
        let encode = |x| model.encode(x).map(values);
        for (want, got) in numerical_log_dets(&x, STEP, encode).unwrap().into_iter().zip(values(log_det)) {
            assert!((f64::from(got) - want).abs() < 2e-2, "{name}: {got} for {want}");
        }
    }
}

/// What the gradients below are of, by exact log-determinants: each sample's terms have weights of their own.
struct Weighted {
    log_pz: [f32; BATCH],
    log_det: [f32; BATCH],
    /// `[batch, classes]`, where the model has classes.
    logits: Option<Tensor<2>>,
}

impl Weighted {
    fn value(&self, model: &ResidualFlow, x: &Tensor<4>) -> f64 {
        let config = LogDetConfig::exact();
        let (z, log_det) = model.encode_log_det(x.clone(), &exact(&config)).unwrap();
        let log_pz = standard_normal_log_prob(z);
        let dot = |a: Vec<f32>, b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let density = dot(values(log_pz), &self.log_pz) + dot(values(log_det), &self.log_det);
        let Some(bar) = &self.logits else { return density };
        density + dot(values(model.logits(x.clone()).unwrap()), &values(bar.clone()))
    }

    fn gradients(&self, model: &ResidualFlow, x: &Tensor<4>) -> Gradients {
        let weights = |values: [f32; BATCH]| Tensor::from_floats(values, &device());
        let density = DensityWeights { log_pz: weights(self.log_pz), log_det: weights(self.log_det) };
        let mut bar = |logits: &Tensor<2>| {
            assert_eq!(values(logits.clone()), values(model.logits(x.clone()).unwrap()));
            self.logits.clone().unwrap()
        };
        let logits = self.logits.as_ref().map(|_| &mut bar as &mut dyn FnMut(&Tensor<2>) -> Tensor<2>);
        let mut gradients = Gradients::new();
        let objective = Objective { density: Some(density), logits, ..Default::default() };
        model.gradients_with_draws(x.clone(), objective, |_, _| LogDetDraw::Exact, &mut gradients).unwrap();
        gradients
    }
}

/// The gradients of a model's tensors, in the order of its state; zeros for what is not trained.
fn flat_gradients(model: &ResidualFlow, gradients: &Gradients) -> Vec<Vec<f32>> {
    struct Collect<'a>(&'a Gradients, Vec<Vec<f32>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get(param).unwrap_or_else(|| param.val().zeros_like());
            self.1.push(values(gradient));
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    model.visit(&mut collect);
    collect.1
}

/// Along directions in the space of all parameters; layer by layer, `flow_contract.rs` checks every element.
#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f32 = 2e-3;
    for Case { name, model, x, .. } in cases() {
        let mut rng = NoiseKey::new(9, [0, 0]).stream(0);
        let classes = model.classifier().map(|classifier| classifier.output.bias.dims()[0]);
        let logits = classes.map(|classes| gaussian([BATCH, classes], &mut rng, &device()) * 5.0);
        let objective = Weighted { log_pz: [1.0, -0.4], log_det: [0.7, 0.5], logits };
        let gradients = flat_gradients(&model, &objective.gradients(&model, &x));
        let state = named_tensors(&model);
        assert_eq!(state.len(), gradients.len());
        let norm = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>().sqrt();
        for _ in 0..2 {
            // Towards each tensor's gradient, somewhat aside, so that every tensor has a share of its gradient's length.
            let toward = |gradient: &Vec<f32>| -> Vec<f32> {
                let length = norm(gradient);
                if length == 0.0 {
                    return gradient.clone();
                }
                let aside = values(gaussian([gradient.len()], &mut rng, &device()));
                let scale = 0.5 / norm(&aside);
                gradient.iter().zip(aside).map(|(g, a)| g / length + a * scale).collect()
            };
            let direction: Vec<Vec<f32>> = gradients.iter().map(toward).collect();
            let moved = |by: f32| {
                let mut state = state.clone();
                for (tensor, direction) in state.iter_mut().zip(&direction) {
                    tensor.values.iter_mut().zip(direction).for_each(|(value, slope)| *value += by * slope);
                }
                objective.value(&model.clone().with_state(state).unwrap(), &x)
            };
            let want = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            let products = gradients.iter().flatten().zip(direction.iter().flatten());
            let got: f64 = products.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            assert!((got - want).abs() < 1e-2 * want.abs() + 0.05, "{name}: {got} for {want}");
        }
    }
}

/// Without a share of the density no log-determinant is asked for, and the gradients are those of the logits alone.
#[test]
fn classification_needs_no_log_determinants() {
    let config = ResidualFlowConfig { blocks: vec![1, 1], classes: 3, factor_out: true, ..small() };
    let Case { model, x, .. } = case("classes", [1, 8, 8], config);
    let bar = gaussian([BATCH, 3], &mut NoiseKey::new(5, [0, 0]).stream(0), &device());
    let of = |density: Option<DensityWeights>| {
        let mut logits_bar = |_: &Tensor<2>| bar.clone();
        let mut gradients = Gradients::new();
        let with_density = density.is_some();
        let objective = Objective { density, logits: Some(&mut logits_bar), ..Default::default() };
        let draw = |_: &LayerId, _| if with_density { LogDetDraw::Exact } else { panic!("a log-determinant is asked for") };
        let outputs = model.gradients_with_draws(x.clone(), objective, draw, &mut gradients).unwrap();
        assert_eq!(outputs.log_prob.is_some(), with_density);
        assert_eq!(values(outputs.logits.unwrap()), values(model.logits(x.clone()).unwrap()));
        flat_gradients(&model, &gradients).concat()
    };
    let zeros = || Tensor::zeros([BATCH], &device());
    let alone = of(None);
    let beside_nothing = of(Some(DensityWeights { log_pz: zeros(), log_det: zeros() }));
    assert!(alone.iter().any(|value| value.abs() > 1e-3));
    for (a, b) in alone.iter().zip(&beside_nothing) {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn logits_need_a_classifier() {
    let Case { model, x, .. } = case("points", [2, 1, 1], points());
    let error = model.logits(x).unwrap_err().to_string();
    assert!(error.contains("`classes` is 0"), "{error}");
}

/// Probabilities by hand, in the reference implementation's terms: `ln p(x) = ln p(z) + log_det - P ln L - ln q(u)` with `P` padding
/// dimensions, `L` levels and the density `q` of the padding `u` in units of levels.
#[test]
fn log_probabilities_of_padded_images_subtract_the_padding() {
    let config = LogDetConfig::exact();
    let context = exact(&config);
    let x = Tensor::<4>::full([BATCH, 1, 4, 4], 0.3, &device());
    let p = 2.0 * 16.0;
    let levels = 32.0f64;
    for padding in [PaddingNoise::Uniform, PaddingNoise::Gaussian] {
        let config = ResidualFlowConfig { padding_channels: 2, padding, padding_levels: 32, ..small() };
        let model = case("padding", [1, 4, 4], config).model;
        let log_prob = model.log_prob_with(x.clone(), &context).unwrap();
        let padded = model.pad(x.clone(), &mut context.noise.stream(u64::MAX)).unwrap();
        let (z, log_det) = model.encode_log_det(padded.input.clone(), &context).unwrap();
        let flow = values(standard_normal_log_prob(z) + log_det);
        let noise = values(padded.input.narrow(1, 1, 2));
        for (sample, noise) in noise.chunks_exact(32).enumerate() {
            let in_levels = noise.iter().map(|u| f64::from(*u) * levels);
            let log_q: f64 = match padding {
                PaddingNoise::Uniform => {
                    assert!(in_levels.clone().all(|u| (0.0..1.0).contains(&u)));
                    0.0
                }
                PaddingNoise::Gaussian => {
                    let (mean, std) = (levels / 2.0, levels / 8.0);
                    let normal = |u: f64| -0.5 * ((u - mean) / std).powi(2) - (2.0 * std::f64::consts::PI).sqrt().ln() - std.ln();
                    in_levels.map(normal).sum()
                }
            };
            let want = f64::from(flow[sample]) - p * levels.ln() - log_q;
            let got = f64::from(values(log_prob.total())[sample]);
            // The cut at four standard deviations changes the normal's density by a factor of 1.00006.
            assert!((got - want).abs() < 5e-3, "{padding:?}: {got} for {want}");
        }
        let wrong = model.encode(x.clone()).unwrap_err().to_string();
        assert!(wrong.contains("padded") && wrong.contains("[batch, 3, 4, 4]"), "{wrong}");
        assert_eq!(model.dimensions(), 16);
    }
}

/// Many draws: the padding's density integrates to one, and the noise has the moments that it should have.
#[test]
fn padding_is_distributed_as_documented() {
    let config = ResidualFlowConfig { padding_channels: 1, padding: PaddingNoise::Gaussian, ..small() };
    let model = case("padding", [1, 4, 4], config).model;
    let n = 4000;
    let padded = model.pad(Tensor::zeros([n, 1, 4, 4], &device()), &mut NoiseKey::new(2, [0, 0]).stream(0)).unwrap();
    let noise = values(padded.input.narrow(1, 1, 1));
    let count = noise.len() as f64;
    let mean = noise.iter().map(|u| f64::from(*u)).sum::<f64>() / count;
    let variance = noise.iter().map(|u| (f64::from(*u) - 0.5).powi(2)).sum::<f64>() / count;
    assert!(noise.iter().all(|u| (0.0..=1.0).contains(u)));
    assert!((mean - 0.5).abs() < 4.0 * 0.125 / count.sqrt(), "{mean}");
    assert!((variance.sqrt() - 0.125).abs() < 4.0 * 0.125 / (2.0 * count).sqrt(), "{variance}");
    // The mean of ln q is minus the entropy, of the normal up to the tiny cut.
    let entropy = 16.0 * (0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln() + 0.125f64.ln());
    let log_q = values(padded.log_density).iter().map(|l| f64::from(*l)).sum::<f64>() / n as f64;
    let standard_error = (16.0 * 0.5 / n as f64).sqrt();
    assert!((log_q + entropy).abs() < 4.0 * standard_error + 0.01, "{log_q} {entropy}");
}

/// A training batch is taken into running means after its step: by a tenth, and each at the means as they were.
#[test]
fn running_means_move_towards_batches() {
    let config = ResidualFlowConfig { flow_batch_norm: true, blocks: vec![1], act_norm: false, ..points() };
    let mut model = config.init([2, 1, 1], &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).unwrap();
    let x = gaussian([50, 2, 1, 1], &mut NoiseKey::new(2, [0, 0]).stream(0), &device()) + 3.0;
    let before = model.encode(x.clone()).unwrap();
    let of_batch = values(before.clone().mean_dim(0));
    for step in 1..=2 {
        model.update_batch_norm(x.clone()).unwrap();
        let moved = values((before.clone() - model.encode(x.clone()).unwrap()).mean_dim(0));
        for (moved, mean) in moved.iter().zip(&of_batch) {
            assert!((moved - mean * (1.0 - 0.9f32.powi(step))).abs() < 1e-4, "{moved} of {mean}");
        }
    }
}

#[test]
fn settings_that_do_not_fit_are_refused_by_name() {
    let refused = |image: [usize; 3], config: ResidualFlowConfig, parts: &[&str]| {
        let error = config.init(image, &mut NoiseKey::new(0, [0, 0]).stream(0), &device()).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let coupling = ResidualFlowConfig { block: BlockKind::Coupling, ..small() };
    refused([1, 4, 4], ResidualFlowConfig { checkerboard: false, ..coupling.clone() }, &["`block`", "one channel"]);
    refused([1, 4, 4], ResidualFlowConfig { dense_blocks: 1, ..coupling }, &["`block`", "one channel"]);
    let mean = ResidualFlowConfig { input_mean: vec![0.5, 0.5], input_std: vec![1.0, 1.0], ..small() };
    refused([2, 4, 4], mean.clone(), &["`logit_alpha` is 0.05", "input_mean"]);
    refused([3, 4, 4], ResidualFlowConfig { logit_alpha: 0.0, ..mean.clone() }, &["`input_mean` is [0.5, 0.5]", "3 channels"]);
    refused([2, 4, 4], ResidualFlowConfig { logit_alpha: 0.0, input_std: vec![1.0, 0.0], ..mean }, &["`input_std`", "positive"]);
    refused([2, 4, 4], ResidualFlowConfig { classes: 1, ..small() }, &["`classes` is 1"]);
}

/// What is not finite does not leave: the sample and the layer are named, of samples and of latents.
#[test]
fn numbers_that_are_not_finite_name_the_sample_and_the_layer() {
    let model = small().init([1, 4, 4], &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).unwrap();
    let error = |result: residual_flows::Result<Vec<f32>>| result.unwrap_err().to_string();
    let decode = |model: &ResidualFlow, z: Tensor<2>| model.decode(z).map(values);
    let encode = |model: &ResidualFlow, x: Tensor<4>| model.encode(x).map(values);
    let z = Tensor::<2>::zeros([3, model.latent_dimensions()], &device());
    for bad in [f32::NAN, f32::INFINITY] {
        let latents = z.clone().slice_fill([1..2, 3..4], bad);
        assert_eq!(error(decode(&model, latents)), "sample 1: the latent is not finite");
        let images = Tensor::<4>::full([3, 1, 4, 4], 0.5, &device()).slice_fill([2..3, 0..1, 0..1, 0..1], bad);
        assert_eq!(error(encode(&model, images)), "sample 2: the input is not finite");
    }
    // A weight of every layer in turn.
    let tensors = named_tensors(&model);
    for (index, tensor) in tensors.iter().enumerate().filter(|(_, tensor)| tensor.name.ends_with("bias")) {
        let mut broken = tensors.clone();
        broken[index].values[0] = f32::NAN;
        let model = model.clone().with_state(broken).unwrap();
        let layer = tensor.name.split('.').take(4).collect::<Vec<_>>().join(".");
        let images = Tensor::full([3, 1, 4, 4], 0.5, &device());
        for message in [error(decode(&model, z.clone())), error(encode(&model, images))] {
            assert!(message.starts_with("sample 0: ") && message.contains(&format!("`{layer}`")), "{}: {message}", tensor.name);
        }
    }
    for temperature in [f64::NAN, f64::INFINITY, -1.0] {
        let samples = model.sample(1, temperature, &mut NoiseKey::new(1, [0, 0]).stream(0), &device());
        assert!(samples.unwrap_err().to_string().contains("temperature"));
    }
    let settings = ResidualFlowConfig { fixed_point: FixedPoint { tol: f32::INFINITY, ..Default::default() }, ..small() };
    let refused = settings.init([1, 4, 4], &mut NoiseKey::new(1, [0, 0]).stream(0), &device()).unwrap_err();
    assert!(refused.to_string().contains("fixed_point.tol"), "{refused}");
}

/// Names that checkpoints and importers rely on.
#[test]
fn state_names_are_stable() {
    let names = |image: [usize; 3], config: ResidualFlowConfig| -> Vec<String> {
        let model = config.init(image, &mut NoiseKey::new(0, [0, 0]).stream(0), &device()).unwrap();
        named_tensors(&model).into_iter().map(|tensor| tensor.name).collect()
    };
    let config = ResidualFlowConfig {
        block: BlockKind::Coupling,
        blocks: vec![1],
        activation: ActivationKind::Elu,
        kernels: vec![3, 3],
        invertible_convolutions: true,
        flow_batch_norm: true,
        classes: 2,
        ..small()
    };
    let expected = [
        "scales.0.layers.1.ActNorm.bias",
        "scales.0.layers.1.ActNorm.log_scale",
        "scales.0.layers.2.InvertibleLinear.weight",
        "scales.0.layers.3.Coupling.net.convolutions.0.weight",
        "scales.0.layers.3.Coupling.net.convolutions.0.bias",
        "scales.0.layers.3.Coupling.net.convolutions.1.weight",
        "scales.0.layers.3.Coupling.net.convolutions.1.bias",
        "scales.0.layers.4.ActNorm.bias",
        "scales.0.layers.4.ActNorm.log_scale",
        "scales.0.layers.5.MovingBatchNorm.bias",
        "scales.0.layers.5.MovingBatchNorm.running_mean",
        "classifier.heads.0.convolution.weight",
        "classifier.heads.0.convolution.bias",
        "classifier.heads.0.act_norm.bias",
        "classifier.heads.0.act_norm.log_scale",
        "classifier.output.weight",
        "classifier.output.bias",
    ];
    assert_eq!(names([2, 4, 4], config), expected);
}

#[test]
fn stored_weights_fill_a_model_that_was_not_initialised() {
    for Case { name, image, config, model, x } in cases() {
        let empty = config.init_for_state(image, &device()).unwrap();
        let stored = named_tensors(&model);
        let loaded = empty.with_state(stored.clone()).unwrap();
        assert!(named_tensors(&loaded) == stored, "{name}");
        assert_eq!(values(loaded.encode(x.clone()).unwrap()), values(model.encode(x).unwrap()), "{name}");
    }
}
