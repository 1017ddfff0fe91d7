//! Log-densities sample by sample, so that no sample spoils those of others.
//!
//! Points may lie anywhere. In single precision `‖z‖²` is infinite from 1.8e19 on, and fast products of wide matrices mix the
//! samples of a batch, so that a very large one leaves its rounding errors in the others. Points of like size are therefore
//! evaluated together, in the places that they have in their batch, and `ln p(z)` of far ones in double precision.

use anyhow::{Context, Result, anyhow};
use burn::tensor::{Device, Tensor, TensorData};
use residual_flows::training::Fault;
use residual_flows::training::noise;
use residual_flows::{Base, Context as Known, LogDetConfig, LogDetContext, ModelError, NotFinite, ResidualFlow};
use std::collections::BTreeSet;
use std::f64::consts::PI;

/// Standardised coordinates up to this size are evaluated together.
const NEAR: f32 = 1e3;

/// Log-densities of samples, nats, in the model's coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// `ln p(z)` of each; `-∞` where `‖z‖` is beyond every number.
    pub log_pz: Vec<f64>,
    /// `ln|det ∂z/∂x|` of each.
    pub log_det: Vec<f64>,
    /// `ln q(u)` of each one's padding; 0 without padding.
    pub log_padding: Vec<f64>,
    /// Samples so far away that single precision does not reach them: their densities are 0, their log-determinants those of
    /// points on the way.
    pub unreachable: usize,
}

impl Scores {
    /// `ln p(x)` of each.
    pub fn log_prob(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.log_pz.len()).map(|row| self.log_pz[row] + self.log_det[row] - self.log_padding[row])
    }

    /// `ln p(x)` of each, added up in single precision where that reaches, as in training.
    pub fn log_prob_in_single_precision(&self) -> impl Iterator<Item = f64> + '_ {
        self.log_prob().enumerate().map(|(row, log_prob)| {
            let [log_pz, log_det, log_padding] = [&self.log_pz, &self.log_det, &self.log_padding].map(|part| part[row] as f32);
            let single = log_pz + log_det - log_padding;
            if single.is_finite() { f64::from(single) } else { log_prob }
        })
    }

    fn with_rows(n: usize) -> Self {
        let nothing = vec![f64::NAN; n];
        Self { log_pz: nothing.clone(), log_det: nothing.clone(), log_padding: nothing, unreachable: 0 }
    }

    fn set(&mut self, row: usize, [log_pz, log_det, log_padding]: [f64; 3]) {
        (self.log_pz[row], self.log_det[row], self.log_padding[row]) = (log_pz, log_det, log_padding);
    }

    /// Appends those of the next batch.
    fn append(&mut self, mut more: Self) {
        self.log_pz.append(&mut more.log_pz);
        self.log_det.append(&mut more.log_det);
        self.log_padding.append(&mut more.log_padding);
        self.unreachable += more.unreachable;
    }
}

/// A model whose Lipschitz constraint has converged, as a function of samples.
pub struct Scorer<'a> {
    /// The model.
    pub model: &'a ResidualFlow,
    /// How log-determinants are computed.
    pub log_det: &'a LogDetConfig,
    /// Where.
    pub device: &'a Device,
    /// Samples at a time.
    pub batch: usize,
    /// Decides the estimators' noise.
    pub seed: u64,
    /// What is known about all samples alike, or about each.
    pub known: Option<&'a Known>,
}

impl Scorer<'_> {
    /// Scores samples of this shape in the model's coordinates, row by row.
    ///
    /// # Errors
    /// If a log-determinant cannot be computed; a number that is not finite is an error that names its sample, from 0 on, and
    /// the layer.
    pub fn scores(&self, values: &[f32], shape: [usize; 3]) -> Result<Scores> {
        let size: usize = shape.iter().product();
        let mut all = Scores::default();
        for (index, batch) in values.chunks(size.saturating_mul(self.batch)).enumerate() {
            let context = LogDetContext { config: self.log_det, noise: noise::evaluation(self.seed, index) };
            let x = samples(batch, shape, self.device);
            let (first, count) = (index * self.batch, x.dims()[0]);
            let known = self.known.map(|known| known.of_samples(first, count));
            all.append(score(self.model, x, known.as_ref(), &context, first)?);
        }
        Ok(all)
    }
}

