//! Sums of gradients over processes, layer by layer while earlier layers are still being differentiated.

use super::all_reduce::{AllReduce, PendingSum};
use super::error::TrainingError;
use crate::gradients::Gradients;
use crate::numerics::tensor::from_vec;
use crate::parameters::visit_parameters;
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// The gradients of a step on their way to all processes.
///
/// A layer's are one vector. It leaves the device when the next layer has been given its work, so that a GPU does not wait while
/// it is read, and is summed while that work is done.
pub(super) struct GradientSums<'a> {
    group: &'a dyn AllReduce,
    /// Read from the device next.
    next: Option<Flat>,
    begun: Vec<(Vec<Place>, PendingSum)>,
    known: HashSet<ParamId>,
}

/// A parameter and how many numbers it has.
type Place = (ParamId, usize);

/// The gradients of one layer, one after the other.
struct Flat {
    places: Vec<Place>,
    values: Tensor<1>,
}

impl<'a> GradientSums<'a> {
    /// None yet.
    pub fn new(group: &'a dyn AllReduce) -> Self {
        Self { group, next: None, begun: Vec::new(), known: HashSet::new() }
    }

    /// Takes in the gradients of a layer that are complete.
    ///
    /// # Errors
    /// If they cannot be read from the device.
    pub fn begin(&mut self, layer: &impl Module, gradients: &Gradients) -> Result<(), TrainingError> {
        if self.group.size() == 1 {
            return Ok(());
        }
        let (mut places, mut parts) = (Vec::new(), Vec::new());
        visit_parameters(layer, |_, parameter| {
            let Some(gradient) = parameter.flat_gradient(gradients) else { return };
            if self.known.insert(parameter.id()) {
                places.push((parameter.id(), gradient.dims()[0]));
                parts.push(gradient);
            }
        });
        let flat = (!parts.is_empty()).then(|| Flat { places, values: Tensor::cat(parts, 0) });
        let before = std::mem::replace(&mut self.next, flat);
        self.send(before)
    }

    fn send(&mut self, flat: Option<Flat>) -> Result<(), TrainingError> {
        let Some(Flat { places, values }) = flat else { return Ok(()) };
        let values = TrainingError::read("gradients", values)?;
        self.begun.push((places, self.group.start(values)));
        Ok(())
    }

    /// Puts the sums in the place of this process's own gradients, those of the whole model.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn finish(mut self, model: &impl Module, gradients: &mut Gradients) -> Result<(), TrainingError> {
        // What belongs to no layer, such as a classifier.
        self.begin(model, gradients)?;
        let last = self.next.take();
        self.send(last)?;
        let mut sums = HashMap::new();
        for (places, sum) in self.begun {
            let mut rest = sum().map_err(TrainingError::Group)?;
            for (id, length) in places {
                let after = rest.split_off(length);
                sums.insert(id, std::mem::replace(&mut rest, after));
            }
        }
        visit_parameters(model, |_, parameter| {
            let Some(sum) = sums.remove(&parameter.id()) else { return };
            let length = sum.len();
            parameter.replace_gradient(gradients, from_vec(sum, [length], &parameter.device()));
        });
        Ok(())
    }
}
