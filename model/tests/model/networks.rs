//! Contractive networks with every option, against the reference implementation's. Origin of the numbers: `fixtures/README.md`.

use crate::support::{GoldenFile, assert_close, compare_with, device, values};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use residual_flows::flows::ResidualBlock;
use residual_flows::{
    ActivationKind, ContractiveNet, ContractiveNetConfig, Flow, FlowLayer, Gradients, LogDetDraw, NoiseKey, NormLearning,
    NormOrder, PowerIteration,
};

/// One network of the fixture.
struct Case {
    name: String,
    config: ContractiveNetConfig,
    /// What the reference implementation's names begin with.
    prefix: &'static str,
}

impl Case {
    fn new(name: &str, config: ContractiveNetConfig) -> Self {
        Self { name: name.into(), config, prefix: "" }
    }

    fn key(&self, rest: &str) -> String {
        format!("{}.{rest}", self.name)
    }

    /// The reference implementation's name of one of our parameters.
    fn reference_name(&self, ours: &str) -> String {
        let parts: Vec<&str> = ours.split('.').collect();
        let index: usize = parts[1].parse().unwrap();
        // Its networks are one list: [norm] activation convolution [norm] activation …, without the first norm's or the
        // first activation's place where there is none.
        let stride = if self.config.batch_norm { 3 } else { 2 };
        let place = match parts[0] {
            "batch_norms" => stride * index,
            "activations" => stride * index + stride - 2,
            _ => stride * index + stride - 1,
        };
        format!("{}{place}.{}", self.prefix, parts.get(2).copied().unwrap_or("domain"))
    }

    fn net(&self, file: &GoldenFile) -> ContractiveNet {
        let random = self.config.init(&mut NoiseKey::new(0, [0, 0]).stream(0), &device());
        let mut net = random.map(&mut Load { case: self, file, path: Vec::new() });
        for (index, layer) in net.convolutions_mut().iter_mut().enumerate() {
            let name = self.reference_name(&format!("convolutions.{index}.u"));
            let [u, v] = [name.clone(), name.replace(".u", ".v")].map(|name| self.key(&format!("net.{name}")));
            if file.has(&u) {
                layer.set_vectors(file.tensor(&u), file.tensor(&v));
            }
        }
        net
    }

    fn image(&self, file: &GoldenFile, name: &str) -> Tensor<4> {
        let [c, h, w] = self.config.shape;
        file.tensor_of(&self.key(name), [file.shape(&self.key(name))[0], c, h, w])
    }
}

struct Load<'a> {
    case: &'a Case,
    file: &'a GoldenFile,
    path: Vec<String>,
}

impl ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        if name.ends_with("vector") {
            return param;
        }
        let key = self.case.key(&format!("net.{}", self.case.reference_name(&name)));
        let value = self.file.tensor_of(&key, param.val().dims());
        Param::initialized(param.id, value)
    }
}

fn order(digit: char) -> NormOrder {
    NormOrder::new(digit.to_digit(10).map_or(f64::INFINITY, f64::from)).unwrap()
}

fn activations() -> Vec<(ActivationKind, &'static str)> {
    use ActivationKind::*;
    vec![
        (LipSwish, "lip_swish"),
        (Elu, "elu"),
        (Softplus, "softplus"),
        (LipschitzCube, "lipschitz_cube"),
        (Relu, "relu"),
        (Identity, "identity"),
        (Tanh, "tanh"),
        (Selu, "selu"),
        (MaxMin, "max_min"),
        (FullSort, "full_sort"),
    ]
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (activation, name) in activations() {
        let config =
            ContractiveNetConfig { kernels: vec![1, 1], activation, bound: 0.9, ..ContractiveNetConfig::new([4, 1, 1], 6) };
        cases.push(Case::new(&format!("activation_{name}"), config));
    }
    let block = || ContractiveNetConfig { bound: 0.9, ..ContractiveNetConfig::new([2, 4, 3], 6) };
    for name in ["1112", "2fff", "122f", "3213", "f111", "2432"] {
        let config = ContractiveNetConfig { norm_orders: name.chars().map(order).collect(), ..block() };
        cases.push(Case::new(&format!("orders_{name}"), config));
    }
    let learned = ContractiveNetConfig { shape: [2, 3, 4], learn_norm_orders: NormLearning::PerLayer, ..block() };
    cases.push(Case { prefix: "nnet.", ..Case::new("learned_dense", ContractiveNetConfig { dense: true, ..learned.clone() }) });
    cases.push(Case::new("learned", learned));
    cases.push(batch_norm());
    cases
}