/// Scores one batch, about whose samples something may be known; the number of its first sample is for messages.
///
/// # Errors
/// As [`Scorer::scores`], or if what is known does not fit the model.
pub fn score(model: &ResidualFlow, x: Tensor<4>, known: Option<&Known>, context: &LogDetContext, first: usize) -> Result<Scores> {
    let n = x.dims()[0];
    let given = &model.given_if_known(known)?;
    let (mut scores, groups) = (Scores::with_rows(n), Groups::of(&x)?);
    for group in groups.reachable() {
        let input = groups.members(group, &x);
        let parts = if group == 0 { near(given, input, context) } else { far(given, input, context) };
        let Some(parts) = unless_not_finite(parts)? else { continue };
        groups.rows(group).for_each(|row| scores.set(row, parts[row]));
    }
    let is_missing =
        |scores: &Scores, row: usize| !(scores.log_pz[row] + scores.log_det[row] - scores.log_padding[row]).is_finite();
    for row in 0..n {
        if is_missing(&scores, row) {
            let model = &model.given_if_known(known.map(|known| known.narrow(row, 1)).as_ref())?;
            let alone = Alone { model, x: x.clone().narrow(0, row, 1), context };
            let (parts, is_reached) = alone.parts(groups.sizes[row] > 0, first + row)?;
            scores.set(row, parts);
            scores.unreachable += usize::from(!is_reached);
        }
    }
    Ok(scores)
}

/// A map of samples in which points of like size go together, row by row; NaN for what is infinite.
///
/// # Errors
/// Those of the map.
pub fn map(x: Tensor<4>, map: impl Fn(Tensor<4>) -> Result<Tensor<2>>) -> Result<Vec<f32>> {
    let (n, groups) = (x.dims()[0], Groups::of(&x)?);
    let mut rows = vec![Vec::new(); n];
    for group in groups.reachable() {
        let mapped = map(groups.members(group, &x))?;
        let width = mapped.dims()[1];
        let mapped = to_vec(mapped)?;
        groups.rows(group).for_each(|row| rows[row] = mapped[row * width..][..width].to_vec());
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    Ok(rows.into_iter().flat_map(|row| if row.is_empty() { vec![f32::NAN; width.max(1)] } else { row }).collect())
}

/// The samples of a batch by size.
struct Groups {
    /// Of points; images, all of which are in `[0, 1]`, are not looked at.
    values: Vec<f32>,
    /// Of each sample.
    sizes: Vec<i32>,
}

/// The size of what is infinite in single precision.
const UNREACHABLE: i32 = i32::MAX;

impl Groups {
    fn of(x: &Tensor<4>) -> Result<Self> {
        let [n, channels, height, width] = x.dims();
        if height * width > 1 {
            return Ok(Self { values: Vec::new(), sizes: vec![0; n] });
        }
        let values = to_vec(x.clone())?;
        let sizes = values.chunks_exact(channels).map(size).collect();
        Ok(Self { values, sizes })
    }

    /// The sizes that there are and that single precision reaches.
    fn reachable(&self) -> BTreeSet<i32> {
        self.sizes.iter().copied().filter(|&size| size < UNREACHABLE).collect()
    }

    /// The samples of this size.
    fn rows(&self, group: i32) -> impl Iterator<Item = usize> + '_ {
        self.sizes.iter().enumerate().filter(move |(_, size)| **size == group).map(|(row, _)| row)
    }

    /// The batch with zeros in place of samples of other sizes.
    fn members(&self, group: i32, x: &Tensor<4>) -> Tensor<4> {
        if self.sizes.iter().all(|&size| size == group) {
            return x.clone();
        }
        let [_, channels, ..] = x.dims();
        let mut values = self.values.clone();
        let rows = values.chunks_exact_mut(channels).zip(&self.sizes);
        rows.filter(|(_, size)| **size != group).for_each(|(row, _)| row.fill(0.0));
        samples(&values, [channels, 1, 1], &x.device())
    }
}

/// 0 for near points, else the power of 1000 that the largest coordinate is below.
fn size(point: &[f32]) -> i32 {
    let largest = point.iter().fold(0.0, |largest: f32, x| if x.is_nan() { f32::INFINITY } else { largest.max(x.abs()) });
    match largest {
        _ if largest <= NEAR => 0,
        _ if largest.is_finite() => (f64::from(largest).log10() / 3.0).ceil() as i32,
        _ => UNREACHABLE,
    }
}

