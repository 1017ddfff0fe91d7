//! Distributions of latents: normalised, differentiated, sampled, stored and trained.

use crate::support::{device, values};
use burn::tensor::Tensor;
use residual_flows::flows::ActNorm;
use residual_flows::state::{NamedTensor, named_tensors, with_tensors};
use residual_flows::training::{FitConfig, Samples, fit};
use residual_flows::{
    Base, BaseConfig, BaseKind, Context, Gradients, LogDetConfig, LogDetContext, NoiseKey, Objective, ResidualFlow,
    ResidualFlowConfig, Sequential, gaussian, visit_parameters,
};

const KINDS: [BaseKind; 5] =
    [BaseKind::StandardNormal, BaseKind::Normal, BaseKind::ClassNormals, BaseKind::Mixture, BaseKind::StudentT];

fn config(kind: BaseKind) -> BaseConfig {
    BaseConfig { kind, components: 3, classes: 2, degrees_of_freedom: 6.0 }
}

/// With parameters that are not those of the start.
fn base(kind: BaseKind, dimensions: usize) -> Base {
    let mut rng = NoiseKey::new(3, [kind as u64, 0]).stream(0);
    let base = config(kind).init(dimensions, &mut rng, &device());
    let shaken = named_tensors(&base).into_iter().map(|mut tensor| {
        let noise = values(gaussian([tensor.values.len()], &mut rng, &device()) * 0.4);
        tensor.values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
        tensor
    });
    with_tensors(base.clone(), shaken.collect()).unwrap()
}

/// A model of points that only shifts and scales, with this base.
fn model(base: Base, dimensions: usize) -> ResidualFlow {
    let mut norm = ActNorm::per_channel(dimensions, &device());
    norm.initialize(gaussian([8, dimensions, 1, 1], &mut NoiseKey::new(4, [0, 0]).stream(0), &device()) * 2.0);
    ResidualFlow::from(Sequential::points(dimensions, vec![norm.into()]).unwrap()).with_base(base)
}

#[test]
fn densities_integrate_to_one() {
    for kind in KINDS {
        // Tails of Student's t beyond 1000 have less than 1e-6 here; steps grow with the distance.
        let edges: Vec<f64> = (-4000..=4000).map(|i| (f64::from(i) * 0.002).sinh() * 0.7).collect();
        let middles: Vec<f32> = edges.windows(2).map(|pair| (0.5 * (pair[0] + pair[1])) as f32).collect();
        let z = Tensor::<1>::from_floats(middles.as_slice(), &device()).reshape([-1, 1]);
        let densities = values(base(kind, 1).log_prob(z));
        let total: f64 = densities.iter().zip(edges.windows(2)).map(|(p, e)| f64::from(*p).exp() * (e[1] - e[0])).sum();
        assert!((total - 1.0).abs() < 1e-3, "{kind:?}: {total}");

        let edges: Vec<f64> = (-160..=160).map(|i| (f64::from(i) * 0.045).sinh() * 0.7).collect();
        let middle = |pair: &[f64]| (0.5 * (pair[0] + pair[1])) as f32;
        let points: Vec<f32> =
            edges.windows(2).flat_map(|x| edges.windows(2).flat_map(move |y| [middle(x), middle(y)])).collect();
        let areas = edges.windows(2).flat_map(|x| edges.windows(2).map(move |y| (x[1] - x[0]) * (y[1] - y[0])));
        let z = Tensor::<1>::from_floats(points.as_slice(), &device()).reshape([-1, 2]);
        let total: f64 = values(base(kind, 2).log_prob(z)).iter().zip(areas).map(|(p, area)| f64::from(*p).exp() * area).sum();
        assert!((total - 1.0).abs() < 1e-2, "{kind:?} on the plane: {total}");
    }
}

/// What weighs samples unequally, and with both signs.
const WEIGHTS: [f32; 4] = [1.0, -0.4, 0.7, 0.2];

fn objective(model: &ResidualFlow, x: &Tensor<2>) -> f64 {
    let log_prob = values(model.log_prob(x.clone()).unwrap());
    log_prob.iter().zip(WEIGHTS).map(|(value, weight)| f64::from(value * weight)).sum()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    const STEP: f32 = 5e-3;
    let x = gaussian([4, 3], &mut NoiseKey::new(5, [0, 0]).stream(0), &device()) * 2.0;
    for kind in KINDS {
        for given in [false, true] {
            let mut model = model(base(kind, 3), 3);
            if given {
                model = model.given(&Context::Classes(vec![1, 0, 0, 1])).unwrap();
            }
            let (log_det, mut gradients) = (LogDetConfig::exact(), Gradients::new());
            let context = LogDetContext { config: &log_det, noise: NoiseKey::new(0, [0, 0]) };
            let weight = Tensor::from_floats(WEIGHTS, &device());
            let outputs = model.gradients(x.clone(), Objective::log_prob(weight), &context, &mut gradients).unwrap();
            assert_eq!(values(outputs.log_prob.unwrap().total()), values(model.log_prob(x.clone()).unwrap()), "{kind:?}");
            let mut got: Vec<(String, Vec<f32>)> = Vec::new();
            visit_parameters(&model, |name, parameter| {
                got.push((name.into(), values(parameter.flat_gradient(&gradients).unwrap_or_else(|| panic!("{name}")))));
            });
            let state = named_tensors(&model);
            for (tensor, (name, got)) in got.into_iter().enumerate() {
                for (element, got) in got.into_iter().enumerate() {
                    let moved = |by: f32| {
                        let mut state = state.clone();
                        state[tensor].values[element] += by;
                        objective(&with_tensors(model.clone(), state).unwrap(), &x)
                    };
                    let want = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                    assert!((f64::from(got) - want).abs() < 5e-3 * (1.0 + want.abs()), "{kind:?} {name}: {got} for {want}");
                }
            }
        }
    }
}

