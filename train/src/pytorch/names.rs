//! The reference implementation's names of a model's tensors.
//!
//! Its layers are `transforms.<scale>.chain.<layer>` (or `chain.<layer>` of points), in the order of ours; the network
//! of a block is a `Sequential` whose positions count activations, batch norms and dropout too. The code of i-DenseNets, Monotone
//! Flows and Implicit Normalizing Flows is made of the reference implementation's and has its names.

use crate::data::kind::DataKind;
use anyhow::{Result, bail};
use residual_flows::state::named_tensors;
use residual_flows::{Activation, ActivationKind, ContractiveNet, FlowLayer, ResidualFlow, ResidualFlowConfig};

/// The weights of a dense layer's concatenation.
pub const FIRST_WEIGHT: &str = "K1_unnormalized";
/// The weight of the new part.
pub const SECOND_WEIGHT: &str = "K2_unnormalized";
/// Where Implicit Normalizing Flows' code keeps second copies of its networks, which every forward pass overwrites.
pub const COPIES: [[&str; 2]; 2] = [[".nnet_x.", ".nnet_x_copy."], [".nnet_z.", ".nnet_z_copy."]];

/// How a script's model calls its tensors.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// Whether layers have a scale in their names.
    scales: bool,
    /// Layers that stand before the reference implementation's chain: a squeeze that it does outside of the model.
    shift: usize,
    /// Whether dropout has a position in networks.
    dropout: bool,
}

/// One tensor by both names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePair {
    /// In our states.
    pub ours: String,
    /// In the reference implementation's, where a shared parameter has several.
    pub theirs: Vec<String>,
}

/// A constrained affine layer by both names; its two vectors are `<theirs>.u` and `<theirs>.v`.
pub struct ConstrainedLayer {
    /// Scale and layer of the block.
    pub block: [usize; 2],
    /// The block's field that holds the network.
    pub net: &'static str,
    /// Position in the network.
    pub index: usize,
    /// Its name in the reference implementation.
    pub theirs: String,
}

impl Naming {
    /// For a model with these settings: of `train_img.py` for images, of `train_toy.py` for points.
    pub fn new(config: &ResidualFlowConfig, kind: &DataKind) -> Self {
        let scales = matches!(kind, DataKind::Images { .. });
        Self { scales, shift: usize::from(config.squeeze_first), dropout: scales && config.dropout > 0.0 }
    }

    /// The reference implementation's name of a layer; `None` if it is not in its chain.
    pub fn layer(&self, scale: usize, layer: usize) -> Option<String> {
        let shift = if scale == 0 { self.shift } else { 0 };
        let layer = layer.checked_sub(shift)?;
        Some(if self.scales { format!("transforms.{scale}.chain.{layer}") } else { format!("chain.{layer}") })
    }

    /// The reference implementation's shape of one of our tensors: linear layers are convolutions here, and norm orders vectors.
    pub fn shape(&self, theirs: &str, ours: &[usize]) -> Vec<usize> {
        match *ours {
            [c_out, c_in, 1, 1] if self.is_linear(theirs) => vec![c_out, c_in],
            [1] if theirs.ends_with("domain") => Vec::new(),
            _ => ours.to_vec(),
        }
    }

    /// Whether a name belongs to a linear layer, rather than to a convolution.
    pub fn is_linear(&self, theirs: &str) -> bool {
        let fully_connected = || [".nnet.nnet.", ".nnet_x.nnet.", ".nnet_z.nnet."].iter().any(|part| theirs.contains(part));
        !self.scales || theirs.starts_with("logit_layer.") || fully_connected()
    }

    /// All tensors of a model but the vectors of power iteration.
    ///
    /// # Errors
    /// If the model has a layer that the reference implementation lacks.
    pub fn pairs(&self, model: &ResidualFlow) -> Result<Vec<NamePair>> {
        let mut pairs = Vec::new();
        for tensor in named_tensors(model) {
            let parts: Vec<&str> = tensor.name.split('.').collect();
            if matches!(parts.last(), Some(&"vector" | &"opposite" | &"roulette")) {
                continue;
            }
            let theirs = match parts.as_slice() {
                ["scales", scale, "layers", layer, _, field @ ..] => self.in_layer(model, scale, layer, field),
                ["classifier", field @ ..] => in_classifier(field),
                _ => None,
            };
            let Some(theirs) = theirs else {
                bail!("the reference implementation has nothing like the tensor `{}`", tensor.name)
            };
            pairs.push(NamePair { ours: tensor.name, theirs });
        }
        Ok(pairs)
    }

