//! The estimators against exact values: unbiased within 4 standard errors, for every distribution.

use burn::tensor::{Device, Tensor};
use residual_flows::flows::{ImplicitBlock, MonotoneBlock, ResidualBlock};
use residual_flows::log_det::{
    GEOMETRIC_PROBABILITIES, GradientForm, Method, POISSON_RATES, Probe, SeriesPrecision, TermDistribution, Trace,
};
use residual_flows::{
    ActivationKind, ContractiveNetConfig, DensityWeights, FixedPoint, Flow, FlowLayer, Gradients, LayerId, LogDetConfig,
    LogDetContext, LogDetDraw, NoiseKey, Objective, ResidualFlow, Sequential, gaussian,
};

const SHAPE: [usize; 4] = [8, 1, 4, 3];
const DIMENSIONS: usize = 12;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

fn id() -> LayerId {
    LayerId { index: 3, path: "layer".into() }
}

/// A network's settings, with this bound of its layers.
fn net(bound: f64) -> ContractiveNetConfig {
    ContractiveNetConfig {
        activation: ActivationKind::Elu,
        preactivation: false,
        bound,
        ..ContractiveNetConfig::new([1, 4, 3], 24)
    }
}

/// A block whose Jacobian is large enough for truncated series to be visibly biased, and one input repeated.
fn block() -> (FlowLayer, Tensor<4>) {
    let mut rng = NoiseKey::new(2, [0, 0]).stream(0);
    with_large_weights(FlowLayer::Residual(ResidualBlock::new(net(0.95).init(&mut rng, &Device::flex()))), &mut rng)
}

/// Blocks that solve equations.
fn solved_blocks() -> [(FlowLayer, Tensor<4>); 2] {
    let mut rng = NoiseKey::new(4, [0, 0]).stream(0);
    let mut net = || net(0.8).init(&mut rng, &Device::flex());
    let monotone = MonotoneBlock::new(net(), FixedPoint::FORWARD).into();
    let implicit = ImplicitBlock::new(net(), net(), FixedPoint::FORWARD).into();
    [monotone, implicit].map(|layer: FlowLayer| with_large_weights(layer, &mut NoiseKey::new(5, [0, 0]).stream(0)))
}

fn with_large_weights(mut layer: FlowLayer, rng: &mut impl rand::Rng) -> (FlowLayer, Tensor<4>) {
    let state = residual_flows::state::named_tensors(&layer).into_iter().map(|mut tensor| {
        if tensor.name.ends_with("weight") {
            tensor.values.iter_mut().for_each(|w| *w *= 4.0);
        }
        tensor
    });
    layer = residual_flows::state::with_tensors(layer.clone(), state.collect()).unwrap();
    layer.update_lipschitz(&residual_flows::PowerIteration::CONVERGED);
    let one = gaussian([1, SHAPE[1], SHAPE[2], SHAPE[3]], rng, &Device::flex());
    (layer, one.expand(SHAPE))
}

fn estimators() -> Vec<LogDetConfig> {
    let base = LogDetConfig::training();
    vec![
        base.clone(),
        LogDetConfig { distribution: TermDistribution::Geometric, ..base.clone() },
        LogDetConfig { probe: Probe::Rademacher, n_exact_terms: 1, ..base.clone() },
        LogDetConfig { truncation_tol: 0.3, n_exact_terms: 8, ..base.clone() },
        LogDetConfig { gradient: GradientForm::DerivativeOfValue, ..base.clone() },
        LogDetConfig { gradient: GradientForm::NeumannForward, ..base.clone() },
        LogDetConfig { trace: Trace::Exact, n_exact_terms: 0, ..base.clone() },
        LogDetConfig { trace: Trace::Exact, gradient: GradientForm::DerivativeOfValue, n_exact_terms: 1, ..base.clone() },
        LogDetConfig { distribution: TermDistribution::Geometric, n_draws: 3, n_exact_terms: 0, ..base },
    ]
}

/// Asserts that the mean of independent draws is within 4 standard errors of the exact value.
fn assert_unbiased(what: &str, draws: &[f64], exact: f64) {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let standard_error = (variance / n).sqrt();
    assert!(standard_error < 0.1, "{what}: too few draws to see anything, standard error {standard_error}");
    // Beside rounding, where hardly anything is left to chance.
    assert!(
        (mean - exact).abs() < 4.0 * standard_error + 1e-9,
        "{what}: mean {mean} for {exact}, standard error {standard_error}"
    );
}

