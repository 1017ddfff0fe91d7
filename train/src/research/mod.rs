//! The research code's checkpoints, `.pth` files: <https://github.com/rtqichen/residual-flows>.
//!
//! | module | idea |
//! | --- | --- |
//! | [`torch`] | files of `torch.save`, both formats, without running anything in them |

pub mod torch;
