//! Replaces `cortex_m` on all other processors.

use super::run::{Repeat, Run, Tile};
use crate::scalar::{Scalar, Storage};
use crate::simd::Simd;

/// Adds runs to a tile like `gemm::accumulate`, if there is a kernel for it here; otherwise returns `false`
/// and does nothing. `adjacent`: the columns of the tile are contiguous.
///
/// # Safety
/// As `gemm::accumulate`, for each of the runs.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    _: &mut Tile<T, S, MR, NR>,
    _: &Run<T, W>,
    _: Repeat,
    _adjacent: bool,
) -> bool {
    false
}
