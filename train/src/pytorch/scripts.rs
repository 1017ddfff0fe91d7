//! Which script a checkpoint is of, and what its arguments amount to in our settings.

use super::args::ScriptArguments;
use super::family::Family;
use super::settings::ScriptSettings;
use super::state_dict::StateDict;
use super::{image_script, toy_script};
use anyhow::{Result, bail};

/// The settings of a checkpoint's arguments; which code the script belongs to is seen by its weights too.
///
/// # Errors
/// If an argument has a value that the script does not accept, or one that makes no model.
pub fn settings(args: &ScriptArguments, weights: &StateDict) -> Result<ScriptSettings> {
    let family = Family::of(args, weights)?;
    // Each of these is an argument of one of the scripts only.
    if args.has("nblocks") && args.has("idim") {
        image_script::settings(args, family)
    } else if args.has("dims") && args.has("arch") {
        // Only Implicit Normalizing Flows' script makes networks that begin with an affine layer, and has no argument for it.
        let begins_with_layer = weights.names().any(|name| name.ends_with(".nnet.0.weight"));
        toy_script::settings(args, family, !begins_with_layer)
    } else {
        bail!("its `args` are neither those of train_img.py nor of train_toy.py")
    }
}
