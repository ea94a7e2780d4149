//! Rows of numbers, a register at a time.

use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::Simd;

/// Calls `f(offset, count)` for every register's worth of `len` consecutive numbers; only the last may be partial.
#[inline(always)]
pub(super) fn blocks<T: Scalar, S: Simd>(len: usize, f: impl Fn(usize, usize)) {
    let lanes = lanes::<S, T>();
    let mut offset = 0;
    while offset + lanes <= len {
        f(offset, lanes);
        offset += lanes;
    }
    if offset < len {
        f(offset, len - offset);
    }
}

/// Reads the first `count` lanes; if `count` is the constant `LANES`, all of them at once.
///
/// # Safety
/// `from` must be valid for reading `count <= LANES` numbers.
#[inline(always)]
pub(super) unsafe fn read<T: Scalar, S: Simd>(simd: S, from: *const T, count: usize) -> T::Vector<S> {
    // SAFETY: the same condition.
    unsafe {
        if count == lanes::<S, T>() {
            T::Vector::<S>::load(simd, from)
        } else {
            T::Vector::<S>::load_partial(simd, from, count)
        }
    }
}

/// Writes the first `count` lanes; if `count` is the constant `LANES`, all of them at once.
///
/// # Safety
/// `to` must be valid for writing `count <= LANES` numbers.
#[inline(always)]
pub(super) unsafe fn write<T: Scalar, S: Simd>(vector: T::Vector<S>, to: *mut T, count: usize) {
    // SAFETY: the same condition.
    unsafe {
        if count == lanes::<S, T>() {
            vector.store(to);
        } else {
            vector.store_partial(to, count);
        }
    }
}

/// The larger of the two, lane by lane; NaN where either is NaN.
#[inline(always)]
pub(super) fn larger<T: Scalar, S: Simd>(a: T::Vector<S>, b: T::Vector<S>) -> T::Vector<S> {
    a.larger(b)
}