    /// All constrained affine layers of a model, in the order of their evaluation.
    pub fn constrained_layers(&self, model: &ResidualFlow) -> Vec<ConstrainedLayer> {
        let mut layers = Vec::new();
        for (scale, layer) in places(model) {
            let Some(name) = self.layer(scale, layer) else { continue };
            for (net, contractive) in model.scales()[scale].layers()[layer].nets() {
                let prefix = prefix(&name, net, contractive.is_dense());
                for (index, place) in Sequence::of(contractive, self.dropout).convolutions.into_iter().enumerate() {
                    layers.push(ConstrainedLayer { block: [scale, layer], net, index, theirs: format!("{prefix}.{place}") });
                }
            }
        }
        layers
    }

    fn in_layer(&self, model: &ResidualFlow, scale: &str, layer: &str, field: &[&str]) -> Option<Vec<String>> {
        let (scale, layer): (usize, usize) = (scale.parse().ok()?, layer.parse().ok()?);
        let name = self.layer(scale, layer)?;
        let layer = model.scales().get(scale)?.layers().get(layer)?;
        let wrapped =
            |dense: bool, field: &str| vec![if dense { format!("{name}.fc_module.{field}") } else { format!("{name}.{field}") }];
        match (layer, field) {
            (FlowLayer::ActNorm(norm), [field]) => Some(wrapped(norm.is_dense(), act_norm_field(field)?)),
            (FlowLayer::InvertibleLinear(linear), ["weight"]) if !linear.is_whitening() => {
                Some(wrapped(linear.is_dense(), "weight"))
            }
            (FlowLayer::MovingBatchNorm(_), [field]) => Some(wrapped(false, field)),
            (FlowLayer::Coupling(block), ["net", field @ ..]) => {
                let (convolutions, activations) = (block.net.convolutions.len(), block.net.activations.len());
                let sequence = Sequence::alternating(convolutions, activations, false, self.dropout);
                sequence.names(&prefix(&name, "net", block.net.is_dense()), field)
            }
            (layer, [net, field @ ..]) => {
                let (net, contractive) = layer.nets().into_iter().find(|(name, _)| name == net)?;
                let prefix = prefix(&name, net, contractive.is_dense());
                Sequence::of(contractive, self.dropout).names(&prefix, field)
            }
            _ => None,
        }
    }
}

/// Where the dense layers of a network are whose concatenations have no learned weights.
pub fn fixed_concatenations(layer: &str, field: &str, net: &ContractiveNet) -> Vec<String> {
    let prefix = prefix(layer, field, net.is_dense());
    let places = Sequence::of(net, false).concatenations.into_iter().zip(net.concatenations());
    let fixed = places.filter(|(_, concatenation)| concatenation.weights().is_none());
    fixed.map(|(place, _)| format!("{prefix}.{place}")).collect()
}

/// Scale and position of every layer.
pub fn places(model: &ResidualFlow) -> impl Iterator<Item = (usize, usize)> {
    model.scales().iter().enumerate().flat_map(|(scale, layers)| (0..layers.layers().len()).map(move |layer| (scale, layer)))
}

/// The network of a block, by our field's name, which is wrapped once more if it is fully connected.
fn prefix(layer: &str, net: &str, fully_connected: bool) -> String {
    let nnet = net.replacen("net", "nnet", 1);
    if fully_connected { format!("{layer}.{nnet}.nnet") } else { format!("{layer}.{nnet}") }
}

fn act_norm_field(ours: &str) -> Option<&'static str> {
    match ours {
        "bias" => Some("bias"),
        "log_scale" => Some("weight"),
        _ => None,
    }
}

