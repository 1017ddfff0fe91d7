//! Induced norms of every pair of orders against norms found by exhaustion, on the layer's matrix.

use burn::tensor::{Device, Tensor, TensorData};
use residual_flows::flows::ResidualBlock;
use residual_flows::{
    ActivationKind, ContractiveNet, ContractiveNetConfig, Flow, FlowLayer, NoiseKey, NormOrder, NormPair, PowerIteration,
};

const CONVERGED: PowerIteration = PowerIteration { tol: 1e-7, max_iters: 2000, random_starts: 30 };

fn orders() -> [NormOrder; 5] {
    [1.0, 1.5, 2.0, 3.0, f64::INFINITY].map(|p| NormOrder::new(p).unwrap())
}

/// A matrix by its rows.
type Matrix = Vec<Vec<f64>>;

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|column| a.iter().map(|row| row[column]).collect()).collect()
}

fn product(a: &Matrix, x: &[f64]) -> Vec<f64> {
    a.iter().map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

fn vector_norm(x: &[f64], p: f64) -> f64 {
    let largest = x.iter().fold(0f64, |max, x| max.max(x.abs()));
    match p {
        f64::INFINITY => largest,
        _ if largest == 0.0 => 0.0,
        p => largest * x.iter().map(|x| (x.abs() / largest).powf(p)).sum::<f64>().powf(1.0 / p),
    }
}

fn dual(p: f64) -> f64 {
    match p {
        1.0 => f64::INFINITY,
        f64::INFINITY => 1.0,
        p => p / (p - 1.0),
    }
}

/// The largest `‖A x‖_q` over `‖x‖_p = 1`: over the vertices of the unit ball where it has some (the norm is convex), by the
/// transposed map where its unit ball has, else the best of a random search, which is a lower bound and close.
fn induced_norm(a: &Matrix, p: f64, q: f64) -> f64 {
    let n = a[0].len();
    if p == 1.0 {
        return transposed(a).iter().map(|column| vector_norm(column, q)).fold(0.0, f64::max);
    }
    if p == f64::INFINITY {
        let vertex = |signs: usize| (0..n).map(|i| if signs >> i & 1 == 0 { 1.0 } else { -1.0 }).collect::<Vec<_>>();
        return (0..1 << n).map(|signs| vector_norm(&product(a, &vertex(signs)), q)).fold(0.0, f64::max);
    }
    if q == 1.0 || q == f64::INFINITY {
        return induced_norm(&transposed(a), dual(q), dual(p));
    }
    (0..6).map(|start| random_ascent(a, p, q, start)).fold(0.0, f64::max)
}

/// Random steps of shrinking size, each kept if it makes the norm larger.
fn random_ascent(a: &Matrix, p: f64, q: f64, start: u64) -> f64 {
    use rand::Rng;
    let mut rng = NoiseKey::new(77, [start, 0]).stream(0);
    let value = |x: &[f64]| vector_norm(&product(a, x), q) / vector_norm(x, p);
    let mut x: Vec<f64> = a[0].iter().map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut best = value(&x);
    for trial in 0..6000 {
        let size = 0.998f64.powi(trial);
        let moved: Vec<f64> = x.iter().map(|x| x + size * rng.random_range(-1.0..1.0)).collect();
        let at = value(&moved);
        if at > best {
            (x, best) = (moved, at);
        }
    }
    best
}

/// The matrix of a same-size convolution with zero padding.
fn convolution_matrix(weight: &Tensor<4>, [h, w]: [usize; 2]) -> Matrix {
    let [c_out, c_in, k, _] = weight.dims();
    let values: Vec<f32> = weight.clone().try_into_vec_as().unwrap();
    let tap = |o: usize, i: usize, y: usize, x: usize, to: (usize, usize)| {
        let (dy, dx) = ((y + k / 2).checked_sub(to.0)?, (x + k / 2).checked_sub(to.1)?);
        (dy < k && dx < k).then(|| f64::from(values[((o * c_in + i) * k + dy) * k + dx]))
    };
    let place = |index: usize| (index / (h * w), index / w % h, index % w);
    let row = |out: usize| {
        let (o, oy, ox) = place(out);
        let entry = |from: usize| {
            let (i, y, x) = place(from);
            tap(o, i, y, x, (oy, ox)).unwrap_or(0.0)
        };
        (0..c_in * h * w).map(entry).collect()
    };
    (0..c_out * h * w).map(row).collect()
}

fn net(shape: [usize; 3], kernels: Vec<usize>, norm_orders: Vec<NormOrder>) -> ContractiveNet {
    // One hidden channel on images, so that there are few enough vertices.
    let hidden = if shape[1] > 1 { 1 } else { 3 };
    let config = ContractiveNetConfig {
        kernels,
        norm_orders,
        preactivation: false,
        activation: ActivationKind::Identity,
        bound: 0.7,
        ..ContractiveNetConfig::new(shape, hidden)
    };
    let net = config.init(&mut NoiseKey::new(3, [0, 0]).stream(0), &Device::flex());
    let state = residual_flows::state::named_tensors(&net).into_iter().map(|mut tensor| {
        if tensor.name.ends_with("weight") {
            tensor.values.iter_mut().for_each(|value| *value *= 3.0);
        }
        tensor
    });
    residual_flows::state::with_tensors(net.clone(), state.collect()).unwrap()
}

/// A convolution on images that are as large as the kernel, and a linear map, wide and narrow.
#[test]
fn norms_are_those_found_by_exhaustion() {
    for (p, q) in orders().into_iter().flat_map(|p| orders().map(|q| (p, q))) {
        for (shape, kernel) in [([1, 3, 3], 3), ([4, 1, 1], 1)] {
            let mut net = net(shape, vec![kernel, kernel], vec![p, q, p]);
            let pairs = net.norm_pairs();
            for (layer, pair) in net.convolutions_mut().iter_mut().zip(pairs) {
                let found = f64::from(layer.update(pair, &CONVERGED).sigma);
                let matrix = convolution_matrix(&layer.weight().val(), [shape[1], shape[2]]);
                let want = induced_norm(&matrix, pair.domain.get(), pair.codomain.get());
                assert!((found / want - 1.0).abs() < 2e-3, "{pair:?} {shape:?}: {found} for {want}");
                let stored = f64::from(layer.sigma(pair));
                assert!((stored / found - 1.0).abs() < 1e-5, "{pair:?} {shape:?}: {stored} {found}");
            }
        }
    }
}

/// `‖W‖_{p→q} = ‖Wᵀ‖_{q*→p*}`.
#[test]
fn norms_of_transposed_maps_agree() {
    let transposed_weight = |weight: Tensor<4>| weight.swap_dims(0, 1).flip([2, 3]);
    for (p, q) in orders().into_iter().flat_map(|p| orders().map(|q| (p, q))) {
        let dual_order = |p: NormOrder| NormOrder::new(dual(p.get())).unwrap();
        let mut ours = net([2, 3, 2], vec![3], vec![p, q]);
        let mut other = net([2, 3, 2], vec![3], vec![dual_order(q), dual_order(p)]);
        let weight = transposed_weight(ours.convolutions()[0].weight().val());
        other.convolutions_mut()[0].set_weight(weight.clone());
        let sigma = |net: &mut ContractiveNet| {
            let pair = net.norm_pairs()[0];
            net.convolutions_mut()[0].update(pair, &CONVERGED).sigma
        };
        let (a, b) = (sigma(&mut ours), sigma(&mut other));
        assert!((a / b - 1.0).abs() < 2e-3, "{p:?} {q:?}: {a} {b}");
    }
}

/// A network of one layer is that layer's constrained map.
#[test]
fn constrained_layers_keep_the_bound() {
    for (p, q) in orders().into_iter().flat_map(|p| orders().map(|q| (p, q))) {
        for (shape, kernel) in [([1, 3, 3], 3), ([5, 1, 1], 1)] {
            let mut net = net(shape, vec![kernel], vec![p, q]);
            net.update_lipschitz(&CONVERGED);
            let unconstrained = convolution_matrix(&net.convolutions()[0].weight().val(), [shape[1], shape[2]]);
            assert!(induced_norm(&unconstrained, p.get(), q.get()) > 0.7, "the bound is not tested");
            let matrix = map_of(&FlowLayer::Residual(ResidualBlock::new(net)), shape);
            let norm = induced_norm(&matrix, p.get(), q.get());
            assert!(norm < 0.7 * 1.002, "{p:?} {q:?} {shape:?}: {norm}");
            assert!(norm > 0.7 * 0.998, "{p:?} {q:?} {shape:?}: constrained more than needed, {norm}");
        }
    }
}

/// The linear part of `g`.
fn map_of(layer: &FlowLayer, [c, h, w]: [usize; 3]) -> Matrix {
    let n = c * h * w;
    let mut inputs = vec![0f32; (n + 1) * n];
    (0..n).for_each(|i| inputs[i * n + i] = 1.0);
    let x = Tensor::<4>::from_data(TensorData::new(inputs, [n + 1, c, h, w]), &Device::flex());
    let g: Vec<f32> = (layer.forward(x.clone()).unwrap() - x).try_into_vec_as().unwrap();
    let columns: Matrix = (0..n).map(|i| (0..n).map(|j| f64::from(g[i * n + j]) - f64::from(g[n * n + j])).collect()).collect();
    transposed(&columns)
}

/// Between layers whose last norm is larger than the first, the product of the layers' norms does not bound the Jacobian;
/// the estimate says what does.
#[test]
fn the_estimate_counts_what_the_way_back_costs() {
    let orders = |numbers: &[f64]| numbers.iter().map(|&p| NormOrder::new(p).unwrap()).collect::<Vec<_>>();
    let estimate = |numbers: &[f64]| net([2, 3, 3], vec![3, 3], orders(numbers)).update_lipschitz(&CONVERGED);
    assert!((estimate(&[2.0]) - 0.49).abs() < 1e-3);
    assert!((estimate(&[f64::INFINITY, 2.0, 1.0]) - 0.49).abs() < 1e-3);
    assert!((estimate(&[1.0, 2.0, f64::INFINITY]) / 0.49 - 18.0).abs() < 0.05);
    let pair = NormPair { domain: NormOrder::ONE, codomain: NormOrder::INFINITY };
    assert_eq!(net([2, 3, 3], vec![1], orders(&[1.0, f64::INFINITY])).norm_pairs(), [pair]);
}
