//! Sums down columns and along rows, and values derived from them.

use crate::kernels::blocks::{read, write};
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

/// The columns that a block of lanes holds, in rows of `channels` numbers; pointers are to the first row.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub rows: usize,
    pub channels: usize,
    pub count: usize,
}

impl Columns {
    /// `Σ (x − center)²`.
    ///
    /// # Safety
    /// `x` must be valid for reading the columns.
    #[inline(always)]
    pub(super) unsafe fn squared_deviations<T: Scalar, S: Simd>(
        self,
        simd: S,
        x: *const T,
        center: T::Vector<S>,
    ) -> T::Vector<S> {
        let [sum] = column_sums::<T, S, 1>(
            simd,
            self.rows,
            #[inline(always)]
            |row, [sum]| {
                // SAFETY: rows are below `rows`; the rest is guaranteed by the caller.
                let x = unsafe { read::<T, S>(simd, x.add(row * self.channels), self.count) };
                let deviation = x - center;
                [deviation.mul_add(deviation, sum)]
            },
        );
        sum
    }

    /// `y = (x − center) · scale + bias`.
    ///
    /// # Safety
    /// `x` must be valid for reading the columns, and `y` for writing them.
    #[inline(always)]
    pub(super) unsafe fn normalize<T: Scalar, S: Simd>(
        self,
        simd: S,
        x: *const T,
        y: *mut T,
        [center, scale, bias]: [T::Vector<S>; 3],
    ) {
        let mut row = 0;
        while row < self.rows {
            let at = row * self.channels;
            // SAFETY: rows are below `rows`; the rest is guaranteed by the caller.
            unsafe {
                let deviation = read::<T, S>(simd, x.add(at), self.count) - center;
                write::<T, S>(deviation.mul_add(scale, bias), y.add(at), self.count);
            }
            row += 1;
        }
    }

    /// `∂x = ∂y · scale + (x − center) · slope + offset`: what the derivative of [`normalize`](Self::normalize) becomes
    /// once the sums over the rows are known.
    ///
    /// # Safety
    /// `x` and `dy` must be valid for reading the columns, and `dx` for writing them.
    #[inline(always)]
    pub(super) unsafe fn differentiate<T: Scalar, S: Simd>(
        self,
        simd: S,
        (x, dy, dx): (*const T, *const T, *mut T),
        [center, scale, slope, offset]: [T::Vector<S>; 4],
    ) {
        let mut row = 0;
        while row < self.rows {
            let at = row * self.channels;
            // SAFETY: rows are below `rows`; the rest is guaranteed by the caller.
            unsafe {
                let gradient = read::<T, S>(simd, dy.add(at), self.count);
                let deviation = read::<T, S>(simd, x.add(at), self.count) - center;
                let gradient = gradient.mul_add(scale, deviation.mul_add(slope, offset));
                write::<T, S>(gradient, dx.add(at), self.count);
            }
            row += 1;
        }
    }
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
