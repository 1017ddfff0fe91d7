//! Gradients against those of the research code.

use super::{Golden, assert_close, values};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use residual_flows::Gradients;

/// Compares every gradient that the fixture has under `expected` with ours, of parameters below `within`.
pub fn compare<M: Module>(case: &Golden, model: &M, gradients: &Gradients, within: &str, expected: &str) -> usize {
    let mut visitor = Compare { case, gradients, within, expected, path: Vec::new(), compared: 0 };
    model.visit(&mut visitor);
    visitor.compared
}

struct Compare<'a> {
    case: &'a Golden,
    gradients: &'a Gradients,
    within: &'a str,
    expected: &'a str,
    path: Vec<String>,
    compared: usize,
}

impl ModuleVisitor for Compare<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(name) = self.case.reference_name(&self.path.join(".")) else { return };
        let Some(name) = name.strip_prefix(self.within) else { return };
        let key = format!("{}{name}", self.expected);
        match (self.case.has(&key), self.gradients.get(param)) {
            (true, Some(got)) => {
                let want = self.case.values(&key);
                // The research code's 3x3 and 1x1 weights and ours have the same order of elements.
                assert_close(&key, &values(got), &want, 1e-3);
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
