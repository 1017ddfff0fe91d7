//! Which vector instructions the processor has; kernels are compiled for each choice and picked at run time.

use std::sync::OnceLock;

/// The vector instructions that kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// What the build targets: NEON on 64-bit ARM, SSE2 on x86-64.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, VL, DQ, BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// All that this processor has, the best last.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wider = {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            [(avx2, Self::Avx2), (avx512, Self::Avx512)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let wider: [(bool, Self); 0] = [];
        std::iter::once((true, Self::Portable)).chain(wider).filter_map(|(there, set)| there.then_some(set))
    }

    /// The best one.
    pub fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().next_back().unwrap_or(Self::Portable))
    }
}

/// Compiles a call for each instruction set and makes the one of `$set`.
///
/// `$call::<…, FMA>` is an `#[inline(always)]` function, whose last parameter says whether products and sums are fused.
macro_rules! dispatch {
    ($set:expr, $call:ident $(::<$phi:ident: $bound:ident>)?, ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        fn avx512$(<$phi: $bound>)?($($arg: $ty),*) $(-> $ret)? {
            $call::<$($phi,)? true>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2$(<$phi: $bound>)?($($arg: $ty),*) $(-> $ret)? {
            $call::<$($phi,)? true>($($arg),*)
        }
        const FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        match $set {
            $crate::InstructionSet::Portable => $call::<$($phi,)? FMA>($($arg),*),
            // SAFETY: an instruction set other than the portable one comes from `available`, which found it.
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx512 => unsafe { avx512($($arg),*) },
        }
    }};
}
pub(super) use dispatch;
