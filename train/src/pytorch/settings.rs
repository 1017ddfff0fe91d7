//! What the scripts' arguments have in common, in our settings.

use crate::config::Config;
use crate::data::kind::DataKind;
use anyhow::{Context, Result, bail, ensure};
use residual_flows::log_det::TermDistribution;
use residual_flows::{ActivationKind, NormOrder};

/// A run of one of the scripts in our settings.
pub struct ScriptSettings {
    /// All settings.
    pub config: Config,
    /// Shape of the samples.
    pub shape: [usize; 3],
    /// What the model is a density of.
    pub kind: DataKind,
    /// Whether the optimiser has the constants of estimators among its parameters, which it never changes.
    pub constants_are_optimized: bool,
}

/// An activation by the scripts' name of it.
pub(super) fn activation(name: &str) -> Result<ActivationKind> {
    Ok(match name {
        "swish" => ActivationKind::LipSwish,
        "elu" => ActivationKind::Elu,
        "softplus" => ActivationKind::Softplus,
        "lcube" => ActivationKind::LipschitzCube,
        "relu" => ActivationKind::Relu,
        "identity" => ActivationKind::Identity,
        "tanh" => ActivationKind::Tanh,
        "selu" => ActivationKind::Selu,
        "maxmin" => ActivationKind::MaxMin,
        "fullsort" => ActivationKind::FullSort,
        "CLipSwish" => ActivationKind::CLipSwish,
        "CPila" => ActivationKind::CPila,
        "sin" => ActivationKind::Sin,
        "LeakyLSwish" | "ALCLipSiLU" | "CReLU" => {
            bail!(
                "its argument `act` is {name:?}, an activation of experiments without published results, which is not supported"
            )
        }
        _ => bail!("its argument `act` is {name:?}, expected one of the scripts' activations"),
    })
}

/// The distribution of the number of terms.
pub(super) fn distribution(name: &str) -> Result<TermDistribution> {
    Ok(match name {
        "poisson" => TermDistribution::Poisson,
        "geometric" => TermDistribution::Geometric,
        _ => bail!("its argument `n_dist` is {name:?}, expected \"poisson\" or \"geometric\""),
    })
}

/// Norm orders, one a character: digits, and `f` for infinity.
pub(super) fn norm_orders(text: &str, layers: usize) -> Result<Vec<NormOrder>> {
    let order = |c: char| match c {
        'f' => Some(NormOrder::INFINITY),
        digit => digit.to_digit(10).and_then(|digit| NormOrder::new(digit.into()).ok()),
    };
    let orders: Option<Vec<_>> = text.chars().map(order).collect();
    let orders = orders.with_context(|| format!("its argument `vnorms` is {text:?}, expected digits from 1 and the letter f"))?;
    ensure!(orders.len() == layers + 1, "its argument `vnorms` is {text:?}, expected {} orders for {layers} layers", layers + 1);
    let all_equal = orders.iter().all(|order| *order == orders[0]);
    Ok(if all_equal { orders[..1].to_vec() } else { orders })
}
