//! The branch in ordinary tensor operations: any kernel sizes, any activation, any backend.

use super::{BranchGradients, BranchParts, Joint};
use crate::nn::activation::{Activation, Slope};
use crate::numerics::convolution::Convolution;
use crate::numerics::tensor::channel_means;
use burn::tensor::{FloatDType, Tensor, TensorData};
use std::sync::Arc;

/// See the [module](super) for what it computes. Inside, images are channels-last.
pub(crate) struct GeneralBranch<'a> {
    layers: Vec<Layer<'a>>,
    /// Added to the first convolution's output, `[batch, 1, 1, channels]`.
    sample_bias: Option<Tensor<4>>,
}

/// `h' = W z + b` with `z = m ⊙ φ(h)`, or `z = [η₁ z'; η₂ φ(h)]` with the `z'` of the layer before.
#[derive(Clone)]
struct Layer<'a> {
    activation: Option<&'a Activation>,
    concatenation: Option<Concatenation>,
    /// Dropout's factors, `[batch, 1, 1, channels]`.
    mask: Option<Tensor<4>>,
    convolution: Arc<Convolution>,
    bias: Tensor<4>,
}

#[derive(Clone)]
struct Concatenation {
    /// `η₁` and `η₂`, each `[1, 1, 1, 1]`.
    factors: [Tensor<4>; 2],
    /// Channels of `z'`.
    earlier: usize,
}

/// The derivative of the activation before each convolution, where there is one.
pub(crate) struct Slopes(Vec<Option<Slope>>);

impl Slopes {
    /// Rounded to another type.
    pub fn rounded(&self, dtype: FloatDType) -> Self {
        Self(self.0.iter().map(|slope| slope.as_ref().map(|slope| slope.rounded(dtype))).collect())
    }
}

/// One layer's primal and tangent: before the activation (`h`, `ḣ`), after it where a concatenation follows, and in front of
/// the convolution (`z`, `ż`).
struct ForwardOutput {
    before: Option<(Tensor<4>, Tensor<4>)>,
    activated: Option<(Tensor<4>, Tensor<4>)>,
    seen: (Tensor<4>, Tensor<4>),
}

impl Concatenation {
    /// `[η₁ z'; η₂ a]`
    fn apply(&self, earlier: Tensor<4>, activated: Tensor<4>) -> Tensor<4> {
        let [first, second] = self.factors.clone();
        Tensor::cat(vec![earlier * first, activated * second], 3)
    }

    /// The parts of a cotangent that belong to `η₁ z'` and to `η₂ a`.
    fn split(&self, cotangent: Tensor<4>) -> [Tensor<4>; 2] {
        let channels = cotangent.dims()[3];
        let earlier = self.earlier;
        [cotangent.clone().narrow(3, 0, earlier), cotangent.narrow(3, earlier, channels - earlier)]
    }
}

impl Layer<'_> {
    fn masked(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.mask {
            Some(mask) => x * mask.clone(),
            None => x,
        }
    }

    /// `z` from `φ(h)` and `z'`: a linear map of both.
    fn joined(&self, activated: Tensor<4>, earlier: &Option<Tensor<4>>) -> Tensor<4> {
        let joined = match (&self.concatenation, earlier) {
            (Some(concatenation), Some(earlier)) => concatenation.apply(earlier.clone(), activated),
            _ => activated,
        };
        self.masked(joined)
    }

    /// The transposed map: the cotangents of `φ(h)` and, where there is a concatenation, of `z'`.
    fn parted(&self, cotangent: Tensor<4>) -> (Tensor<4>, Option<Tensor<4>>) {
        let cotangent = self.masked(cotangent);
        let Some(concatenation) = &self.concatenation else { return (cotangent, None) };
        let ([earlier, activated], [first, second]) = (concatenation.split(cotangent), concatenation.factors.clone());
        (activated * second, Some(earlier * first))
    }
}

