//! How a finished tile is written.

use super::tile::Columns;
use crate::activation::Activation;
use crate::kernels::blocks::larger;
use crate::kernels::run::Tile;
use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::{Simd, share};

/// Writes `f(tile)`, row `m` at `to + m·stride`.
///
/// # Safety
/// The columns must be writable at every row.
#[inline(always)]
pub(crate) unsafe fn write<T: Scalar, S: Simd, A: Activation<T>, const MR: usize, const NR: usize>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            for m in 0..MR {
                for n in 0..NR {
                    // SAFETY: the caller guarantees exactly this.
                    unsafe { columns.store::<T, S, NR>(A::apply(simd, tile[m][n]), to.add(m * stride), n) };
                }
            }
        },
    )
}

/// For pooling, where two adjacent rows share a destination: writes the larger of `f(tile)` and the stored value, row
/// `m` at `to + (m + ODD) / 2 · stride`, where `ODD` says that row 0 is the second of its pair.
///
/// # Safety
/// The columns must be readable and writable at every destination.
#[inline(always)]
pub(crate) unsafe fn write_maxima<
    T: Scalar,
    S: Simd,
    A: Activation<T>,
    const MR: usize,
    const NR: usize,
    const ODD: usize,
>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            for m in 0..MR {
                let second = !(m + ODD).is_multiple_of(2);
                if second && m > 0 {
                    continue;
                }
                for n in 0..NR {
                    let mut maximum = A::apply(simd, tile[m][n]);
                    if !second && m + 1 < MR {
                        maximum = larger::<T, S>(maximum, A::apply(simd, tile[m + 1][n]));
                    }
                    // SAFETY: the caller guarantees exactly this.
                    unsafe {
                        let to = to.add((m + ODD) / 2 * stride);
                        let there = columns.load::<T, S, NR>(simd, to, n);
                        columns.store::<T, S, NR>(larger::<T, S>(there, maximum), to, n);
                    }
                }
            }
        },
    )
}

/// Writes `f(tile)` transposed: column `c` at `to + c·stride`.
///
/// # Safety
/// `MR` numbers must be writable at every column.
#[inline(always)]
pub(crate) unsafe fn write_across<T: Scalar, S: Simd, A: Activation<T>, const MR: usize, const NR: usize>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    const { assert!(MR <= 16 && lanes::<S, T>() <= 16) };
    let height = const { MR.next_power_of_two() };
    for n in 0..NR {
        let mut parts = [T::Vector::<S>::splat(simd, T::ZERO); 16];
        for m in 0..MR {
            parts[m] = A::apply(simd, tile[m][n]);
        }
        // The number at `m · lanes + c` goes to `c · height + m`: the binary digits of its index are rotated by the
        // number of digits of the height, and zipping the two halves of the whole rotates them by one.
        let mut times = 1;
        while times < height {
            let before = parts;
            for m in 0..height / 2 {
                parts[2 * m] = before[m].zip_low(before[m + height / 2]);
                parts[2 * m + 1] = before[m].zip_high(before[m + height / 2]);
            }
            times *= 2;
        }
        let (at, count) = columns.place::<T, S, NR>(n);
        if MR == height && stride == MR && count == lanes::<S, T>() {
            for m in 0..height {
                // SAFETY: the caller guarantees `MR` writable numbers at every column, and there are no gaps between
                // the columns.
                unsafe { parts[m].store(to.add(at * stride + m * lanes::<S, T>())) };
            }
            continue;
        }
        let mut woven = [[T::ZERO; 16]; 16];
        for m in 0..height {
            // SAFETY: a register has at most 16 lanes.
            unsafe { parts[m].store(woven.as_mut_ptr().cast::<T>().add(m * lanes::<S, T>())) };
        }
        for c in 0..count {
            // SAFETY: the caller guarantees exactly this.
            unsafe { woven.as_ptr().cast::<T>().add(c * height).copy_to_nonoverlapping(to.add((at + c) * stride), MR) };
        }
    }
}

/// Adds the tile to the stored values, from row `skip` on; row `m` at `to + m·stride`.
///
/// # Safety
/// The columns must be readable and writable at every row.
#[inline(always)]
pub(crate) unsafe fn add<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    mut tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    skip: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            // All loads come before all stores: the last register may overlap the previous one, and then both write the
            // same sums; also, a load near a masked store would have to wait for it.
            for m in 0..MR {
                if m >= skip {
                    for n in 0..NR {
                        // SAFETY: the caller guarantees exactly this.
                        tile[m][n] = unsafe { columns.load::<T, S, NR>(simd, to.add(m * stride), n) } + tile[m][n];
                    }
                }
            }
            for m in 0..MR {
                if m >= skip {
                    for n in 0..NR {
                        // SAFETY: the caller guarantees exactly this.
                        unsafe { columns.store::<T, S, NR>(tile[m][n], to.add(m * stride), n) };
                    }
                }
            }
        },
    )
}
