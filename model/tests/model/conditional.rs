//! Densities of samples about which something is known, by classes and by vectors.

use crate::support::{device, values};
use burn::tensor::Tensor;
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::training::{FitConfig, Samples, Silent, fit};
use residual_flows::{
    BaseConfig, BaseKind, BlockKind, Context, ContextConfig, ContextKind, Gradients, LogDetConfig, LogDetContext, ModelError,
    NoiseKey, Objective, PowerIteration, ResidualFlow, ResidualFlowConfig, gaussian, visit_parameters,
};

fn context(kind: ContextKind) -> ContextConfig {
    ContextConfig { kind, classes: 3, columns: 2, features: 4 }
}

fn points(kind: ContextKind) -> ResidualFlowConfig {
    ResidualFlowConfig {
        blocks: vec![2],
        hidden_channels: 8.into(),
        base: BaseConfig { kind: BaseKind::Normal, ..Default::default() },
        context: context(kind),
        ..ResidualFlowConfig::toy()
    }
}

fn init(config: &ResidualFlowConfig, shape: [usize; 3]) -> ResidualFlow {
    config.init(shape, &mut NoiseKey::new(21, [0, 0]).stream(0), &device()).unwrap()
}

/// With noise on all that starts at zero.
fn shaken(model: ResidualFlow) -> ResidualFlow {
    let mut rng = NoiseKey::new(22, [0, 0]).stream(0);
    let state = named_tensors(&model).into_iter().map(|mut tensor| {
        if tensor.values.iter().all(|&value| value == 0.0) {
            tensor.values = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.3);
        }
        tensor
    });
    let mut model = with_tensors(model.clone(), state.collect()).unwrap();
    model.update_lipschitz(&PowerIteration { tol: 1e-7, max_iters: 1000, random_starts: 10 });
    model
}

fn known(kind: ContextKind, n: usize) -> Context {
    match kind {
        ContextKind::Vectors => Context::Vectors(gaussian([n, 2], &mut NoiseKey::new(23, [0, 0]).stream(0), &device())),
        _ => Context::Classes((0..n as u32).map(|i| i % 3).collect()),
    }
}

const KINDS: [ContextKind; 2] = [ContextKind::Classes, ContextKind::Vectors];

fn exact_log_prob(model: &ResidualFlow, x: &Tensor<4>) -> Vec<f32> {
    let config = LogDetConfig::exact();
    let context = LogDetContext { config: &config, noise: NoiseKey::new(0, [0, 0]) };
    values(model.log_prob_with(x.clone(), &context).unwrap().total())
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f32 = 4e-3;
    const WEIGHTS: [f32; 3] = [1.0, -0.5, 0.7];
    let images = ResidualFlowConfig {
        blocks: vec![1, 1],
        hidden_channels: 3.into(),
        dense_blocks: 1,
        dense_hidden: 3,
        logit_alpha: 0.0,
        factor_out: true,
        ..points(ContextKind::Classes)
    };
    let coupling = ResidualFlowConfig { block: BlockKind::Coupling, ..points(ContextKind::Vectors) };
    let mut rng = NoiseKey::new(24, [0, 0]).stream(0);
    for (config, shape) in [
        (points(ContextKind::Classes), [2, 1, 1]),
        (points(ContextKind::Vectors), [2, 1, 1]),
        (coupling, [2, 1, 1]),
        (ResidualFlowConfig { kernels: vec![3, 1, 3], ..images }, [1, 8, 8]),
    ] {
        let [c, h, w] = shape;
        let x = gaussian([3, c, h, w], &mut rng, &device());
        let model = shaken(init(&config, shape)).given(&known(config.context.kind, 3)).unwrap();
        let objective = |model: &ResidualFlow| -> f64 {
            exact_log_prob(model, &x).iter().zip(WEIGHTS).map(|(value, weight)| f64::from(value * weight)).sum()
        };
        let (log_det, mut gradients) = (LogDetConfig::exact(), Gradients::new());
        let of_exact = LogDetContext { config: &log_det, noise: NoiseKey::new(0, [0, 0]) };
        let weights = Tensor::from_floats(WEIGHTS, &device());
        model.gradients(x.clone(), Objective::log_prob(weights), &of_exact, &mut gradients).unwrap();
        let mut got: Vec<(usize, String, Vec<f32>)> = Vec::new();
        let mut index = 0;
        visit_parameters(&model, |name, parameter| {
            if name.contains("conditioner") || name.contains("embedding") || name.contains("base") {
                match parameter.flat_gradient(&gradients) {
                    Some(gradient) => got.push((index, name.into(), values(gradient))),
                    // What standardises vectors is no parameter.
                    None => assert!(name.ends_with(".mean") || name.ends_with(".std"), "{name} has no gradient"),
                }
            }
            index += 1;
        });
        assert!(got.iter().any(|(_, name, _)| name.contains("embedding")));
        let state = named_tensors(&model);
        let context = known(config.context.kind, 3);
        for (tensor, name, got) in got {
            for (element, got) in got.into_iter().enumerate().step_by(if h > 1 { 7 } else { 1 }) {
                let moved = |by: f32| {
                    let mut state = state.clone();
                    state[tensor].values[element] += by;
                    let mut moved = with_tensors(model.clone(), state).unwrap();
                    moved.trust_vectors();
                    // Features are made of the embedding's parameters anew.
                    objective(&moved.given(&context).unwrap())
                };
                let want = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                assert!((f64::from(got) - want).abs() < 2e-2 * (1.0 + want.abs()), "{name}[{element}]: {got} for {want}");
            }
        }
    }
}

