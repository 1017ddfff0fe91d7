//! A convolution whose induced norm is kept at or below a bound.

use super::closed_form::ClosedForm;
use super::constraint::Constraint;
use super::induced_norm::InducedNorm;
use super::lanczos::Unconverged;
use super::learned_order::sigma_by_orders;
use super::norm_order::NormPair;
use super::power_iteration::{NormEstimate, PowerIteration};
use super::spectral_map::SpectralMap;
use crate::numerics::convolution::{Convolution, Form};
use crate::numerics::randomness::{gaussian, uniform};
use crate::numerics::tensor::{from_vec, to_doubles, to_vec};
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};
use rand::Rng;

/// `Ŵ = W / max(1, σ / c)` with an induced norm `σ = ‖W‖_{p→q}` of `W`, a same-size convolution of stride 1 with odd
/// kernels.
///
/// `W` is the linear map on images of the layer's real height and width (Gouk et al. 2018); for 1×1 kernels it is the
/// channel matrix. Norms from 1 and to ∞ have a closed form, by which each channel is divided on its own. For all others
/// a vector persists between optimiser steps: of the two at which the norm is attained, `σ = ⟨u, W v⟩`, the one on the side
/// where the kernel's taps are unfolded, which in residual blocks is the narrow side. The vector on the other side follows
/// from it, so that `σ = ‖W v‖_q` or `σ = ‖Wᵀ u‖_{p*}`. Both are constants in differentiation, but the gradient flows
/// through `σ` (Behrmann et al. 2019, section 2.1; Chen et al. 2019, appendix).
///
/// The pair of norm orders is an argument of what depends on it, since the network may learn them.
#[derive(Module, Debug)]
pub struct ContractiveConvolution {
    /// `W`, `[out, in, k, k]`
    pub(crate) weight: Param<Tensor<4>>,
    /// `[out]`
    pub(crate) bias: Param<Tensor<1>>,
    /// The vector that is kept: channels, height and width flattened, or channels for 1×1 kernels. None for norms in
    /// closed form.
    pub(crate) vector: Option<Param<Tensor<1>>>,
    /// The vector on the other side, where it does not follow from `vector`: in the reference implementation's checkpoints.
    /// `σ = ⟨u, W v⟩` then, until the next update.
    pub(crate) opposite: Option<Param<Tensor<1>>>,
    constraint: Constraint,
    height: usize,
    width: usize,
    bound: f64,
    #[module(skip)]
    form: Form,
}

/// Random weights are soon replaced: a rough estimate does.
const INITIAL: PowerIteration = PowerIteration { tol: 1e-2, max_iters: 200, random_starts: 10 };

/// What a [`ContractiveConvolution`] is built for.
pub(crate) struct ContractiveConvolutionConfig {
    pub channels_in: usize,
    pub channels_out: usize,
    pub kernel: usize,
    /// Height and width of the images.
    pub image: [usize; 2],
    pub form: Form,
    pub bound: f64,
    pub pair: NormPair,
    /// What the random weights are multiplied by.
    pub weight_scale: f64,
    /// Whether weights are random; else they and the vectors of power iteration are zero, to be replaced by stored ones.
    pub is_random: bool,
}

impl ContractiveConvolutionConfig {
    /// Weights (but for their scale) and biases uniform in `±1/√(fan in)`.
    pub fn init(&self, rng: &mut impl Rng, device: &Device) -> ContractiveConvolution {
        let &Self { channels_in, channels_out, kernel, image, form, bound, pair, weight_scale, is_random } = self;
        let [height, width] = if kernel == 1 { [1, 1] } else { image };
        let (of_weight, of_bias) = ([channels_out, channels_in, kernel, kernel], [channels_out]);
        let limit = 1.0 / ((channels_in * kernel * kernel) as f32).sqrt();
        let (weight, bias) = match is_random {
            true => {
                let weight = uniform(of_weight, limit, rng, device) * weight_scale;
                (Param::from_tensor(weight), Param::from_tensor(uniform(of_bias, limit, rng, device)))
            }
            false => (to_be_replaced(of_weight, device), to_be_replaced(of_bias, device)),
        };
        let mut layer = ContractiveConvolution {
            weight,
            bias,
            vector: None,
            opposite: None,
            constraint: Constraint::default(),
            height,
            width,
            bound,
            form,
        };
        if ClosedForm::of(pair).is_some() {
            return layer;
        }
        let channels = match form {
            Form::Unfold => channels_in,
            Form::Fold => channels_out,
        };
        let elements = [channels * height * width];
        if is_random {
            layer.vector = Some(Param::from_tensor(gaussian(elements, rng, device)));
            layer.update(pair, &INITIAL);
        } else {
            layer.vector = Some(to_be_replaced(elements, device));
        }
        layer
    }
}