impl<'a> GeneralBranch<'a> {
    pub fn new(parts: BranchParts<'a>) -> Self {
        let first = parts.preactivation.map(|activation| Joint { activation, concatenation: None });
        let joints = std::iter::once(first).chain(parts.joints);
        let mut earlier = 0;
        let layer = |((joint, convolution), bias): ((Option<Joint<'a>>, Convolution), Tensor<1>)| {
            let scalar = |factor: Tensor<1>| factor.reshape([1, 1, 1, 1]);
            let (activation, factors) = joint.map_or((None, None), |joint| (Some(joint.activation), joint.concatenation));
            let concatenation = factors.map(|factors| Concatenation { factors: factors.map(scalar), earlier });
            earlier = convolution.weight.dims()[1];
            let convolution = Arc::new(convolution);
            Layer { activation, concatenation, mask: None, convolution, bias: bias.reshape([1, 1, 1, -1]) }
        };
        let sample_bias = parts.sample_bias.map(|bias| {
            let [batch, channels] = bias.dims();
            bias.reshape([batch, 1, 1, channels])
        });
        let mut layers: Vec<Layer> = joints.zip(parts.convolutions).zip(parts.biases).map(layer).collect();
        if let Some(last) = layers.last_mut() {
            last.mask = parts.last_mask;
        }
        Self { layers, sample_bias }
    }

    /// The branch of some samples of the batch, by their numbers.
    pub fn of_samples(&self, samples: &[usize]) -> GeneralBranch<'a> {
        let sample_bias = self.sample_bias.as_ref().map(|bias| {
            let rows: Vec<i32> = samples.iter().map(|&sample| sample as i32).collect();
            bias.clone().select(0, Tensor::from_data(TensorData::new(rows, [samples.len()]), &bias.device()))
        });
        Self { layers: self.layers.clone(), sample_bias }
    }

    /// What leaves a convolution, with its biases.
    fn biased(&self, index: usize, h: Tensor<4>) -> Tensor<4> {
        let h = h + self.layers[index].bias.clone();
        match &self.sample_bias {
            Some(bias) if index == 0 => h + bias.clone(),
            _ => h,
        }
    }

