//! Cross entropy and accuracy of a classifier's logits.

use super::error::TrainingError;
use burn::tensor::{Tensor, TensorData};
use serde::Serialize;

/// How well classes are recognised: means over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassStats {
    /// `-ln p(class)`, nats.
    pub cross_entropy: f64,
    /// Fraction of samples whose class is recognised.
    pub accuracy: f64,
}

/// What logits say about images of known classes.
pub struct Classified {
    /// `-ln p(class)` of each image, nats.
    pub cross_entropy: Vec<f64>,
    /// Whether the class has the largest logit.
    pub correct: Vec<bool>,
    /// `p - onehot(class)`, row by row: the cross entropy's derivative by the logits.
    derivative: Vec<f32>,
    classes: usize,
}

impl Classified {
    /// Judges logits `[batch, classes]`.
    ///
    /// # Errors
    /// If there are not as many labels as images, or a label is no class.
    pub fn new(logits: &Tensor<2>, labels: &[u32]) -> Result<Self, TrainingError> {
        let [batch, classes] = logits.dims();
        if labels.len() != batch {
            return Err(TrainingError::LabelCount { labels: labels.len(), samples: batch });
        }
        let values = TrainingError::read("the logits", logits.clone())?;
        let mut judged = Self { cross_entropy: Vec::new(), correct: Vec::new(), derivative: Vec::new(), classes };
        for (row, &label) in values.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            if label >= classes {
                return Err(TrainingError::Label { label, classes });
            }
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exps: Vec<f64> = row.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
            let sum: f64 = exps.iter().sum();
            judged.cross_entropy.push(sum.ln() - f64::from(row[label] - largest));
            // The first of equally large logits decides.
            judged.correct.push(row.iter().position(|&logit| logit == largest) == Some(label));
            let derivative = |(class, exp): (usize, &f64)| (exp / sum - f64::from(u8::from(class == label))) as f32;
            judged.derivative.extend(exps.iter().enumerate().map(derivative));
        }
        Ok(judged)
    }

    /// Means over the images.
    pub fn stats(&self) -> ClassStats {
        let n = self.correct.len() as f64;
        ClassStats {
            cross_entropy: self.cross_entropy.iter().sum::<f64>() / n,
            accuracy: self.correct.iter().filter(|&&correct| correct).count() as f64 / n,
        }
    }

    /// The derivative of `weight · Σ cross entropy` by the logits, `[batch, classes]`.
    pub fn derivative(&self, weight: f64, logits: &Tensor<2>) -> Tensor<2> {
        let shape = [self.cross_entropy.len(), self.classes];
        Tensor::<2>::from_data(TensorData::new(self.derivative.clone(), shape), &logits.device()) * weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn logits(values: [[f32; 3]; 2]) -> Tensor<2> {
        Tensor::from_floats(values, &Device::flex())
    }

    #[test]
    fn cross_entropy_and_accuracy_of_known_logits() {
        let logits = logits([[0.0, 2f32.ln(), 0.0], [1000.0, 0.0, -1000.0]]);
        let judged = Classified::new(&logits, &[1, 2]).expect("labels fit");
        assert!((judged.cross_entropy[0] - 2f64.ln()).abs() < 1e-7, "{:?}", judged.cross_entropy);
        assert!((judged.cross_entropy[1] - 2000.0).abs() < 1e-9);
        assert_eq!(judged.correct, [true, false]);
        assert_eq!(judged.stats().accuracy, 0.5);
    }

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let at = [[0.3, -1.2, 0.8], [2.0, 0.1, 0.0]];
        let labels = [2, 1];
        let judged = Classified::new(&logits(at), &labels).expect("labels fit");
        let derivative: Vec<f32> = judged.derivative(0.5, &logits(at)).try_into_vec_as().expect("floats");
        for index in 0..6 {
            let moved = |by: f32| {
                let mut at = at;
                at[index / 3][index % 3] += by;
                Classified::new(&logits(at), &labels).expect("labels fit").cross_entropy.iter().sum::<f64>()
            };
            let want = 0.5 * (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((f64::from(derivative[index]) - want).abs() < 1e-4, "{index}: {} for {want}", derivative[index]);
        }
    }

    #[test]
    fn unknown_classes_are_refused() {
        let logits = logits([[0.0; 3]; 2]);
        let message = Classified::new(&logits, &[0, 3]).err().expect("an error").to_string();
        assert!(message.contains("class 3") && message.contains("model.classes"), "{message}");
        assert!(Classified::new(&logits, &[0]).is_err());
    }
}