/// Means and variances of samples, each with its standard error.
fn moments(samples: &[f32], dimensions: usize) -> Vec<[f64; 4]> {
    let moments = |d: usize| {
        let column: Vec<f64> = samples.iter().skip(d).step_by(dimensions).map(|&z| f64::from(z)).collect();
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        let power = |k: i32| column.iter().map(|z| (z - mean).powi(k)).sum::<f64>() / n;
        [mean, (power(2) / n).sqrt(), power(2), ((power(4) - power(2).powi(2)) / n).sqrt()]
    };
    (0..dimensions).map(moments).collect()
}

/// Mean and variance of a density on the line, by quadrature.
fn of_density(base: &Base) -> [f64; 2] {
    let edges: Vec<f64> = (-6000..=6000).map(|i| (f64::from(i) * 0.0015).sinh() * 0.5).collect();
    let middles: Vec<f32> = edges.windows(2).map(|pair| (0.5 * (pair[0] + pair[1])) as f32).collect();
    let z = Tensor::<1>::from_floats(middles.as_slice(), &device()).reshape([-1, 1]);
    let masses = values(base.log_prob(z)).into_iter().zip(edges.windows(2)).map(|(p, e)| f64::from(p).exp() * (e[1] - e[0]));
    let masses: Vec<f64> = masses.collect();
    let moment = |f: &dyn Fn(f64) -> f64| masses.iter().zip(&middles).map(|(mass, &z)| mass * f(f64::from(z))).sum::<f64>();
    let mean = moment(&|z| z);
    [mean, moment(&|z| (z - mean).powi(2))]
}

#[test]
fn samples_have_the_moments_of_the_density() {
    const N: usize = 20_000;
    for kind in KINDS {
        let base = base(kind, 1);
        let samples = base.sample(N, 1, 1.0, &mut NoiseKey::new(6, [0, 0]).stream(0), &device()).unwrap();
        let [mean, mean_error, variance, variance_error] = moments(&values(samples), 1)[0];
        let [want_mean, want_variance] = of_density(&base);
        assert!((mean - want_mean).abs() < 4.0 * mean_error, "{kind:?}: mean {mean} ± {mean_error} for {want_mean}");
        // The fourth moment that the standard error needs is itself an estimate, and large where tails are heavy.
        let off = (variance - want_variance).abs();
        assert!(off < 4.0 * variance_error, "{kind:?}: variance {variance} ± {variance_error} for {want_variance}");
    }
}

#[test]
fn temperatures_scale_around_the_means() {
    let mut rng = NoiseKey::new(7, [0, 0]).stream(0);
    let normal = base(BaseKind::Normal, 2);
    let still = values(normal.sample(3, 2, 0.0, &mut rng, &device()).unwrap());
    let mean = named_tensors(&normal)[0].values.clone();
    assert_eq!(still, mean.repeat(3));
    let [mut a, mut b] = [(); 2].map(|()| NoiseKey::new(8, [0, 0]).stream(0));
    for kind in [BaseKind::StandardNormal, BaseKind::Mixture, BaseKind::ClassNormals] {
        // The same components with the same noise.
        let base = base(kind, 2);
        let [full, half] = [(1.0, &mut a), (0.5, &mut b)].map(|(t, rng)| base.sample(50, 2, t, rng, &device()).unwrap());
        let [spread, narrow] = [full, half].map(|samples| moments(&values(samples), 2)[0][2]);
        assert!(narrow < 0.9 * spread, "{kind:?}: {narrow} {spread}");
    }
    let model = model(base(BaseKind::StudentT, 2), 2);
    let error = model.sample(2, 0.7, &mut rng, &device()).unwrap_err().to_string();
    assert!(error.contains("`temperature` is 0.7: expected 1"), "{error}");
    assert!(model.sample(2, 1.0, &mut rng, &device()).is_ok() && model.sample(2, -1.0, &mut rng, &device()).is_err());
}

