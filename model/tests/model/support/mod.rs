//! The reference implementation's numbers, and where its tensors belong in this crate's model.

mod compare;

pub use compare::{compare, compare_with, cross_entropy_gradient};

use burn::tensor::{Device, Tensor, TensorData};
use residual_flows::state::{NamedTensor, named_tensors};
use residual_flows::{ActivationKind, BlockKind, FixedPoint, FlowLayer, NoiseKey, NormOrder, ResidualFlow, ResidualFlowConfig};
use safetensors::SafeTensors;
use std::path::Path;

/// The device that is tested: the CPU, or the one that the variable `RESIDUAL_FLOWS_DEVICE` names, `wgpu` in programs with
/// the feature of that name.
pub fn device() -> Device {
    match std::env::var("RESIDUAL_FLOWS_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::flex(),
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => Device::wgpu(Default::default()),
        Ok(other) => panic!("RESIDUAL_FLOWS_DEVICE={other}: these tests were built without that device"),
    }
}

/// Tensors of the reference implementation by name.
pub struct GoldenFile {
    bytes: Vec<u8>,
}

impl GoldenFile {
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"));
        Self { bytes: std::fs::read(path).unwrap() }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    pub fn names(&self) -> Vec<String> {
        self.file().names().into_iter().map(String::from).collect()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.file().tensor(name).unwrap_or_else(|_| panic!("no {name}")).shape().to_vec()
    }

    pub fn values(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap_or_else(|_| panic!("no {name}"));
        tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let mut shape = self.shape(name);
        // Points are images of a single pixel.
        shape.resize(D.max(shape.len()), 1);
        self.tensor_of(name, shape.try_into().unwrap_or_else(|shape| panic!("{name} has shape {shape:?}")))
    }

    /// In another shape, with the same elements.
    pub fn tensor_of<const D: usize>(&self, name: &str, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values(name), shape), &device())
    }
}

/// One packed test case; see `fixtures/README.md`.
pub struct Golden {
    file: GoldenFile,
    /// The configuration that the reference implementation's arguments amount to.
    pub config: ResidualFlowConfig,
    /// Shape of the images.
    pub image: [usize; 3],
    /// Number of levels of the data.
    pub levels: u32,
    /// What the training loss weights a nat of a sample's density by: bits/dim, bits, or nats.
    pub loss_weight: f64,
}

impl Golden {
    /// LipSwish, fully connected blocks at the end, no factor-out.
    pub fn rgb_swish() -> Self {
        let config = ResidualFlowConfig {
            blocks: vec![2, 2],
            hidden_channels: 16.into(),
            dense_hidden: 8,
            fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
            ..Default::default()
        };
        Self::read("rgb_swish", config, [3, 8, 8], 256)
    }

    /// ELU, factor-out, squeezed first.
    pub fn celeba_elu() -> Self {
        let config = ResidualFlowConfig {
            blocks: vec![2, 2],
            hidden_channels: 16.into(),
            activation: ActivationKind::Elu,
            dense_blocks: 0,
            factor_out: true,
            fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
            squeeze_first: true,
            ..Default::default()
        };
        Self::read("celeba_elu", config, [3, 16, 16], 32)
    }

    /// LipSwish with norms 1→2, 2→2, 2→∞, otherwise as the first.
    pub fn mixed_norms() -> Self {
        let order = |p: f64| NormOrder::new(p).unwrap();
        let norm_orders = [1.0, 2.0, 2.0, f64::INFINITY].map(order).to_vec();
        let config = ResidualFlowConfig { norm_orders, ..Self::rgb_swish().config };
        Self::read("mixed_norms", config, [3, 8, 8], 256)
    }

    /// Classes and density, normalised inputs; otherwise as the first.
    pub fn hybrid() -> Self {
        let config = ResidualFlowConfig {
            logit_alpha: 0.0,
            input_mean: vec![0.4914, 0.4822, 0.4465],
            input_std: vec![0.2023, 0.1994, 0.2010],
            classes: 10,
            classifier_channels: 16,
            ..Self::rgb_swish().config
        };
        Self { loss_weight: 1.0 / std::f64::consts::LN_2, ..Self::read("hybrid", config, [3, 8, 8], 256) }
    }

