//! Gradients against those of the reference implementation.

use super::{Golden, GoldenFile, assert_close, values};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use residual_flows::Gradients;

/// Compares every gradient that the case has under `expected` with ours, of parameters below `within`; returns how many.
pub fn compare<M: Module>(case: &Golden, model: &M, gradients: &Gradients, within: &str, expected: &str) -> usize {
    compare_with(case.file(), model, gradients, |path| {
        let name = case.reference_name(path)?;
        Some(format!("{expected}{}", name.strip_prefix(within)?))
    })
}

/// Compares every gradient that the file has with ours, where `key` leads from a parameter's path to its name in the file;
/// returns how many.
pub fn compare_with<M: Module>(
    file: &GoldenFile,
    model: &M,
    gradients: &Gradients,
    key: impl Fn(&str) -> Option<String>,
) -> usize {
    let mut visitor = Compare { file, gradients, key, path: Vec::new(), compared: 0 };
    model.visit(&mut visitor);
    visitor.compared
}

struct Compare<'a, F> {
    file: &'a GoldenFile,
    gradients: &'a Gradients,
    key: F,
    path: Vec<String>,
    compared: usize,
}

impl<F: Fn(&str) -> Option<String>> ModuleVisitor for Compare<'_, F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(key) = (self.key)(&self.path.join(".")) else { return };
        match (self.file.has(&key), self.gradients.get(param)) {
            (true, Some(got)) => {
                // The reference implementation's weights and ours have the same order of elements.
                let (got, want) = (values(got), self.file.values(&key));
                let magnitude = format!("{key}.magnitude");
                match self.file.has(&magnitude) {
                    true => assert_sums_agree(&key, &got, &want, &self.file.values(&magnitude)),
                    false => assert_close(&key, &got, &want, 1e-3),
                }
                self.compared += 1;
            }
            (true, None) => panic!("no gradient for {key}"),
            (false, _) => {}
        }
    }
}

/// What a sum's error may be of the sum of its terms' magnitudes, where the file has that: of LipSwish's `β`, whose gradient is one
/// number summed from thousands of terms of both signs.
///
/// A sum that nearly cancels has no relative accuracy: the terms of rgb_swish's `transforms.1.chain.6.nnet.nnet.4.beta` have 1,917
/// times the magnitude of their sum. Measured were errors of at most 4e-7 on the CPU, 2e-7 of the reference implementation in single
/// precision, and 2.1e-6 on Mesa's Vulkan driver, whose `exp` is off by up to 6e-7. Where terms do not cancel this allows a
/// gradient to be off by a hundredth of what [`assert_close`] does for others.
const SUM_TOL: f32 = 1e-5;

fn assert_sums_agree(key: &str, got: &[f32], want: &[f32], magnitudes: &[f32]) {
    for ((got, want), magnitude) in got.iter().zip(want).zip(magnitudes) {
        let error = (got - want).abs() / magnitude;
        assert!(error <= SUM_TOL, "{key}: {got} for {want}, {error:e} of the terms' magnitudes {magnitude}");
    }
}

/// The derivative of the mean cross entropy (nats) with the case's labels by the logits.
pub fn cross_entropy_gradient(case: &Golden, logits: &Tensor<2>) -> Tensor<2> {
    let [batch, classes] = logits.dims();
    let mut one_hot = vec![0.0f32; batch * classes];
    case.values("y").iter().enumerate().for_each(|(row, label)| one_hot[row * classes + *label as usize] = 1.0);
    let one_hot = Tensor::<1>::from_floats(one_hot.as_slice(), &logits.device()).reshape([batch, classes]);
    (burn::tensor::activation::softmax(logits.clone(), 1) - one_hot) / batch as f64
}
