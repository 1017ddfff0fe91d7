//! The reference implementation's checkpoints, `.pth` files: <https://github.com/rtqichen/residual-flows>, and those of its
//! successors' code.
//!
//! | module | idea |
//! | --- | --- |
//! | [`torch`] | files of `torch.save`, both formats, without running anything in them |
//! | [`args`], [`scripts`], [`settings`] | the scripts' arguments, and our settings for them |
//! | `family` | the codes of i-DenseNets, Monotone Flows and Implicit Normalizing Flows, made of the first one |
//! | [`names`], [`state_dict`] | the reference implementation's names of our tensors, and a model filled by them |
//! | [`optimizer`] | what its optimisers remember |
//! | [`import`] | a file as a checkpoint |
//! | [`export`] | a checkpoint by its names |

pub mod args;
pub mod export;
mod family;
mod image_script;
pub mod import;
pub mod names;
pub mod optimizer;
pub mod scripts;
pub mod settings;
pub mod state_dict;
pub mod torch;
mod toy_script;
