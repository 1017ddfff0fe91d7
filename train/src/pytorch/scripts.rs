//! Which script a checkpoint is of, and what its arguments amount to in our settings.

use super::args::ScriptArguments;
use super::settings::ScriptSettings;
use super::{image_script, toy_script};
use anyhow::{Result, bail};

/// The settings of a checkpoint's arguments.
///
/// # Errors
/// If an argument has a value that the script does not accept, or one that makes no model.
pub fn settings(args: &ScriptArguments) -> Result<ScriptSettings> {
    // Each of these is an argument of one of the scripts only.
    if args.has("nblocks") && args.has("idim") {
        image_script::settings(args)
    } else if args.has("dims") && args.has("arch") {
        toy_script::settings(args)
    } else {
        bail!("its `args` are neither those of train_img.py nor of train_toy.py")
    }
}
