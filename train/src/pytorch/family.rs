//! The codes that checkpoints come from, and what the successors of Residual Flows added to the arguments.

use super::args::ScriptArguments;
use super::state_dict::StateDict;
use anyhow::Result;
use residual_flows::{BlockKind, ResidualFlowConfig};

/// Which code a script belongs to, all made of the first one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Residual Flows, <https://github.com/rtqichen/residual-flows>.
    Residual,
    /// i-DenseNets, <https://github.com/yperugachidiaz/invertible_densenets>.
    DenseNets,
    /// Monotone Flows, <https://github.com/mlvlab/MonotoneFlows>.
    Monotone,
    /// Implicit Normalizing Flows, <https://github.com/thu-ml/implicit-normalizing-flows>.
    Implicit,
}

impl Family {
    /// By what each added to the first one.
    pub fn of(args: &ScriptArguments, weights: &StateDict) -> Result<Self> {
        let is_implicit = weights.names().any(|name| name.contains(".nnet_x.")) || args.text("arch", "")? == "implicit";
        Ok(match () {
            () if args.has("monotone_resolvent") => Family::Monotone,
            () if args.has("densenet") => Family::DenseNets,
            () if is_implicit => Family::Implicit,
            () => Family::Residual,
        })
    }
}

/// The settings of dense layers, where a script has them on.
pub(super) fn with_dense_layers(args: &ScriptArguments, model: ResidualFlowConfig) -> Result<ResidualFlowConfig> {
    if !args.flag("densenet", false)? {
        return Ok(model);
    }
    let learnable_concatenation = args.flag("learnable_concat", true)?;
    Ok(ResidualFlowConfig {
        densenet_depth: args.size("densenet_depth", 3)?,
        densenet_growth: args.size("densenet_growth", 172)?,
        fully_connected_growth: args.size("fc_densenet_growth", 32)?,
        learnable_concatenation,
        concatenation_bound: args.number("lip_coeff", 0.98)?,
        // Dense networks have neither of these there.
        preactivation: false,
        dropout: 0.0,
        ..model
    })
}

/// When the weights of concatenations begin to be learned, in the script's unit.
pub(super) fn concatenation_start(args: &ScriptArguments, default: usize) -> Result<u64> {
    let learns = args.flag("densenet", false)? && args.flag("learnable_concat", true)?;
    Ok(if learns { args.size("start_learnable_concat", default)? as u64 } else { 0 })
}

/// The kind of blocks of a script that has no couplings.
pub(super) fn block(args: &ScriptArguments, family: Family) -> Result<BlockKind> {
    Ok(match family {
        Family::Monotone if args.flag("monotone_resolvent", false)? => BlockKind::Monotone,
        Family::Implicit => BlockKind::Implicit,
        _ => BlockKind::Residual,
    })
}