/// A parameter that a stored one replaces: zero, but no memory is taken unless it is looked at.
fn to_be_replaced<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::uninitialized(ParamId::new(), move |device, _| Tensor::zeros(shape, device), device.clone(), true, shape.into())
}

impl ContractiveConvolution {
    /// Height and width of its images; 1 for 1×1 kernels.
    pub(crate) fn image_size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Whether parameters have been replaced since the kept vector was updated. Norms in closed form are never out of date.
    pub fn is_stale(&self) -> bool {
        self.vector.is_some() && self.constraint.is_stale()
    }

    /// Takes the kept vector as the one that belongs to the weights as they are.
    pub(crate) fn trust_vector(&mut self) {
        self.constraint.updated();
    }

    /// `W`, `[out, in, k, k]`.
    pub fn weight(&self) -> &Param<Tensor<4>> {
        &self.weight
    }

    /// Replaces `W` by one of the same shape. The constraint is out of date then.
    ///
    /// # Panics
    /// If the shape is another.
    pub fn set_weight(&mut self, weight: Tensor<4>) {
        assert_eq!(weight.dims(), self.weight.val().dims(), "a weight is replaced by one of its shape");
        self.weight = Param::initialized(self.weight.id, weight);
        self.constraint.outdated();
    }

    /// The bias, `[out]`.
    pub fn bias(&self) -> &Param<Tensor<1>> {
        &self.bias
    }

    /// The vector that is kept between updates; none for norms in closed form.
    pub fn vector(&self) -> Option<&Param<Tensor<1>>> {
        self.vector.as_ref()
    }

    /// Whether this vector is the one on the side of the outputs, instead of the inputs.
    pub fn keeps_output_side(&self) -> bool {
        self.form == Form::Fold
    }

    /// The bound `c`.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// `σ`, or an estimate of it from below where it has no closed form.
    pub fn sigma(&self, pair: NormPair) -> f32 {
        match self.norm(pair) {
            Norm::Closed(norm) => to_vec(norm.norms(self.weight.val()).max())[0],
            Norm::Iterated(norm) => to_vec(self.sigma_tensor(&norm))[0],
        }
    }

    /// The constrained layer's Lipschitz constant as estimated: `min(σ, c)`.
    pub fn lipschitz_estimate(&self, pair: NormPair) -> f32 {
        self.sigma(pair).min(self.bound as f32)
    }

    /// Improves the kept vector by power iteration and returns `σ`.
    pub fn update(&mut self, pair: NormPair, settings: &PowerIteration) -> NormEstimate {
        let Norm::Iterated(norm) = self.norm(pair) else {
            return NormEstimate { sigma: self.sigma(pair), iterations: 0 };
        };
        let (vector, estimate) = norm.improved(settings);
        self.keep(vector);
        estimate
    }

    /// Improves the kept vector by `iterations` iterations and returns `σ` with its relative change in the last of them, `[2]`. The
    /// host reads nothing but for norms that it computes itself, other than spectral ones without a closed form; those are
    /// improved with these settings, until they have settled.
    pub(crate) fn advance(&mut self, pair: NormPair, iterations: usize, settings: &PowerIteration) -> Tensor<1> {
        let settled = |sigma: Tensor<1>| Tensor::cat(vec![sigma.clone(), sigma.zeros_like()], 0);
        match self.norm(pair) {
            Norm::Closed(norm) => settled(norm.norms(self.weight.val()).max()),
            Norm::Iterated(norm) if norm.is_spectral() => {
                let (vector, sigma_and_change) = norm.advanced(iterations);
                self.keep(vector);
                sigma_and_change
            }
            Norm::Iterated(_) => {
                let sigma = self.update(pair, settings).sigma;
                settled(from_vec(vec![sigma], [1], &self.weight.device()))
            }
        }
    }

    /// Replaces the kept vector by the one that double precision finds.
    ///
    /// # Errors
    /// If it finds none.
    pub(crate) fn converge(&mut self, pair: NormPair) -> Result<(), Unconverged> {
        if let Norm::Iterated(norm) = self.norm(pair) {
            self.keep(norm.converged()?);
        }
        Ok(())
    }

    fn keep(&mut self, vector: Tensor<4>) {
        let vector = self.flattened(vector);
        self.vector = self.vector.take().map(|before| Param::initialized(before.id, vector));
        self.opposite = None;
        self.constraint.updated();
    }

    /// The vectors `(u, v)` with `σ = ⟨u, W v⟩`, channels first; none for norms in closed form.
    pub fn vectors(&self, pair: NormPair) -> Option<(Tensor<1>, Tensor<1>)> {
        let Norm::Iterated(norm) = self.norm(pair) else { return None };
        let opposite = match &self.opposite {
            Some(opposite) => opposite.val(),
            None => self.flattened(norm.opposite()),
        };
        let kept = self.flattened(norm.vector);
        Some(match self.form {
            Form::Unfold => (opposite, kept),
            Form::Fold => (kept, opposite),
        })
    }