fn batch_norm() -> Case {
    let config = ContractiveNetConfig {
        batch_norm: true,
        activation: ActivationKind::Elu,
        bound: 0.9,
        ..ContractiveNetConfig::new([2, 4, 3], 6)
    };
    Case::new("batch_norm", config)
}

/// Value, first term of the series, and all gradients of `⟨z̄, x + g(x)⟩ + ⟨w, J v⟩`.
#[test]
fn networks_agree() {
    let file = GoldenFile::read("nets");
    for case in cases() {
        let layer = FlowLayer::Residual(ResidualBlock::new(case.net(&file)));
        let x = case.image(&file, "x");
        let batch = x.dims()[0];
        let g = layer.forward(x.clone()).unwrap() - x.clone();
        assert_close(&case.key("g"), &values(g), &file.values(&case.key("g")), 1e-4);

        let draw = LogDetDraw::neumann(case.image(&file, "v"), vec![1.0]);
        let mut gradients = Gradients::new();
        let one = Tensor::ones([batch], &device());
        let (x_bar, trace) = layer.backward(x, case.image(&file, "z_bar"), one, Some(draw), &mut gradients).unwrap();
        assert_close(&case.key("trace"), &values(trace), &file.values(&case.key("trace")), 1e-4);
        assert_close(&case.key("x_bar"), &values(x_bar), &file.values(&case.key("x_bar")), 1e-4);
        let net = layer.nets()[0].1;
        let key = |path: &str| Some(case.key(&format!("gradient.{}", case.reference_name(path))));
        let compared = compare_with(&file, net, &gradients, key);
        let expected = 2 * net.convolutions().len() + net.moving_batch_norms().len();
        assert!(compared >= expected, "{}: {compared} of {expected}", case.name);
    }
}

/// The reference implementation's vectors are fixed points of our iteration, with the same norms.
#[test]
fn norms_agree_with_and_without_the_reference_implementation_s_vectors() {
    let file = GoldenFile::read("nets");
    for case in cases() {
        let mut net = case.net(&file);
        let pairs = net.norm_pairs();
        for (index, (layer, pair)) in net.convolutions_mut().iter_mut().zip(pairs).enumerate() {
            let name = case.reference_name(&format!("convolutions.{index}.scale"));
            let want = file.values(&case.key(&format!("net.{name}")))[0];
            let stored = layer.sigma(pair);
            let from_there = PowerIteration { random_starts: 0, ..PowerIteration::CONVERGED };
            let updated = layer.update(pair, &from_there).sigma;
            assert!((stored / want - 1.0).abs() < 1e-4, "{} layer {index}: {stored} for {want}", case.name);
            assert!((updated / want - 1.0).abs() < 1e-4, "{} layer {index}: {updated} for {want}", case.name);
        }
    }
}

#[test]
fn learned_orders_and_their_gradients_agree() {
    let file = GoldenFile::read("nets");
    for case in cases().into_iter().filter(|case| case.config.learn_norm_orders != NormLearning::Off) {
        let net = case.net(&file);
        let layer = FlowLayer::Residual(ResidualBlock::new(net.clone()));
        let mut gradients = Gradients::new();
        layer.add_norm_order_gradients(1.0 / net.convolutions().len() as f64, &mut gradients);
        for (index, (order, pair)) in net.orders().iter().zip(net.norm_pairs()).enumerate() {
            let want = file.values(&case.key(&format!("order.{index}")));
            assert_close("order", &[pair.domain.get() as f32], &want, 1e-5);
            let want = file.values(&case.key(&format!("order_gradient.{index}")));
            assert_close("gradient of an order", &values(gradients.get(order).unwrap()), &want, 1e-3);
        }
    }
}

#[test]
fn moving_means_agree_after_a_batch() {
    let file = GoldenFile::read("nets");
    let case = batch_norm();
    let mut net = case.net(&file);
    net.update_batch_norm(case.image(&file, "x"));
    for (index, norm) in net.moving_batch_norms().iter().enumerate() {
        let want = file.values(&case.key(&format!("mean_after.{index}")));
        assert_close("moving mean", &values(norm.running_mean.val()), &want, 1e-4);
    }
}