    /// Points, by the script for 2-D densities.
    pub fn toy2d() -> Self {
        let config = ResidualFlowConfig {
            blocks: vec![4],
            hidden_channels: 16.into(),
            dense: true,
            dense_blocks: 0,
            logit_alpha: 0.0,
            lipschitz_bound: 0.9,
            fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
            ..Default::default()
        };
        Self { loss_weight: 1.0, ..Self::read("toy2d", config, [2, 1, 1], 1) }
    }

    /// i-DenseNets: images of digits, factor-out.
    pub fn idense_img() -> Self {
        let config = ResidualFlowConfig {
            blocks: vec![1, 1],
            activation: ActivationKind::CLipSwish,
            densenet_depth: 2,
            densenet_growth: 8,
            fully_connected_growth: 4,
            factor_out: true,
            logit_alpha: 1e-6,
            fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
            ..Default::default()
        };
        Self::read("idense_img", config, [1, 8, 8], 256)
    }

    /// Monotone Flows: as the last, with monotone blocks.
    pub fn mono_img() -> Self {
        let config =
            ResidualFlowConfig { block: BlockKind::Monotone, activation: ActivationKind::CPila, ..Self::idense_img().config };
        Self::read("mono_img", config, [1, 8, 8], 256)
    }

    /// Implicit Normalizing Flows: points.
    pub fn impl_toy() -> Self {
        let config = ResidualFlowConfig {
            block: BlockKind::Implicit,
            blocks: vec![2],
            hidden_channels: 12.into(),
            kernels: vec![1, 1, 1],
            activation: ActivationKind::Sin,
            preactivation: false,
            plain_first_block: false,
            act_norm: false,
            dense_blocks: 0,
            logit_alpha: 0.0,
            lipschitz_bound: 0.99,
            fixed_point: FixedPoint { tol: 1e-6, ..Default::default() },
            ..Default::default()
        };
        Self::read("impl_toy", config, [2, 1, 1], 1)
    }

    /// Random weights in an option that the released models do not use, of data with 256 levels.
    pub fn option(case: &str, image: [usize; 3], config: ResidualFlowConfig) -> Self {
        Self::read(case, config, image, 256)
    }

    fn read(case: &str, config: ResidualFlowConfig, image: [usize; 3], levels: u32) -> Self {
        let dimensions = image.iter().product::<usize>() as f64;
        let loss_weight = 1.0 / (dimensions * std::f64::consts::LN_2);
        Self { file: GoldenFile::read(case), config, image, levels, loss_weight }
    }

    pub fn file(&self) -> &GoldenFile {
        &self.file
    }

    pub fn has(&self, name: &str) -> bool {
        self.file.has(name)
    }

    pub fn values(&self, name: &str) -> Vec<f32> {
        self.file.values(name)
    }