/// `ln p(z)`, log-determinant and `ln q(u)` of each sample.
type Parts = Vec<[f64; 3]>;

/// A result, if no number that it needs was found not to be finite.
fn unless_not_finite(parts: Result<Parts>) -> Result<Option<Parts>> {
    match parts {
        Ok(parts) => Ok(Some(parts)),
        Err(error) => match error.downcast_ref() {
            Some(ModelError::ExactLogDet { .. } | ModelError::NotFinite(_)) => Ok(None),
            _ => Err(error),
        },
    }
}

/// As training evaluates.
fn near(model: &ResidualFlow, x: Tensor<4>, context: &LogDetContext) -> Result<Parts> {
    let log_prob = model.log_prob_with(x, context)?;
    let [log_pz, log_det, log_padding] = [log_prob.log_pz, log_prob.log_det, log_prob.log_padding].map(to_vec);
    let (log_pz, log_det, log_padding) = (log_pz?, log_det?, log_padding?);
    Ok((0..log_pz.len()).map(|row| [log_pz[row], log_det[row], log_padding[row]].map(f64::from)).collect())
}

/// With squares in double precision.
fn far(model: &ResidualFlow, x: Tensor<4>, context: &LogDetContext) -> Result<Parts> {
    let padded = model.pad(x, &mut context.padding_stream())?;
    let (z, log_det) = model.encode_log_det(padded.input, context)?;
    let (log_pz, log_det, log_padding) = (log_pz(model.base(), z)?, to_vec(log_det)?, to_vec(padded.log_density)?);
    let parts = log_pz.into_iter().zip(log_det).zip(log_padding);
    Ok(parts.map(|((log_pz, log_det), log_padding)| [log_pz, log_det.into(), log_padding.into()]).collect())
}

/// `ln p(z)` of each latent, of standard normal ones in double precision; NaN unless all of a latent is finite.
fn log_pz(base: &Base, z: Tensor<2>) -> Result<Vec<f64>> {
    let dimensions = z.dims()[1];
    let values = to_vec(z.clone())?;
    let latents = values.chunks_exact(dimensions);
    let log_pz: Vec<f64> = match base {
        Base::StandardNormal(_) => latents.clone().map(standard_normal_log_prob).collect(),
        _ => to_vec(base.log_prob(z))?.into_iter().map(f64::from).collect(),
    };
    let is_finite = |latent: &[f32]| latent.iter().all(|z| z.is_finite());
    Ok(latents.zip(log_pz).map(|(latent, log_pz)| if is_finite(latent) { log_pz } else { f64::NAN }).collect())
}

fn standard_normal_log_prob(z: &[f32]) -> f64 {
    let squares: f64 = z.iter().map(|&z| f64::from(z).powi(2)).sum();
    -0.5 * (squares + z.len() as f64 * (2.0 * PI).ln())
}

/// A sample without the others of its batch.
struct Alone<'a> {
    model: &'a ResidualFlow,
    /// `[1, channels, height, width]`
    x: Tensor<4>,
    context: &'a LogDetContext<'a>,
}

impl Alone<'_> {
    /// Its parts, and whether single precision reaches it.
    ///
    /// # Errors
    /// If a number is not finite although the sample is near, or also at a near point in its direction.
    fn parts(&self, is_far: bool, number: usize) -> Result<([f64; 3], bool)> {
        if let Some(parts) = self.at(self.x.clone())? {
            return Ok((parts, true));
        }
        let on_the_way = self.x.clone().clamp(-NEAR, NEAR);
        if is_far && let Some([_, log_det, log_padding]) = self.at(on_the_way.clone())? {
            return Ok(([f64::NEG_INFINITY, log_det, log_padding], false));
        }
        let fault = match self.model.first_not_finite(on_the_way, self.context) {
            Err(ModelError::ExactLogDet { layer, .. }) => Fault { what: "the log-determinant", layer: Some(layer) },
            found => match found? {
                Some(NotFinite { what, layer, .. }) => Fault { what, layer },
                None => Fault { what: "the log-density", layer: None },
            },
        };
        Err(anyhow!("sample {number} (counted from 0): {fault}; the model is numerically broken"))
    }

    /// The parts at a point, if they are finite.
    fn at(&self, x: Tensor<4>) -> Result<Option<[f64; 3]>> {
        let parts = unless_not_finite(far(self.model, x, self.context))?;
        let parts = parts.and_then(|parts| parts.first().copied());
        // The square of a finite latent may be infinite.
        Ok(parts.filter(|[log_pz, log_det, log_padding]| !log_pz.is_nan() && log_det.is_finite() && log_padding.is_finite()))
    }
}