fn context(config: &LogDetConfig, seed: u64) -> LogDetContext<'_> {
    LogDetContext { config, noise: NoiseKey::new(seed, [1, 0]) }
}

/// The mean log-determinant of the batch with the noise of a seed.
fn mean_log_det(layer: &FlowLayer, x: &Tensor<4>, config: &LogDetConfig, seed: u64) -> f64 {
    let (_, log_det) = layer.forward_log_det(x.clone(), &context(config, seed), &id()).unwrap();
    f64::from(values(log_det.mean())[0])
}

/// Draws with this many seeds have the exact value as their mean.
fn assert_values_unbiased(config: &LogDetConfig, draws: u64) {
    let (layer, x) = block();
    let expected = mean_log_det(&layer, &x, &LogDetConfig::exact(), 0);
    assert!(expected.abs() > 0.3, "the block is too tame: {expected}");
    let draws: Vec<f64> = (0..draws).map(|seed| mean_log_det(&layer, &x, config, seed)).collect();
    assert_unbiased(&format!("{config:?}"), &draws, expected);
}

#[test]
fn values_are_unbiased() {
    for config in estimators() {
        assert_values_unbiased(&config, 3000);
    }
}

/// The gradient of the mean log-determinant: the sum over samples of the cotangents of `x`, and 20 of the weights.
fn gradient(layer: &FlowLayer, x: &Tensor<4>, draw: LogDetDraw) -> Vec<f64> {
    let device = Device::flex();
    let mut gradients = Gradients::new();
    let weight = Tensor::ones([SHAPE[0]], &device) / SHAPE[0] as f64;
    let (x_bar, _) = layer.backward(x.clone(), Tensor::zeros(SHAPE, &device), weight, Some(draw), &mut gradients).unwrap();
    let first = layer.nets()[0].1.convolutions()[0].weight();
    let of_x = values(x_bar.sum_dim(0)).into_iter();
    of_x.chain(values(gradients.get(first).unwrap()).into_iter().take(20)).map(f64::from).collect()
}

#[test]
fn gradients_are_unbiased() {
    let (layer, x) = block();
    for config in estimators() {
        assert_gradients_unbiased(&layer, &x, &config, 2000);
    }
}

fn assert_gradients_unbiased(layer: &FlowLayer, x: &Tensor<4>, config: &LogDetConfig, draws: u64) {
    let exact = gradient(layer, x, LogDetDraw::Exact);
    let [batch, c, h, w] = x.dims();
    let shape = [layer.probes() * batch, c, h, w];
    let draw = |seed| {
        let mut rng = NoiseKey::new(seed, [2, 0]).stream(0);
        gradient(layer, x, config.draw(shape, &mut rng, &Device::flex()))
    };
    let draws: Vec<Vec<f64>> = (0..draws).map(draw).collect();
    for (index, expected) in exact.iter().enumerate() {
        let draws: Vec<f64> = draws.iter().map(|draw| draw[index]).collect();
        assert_unbiased(&format!("{config:?} element {index}"), &draws, *expected);
    }
}

/// Of blocks that solve equations: a Cayley transform's series, and a difference of two.
#[test]
fn estimates_of_solved_blocks_are_unbiased() {
    let base = LogDetConfig { n_exact_terms: 4, ..LogDetConfig::training() };
    let configs = [
        base.clone(),
        LogDetConfig { probe: Probe::Rademacher, gradient: GradientForm::NeumannForward, ..base.clone() },
        LogDetConfig { gradient: GradientForm::DerivativeOfValue, ..base.clone() },
        LogDetConfig { trace: Trace::Exact, n_exact_terms: 1, ..base },
    ];
    for (layer, x) in solved_blocks() {
        let expected = mean_log_det(&layer, &x, &LogDetConfig::exact(), 0);
        for config in &configs {
            let draws: Vec<f64> = (0..400).map(|seed| mean_log_det(&layer, &x, config, seed)).collect();
            assert_unbiased(&format!("{config:?}"), &draws, expected);
            assert_gradients_unbiased(&layer, &x, config, 300);
        }
    }
}