#[test]
fn densities_of_each_condition_integrate_to_one() {
    const CELLS: i32 = 120;
    const STEP: f32 = 0.1;
    let grid: Vec<f32> = (-CELLS..CELLS).map(|i| (i as f32 + 0.5) * STEP).collect();
    let points_of_grid: Vec<f32> = grid.iter().flat_map(|&a| grid.iter().flat_map(move |&b| [a, b])).collect();
    let n = grid.len() * grid.len();
    let x = Tensor::<1>::from_floats(points_of_grid.as_slice(), &device()).reshape([n, 2, 1, 1]);
    for kind in KINDS {
        let model = shaken(init(&points(kind), [2, 1, 1]));
        for condition in 0..3 {
            let context = match known(kind, 3).narrow(condition, 1) {
                Context::Classes(class) => Context::Classes(vec![class[0]; n]),
                Context::Vectors(vector) => Context::Vectors(vector.expand([n, 2])),
                _ => unreachable!("there are two kinds"),
            };
            let log_prob = exact_log_prob(&model.given(&context).unwrap(), &x);
            let total: f64 = log_prob.into_iter().map(|value| f64::from(value).exp() * f64::from(STEP * STEP)).sum();
            assert!((total - 1.0).abs() < 1e-2, "{kind:?} {condition}: {total}");
        }
    }
}

#[test]
fn samples_do_not_depend_on_the_conditions_of_others() {
    for kind in KINDS {
        let model = shaken(init(&points(kind), [2, 1, 1]));
        let x = gaussian([3, 2, 1, 1], &mut NoiseKey::new(25, [0, 0]).stream(0), &device());
        let context = known(kind, 3);
        let together = model.given(&context).unwrap();
        let all = exact_log_prob(&together, &x);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        let z = together.encode(x.clone()).unwrap();
        let back = together.decode(z.clone()).unwrap();
        for sample in 0..3 {
            let alone = model.given(&context.narrow(sample, 1)).unwrap();
            let one = exact_log_prob(&alone, &x.clone().narrow(0, sample, 1));
            assert!((one[0] - all[sample]).abs() < 1e-5, "{kind:?}: {one:?} {all:?}");
            let [a, b] = [alone.decode(z.clone().narrow(0, sample, 1)).unwrap(), back.clone().narrow(0, sample, 1)];
            assert!(values(a - b).iter().all(|off| off.abs() < 1e-4));
        }
        assert!(values(back - x.clone()).iter().all(|off| off.abs() < 1e-3));
        // The series of the general path, beside the exact value.
        let series = LogDetConfig { n_exact_terms: 60, ..LogDetConfig::training() };
        let of_series = |seed| LogDetContext { config: &series, noise: NoiseKey::new(seed, [0, 0]) };
        let mean = |sample: usize| -> f64 {
            let draws = (0..400).map(|seed| values(together.log_prob_with(x.clone(), &of_series(seed)).unwrap().total())[sample]);
            draws.map(f64::from).sum::<f64>() / 400.0
        };
        assert!((mean(1) - f64::from(all[1])).abs() < 0.1, "{} {}", mean(1), all[1]);
    }
}

