//! Tensors by the reference implementation's names, and a model filled with them.

use super::names::{COPIES, ConstrainedLayer, FIRST_WEIGHT, NamePair, Naming, SECOND_WEIGHT};
use super::torch::TorchFile;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};
use datasets::io::pickle::Item;
use residual_flows::lipschitz::ContractiveConvolution;
use residual_flows::state::{NamedTensor, named_tensors, with_tensors};
use residual_flows::{FlowLayer, ResidualFlow};
use std::collections::{HashMap, HashSet};

/// Last parts of the names of what the reference implementation stores, but this program does not need: constants, flags, and
/// what follows from other tensors.
const NOT_NEEDED: [&str; 13] = [
    "geom_p",
    "lamb",
    "last_n_samples",
    "last_firmom",
    "last_secmom",
    "initialized",
    "spatial_dims",
    "scale",
    "step",
    "mean",
    "std",
    // Where they are learned they are known.
    FIRST_WEIGHT,
    SECOND_WEIGHT,
];
/// What `torch.nn.DataParallel` puts before all names.
const PARALLEL: &str = "module.";

/// A tensor's shape and values.
pub struct Values {
    /// Length of each dimension.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// Tensors by name, in the file's order.
pub struct StateDict<'f, 'a> {
    file: &'f TorchFile<'a>,
    names: Vec<&'a str>,
    tensors: HashMap<&'a str, Item<'f, 'a>>,
}

impl<'f, 'a> StateDict<'f, 'a> {
    /// From a dictionary in a file.
    ///
    /// # Errors
    /// If it is no dictionary with names as keys.
    pub fn new(file: &'f TorchFile<'a>, item: Item<'f, 'a>) -> Result<Self> {
        let entries = item.entries().with_context(|| format!("it is {}, expected a dictionary", item.kind()))?;
        let (mut names, mut tensors) = (Vec::new(), HashMap::new());
        for (key, value) in entries {
            let name = key.text().with_context(|| format!("one of its keys is {}, expected a string", key.kind()))?;
            names.push(name);
            tensors.insert(name, value);
        }
        if !names.is_empty() && names.iter().all(|name| name.starts_with(PARALLEL)) {
            names.iter_mut().for_each(|name| *name = &name[PARALLEL.len()..]);
            tensors = tensors.into_iter().map(|(name, value)| (&name[PARALLEL.len()..], value)).collect();
        }
        Ok(Self { file, names, tensors })
    }

    /// All names, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.names.iter().copied()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// A tensor of real numbers, if there is one of this name.
    ///
    /// # Errors
    /// If it is none, is damaged, or has numbers that are not finite.
    pub fn get(&self, name: &str) -> Result<Option<Values>> {
        let Some(&item) = self.tensors.get(name) else { return Ok(None) };
        read(self.file, item).with_context(|| format!("tensor `{name}`")).map(Some)
    }

    /// Checks that every tensor belongs to the model.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check_known(&self, pairs: &[NamePair], layers: &[ConstrainedLayer]) -> Result<()> {
        let mut known: HashSet<String> = pairs.iter().flat_map(|pair| pair.theirs.iter().cloned()).collect();
        known.extend(layers.iter().flat_map(|layer| ["u", "v"].map(|vector| format!("{}.{vector}", layer.theirs))));
        let is_copy = |name: &str| COPIES.iter().any(|[_, copy]| name.contains(copy));
        let needed = |name: &&&str| !NOT_NEEDED.contains(&name.rsplit('.').next().unwrap_or_default()) && !is_copy(name);
        let unknown: Vec<_> = self.names.iter().filter(needed).filter(|name| !known.contains(**name)).collect();
        match unknown.first() {
            None => Ok(()),
            Some(first) => bail!(
                "its `state_dict` has {} tensors that the model of its `args` has not, the first is `{first}`: they belong to \
                 another architecture",
                unknown.len()
            ),
        }
    }

    /// Checks that layers with data-dependent initial values have got them.
    ///
    /// # Errors
    /// Names the first that has not.
    pub fn check_initialized(&self) -> Result<()> {
        for name in self.names.iter().filter(|name| name.ends_with(".initialized")) {
            let flag = self.file.tensor(self.tensors[name]).and_then(|tensor| tensor.ints());
            let flag = flag.with_context(|| format!("tensor `{name}`"))?;
            ensure!(flag != [0], "`{name}` says that this layer has not seen any data yet: the model was saved before training");
        }
        Ok(())
    }
}

