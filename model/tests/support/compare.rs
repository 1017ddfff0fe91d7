//! Gradients against those of the research code.

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
                // The research code's weights and ours have the same order of elements.
                assert_close(&key, &values(got), &self.file.values(&key), 1e-3);
                self.compared += 1;
            }
            (true, None) => panic!("no gradient for {key}"),
            (false, _) => {}
        }
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