/// With exact traces the truncated series has no randomness, and both of its gradients are known: the derivative of the
/// value, and that of one term more.
#[test]
fn the_truncated_series_is_cut_off_after_its_terms() {
    let (layer, x) = block();
    let truncated = |n_exact_terms, gradient| LogDetConfig {
        method: Method::Truncated,
        trace: Trace::Exact,
        n_exact_terms,
        gradient,
        ..LogDetConfig::training()
    };
    let value = |layer: &FlowLayer, x: &Tensor<4>, config: &LogDetConfig| {
        f64::from(values(layer.forward_log_det(x.clone(), &context(config, 0), &id()).unwrap().1)[0])
    };
    let exact = value(&layer, &x, &LogDetConfig::exact());
    let errors = [1, 2, 4, 60].map(|n| (value(&layer, &x, &truncated(n, GradientForm::DerivativeOfValue)) - exact).abs());
    assert!(errors[0] > 0.01 && errors[2] < errors[0] && errors[3] < 1e-5, "{errors:?}");

    let draw = |config: LogDetConfig| config.draw(x.dims(), &mut NoiseKey::new(0, [0, 0]).stream(0), &Device::flex());
    let basic = gradient(&layer, &x, draw(truncated(3, GradientForm::DerivativeOfValue)));
    let neumann = gradient(&layer, &x, draw(truncated(2, GradientForm::Neumann)));
    assert!(basic.iter().zip(&neumann).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs())));
    const STEP: f32 = 4e-3;
    for index in 0..DIMENSIONS {
        let moved = |by: f32| {
            let mut one = values(x.clone())[..DIMENSIONS].to_vec();
            one[index] += by;
            let x = Tensor::<1>::from_floats(one.as_slice(), &Device::flex()).reshape([1, SHAPE[1], SHAPE[2], SHAPE[3]]);
            value(&layer, &x, &truncated(3, GradientForm::DerivativeOfValue))
        };
        let want = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
        assert!((basic[index] - want).abs() < 1e-2 * (1.0 + want.abs()), "x {index}: {} for {want}", basic[index]);
    }
    // With Hutchinson's traces it is an unbiased estimate of the same truncated value.
    let expected = value(&layer, &x, &truncated(2, GradientForm::DerivativeOfValue));
    let config = LogDetConfig { trace: Trace::Hutchinson, ..truncated(2, GradientForm::DerivativeOfValue) };
    let draws: Vec<f64> = (0..3000)
        .map(|seed| {
            let estimate = layer.forward_log_det(x.clone(), &context(&config, seed), &id()).unwrap().1;
            f64::from(values(estimate.mean())[0])
        })
        .collect();
    assert_unbiased("truncated", &draws, expected);
}

#[test]
fn the_same_noise_gives_the_same_estimate_whatever_else_is_drawn() {
    let (layer, x) = block();
    let config = LogDetConfig::training();
    let estimate = |noise: NoiseKey, index: usize| {
        let id = LayerId { index, path: "layer".into() };
        values(layer.forward_log_det(x.clone(), &LogDetContext { config: &config, noise }, &id).unwrap().1)
    };
    let noise = NoiseKey::new(4, [0, 7]);
    assert_eq!(estimate(noise, 1), estimate(noise, 1));
    assert_ne!(estimate(noise, 1), estimate(noise, 2));
    assert_ne!(estimate(noise, 1), estimate(NoiseKey::new(4, [1, 7]), 1));
}

