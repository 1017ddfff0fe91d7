//! The constraint: the norm that power iteration finds, and what it makes of networks.

use burn::tensor::{Device, Tensor};
use residual_flows::state::{named_tensors, with_tensors};
use residual_flows::{
    ContractiveNet, ContractiveNetConfig, FixedPoint, Flow, FlowLayer, InversionReport, LayerId, ModelError, NoiseKey, NormPair,
    PowerIteration, ResidualFlowConfig, flows::ResidualBlock, gaussian,
};

fn net(scale: f32, dense: bool) -> ContractiveNet {
    let config = ContractiveNetConfig { dense, bound: 0.9, ..ContractiveNetConfig::new([2, 5, 4], 12) };
    let net = config.init(&mut NoiseKey::new(1, [0, 0]).stream(0), &Device::flex());
    let state = named_tensors(&net).into_iter().map(|mut tensor| {
        if tensor.name.ends_with("weight") {
            tensor.values.iter_mut().for_each(|w| *w *= scale);
        }
        tensor
    });
    with_tensors(net.clone(), state.collect()).unwrap()
}

/// The largest singular value of a same-size convolution by power iteration in double precision on its loops.
fn spectral_norm(weight: &[f32], [c_out, c_in, k, _]: [usize; 4], [h, w]: [usize; 2]) -> f64 {
    let r = (k / 2) as isize;
    let terms: Vec<(usize, usize, f64)> = (0..c_out * h * w)
        .flat_map(|out| {
            let (o, y, x) = (out / (h * w), (out / w % h) as isize, (out % w) as isize);
            (0..c_in * k * k).filter_map(move |tap| {
                let (i, dy, dx) = (tap / (k * k), (tap / k % k) as isize - r, (tap % k) as isize - r);
                let (y, x) = (y + dy, x + dx);
                let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
                inside.then(|| (out, (i * h + y as usize) * w + x as usize, o * c_in * k * k + tap))
            })
        })
        .map(|(out, from, place)| (out, from, f64::from(weight[place])))
        .collect();
    let mut v = vec![1.0; c_in * h * w];
    v.iter_mut().enumerate().for_each(|(i, v)| *v += (i as f64).sin());
    let mut norm = 0.0;
    for _ in 0..5000 {
        let mut u = vec![0.0; c_out * h * w];
        terms.iter().for_each(|&(out, from, weight)| u[out] += weight * v[from]);
        norm = (u.iter().map(|u| u * u).sum::<f64>() / v.iter().map(|v| v * v).sum::<f64>()).sqrt();
        v.fill(0.0);
        terms.iter().for_each(|&(out, from, weight)| v[from] += weight * u[out]);
        let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.iter_mut().for_each(|v| *v /= length);
    }
    norm
}

#[test]
fn power_iteration_finds_the_spectral_norm() {
    let mut net = net(3.0, false);
    let settings = PowerIteration { tol: 1e-7, max_iters: 3000, random_starts: 0 };
    for layer in net.convolutions_mut() {
        let found = layer.update(NormPair::SPECTRAL, &settings);
        let dims = layer.weight().val().dims();
        let weight: Vec<f32> = layer.weight().val().try_into_vec_as().unwrap();
        let image = if dims[2] == 1 { [1, 1] } else { [5, 4] };
        let expected = spectral_norm(&weight, dims, image);
        assert!((f64::from(found.sigma) / expected - 1.0).abs() < 1e-3, "{dims:?}: {} for {expected}", found.sigma);
        assert!((layer.sigma(NormPair::SPECTRAL) / found.sigma - 1.0).abs() < 1e-5);
    }
}

/// Long and short kernels, images and fully connected; the bound is above the norms, so that all are looked at.
#[test]
fn converged_norms_are_those_of_double_precision() {
    let config = ResidualFlowConfig { blocks: vec![1], hidden_channels: 30.into(), dense_hidden: 7, ..Default::default() };
    let mut model = config.init([2, 5, 4], &mut NoiseKey::new(1, [0, 0]).stream(0), &Device::flex()).unwrap();
    model.converge_lipschitz().unwrap();
    let nets: Vec<&ContractiveNet> = model.layers().flat_map(FlowLayer::nets).map(|(_, net)| net).collect();
    assert_eq!(nets.len(), 5);
    for layer in nets.iter().flat_map(|net| net.convolutions()) {
        let dims = layer.weight().val().dims();
        let weight: Vec<f32> = layer.weight().val().try_into_vec_as().unwrap();
        let image = if dims[2] == 1 { [1, 1] } else { [5, 4] };
        let (found, expected) = (f64::from(layer.sigma(NormPair::SPECTRAL)), spectral_norm(&weight, dims, image));
        assert!((found / expected - 1.0).abs() < 1e-6, "{dims:?}: {found} for {expected}");
    }
}

