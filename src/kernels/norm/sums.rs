//! Sums down columns and along rows, and values derived from them.

use crate::scalar::{Real, Scalar, Vector, lanes};
use crate::simd::Simd;

/// How many rows are summed before the sum is added to the total. Rounding errors then grow with `CHUNK + rows / CHUNK`
/// instead of `rows`.
const CHUNK: usize = 64;

#[inline(always)]
pub(super) fn splat<T: Scalar, S: Simd>(simd: S, value: T) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, value)
}

#[inline(always)]
pub(super) fn add<T: Scalar, S: Simd, const N: usize>(
    mut a: [T::Vector<S>; N],
    b: [T::Vector<S>; N],
) -> [T::Vector<S>; N] {
    let mut index = 0;
    while index < N {
        a[index] = a[index] + b[index];
        index += 1;
    }
    a
}

/// A count as a number. Sums are divided by it, not multiplied by its reciprocal, so that the mean
/// of equal numbers is that number.
#[inline(always)]
pub(super) fn count_of<T: Scalar>(n: usize) -> T {
    T::from_f64(n as f64)
}

/// `1 / √(variance + ε)`.
#[inline(always)]
pub(super) fn inverse_deviation<T: Real, S: Simd>(simd: S, variance: T::Vector<S>, epsilon: T) -> T::Vector<S> {
    splat::<T, S>(simd, T::ONE) / T::sqrt_lanes(simd, variance + splat::<T, S>(simd, epsilon))
}

/// `N` sums over `rows` rows: `f(row, sums)` adds the summands of a row. Four sums run at once, so that no addition
/// waits for the previous one.
#[inline(always)]
pub(super) fn column_sums<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    rows: usize,
    f: impl Fn(usize, [T::Vector<S>; N]) -> [T::Vector<S>; N],
) -> [T::Vector<S>; N] {
    let zeros = [splat::<T, S>(simd, T::ZERO); N];
    let mut total = zeros;
    let mut row = 0;
    while row < rows {
        let end = if rows - row < CHUNK { rows } else { row + CHUNK };
        let (mut a, mut b, mut c, mut d) = (zeros, zeros, zeros, zeros);
        while row + 4 <= end {
            a = f(row, a);
            b = f(row + 1, b);
            c = f(row + 2, c);
            d = f(row + 3, d);
            row += 4;
        }
        while row < end {
            a = f(row, a);
            row += 1;
        }
        let sum = add::<T, S, N>(add::<T, S, N>(a, b), add::<T, S, N>(c, d));
        total = add::<T, S, N>(total, sum);
    }
    total
}

/// `N` sums over `len` consecutive numbers: `f(offset, count, sums)` adds the summands of the
/// `count` numbers at `offset`.
#[inline(always)]
pub(super) fn row_sums<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    len: usize,
    mut f: impl FnMut(usize, usize, [T::Vector<S>; N]) -> [T::Vector<S>; N],
) -> [T; N] {
    let lanes = lanes::<S, T>();
    let zeros = [splat::<T, S>(simd, T::ZERO); N];
    let (mut a, mut b, mut c, mut d) = (zeros, zeros, zeros, zeros);
    let mut offset = 0;
    while offset + 4 * lanes <= len {
        a = f(offset, lanes, a);
        b = f(offset + lanes, lanes, b);
        c = f(offset + 2 * lanes, lanes, c);
        d = f(offset + 3 * lanes, lanes, d);
        offset += 4 * lanes;
    }
    while offset + lanes <= len {
        a = f(offset, lanes, a);
        offset += lanes;
    }
    if offset < len {
        b = f(offset, len - offset, b);
    }
    let sums = add::<T, S, N>(add::<T, S, N>(a, b), add::<T, S, N>(c, d));
    let mut reduced = [T::ZERO; N];
    let mut index = 0;
    while index < N {
        reduced[index] = sums[index].reduce_sum();
        index += 1;
    }
    reduced
}

/// 1 in the first `count` lanes and 0 in the others.
#[inline(always)]
pub(super) fn first<T: Scalar, S: Simd>(simd: S, count: usize) -> T::Vector<S> {
    const MOST: usize = 64;
    const { assert!(lanes::<S, T>() <= MOST) };
    let ones = [T::ONE; MOST];
    // SAFETY: callers pass at most `LANES` numbers, which is at most `MOST`; `min` proves it.
    unsafe { T::Vector::<S>::load_partial(simd, ones.as_ptr(), count.min(lanes::<S, T>())) }
}
