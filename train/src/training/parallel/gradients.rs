//! Sums of gradients, layer by layer while earlier layers are still being differentiated.

use super::ProcessGroup;
use anyhow::{Context, Result};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use process_group::AllReduce;
use residual_flows::Gradients;
use std::collections::{HashMap, HashSet};

/// The gradients of a step on their way to all processes.
///
/// A layer's are one vector. It leaves the device when the next layer has been given its work, so that a card does not wait
/// while it is read, and is summed while that work is done.
pub struct GradientSums<'a> {
    group: &'a ProcessGroup,
    /// Read from the device next.
    next: Option<Flat>,
    begun: Vec<(Vec<Place>, AllReduce<f32>)>,
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
    pub fn new(group: &'a ProcessGroup) -> Self {
        Self { group, next: None, begun: Vec::new(), known: HashSet::new() }
    }

    /// Takes in the gradients of a layer that are complete.
    ///
    /// # Errors
    /// If they cannot be read from the device.
    pub fn begin(&mut self, layer: &impl Module, gradients: &Gradients) -> Result<()> {
        if self.group.size() == 1 {
            return Ok(());
        }
        let mut flatten = Flatten { gradients, known: &mut self.known, places: Vec::new(), parts: Vec::new() };
        layer.visit(&mut flatten);
        let Flatten { places, parts, .. } = flatten;
        let flat = (!parts.is_empty()).then(|| Flat { places, values: Tensor::cat(parts, 0) });
        let before = std::mem::replace(&mut self.next, flat);
        self.send(before)
    }

    fn send(&mut self, flat: Option<Flat>) -> Result<()> {
        let Some(Flat { places, values }) = flat else { return Ok(()) };
        let values = values.try_into_vec_as::<f32>().context("cannot read gradients from the device")?;
        self.begun.push((places, self.group.start_all_reduce(values)));
        Ok(())
    }

    /// Puts the sums in the place of this process's own gradients, those of the whole model.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn finish(mut self, model: &impl Module, gradients: &mut Gradients) -> Result<()> {
        // What belongs to no layer, such as a classifier.
        self.begin(model, gradients)?;
        let last = self.next.take();
        self.send(last)?;
        let mut sums = HashMap::new();
        for (places, sum) in self.begun {
            let mut rest = sum.wait()?;
            for (id, length) in places {
                let after = rest.split_off(length);
                sums.insert(id, std::mem::replace(&mut rest, after));
            }
        }
        model.visit(&mut Replace { gradients, sums });
        Ok(())
    }
}

struct Flatten<'a> {
    gradients: &'a Gradients,
    known: &'a mut HashSet<ParamId>,
    places: Vec<Place>,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get(param) else { return };
        if self.known.insert(param.id) {
            self.places.push((param.id, gradient.shape().num_elements()));
            self.parts.push(gradient.reshape([-1]));
        }
    }
}

struct Replace<'a> {
    gradients: &'a mut Gradients,
    sums: HashMap<ParamId, Vec<f32>>,
}

impl ModuleVisitor for Replace<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(sum) = self.sums.remove(&param.id) {
            let weight = param.val();
            self.gradients.replace(param, Tensor::from_data(TensorData::new(sum, weight.dims()), &weight.device()));
        }
    }
}