fn in_classifier(field: &[&str]) -> Option<Vec<String>> {
    Some(vec![match field {
        ["heads", head, "convolution", field] => format!("classification_heads.{head}.0.{field}"),
        ["heads", head, "act_norm", field] => format!("classification_heads.{head}.1.{}", act_norm_field(field)?),
        ["output", field] => format!("logit_layer.{field}"),
        _ => return None,
    }])
}

/// The positions of a network's parts in the reference implementation's `Sequential`.
#[derive(Default)]
struct Sequence {
    convolutions: Vec<String>,
    activations: Vec<String>,
    batch_norms: Vec<String>,
    concatenations: Vec<String>,
    /// Norm orders that are learned.
    orders: usize,
}

impl Sequence {
    fn of(net: &ContractiveNet, dropout: bool) -> Self {
        let (convolutions, activations) = (net.convolutions().len(), net.activations());
        let mut sequence = match net.concatenations().len() {
            0 => Self::alternating(convolutions, activations.len(), !net.moving_batch_norms().is_empty(), dropout),
            dense_layers => Self::dense(convolutions, dense_layers),
        };
        // Its LipSwish is a part of it.
        let inside = |(place, activation): (String, &Activation)| match activation.kind() {
            ActivationKind::CLipSwish => format!("{place}.swish"),
            _ => place,
        };
        sequence.activations = sequence.activations.into_iter().zip(activations).map(inside).collect();
        Self { orders: net.orders().len(), ..sequence }
    }

    /// Dense layers, each with its convolution and its activation inside, after what stands before them.
    fn dense(convolutions: usize, dense_layers: usize) -> Self {
        let first = convolutions - 1 - dense_layers;
        let is_dense = |place: usize| (first..first + dense_layers).contains(&place);
        let convolution = |place| if is_dense(place) { format!("{place}.network.0") } else { place.to_string() };
        Self {
            convolutions: (0..convolutions).map(convolution).collect(),
            activations: (first..first + dense_layers).map(|place| format!("{place}.network.1")).collect(),
            concatenations: (first..first + dense_layers).map(|place| place.to_string()).collect(),
            ..Self::default()
        }
    }

    fn alternating(convolutions: usize, activations: usize, batch_norms: bool, dropout: bool) -> Self {
        let mut sequence = Self::default();
        let mut positions = 0..;
        let mut take = |places: &mut Vec<String>| places.extend(positions.next().map(|place: usize| place.to_string()));
        if activations == convolutions {
            if batch_norms {
                take(&mut sequence.batch_norms);
            }
            take(&mut sequence.activations);
        }
        for index in 0..convolutions {
            let last = index + 1 == convolutions;
            if last && dropout {
                take(&mut Vec::new());
            }
            take(&mut sequence.convolutions);
            if batch_norms {
                take(&mut sequence.batch_norms);
            }
            if !last {
                take(&mut sequence.activations);
            }
        }
        sequence
    }

    fn names(&self, prefix: &str, field: &[&str]) -> Option<Vec<String>> {
        let [part, index, field @ ..] = field else { return None };
        let index: usize = index.parse().ok()?;
        let place = |places: &[String], field: &str| Some(vec![format!("{prefix}.{}.{field}", places.get(index)?)]);
        match (*part, field) {
            ("convolutions", [field]) => place(&self.convolutions, field),
            ("activations", [field]) => place(&self.activations, field),
            ("batch_norms", [field]) => place(&self.batch_norms, field),
            ("concatenations", ["k1"]) => place(&self.concatenations, FIRST_WEIGHT),
            ("concatenations", ["k2"]) => place(&self.concatenations, SECOND_WEIGHT),
            ("orders", []) => Some(self.order_names(prefix, index)),
            _ => None,
        }
    }

    /// An order is the domain of its layer and the codomain of the one before, around a circle. The names are in the order
    /// of the reference implementation's module, which calls a shared parameter by the first.
    fn order_names(&self, prefix: &str, order: usize) -> Vec<String> {
        let layers = self.convolutions.len();
        let fields = (0..layers).flat_map(|layer| [(layer, layer, "domain"), (layer, (layer + 1) % layers, "codomain")]);
        let of_order = fields.filter(|(_, shared, _)| shared % self.orders == order);
        of_order.map(|(layer, _, field)| format!("{prefix}.{}.{field}", self.convolutions[layer])).collect()
    }
}
