//! A register of one interval.

use core::ops::{Add, Div, Mul, Neg, Sub};

use super::{End, Interval};
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// A register that holds one interval. Its comparisons are true, false, or undecided where intervals overlap; a selection
/// by one that is undecided contains both sides.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Register<T>(pub Interval<T>);

impl<T> Register<T> {
    /// Applies a function to the interval.
    #[inline(always)]
    pub(super) fn map(self, f: impl FnOnce(Interval<T>) -> Interval<T>) -> Self {
        Self(f(self.0))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $symbol:tt) => {
        impl<T: End> $trait for Register<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $symbol other.0)
            }
        }
    };
}
operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl<T: End> Neg for Register<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// `Some` of what is certain.
#[inline(always)]
fn decided(yes: bool, no: bool) -> Option<bool> {
    if yes {
        Some(true)
    } else if no {
        Some(false)
    } else {
        None
    }
}

impl<S: Simd, T: End> Vector<S, Interval<T>> for Register<T> {
    const LANES: usize = 1;
    /// Nothing where it is undecided.
    type Mask = Option<bool>;

    #[inline(always)]
    fn splat(_simd: S, value: Interval<T>) -> Self {
        Self(value)
    }
    #[inline(always)]
    unsafe fn load(_simd: S, from: *const Interval<T>) -> Self {
        // SAFETY: the caller guarantees that one number is valid.
        Self(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut Interval<T>) {
        // SAFETY: the caller guarantees that one number is valid.
        unsafe { *to = self.0 };
    }
    #[inline(always)]
    unsafe fn load_partial(_simd: S, from: *const Interval<T>, count: usize) -> Self {
        // SAFETY: the caller guarantees that `count` numbers are valid.
        Self(if count == 0 { Interval::ZERO } else { unsafe { *from } })
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut Interval<T>, count: usize) {
        if count > 0 {
            // SAFETY: the caller guarantees that `count` numbers are valid.
            unsafe { *to = self.0 };
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.map(Scalar::abs)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.map(Scalar::round)
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Option<bool> {
        decided(self.0.is_below(other.0), self.0.low >= other.0.high)
    }
    #[inline(always)]
    fn le(self, other: Self) -> Option<bool> {
        decided(self.0.high <= other.0.low, other.0.is_below(self.0))
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Option<bool> {
        decided(self.0 == other.0, self.0.is_below(other.0) || other.0.is_below(self.0))
    }
    #[inline(always)]
    fn first(_simd: S, count: usize) -> Option<bool> {
        Some(count > 0)
    }
    #[inline(always)]
    fn select(mask: Option<bool>, yes: Self, no: Self) -> Self {
        match mask {
            Some(true) => yes,
            Some(false) => no,
            None => Self(yes.0.hull(no.0)),
        }
    }

    #[inline(always)]
    fn reduce_sum(self) -> Interval<T> {
        self.0
    }
    #[inline(always)]
    fn reduce_max(self) -> Interval<T> {
        self.0
    }
    #[inline(always)]
    fn lane(self, index: usize) -> Interval<T> {
        debug_assert!(index == 0, "there is one lane");
        self.0
    }
    // As those of `Single`.
    #[inline(always)]
    fn zip_low(self, _other: Self) -> Self {
        self
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        other
    }
    #[inline(always)]
    fn unzip_low(self, _other: Self) -> Self {
        self
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        other
    }
}