/// Samples as a tensor `[n, channels, height, width]`.
fn samples(values: &[f32], [channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
    let n = values.len() / (channels * height * width);
    Tensor::from_data(TensorData::new(values.to_vec(), [n, channels, height, width]), device)
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().context("cannot read a result from the device")
}

#[cfg(test)]
mod tests {
    use super::*;
    use residual_flows::ResidualFlowConfig;
    use residual_flows::state::named_tensors;

    /// A model of points with layers wide enough for products that mix samples.
    fn model() -> ResidualFlow {
        let config = ResidualFlowConfig {
            blocks: vec![2],
            hidden_channels: 256.into(),
            kernels: vec![1, 1, 1],
            dense_blocks: 0,
            logit_alpha: 0.0,
            ..Default::default()
        };
        let mut model = config.init([2, 1, 1], &mut noise::initial_weights(4).stream(0), &Device::flex()).expect("a model");
        model.update_lipschitz(&residual_flows::PowerIteration::CONVERGED);
        model
    }

    fn scores(model: &ResidualFlow, log_det: &LogDetConfig, points: &[f32]) -> Result<Scores> {
        Scorer { model, log_det, device: &Device::flex(), batch: 200, seed: 3, known: None }.scores(points, [2, 1, 1])
    }

    #[test]
    fn far_points_leave_the_others_as_they_were() {
        let model = model();
        let points: Vec<f32> = (0..600).map(|i| (i as f32 * 0.7).sin() * 2.0).collect();
        for log_det in [LogDetConfig::exact(), LogDetConfig::evaluation()] {
            let want = scores(&model, &log_det, &points).expect("scores");
            assert_eq!(want.unreachable, 0);
            for far in [1e4, -1e12, 1e25, 3e38, f32::INFINITY] {
                let mut with_far = points.clone();
                with_far[2 * 7] = far;
                with_far[2 * 250 + 1] = -far;
                let got = scores(&model, &log_det, &with_far).expect("scores");
                let rows = want.log_prob().zip(got.log_prob()).enumerate();
                for (row, (want, got)) in rows.filter(|(row, _)| ![7, 250].contains(row)) {
                    assert!((want - got).abs() < 1e-5, "row {row} beside {far}: {got} for {want}");
                }
                let values: Vec<f64> = got.log_prob().collect();
                assert!(got.log_det.iter().all(|value| value.is_finite()), "{far}");
                // The flow is no steeper than 2 a block, and no flatter than 0.02.
                let bound = |factor: f64| -0.5 * (f64::from(far) * factor).powi(2);
                for row in [7, 250] {
                    assert!(values[row] <= bound(1e-4) && values[row] >= bound(4.1) - 1e3, "{far}: {}", values[row]);
                    assert_eq!(values[row].is_finite(), got.unreachable == 0, "{far}");
                }
                assert!(got.unreachable == 0 || far.abs() > 1e37, "{far}: {}", got.unreachable);
            }
        }
    }

    #[test]
    fn a_broken_model_is_told_from_a_far_point() {
        let mut tensors = named_tensors(&model());
        let bias = tensors.iter_mut().rfind(|tensor| tensor.name.ends_with("bias")).expect("a bias");
        bias.values[0] = f32::NAN;
        let layer = bias.name.split('.').take(4).collect::<Vec<_>>().join(".");
        let broken = model().with_state(tensors).expect("its own tensors");
        for (point, log_det) in [(0.5, LogDetConfig::exact()), (1e30, LogDetConfig::evaluation())] {
            let points: Vec<f32> = (0..500).map(|_| point).collect();
            let message = scores(&broken, &log_det, &points).expect_err("NaN").to_string();
            assert!(message.starts_with("sample 0 (counted from 0): ") && message.contains(&layer), "{message}");
        }
    }
}