#[test]
fn classes_that_are_not_known_are_averaged_over() {
    let model = model(base(BaseKind::ClassNormals, 2), 2);
    let x = gaussian([3, 2], &mut NoiseKey::new(9, [0, 0]).stream(0), &device());
    let given = |class: u32| values(model.given(&Context::Classes(vec![class; 3])).unwrap().log_prob(x.clone()).unwrap());
    let [first, second, without] = [given(0), given(1), values(model.log_prob(x.clone()).unwrap())];
    assert_ne!(first, second);
    for ((a, b), mixture) in first.iter().zip(&second).zip(&without) {
        assert!((((a.exp() + b.exp()) / 2.0).ln() - mixture).abs() < 1e-5, "{a} {b} {mixture}");
    }
    let mut rng = NoiseKey::new(10, [0, 0]).stream(0);
    let of_class = model.given(&Context::Classes(vec![1; 4000])).unwrap();
    let samples = of_class.base().sample(4000, 2, 1.0, &mut rng, &device()).unwrap();
    let mean = &named_tensors(model.base())[0].values[2..4];
    for (moments, mean) in moments(&values(samples), 2).into_iter().zip(mean) {
        assert!((moments[0] - f64::from(*mean)).abs() < 4.0 * moments[1], "{moments:?} {mean}");
    }
    assert!(of_class.sample(3, 1.0, &mut rng, &device()).is_err());
    let error = model.given(&Context::Classes(vec![0, 2, 0])).unwrap_err().to_string();
    assert!(error.contains("base.classes") && error.contains("more than 2"), "{error}");
}

fn toy(kind: BaseKind) -> ResidualFlow {
    let config = ResidualFlowConfig { blocks: vec![1], base: config(kind), ..ResidualFlowConfig::toy() };
    config.init([2, 1, 1], &mut NoiseKey::new(11, [0, 0]).stream(0), &device()).unwrap()
}

#[test]
fn bases_are_saved_and_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let x = gaussian([5, 2], &mut NoiseKey::new(12, [0, 0]).stream(0), &device());
    for kind in KINDS {
        let path = dir.path().join("model.safetensors");
        let model = toy(kind);
        model.save(&path).unwrap();
        let loaded = ResidualFlow::load(&path, &device()).unwrap();
        assert_eq!(named_tensors(&loaded), named_tensors(&model), "{kind:?}");
        assert_eq!(values(loaded.log_prob(x.clone()).unwrap()), values(model.log_prob(x.clone()).unwrap()));
    }
    let bad = BaseConfig { components: 0, ..config(BaseKind::Mixture) };
    let error = ResidualFlowConfig { base: bad, ..ResidualFlowConfig::toy() }.validate([2, 1, 1]).unwrap_err().to_string();
    assert!(error.contains("`base.components`"), "{error}");
}

/// Two clusters far apart, with their numbers as classes.
fn clusters() -> Samples {
    let noise = values(gaussian([2048, 2], &mut NoiseKey::new(13, [0, 0]).stream(0), &device()) * 0.3);
    let points = noise.chunks_exact(2).enumerate().flat_map(|(n, z)| [z[0] + if n % 2 == 0 { 3.0 } else { -3.0 }, z[1]]);
    let points: Vec<f32> = points.collect();
    let labels = (0..2048).map(|n| n % 2).collect();
    Samples::from(Tensor::<1>::from_floats(points.as_slice(), &device()).reshape([2048, 2])).with_labels(labels)
}

#[test]
fn bases_are_trained() {
    let trained = |kind| {
        let config = ResidualFlowConfig { blocks: vec![0], base: config(kind), ..ResidualFlowConfig::toy() };
        let model = config.init([2, 1, 1], &mut NoiseKey::new(14, [0, 0]).stream(0), &device()).unwrap();
        let mut settings = FitConfig { epochs: 25, patience: 0, ..Default::default() };
        (settings.optim.learning_rate, settings.optim.warmup_steps, settings.optim.batch_size) = (0.05, 0, 64);
        let fitted = fit(model.clone(), clusters(), &settings, &mut residual_flows::training::Silent).unwrap();
        let state = |model: &ResidualFlow| -> Vec<NamedTensor> { named_tensors(model.base()) };
        let moved = state(&fitted.model).iter().zip(state(&model)).all(|(after, before)| after.values != before.values);
        assert!(moved, "{kind:?}: every tensor of the base is trained");
        fitted.best.unwrap().loss
    };
    let losses = KINDS.map(trained);
    let [standard, _, classes, mixture, _] = losses;
    // ln 2 nats more than the class's own normal, whose entropy is that of the clusters.
    let entropy = (2.0 * std::f64::consts::PI).ln() + 1.0 + 2.0 * 0.3f64.ln();
    assert!((classes - entropy).abs() < 0.25 && (mixture - entropy - 2f64.ln()).abs() < 0.3, "{losses:?} {entropy}");
    assert!(standard > mixture + 0.5, "{losses:?}");
}