/// A tensor of finite real numbers.
pub(super) fn read(file: &TorchFile, item: Item) -> Result<Values> {
    let tensor = file.tensor(item)?;
    let values = tensor.floats()?;
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        bail!("element {at} is {}, expected finite numbers: the training diverged", values[at]);
    }
    Ok(Values { shape: tensor.shape().to_vec(), values })
}

/// A model with all its tensors replaced by those of the first dictionary that has them, the vectors of power iteration
/// included.
///
/// # Errors
/// If one is missing, or does not fit.
pub fn fill(model: ResidualFlow, naming: &Naming, sources: &[&StateDict]) -> Result<ResidualFlow> {
    let pairs: HashMap<String, Vec<String>> = naming.pairs(&model)?.into_iter().map(|pair| (pair.ours, pair.theirs)).collect();
    let mut tensors = Vec::new();
    for tensor in named_tensors(&model) {
        tensors.push(match pairs.get(&tensor.name) {
            Some(theirs) => replaced(tensor, theirs, sources)?,
            // Follows below.
            None => tensor,
        });
    }
    let mut model = with_tensors(model, tensors)?;
    for layer in naming.constrained_layers(&model) {
        let [scale, position] = layer.block;
        let nets = model.layer_mut(scale, position).map(FlowLayer::nets_mut).into_iter().flatten();
        let Some((_, net)) = nets.into_iter().find(|(name, _)| *name == layer.net) else { continue };
        let convolution = &mut net.convolutions_mut()[layer.index];
        // Norms in closed form need none.
        let Some(kept) = convolution.vector().map(|vector| vector.val()) else { continue };
        let [u, v] = ["u", "v"].map(|vector| {
            let name = [format!("{}.{vector}", layer.theirs)];
            let (_, values) = find(&name, sources)?.with_context(|| format!("there is no tensor `{}`", name[0]))?;
            Ok::<_, anyhow::Error>(values.values)
        });
        set_vectors(convolution, &kept, u?, v?).with_context(|| format!("the vectors of `{}`", layer.theirs))?;
    }
    Ok(model)
}

/// Gives a layer both of its vectors, of which it keeps the one on its input's or on its output's side.
fn set_vectors(layer: &mut ContractiveConvolution, kept: &Tensor<1>, u: Vec<f32>, v: Vec<f32>) -> Result<()> {
    let [c_out, c_in, ..] = layer.weight().val().dims();
    let kept_channels = if layer.keeps_output_side() { c_out } else { c_in };
    let pixels = kept.dims()[0] / kept_channels;
    let expected = [c_out * pixels, c_in * pixels];
    ensure!([u.len(), v.len()] == expected, "they have {} and {} elements, expected {expected:?}", u.len(), v.len());
    let [u, v] = [u, v].map(|values| {
        let len = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [len]), &kept.device())
    });
    layer.set_vectors(u, v);
    Ok(())
}

fn replaced(ours: NamedTensor, theirs: &[String], sources: &[&StateDict]) -> Result<NamedTensor> {
    match find(theirs, sources)? {
        Some((name, values)) => fitted(ours, values).with_context(|| format!("tensor `{name}`")),
        None => bail!("there is no tensor `{}`, which the model of its `args` has", theirs[0]),
    }
}

/// The tensor of the first dictionary that has it, by whichever of its names.
fn find<'n>(names: &'n [String], sources: &[&StateDict]) -> Result<Option<(&'n str, Values)>> {
    for source in sources {
        for name in names {
            if let Some(values) = source.get(name)? {
                return Ok(Some((name, values)));
            }
        }
    }
    Ok(None)
}

/// Values in the shape of our tensor, which may differ by dimensions of length 1.
pub(super) fn fitted(ours: NamedTensor, Values { shape, values }: Values) -> Result<NamedTensor> {
    let longer_than_one = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    ensure!(
        longer_than_one(&ours.shape) == longer_than_one(&shape),
        "it has shape {shape:?}, the model of its `args` has {:?}: it belongs to another architecture",
        ours.shape
    );
    Ok(NamedTensor { values, ..ours })
}