/// The series of `ln(1 + λ)` by the roulette's own weights, at the ends of the accepted ranges and between.
#[test]
fn roulettes_are_unbiased_at_the_ends_of_their_ranges() {
    let device = Device::flex();
    let poisson = |poisson_rate| LogDetConfig { poisson_rate, n_exact_terms: 0, ..LogDetConfig::training() };
    let geometric = |geometric_success_prob| LogDetConfig {
        distribution: TermDistribution::Geometric,
        geometric_success_prob,
        n_exact_terms: 0,
        ..LogDetConfig::training()
    };
    let cases = [
        (poisson(*POISSON_RATES.start()), 200_000, 0.3),
        (poisson(0.5), 100_000, 0.6),
        (poisson(20.0), 4_000, 0.9),
        (poisson(300.0), 400, 0.98),
        (poisson(*POISSON_RATES.end()), 200, 0.99),
        (geometric(*GEOMETRIC_PROBABILITIES.start()), 4_000, 0.999),
        (geometric(0.1), 20_000, 0.9),
        (geometric(0.5), 40_000, 0.6),
        (geometric(*GEOMETRIC_PROBABILITIES.end()), 400_000, 0.09),
    ];
    for (config, n, size) in cases {
        config.validate().unwrap();
        for lambda in [size, -size] {
            let mut rng = NoiseKey::new(5, [3, 0]).stream(0);
            let draw = |_| -> f64 {
                let LogDetDraw::Hutchinson { coefficients, .. } = config.draw([1, 1, 1, 1], &mut rng, &device) else {
                    unreachable!("a series was asked for")
                };
                let mut power = -1.0;
                let term = |(index, c): (usize, &f64)| {
                    power *= -lambda;
                    c * power / (index + 1) as f64
                };
                coefficients.iter().enumerate().map(term).sum()
            };
            let draws: Vec<f64> = (0..n).map(draw).collect();
            assert_unbiased(&format!("{config:?} of {lambda}"), &draws, f64::ln_1p(lambda));
            assert!(draws.iter().all(|draw| draw.is_finite()));
        }
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let base = LogDetConfig::training;
    let poisson = |poisson_rate| ("poisson_rate", LogDetConfig { poisson_rate, ..base() });
    let geometric = |geometric_success_prob| ("geometric_success_prob", LogDetConfig { geometric_success_prob, ..base() });
    let truncation = |truncation_tol| ("truncation_tol", LogDetConfig { truncation_tol, ..base() });
    let mut bad = vec![
        ("n_exact_terms", LogDetConfig { method: Method::Truncated, n_exact_terms: 0, ..base() }),
        ("n_exact_terms", LogDetConfig { n_exact_terms: usize::MAX, ..base() }),
        ("n_draws", LogDetConfig { n_draws: 0, ..base() }),
        ("n_draws", LogDetConfig { n_draws: usize::MAX, ..base() }),
        geometric(1.0),
        geometric(1e-300),
    ];
    for number in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 709.0, 1e308] {
        bad.extend([poisson(number), geometric(number), truncation(if number == 0.0 { 1.5 } else { number })]);
    }
    let (layer, x) = block();
    for (key, config) in bad {
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(key) && message.contains("expected"), "{message}");
        if key == "poisson_rate" {
            assert!(message.contains("from 0.01 to 700"), "{message}");
            // Whoever asks all the same is not kept waiting.
            assert!(config.survival(3).is_nan());
        }
    }
    assert!(mean_log_det(&layer, &x, &poisson(*POISSON_RATES.end()).1, 0).is_finite());
}

/// A model of one block whose roulettes were fitted for these settings, and its input.
fn fitted(config: &LogDetConfig) -> (ResidualFlow, Tensor<4>) {
    let (layer, x) = block();
    let mut model = ResidualFlow::from(Sequential::images([SHAPE[1], SHAPE[2], SHAPE[3]], vec![layer]).unwrap());
    assert!(model.roulettes().iter().all(Option::is_none));
    model.fit_roulettes(x.clone(), config, NoiseKey::new(9, [4, 0])).unwrap();
    (model, x)
}

fn fitted_configs() -> Vec<LogDetConfig> {
    let base = LogDetConfig { distribution: TermDistribution::Fitted, n_exact_terms: 0, ..LogDetConfig::training() };
    vec![
        base.clone(),
        LogDetConfig { n_exact_terms: 2, gradient: GradientForm::DerivativeOfValue, ..base.clone() },
        LogDetConfig { probe: Probe::Rademacher, n_exact_terms: 1, ..base },
    ]
}

#[test]
fn fitted_roulettes_are_unbiased() {
    for config in fitted_configs() {
        let (model, x) = fitted(&config);
        let log_det = |config: &LogDetConfig, seed: u64| {
            let (_, log_det) = model.encode_log_det(x.clone(), &context(config, seed)).unwrap();
            f64::from(values(log_det.mean())[0])
        };
        let expected = log_det(&LogDetConfig::exact(), 0);
        let draws: Vec<f64> = (0..3000).map(|seed| log_det(&config, seed)).collect();
        assert_unbiased(&format!("{config:?}"), &draws, expected);

        let gradient = |config: &LogDetConfig, seed: u64| -> Vec<f64> {
            let weight = Tensor::ones([SHAPE[0]], &Device::flex()) / SHAPE[0] as f64;
            let density = DensityWeights { log_pz: weight.zeros_like(), log_det: weight };
            let objective = Objective { density: Some(density), ..Default::default() };
            let mut gradients = Gradients::new();
            model.gradients(x.clone(), objective, &context(config, seed), &mut gradients).unwrap();
            let FlowLayer::Residual(block) = model.layers().next().unwrap() else { unreachable!("a residual block was built") };
            let by_weight = values(gradients.get(block.net.convolutions()[0].weight()).unwrap());
            by_weight.into_iter().take(20).map(f64::from).collect()
        };
        let exact = gradient(&LogDetConfig::exact(), 0);
        let draws: Vec<Vec<f64>> = (0..2000).map(|seed| gradient(&config, seed)).collect();
        for (index, expected) in exact.iter().enumerate() {
            let draws: Vec<f64> = draws.iter().map(|draw| draw[index]).collect();
            assert_unbiased(&format!("{config:?} element {index}"), &draws, *expected);
        }
    }
}

