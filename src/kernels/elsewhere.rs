//! What stands in for `cortex_m` on all other processors.

use crate::kernels::gemm::{Run, Tile};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::storage::{F16, Storage};

/// Adds a run to a tile of one row as `gemm::accumulate` does, if there is a kernel for it here;
/// else returns `false` and does nothing. `adjacent`: the columns of the tile lie side by side.
///
/// # Safety
/// As `gemm::accumulate`.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    _: &mut Tile<T, S, MR, NR>,
    _: &Run<T, W>,
    _adjacent: bool,
) -> bool {
    false
}

/// `√x`.
#[inline(always)]
pub(crate) fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

/// The same number.
#[inline(always)]
pub(crate) fn widen(half: F16) -> f32 {
    half.to_f32()
}