    /// With its weights rounded to another type, for products with its Jacobian.
    pub fn rounded(&self, dtype: FloatDType) -> GeneralBranch<'a> {
        let layer = |layer: &Layer<'a>| Layer {
            activation: layer.activation,
            concatenation: layer.concatenation.as_ref().map(|concatenation| Concatenation {
                factors: concatenation.factors.clone().map(|factor| factor.cast(dtype)),
                earlier: concatenation.earlier,
            }),
            mask: layer.mask.clone().map(|mask| mask.cast(dtype)),
            convolution: Arc::new(layer.convolution.rounded(dtype)),
            bias: layer.bias.clone().cast(dtype),
        };
        let sample_bias = self.sample_bias.clone().map(|bias| bias.cast(dtype));
        Self { layers: self.layers.iter().map(layer).collect(), sample_bias }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.linearize(x).0
    }

    pub fn linearize(&self, x: Tensor<4>) -> (Tensor<4>, Slopes) {
        let mut slopes = Vec::with_capacity(self.layers.len());
        let h = self.each_output(x, |slope, _| slopes.push(slope));
        (h, Slopes(slopes))
    }

    /// The mean of every convolution's output over batch and pixels, each `[channels]`.
    pub fn output_means(&self, x: Tensor<4>) -> Vec<Tensor<1>> {
        let mut means = Vec::with_capacity(self.layers.len());
        self.each_output(x, |_, h| means.push(channel_means(channels_first(h.clone()))));
        means
    }

    /// `g(x)`; shows the slope in front of every convolution, and its output, channels last.
    fn each_output(&self, x: Tensor<4>, mut see: impl FnMut(Option<Slope>, &Tensor<4>)) -> Tensor<4> {
        let (mut h, mut earlier) = (channels_last(x), None);
        for (index, layer) in self.layers.iter().enumerate() {
            let slope = layer.activation.map(|activation| {
                let (value, slope) = activation.value_and_slope(h.clone());
                h = value;
                slope
            });
            let seen = layer.joined(h, &earlier);
            h = self.biased(index, layer.convolution.apply(seen.clone()));
            earlier = Some(seen);
            see(slope, &h);
        }
        channels_first(h)
    }

    pub fn vjp(&self, at: &Slopes, u: Tensor<4>) -> Tensor<4> {
        let (mut u, mut skipped) = (channels_last(u), None);
        for (layer, slope) in self.layers.iter().zip(&at.0).rev() {
            let seen = plus(layer.convolution.apply_transposed(u), skipped);
            (u, skipped) = layer.parted(seen);
            if let Some(slope) = slope {
                u = slope.pull(u);
            }
        }
        channels_first(u)
    }

    pub fn jvp(&self, at: &Slopes, v: Tensor<4>) -> Tensor<4> {
        let (mut v, mut earlier) = (channels_last(v), None);
        for (layer, slope) in self.layers.iter().zip(&at.0) {
            if let Some(slope) = slope {
                v = slope.push(v);
            }
            let seen = layer.joined(v, &earlier);
            v = layer.convolution.apply(seen.clone());
            earlier = Some(seen);
        }
        channels_first(v)
    }

    pub fn pullback(&self, x: Tensor<4>, v: Tensor<4>, y_bar: Tensor<4>, tau: Tensor<4>) -> (Tensor<4>, BranchGradients) {
        let passed = self.tangent(channels_last(x), channels_last(v));
        let (mut h_bar, mut tau) = (channels_last(y_bar), channels_last(tau));
        let (mut skipped, mut skipped_tau, mut sample_bias) = (None, None, None);
        let (mut weights, mut biases, mut betas, mut concatenations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let ForwardOutput { before, activated, seen: (z, dz) } = &passed[index];
            // The primal and the tangent share each matrix: stacked, they are one product.
            let cotangents = Tensor::cat(vec![h_bar.clone(), tau], 0);
            weights.push(layer.convolution.weight_gradient(Tensor::cat(vec![z.clone(), dz.clone()], 0), cotangents.clone()));
            if index == 0 && self.sample_bias.is_some() {
                sample_bias = Some(h_bar.clone().sum_dims_squeeze(&[1, 2]));
            }
            biases.push(h_bar.sum_dims_squeeze(&[0, 1, 2]));
            let (z_bar, zeta) = halves(layer.convolution.apply_transposed(cotangents));
            let (z_bar, zeta) = (plus(z_bar, skipped), plus(zeta, skipped_tau));
            if let (Some(concatenation), Some((a, da))) = (&layer.concatenation, activated) {
                let (earlier, dearlier) = &passed[index - 1].seen;
                let bars = concatenation.split(layer.masked(z_bar.clone())).into_iter();
                let zetas = concatenation.split(layer.masked(zeta.clone())).into_iter();
                let parts = [(earlier, dearlier), (a, da)].into_iter().zip(bars.zip(zetas));
                let factors = parts.map(|((part, dpart), (bar, zeta))| (bar * part.clone() + zeta * dpart.clone()).sum());
                concatenations.extend(factors.collect::<Vec<Tensor<1>>>().try_into().ok());
            }
            (h_bar, skipped) = layer.parted(z_bar);
            (tau, skipped_tau) = layer.parted(zeta);
            if let (Some(activation), Some((a, da))) = (layer.activation, before) {
                let jet = activation.jet(a.clone());
                let da = jet.slope.widened(da.clone());
                if let Some((value, slope)) = jet.by_beta {
                    betas.push((h_bar.clone() * value + tau.clone() * da.clone() * slope).sum());
                }
                h_bar = jet.slope.pull(h_bar);
                if let Some(curvature) = jet.curvature {
                    h_bar = h_bar + jet.slope.narrowed(tau.clone() * da * curvature);
                }
                tau = jet.slope.pull(tau);
            }
        }
        weights.reverse();
        biases.reverse();
        betas.reverse();
        concatenations.reverse();
        (channels_first(h_bar), BranchGradients { weights, biases, betas, concatenations, shift: None, sample_bias })
    }

    /// The primal and the tangent pass.
    fn tangent(&self, x: Tensor<4>, v: Tensor<4>) -> Vec<ForwardOutput> {
        let (mut h, mut dh) = (x, v);
        let (mut earlier, mut dearlier) = (None, None);
        let mut passed = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let before = layer.activation.map(|_| (h.clone(), dh.clone()));
            if let Some(activation) = layer.activation {
                let (value, slope) = activation.value_and_slope(h);
                (h, dh) = (value, slope.push(dh));
            }
            let activated = layer.concatenation.as_ref().map(|_| (h.clone(), dh.clone()));
            let (z, dz) = (layer.joined(h.clone(), &earlier), layer.joined(dh.clone(), &dearlier));
            passed.push(ForwardOutput { before, activated, seen: (z.clone(), dz.clone()) });
            if index + 1 < self.layers.len() {
                (h, dh) = halves(layer.convolution.apply(Tensor::cat(vec![z.clone(), dz.clone()], 0)));
                h = self.biased(index, h);
            }
            (earlier, dearlier) = (Some(z), Some(dz));
        }
        passed
    }
}

fn plus(a: Tensor<4>, b: Option<Tensor<4>>) -> Tensor<4> {
    match b {
        Some(b) => a + b,
        None => a,
    }
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

/// The primal and the tangent, of a stacked batch.
fn halves(stacked: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let batch = stacked.dims()[0] / 2;
    (stacked.clone().narrow(0, 0, batch), stacked.narrow(0, batch, batch))
}