/// Fitted roulettes are part of a model's state, and make less variance for their cost than the Poisson distribution.
#[test]
fn fitted_roulettes_are_kept_and_save_work() {
    let config = &fitted_configs()[0];
    let (model, x) = fitted(config);
    let roulette = model.roulettes().remove(0).expect("fitted");
    let survival: Vec<f64> = (1..40).map(|m| roulette.survival(m)).collect();
    assert!(survival.windows(2).all(|pair| pair[1] <= pair[0] && pair[1] > 0.0), "{survival:?}");
    let work = |config: &LogDetConfig| {
        let draws: Vec<f64> = (0..4000)
            .map(|seed| f64::from(values(model.encode_log_det(x.clone(), &context(config, seed)).unwrap().1)[0]))
            .collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let reached = if config.distribution == TermDistribution::Fitted { roulette.mean() } else { config.expected_terms() };
        variance * (1.0 + reached)
    };
    let poisson = LogDetConfig { distribution: TermDistribution::Poisson, ..config.clone() };
    let works = [config, &poisson, &LogDetConfig::training()].map(work);
    assert!(works[0] < works[1] && works[0] < 1.02 * works[2], "{works:?}");

    let mut state = residual_flows::state::named_tensors(&model);
    assert!(state.iter().any(|tensor| tensor.name.ends_with("Residual.roulette")));
    let (layer, _) = block();
    let empty = ResidualFlow::from(Sequential::images([SHAPE[1], SHAPE[2], SHAPE[3]], vec![layer]).unwrap());
    let again = empty.clone().with_state(state.clone()).unwrap();
    assert_eq!(again.roulettes(), model.roulettes());
    // States of models that were never fitted have none.
    state.retain(|tensor| !tensor.name.ends_with("roulette"));
    assert_eq!(model.clone().with_state(state).unwrap().roulettes(), [None]);
}

#[test]
fn values_in_reduced_precision_are_unbiased() {
    assert_values_unbiased(&LogDetConfig { series_precision: SeriesPrecision::Bf16, ..LogDetConfig::training() }, 400);
}

/// The same noise in single and in reduced precision: values and gradients differ by rounding, far less than they vary.
#[test]
fn reduced_precision_changes_little() {
    let (layer, x) = block();
    for gradient_form in [GradientForm::Neumann, GradientForm::DerivativeOfValue] {
        let single = LogDetConfig { gradient: gradient_form, n_exact_terms: 6, ..LogDetConfig::training() };
        // 11 and 8 significant bits.
        for (series_precision, bound) in [(SeriesPrecision::F16, 2e-3), (SeriesPrecision::Bf16, 1.6e-2)] {
            let reduced = LogDetConfig { series_precision, ..single.clone() };
            for seed in 0..8 {
                let value = |config| values(layer.forward_log_det(x.clone(), &context(config, seed), &id()).unwrap().1);
                let by_parameters = |config: &LogDetConfig| {
                    let mut rng = NoiseKey::new(seed, [2, 0]).stream(0);
                    gradient(&layer, &x, config.draw(x.dims(), &mut rng, &Device::flex()))
                };
                let values = [&reduced, &single].map(|config| value(config).into_iter().map(f64::from).collect::<Vec<_>>());
                for [ours, theirs] in [values, [&reduced, &single].map(by_parameters)] {
                    let scale = theirs.iter().fold(1.0f64, |max, value| max.max(value.abs()));
                    let error = ours.iter().zip(&theirs).fold(0.0, |max: f64, (a, b)| max.max((a - b).abs())) / scale;
                    assert!(error > 0.0 && error < bound, "{series_precision}: {error}");
                }
            }
        }
    }
}

#[test]
fn reduced_precision_is_refused_where_it_means_nothing() {
    let config = LogDetConfig { series_precision: SeriesPrecision::Bf16, ..LogDetConfig::exact() };
    let error = config.validate().unwrap_err().to_string();
    assert!(error.contains("`series_precision` is \"bf16\": expected \"f32\""), "{error}");
}
