//! Sums over a right operand that is read once, from outside the L1 cache.

use super::tile::{Columns, nothing, step, sum};
use crate::kernels::run::{Run, Tile};
use crate::scalar::{Scalar, Storage, lanes};
use crate::simd::{Simd, unknown};

/// The sums of [`accumulate`](super::accumulate) for a `b` that is read once and is not in the L1 cache: of sixteen
/// rows, 0 to 3 and 8 to 11 are read first, then 4 to 7 and 12 to 15; with shorter registers it is half as many at a
/// time, of eight rows.
///
/// If an instruction reads with a constant stride, the hardware prefetcher may fetch each of its lines although the
/// next lines are prefetched anyway. On Zen 5 that halves the bandwidth of the L2 cache. Here no stride occurs twice in
/// a row, because an instruction advances alternately by four and by twelve rows (two and six).
///
/// # Safety
/// As [`accumulate`](super::accumulate).
#[inline(always)]
pub(super) unsafe fn stream<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    run: Run<T, W>,
    columns: Columns,
) -> Tile<T, S, MR, NR> {
    // A second partial sum for tiles that are so small that the latency of additions would dominate.
    let mut parts = [[[nothing::<T, S>(simd); NR]; MR]; 2];
    // Measured: best of 1 to 4; with shorter registers, best of 2 to 4.
    let together = const { if lanes::<S, T>() * size_of::<T>() == 64 { 4 } else { 2 } };
    let mut k = 0;
    while k + 4 * together <= run.len {
        let mut first = 0;
        while first < 2 * together {
            for index in 0..2 * together {
                let row = first + if index < together { index } else { together + index };
                let part = if NR < 8 { index % 2 } else { 0 };
                // SAFETY: `row < 4 · together`.
                unsafe { step::<T, W, S, MR, NR>(simd, &mut parts[part], run, k + row, columns) };
            }
            first = unknown(first + together);
        }
        k += 4 * together;
    }
    while k < run.len {
        // SAFETY: `k < run.len`.
        unsafe { step::<T, W, S, MR, NR>(simd, &mut parts[0], run, k, columns) };
        k += 1;
    }
    if NR < 8 { sum::<T, S, MR, NR>(parts[0], parts[1]) } else { parts[0] }
}