#[test]
fn nothing_depends_on_the_context_before_training() {
    for kind in KINDS {
        let x = gaussian([3, 2, 1, 1], &mut NoiseKey::new(26, [0, 0]).stream(0), &device());
        let conditional = init(&points(kind), [2, 1, 1]).given(&known(kind, 3)).unwrap();
        let without = init(&points(ContextKind::None), [2, 1, 1]);
        for (a, b) in exact_log_prob(&conditional, &x).into_iter().zip(exact_log_prob(&without, &x)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}

#[test]
fn contexts_that_do_not_fit_are_refused() {
    let x = Tensor::<4>::zeros([2, 2, 1, 1], &device());
    let classes = init(&points(ContextKind::Classes), [2, 1, 1]);
    assert!(matches!(classes.log_prob(x.clone()), Err(ModelError::NoContext)));
    assert!(matches!(classes.encode(x.clone()), Err(ModelError::NoContext)));
    let mut rng = NoiseKey::new(27, [0, 0]).stream(0);
    assert!(matches!(classes.sample(2, 1.0, &mut rng, &device()), Err(ModelError::NoContext)));
    let three = classes.given(&Context::Classes(vec![0, 1, 2])).unwrap();
    assert!(three.log_prob(x.clone()).unwrap_err().to_string().contains("the context"));
    assert!(classes.given(&Context::Classes(vec![3])).unwrap_err().to_string().contains("context.classes"));
    assert!(classes.given(&known(ContextKind::Vectors, 2)).is_err());
    assert!(three.without_context().log_prob(x).is_err());
    let mut vectors = init(&points(ContextKind::Vectors), [2, 1, 1]);
    assert!(vectors.given(&known(ContextKind::Classes, 2)).is_err());
    assert!(vectors.given(&Context::Vectors(Tensor::zeros([2, 3], &device()))).is_err());
    assert!(vectors.set_context_units(&[0.0], &[1.0]).is_err() && vectors.set_context_units(&[0.0; 2], &[2.0; 2]).is_ok());
    let mut config = points(ContextKind::Classes);
    config.base = BaseConfig { kind: BaseKind::ClassNormals, classes: 4, ..Default::default() };
    assert!(config.validate([2, 1, 1]).unwrap_err().to_string().contains("base.classes"));
}

#[test]
fn conditional_models_are_saved_and_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let x = gaussian([3, 2, 1, 1], &mut NoiseKey::new(28, [0, 0]).stream(0), &device());
    for kind in KINDS {
        let mut model = shaken(init(&points(kind), [2, 1, 1]));
        if kind == ContextKind::Vectors {
            model.set_context_units(&[1.0, -2.0], &[0.5, 3.0]).unwrap();
            model.trust_vectors();
        }
        model.save(&path).unwrap();
        let loaded = ResidualFlow::load(&path, &device()).unwrap();
        let [a, b] = [&model, &loaded].map(|model| exact_log_prob(&model.given(&known(kind, 3)).unwrap(), &x));
        assert_eq!(a, b);
    }
}

/// Three clusters with their numbers as classes, and as vectors of signs.
fn clusters() -> Samples {
    const N: usize = 360;
    let noise = values(gaussian([N, 2], &mut NoiseKey::new(29, [0, 0]).stream(0), &device()) * 0.4);
    let centres = [[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]];
    let points = noise.chunks_exact(2).enumerate().flat_map(|(n, z)| [z[0] + centres[n % 3][0], z[1] + centres[n % 3][1]]);
    let points: Vec<f32> = points.collect();
    let known: Vec<f32> = (0..N).flat_map(|n| centres[n % 3]).collect();
    let tensor = |numbers: &[f32]| Tensor::<1>::from_floats(numbers, &device()).reshape([N as i32, 2]);
    let labels = (0..N as u32).map(|n| n % 3).collect();
    Samples::from(tensor(&points)).with_labels(labels).with_context(tensor(&known))
}

#[test]
fn what_is_known_makes_the_density_better() {
    let loss = |kind| {
        let model = init(&ResidualFlowConfig { blocks: vec![2], ..points(kind) }, [2, 1, 1]);
        let mut settings = FitConfig { epochs: 60, patience: 0, ..Default::default() };
        (settings.optim.learning_rate, settings.optim.warmup_steps, settings.optim.batch_size) = (0.01, 20, 64);
        fit(model, clusters(), &settings, &mut Silent).unwrap().best.unwrap().loss
    };
    let [without, classes, vectors] = [ContextKind::None, ContextKind::Classes, ContextKind::Vectors].map(loss);
    // A cluster's entropy; the label tells ln 3 nats at the most.
    let entropy = (2.0 * std::f64::consts::PI).ln() + 1.0 + 2.0 * 0.4f64.ln();
    for given in [classes, vectors] {
        assert!((given - entropy).abs() < 0.3 && given < without - 0.6, "{given} of {entropy}, without {without}");
    }
}