#[test]
fn norms_that_are_no_numbers_do_not_converge() {
    let config = ResidualFlowConfig { blocks: vec![1], hidden_channels: 3.into(), dense_blocks: 0, ..Default::default() };
    let mut model = config.init([1, 4, 4], &mut NoiseKey::new(1, [0, 0]).stream(0), &Device::flex()).unwrap();
    let broken = named_tensors(&model).into_iter().map(|mut tensor| {
        if tensor.name.ends_with("convolutions.1.weight") {
            tensor.values[0] = f32::NAN;
        }
        tensor
    });
    model = with_tensors(model.clone(), broken.collect()).unwrap();
    let error = model.converge_lipschitz().unwrap_err().to_string();
    assert!(error.contains("net.convolutions.1` did not converge"), "{error}");
}

#[test]
fn constrained_networks_are_contractive_and_invertible() {
    for dense in [false, true] {
        let mut net = net(40.0, dense);
        let estimate = net.update_lipschitz(&PowerIteration::CONVERGED);
        assert!(estimate <= 0.9f32.powi(3) + 1e-6, "{estimate}");
        let block = ResidualBlock::new(net);
        let mut rng = NoiseKey::new(3, [0, 0]).stream(0);
        let a = gaussian([64, 2, 5, 4], &mut rng, &Device::flex());
        let b = a.clone() + gaussian([64, 2, 5, 4], &mut rng, &Device::flex()) * 0.1;
        let g = |x: Tensor<4>| block.forward(x.clone()) - x;
        let norms = |x: Tensor<4>| -> Vec<f32> { x.square().sum_dim(1).sum_dim(2).sum_dim(3).sqrt().try_into_vec_as().unwrap() };
        let largest = norms(g(a.clone()) - g(b.clone())).iter().zip(norms(a - b)).map(|(g, x)| g / x).fold(0.0, f32::max);
        // 2 % for what power iteration may still miss.
        assert!(largest <= 0.9f32.powi(3) * 1.02, "{largest}");
    }
}

#[test]
fn an_inverse_that_does_not_converge_is_an_error() {
    // Forty times the weights, with singular vectors that see nothing of it.
    let state = named_tensors(&net(1.0, false)).into_iter().map(|mut tensor| {
        let grown = if tensor.name.ends_with(".weight") { 40.0 } else { 1.0 };
        let stale = if tensor.name.ends_with(".vector") { 0.0 } else { 1.0 };
        tensor.values.iter_mut().for_each(|value| *value *= grown * stale);
        tensor
    });
    let stale = with_tensors(net(1.0, false), state.collect()).unwrap();
    let layer = FlowLayer::Residual(ResidualBlock::new(stale));
    let y = gaussian([3, 2, 5, 4], &mut NoiseKey::new(3, [0, 0]).stream(0), &Device::flex()) * 3.0;
    let solver = FixedPoint { tol: 1e-5, max_iters: 50, ..Default::default() };
    let id = LayerId { index: 0, path: "scales.0.layers.2".into() };
    let mut report = InversionReport::default();
    let error = layer.inverse(y, &solver, &id, &mut report).unwrap_err();
    assert_eq!((report.branch_evaluations, report.most_iterations, &*report.slowest_layer), (150, 50, &*id.path));
    assert!(matches!(&error, ModelError::NotConverged { failed: 3, batch: 3, iterations: 50, .. }), "{error}");
    assert!(error.to_string().contains("scales.0.layers.2"));
}

#[test]
fn samples_are_inverted_independently_of_their_batch() {
    let mut net = net(10.0, false);
    net.update_lipschitz(&PowerIteration::CONVERGED);
    let layer = FlowLayer::Residual(ResidualBlock::new(net));
    let mut rng = NoiseKey::new(9, [0, 0]).stream(0);
    // Samples of very different sizes converge after different numbers of iterations.
    let scales = Tensor::<1>::from_floats([0.01, 3.0, 0.3, 10.0], &Device::flex()).reshape([4, 1, 1, 1]);
    let y = gaussian([4, 2, 5, 4], &mut rng, &Device::flex()) * scales;
    let id = LayerId { index: 0, path: "layer".into() };
    let invert = |y: Tensor<4>| -> Vec<f32> {
        layer.inverse(y, &FixedPoint::default(), &id, &mut Default::default()).unwrap().try_into_vec_as().unwrap()
    };
    let together = invert(y.clone());
    for sample in 0..4 {
        let alone = invert(y.clone().slice_dim(0, sample..sample + 1));
        for (a, b) in alone.iter().zip(&together[sample * 40..]) {
            assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "sample {sample}: {a} for {b}");
        }
    }
}
