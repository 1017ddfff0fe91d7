//! The architectures of the paper, and of this project's experiments, by name.

use super::config::{BlockKind, ResidualFlowConfig};
use crate::nn::ActivationKind;

/// Named architectures: what `configs/*.toml` has under `[model]`. Other settings follow by `..ResidualFlowConfig::cifar10()`.
///
/// # References
/// Chen et al. (2019), Residual Flows, section 5 and appendix E. <https://arxiv.org/abs/1906.02735>
impl ResidualFlowConfig {
    /// CIFAR-10, 32×32: 16-16-16 blocks 512 wide and 4 dense ones (3.280 bits/dim in the paper).
    pub fn cifar10() -> Self {
        Self::default()
    }

    /// The hybrid model of CIFAR-10: density and ten classes, with standardised inputs instead of the logit transform.
    pub fn cifar10_hybrid() -> Self {
        Self {
            logit_alpha: 0.0,
            input_mean: vec![0.4914, 0.4822, 0.4465],
            input_std: vec![0.2023, 0.1994, 0.2010],
            classes: 10,
            classifier_channels: 256,
            ..Self::cifar10()
        }
    }

    /// MNIST, 28×28: as CIFAR-10, with a logit transform for images that are mostly black (0.970 bits/dim in the paper).
    pub fn mnist() -> Self {
        Self { logit_alpha: 1e-6, ..Self::cifar10() }
    }

    /// ImageNet at 32×32: 32-32-32 blocks (4.010 bits/dim in the paper).
    pub fn imagenet32() -> Self {
        Self { blocks: vec![32, 32, 32], ..Self::cifar10() }
    }

    /// ImageNet at 64×64: 32-32-32 blocks, squeezed first, with factor-out (3.757 bits/dim in the paper).
    pub fn imagenet64() -> Self {
        Self { factor_out: true, squeeze_first: true, ..Self::imagenet32() }
    }

    /// CelebA-HQ at 256×256 and 5 bits: six scales of 16 blocks with ELU (0.992 bits/dim in the paper).
    pub fn celebahq256() -> Self {
        Self {
            blocks: vec![16; 6],
            activation: ActivationKind::Elu,
            dense_blocks: 0,
            factor_out: true,
            squeeze_first: true,
            ..Self::cifar10()
        }
    }

    /// i-DenseNets' model of CIFAR-10: 16-16-16 blocks of three dense layers that each add 172 channels.
    ///
    /// Perugachi-Diaz, Tomczak, Bhulai (2021). <https://arxiv.org/abs/2102.02694>
    pub fn idensenet_cifar10() -> Self {
        Self { activation: ActivationKind::CLipSwish, densenet_depth: 3, ..Self::cifar10() }
    }

    /// Monotone Flows' model of CIFAR-10: the same with monotone blocks.
    ///
    /// Ahn, Kim, Hong, Kim (2022). <https://arxiv.org/abs/2210.08176>
    pub fn monotone_cifar10() -> Self {
        Self { block: BlockKind::Monotone, activation: ActivationKind::CPila, ..Self::idensenet_cifar10() }
    }

    /// Implicit Normalizing Flows' model of CIFAR-10: 2-2-2 blocks of two networks.
    ///
    /// Lu, Chen, Li, Wang, Zhu (2021). <https://arxiv.org/abs/2103.09527>
    pub fn implicit_cifar10() -> Self {
        Self { block: BlockKind::Implicit, blocks: vec![2, 2, 2], dense_blocks: 0, lipschitz_bound: 0.9, ..Self::cifar10() }
    }

    /// Densities in the plane, and tables: 16 small blocks, for a minute of training.
    pub fn toy() -> Self {
        Self {
            blocks: vec![16],
            hidden_channels: 16.into(),
            kernels: vec![1, 1, 1],
            dense_blocks: 0,
            logit_alpha: 0.0,
            preactivation: false,
            ..Self::default()
        }
    }
}
