//! Replaces `cortex_m` on all other processors.

use super::run::{Run, Tile};
use crate::scalar::{Scalar, Storage};
use crate::simd::Simd;

/// Adds a run to a tile of one row like `gemm::accumulate`, if there is a kernel for it here; otherwise returns `false`
/// and does nothing. `adjacent`: the columns of the tile are contiguous.
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