    pub fn names(&self) -> Vec<String> {
        self.file.names()
    }

    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.file.tensor(name)
    }

    /// The model with the reference implementation's weights and singular vectors.
    pub fn model(&self) -> ResidualFlow {
        let random = self.config.init(self.image, &mut NoiseKey::new(0, [0, 0]).stream(0), &device()).unwrap();
        let tensors = named_tensors(&random).into_iter().map(|tensor| {
            let values = match self.reference_name(&tensor.name) {
                Some(name) => self.values(&format!("model.{name}")),
                None => tensor.values,
            };
            NamedTensor { values, ..tensor }
        });
        let mut model = random.clone().with_state(tensors.collect()).unwrap();
        let ids = model.layer_ids();
        for (layer, id) in model.layers_mut().zip(ids) {
            for (field, net) in layer.nets_mut() {
                for (index, convolution) in net.convolutions_mut().iter_mut().enumerate() {
                    let [u, v] = ["u", "v"].map(|vector| {
                        let name = format!("{}.Layer.{field}.convolutions.{index}.{vector}", id.path);
                        Some(self.tensor(&format!("model.{}", self.reference_name(&name)?)))
                    });
                    if let (Some(u), Some(v)) = (u, v) {
                        convolution.set_vectors(u, v);
                    }
                }
            }
        }
        model
    }

    /// A layer by the reference implementation's path, such as `transforms.0.chain.4`.
    pub fn layer<'a>(&self, model: &'a ResidualFlow, path: &str) -> &'a FlowLayer {
        let ids = model.layer_ids();
        let index = ids.iter().position(|id| self.reference_layer(&id.path) == path);
        model.layers().nth(index.unwrap_or_else(|| panic!("no {path}"))).unwrap()
    }

    /// Layers that stand before the reference implementation's chain: the squeeze that it does outside of the model.
    fn shift(&self, scale: usize) -> isize {
        isize::from(self.config.squeeze_first && scale == 0)
    }

    /// The reference implementation's name of a layer, from `scales.0.layers.3`. Its models of points have no scales.
    pub fn reference_layer(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let (scale, layer): (usize, usize) = (parts[1].parse().unwrap(), parts[3].parse().unwrap());
        if self.image[1..] == [1, 1] {
            return format!("chain.{layer}");
        }
        format!("transforms.{scale}.chain.{}", layer as isize - self.shift(scale))
    }

    /// The reference implementation's name of a parameter, or of a vector `u` or `v`; it has none for `vector`.
    pub fn reference_name(&self, name: &str) -> Option<String> {
        let parts: Vec<&str> = name.split('.').collect();
        if let ["classifier", rest @ ..] = &parts[..] {
            return Some(classifier_name(rest));
        }
        let layer = self.reference_layer(name);
        let known = |suffix: String, wrapper: &str| {
            let candidates = [format!("{layer}.{suffix}"), format!("{layer}.{wrapper}.{suffix}")];
            candidates.into_iter().find(|c| self.has(&format!("model.{c}")))
        };
        match parts[4..] {
            ["ActNorm", field] => known(if field == "bias" { "bias" } else { "weight" }.into(), "fc_module"),
            ["InvertibleLinear" | "MovingBatchNorm", field] => known(field.into(), "fc_module"),
            [_, net, kind, index, field] => {
                let index: usize = index.parse().unwrap();
                let nnet = net.replace("net", "nnet");
                let nnet = [format!("{layer}.{nnet}.nnet"), format!("{layer}.{nnet}")];
                let nnet = nnet.into_iter().find(|nnet| {
                    self.has(&format!("model.{nnet}.0.weight"))
                        || self.has(&format!("model.{nnet}.0.network.0.weight"))
                        || self.has(&format!("model.{nnet}.1.weight"))
                })?;
                if self.config.densenet_depth > 0 {
                    return self.dense_name(&nnet, kind, index, field);
                }
                // Convolutions and activations alternate.
                let convolution_first = self.has(&format!("model.{nnet}.0.weight"));
                let place = 2 * index + usize::from((kind == "activations") == convolution_first);
                Some(format!("{nnet}.{place}.{field}")).filter(|name| self.has(&format!("model.{name}")))
            }
            _ => panic!("unknown tensor {name}"),
        }
    }
}

impl Golden {
    /// The name of a tensor in a network of dense layers, which an affine layer may come before.
    fn dense_name(&self, nnet: &str, kind: &str, index: usize, field: &str) -> Option<String> {
        let entrances = usize::from(self.has(&format!("model.{nnet}.0.weight")));
        let last = self.config.densenet_depth + entrances;
        let candidates = match (kind, field) {
            ("convolutions", _) if index < entrances || index == last => vec![format!("{nnet}.{index}.{field}")],
            ("convolutions", _) => vec![format!("{nnet}.{index}.network.0.{field}")],
            ("activations", _) => {
                ["", "swish."].map(|part| format!("{nnet}.{}.network.1.{part}{field}", index + entrances)).to_vec()
            }
            _ => vec![format!("{nnet}.{}.{}_unnormalized", index + entrances, field.to_uppercase())],
        };
        candidates.into_iter().find(|name| self.has(&format!("model.{name}")))
    }
}

/// The reference implementation's name of a parameter of the classifier.
fn classifier_name(parts: &[&str]) -> String {
    match parts {
        ["heads", index, "convolution", field] => format!("classification_heads.{index}.0.{field}"),
        ["heads", index, "act_norm", "bias"] => format!("classification_heads.{index}.1.bias"),
        ["heads", index, "act_norm", "log_scale"] => format!("classification_heads.{index}.1.weight"),
        ["output", field] => format!("logit_layer.{field}"),
        _ => panic!("unknown tensor {parts:?}"),
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// Asserts `|got - want| <= tol · max|want|` for every element.
pub fn assert_close(what: &str, got: &[f32], want: &[f32], tol: f32) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    let scale = want.iter().fold(0f32, |max, value| max.max(value.abs()));
    for (index, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tol * scale, "{what}[{index}]: {a} for {b} (largest {scale})");
    }
}