    /// Takes both vectors as they are, until the next update. Norms in closed form have none, and stay as they are.
    pub fn set_vectors(&mut self, u: Tensor<1>, v: Tensor<1>) {
        let (kept, opposite) = match self.form {
            Form::Unfold => (v, u),
            Form::Fold => (u, v),
        };
        if let Some(vector) = self.vector.take() {
            self.vector = Some(Param::initialized(vector.id, kept));
            self.opposite = Some(Param::from_tensor(opposite));
            self.constraint.updated();
        }
    }

    /// `∂σ/∂p` and `∂σ/∂q` by one step of the iteration from the kept vector; zero for norms in closed form.
    pub(crate) fn sigma_by_orders(&self, pair: NormPair) -> [f64; 2] {
        let Some((_, v)) = self.vectors(pair) else { return [0.0; 2] };
        let weight = Convolution::new(self.form, self.weight.val());
        let device = v.device();
        let through = |values: &[f64], f: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let image = self.image(from_vec(values.iter().map(|&value| value as f32).collect(), [values.len()], &device));
            to_doubles(self.flattened(f(image)))
        };
        let apply = |v: &[f64]| through(v, &|v| weight.apply(v));
        sigma_by_orders(pair, &to_doubles(v), apply, |u| through(u, &|u| weight.apply_transposed(u)))
    }

    /// `Ŵ`.
    pub(crate) fn constrained(&self, pair: NormPair) -> Convolution {
        match self.norm(pair) {
            Norm::Closed(norm) => Convolution::new(self.form, norm.constrained(self.weight.val(), self.bound)),
            Norm::Iterated(norm) => {
                let factor = self.factor(self.sigma_tensor(&norm));
                norm.map.convolution.divided(factor)
            }
        }
    }

    /// From the gradient by `Ŵ` the one by `W`:
    /// `W̄ = Ŵ̄ / f - [σ > c] ⟨Ŵ̄, W⟩ / (f² c) · ∂σ/∂W` with `f = max(1, σ/c)`.
    pub(crate) fn pull_constraint(&self, pair: NormPair, gradient: Tensor<4>) -> Tensor<4> {
        let norm = match self.norm(pair) {
            Norm::Iterated(norm) => norm,
            Norm::Closed(norm) => return norm.pull(self.weight.val(), gradient, self.bound),
        };
        if self.opposite.is_none()
            && let Some(pulled) = norm.pull_bound(self.bound, &gradient)
        {
            return pulled;
        }
        let map = &norm.map;
        let (sigma, sigma_gradient) = match &self.opposite {
            Some(opposite) => {
                let gradient = map.product_gradient(norm.vector.clone(), self.image(opposite.val()));
                (self.sigma_tensor(&norm), gradient)
            }
            None => norm.length_and_gradient(),
        };
        let scalar = |x: Tensor<1>| x.reshape([1, 1, 1, 1]);
        let factor = scalar(self.factor(sigma.clone()));
        let active = scalar(sigma.greater_elem(self.bound).float());
        let along = scalar((gradient.clone() * self.weight.val()).sum());
        let through_sigma = along * active / (factor.clone().square() * self.bound);
        gradient / factor - sigma_gradient * through_sigma
    }

    /// How the norm of the unconstrained map is found.
    fn norm(&self, pair: NormPair) -> Norm {
        match (&self.vector, ClosedForm::of(pair)) {
            (None, Some(closed)) => Norm::Closed(closed),
            (Some(vector), _) => {
                let map = SpectralMap::new(self.form, self.weight.val(), [self.height, self.width]);
                Norm::Iterated(Box::new(InducedNorm::new(map, pair, self.image(vector.val()))))
            }
            (None, None) => panic!("a layer is made for its norm orders, {pair:?} is another pair"),
        }
    }

    fn sigma_tensor(&self, norm: &InducedNorm) -> Tensor<1> {
        match &self.opposite {
            Some(opposite) => (norm.map.apply(norm.vector.clone()) * self.image(opposite.val())).sum(),
            None => norm.length(),
        }
    }

    fn factor(&self, sigma: Tensor<1>) -> Tensor<1> {
        (sigma / self.bound).clamp_min(1.0)
    }

    /// Stored channels first, computed with channels last.
    fn image(&self, vector: Tensor<1>) -> Tensor<4> {
        let channels = vector.dims()[0] / (self.height * self.width);
        vector.reshape([1, channels, self.height, self.width]).permute([0, 2, 3, 1])
    }

    fn flattened(&self, image: Tensor<4>) -> Tensor<1> {
        image.permute([0, 3, 1, 2]).reshape([-1])
    }
}

/// Where `σ` comes from.
enum Norm {
    Closed(ClosedForm),
    Iterated(Box<InducedNorm>),
}
