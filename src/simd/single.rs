//! A register of one number, for number types without SIMD instructions.

use core::ops::{Add, Div, Mul, Neg, Sub};

use fearless_simd::Simd;

use crate::scalar::{Scalar, Storage, Vector};

/// A register that holds one number: the [`Vector`] of number types without SIMD instructions.
///
/// Its behavior follows from the [`Scalar`] inside, so a number type selects it with one line:
/// `type Vector<S: Simd> = Single<Self>;`. The register functions that [`Real`](crate::scalar::Real) requires are then
/// the number's functions applied with [`map`](Self::map).
///
/// ```
/// use monomorph::simd::Single;
/// assert_eq!(Single(2.0).map(|x| x * x).0, 4.0);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Single<T>(pub T);

impl<T> Single<T> {
    /// Applies a function to the number.
    #[inline(always)]
    pub fn map(self, f: impl FnOnce(T) -> T) -> Self {
        Self(f(self.0))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $symbol:tt) => {
        impl<T: Scalar> $trait for Single<T> {
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

impl<T: Scalar> Neg for Single<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<S: Simd, T: Scalar> Vector<S, T> for Single<T> {
    const LANES: usize = 1;
    type Mask = bool;

    #[inline(always)]
    fn splat(_simd: S, value: T) -> Self {
        Self(value)
    }
    #[inline(always)]
    unsafe fn load(_simd: S, from: *const T) -> Self {
        // SAFETY: the caller guarantees that one number is valid.
        Self(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller guarantees that one number is valid.
        unsafe { *to = self.0 };
    }
    #[inline(always)]
    unsafe fn load_partial(_simd: S, from: *const T, count: usize) -> Self {
        // SAFETY: the caller guarantees that `count` numbers are valid.
        Self(if count == 0 { T::ZERO } else { unsafe { *from } })
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut T, count: usize) {
        if count > 0 {
            // SAFETY: the caller guarantees that `count` numbers are valid.
            unsafe { *to = self.0 };
        }
    }
    #[inline(always)]
    unsafe fn load_packed<W: Storage<T>>(_simd: S, from: *const W, count: usize) -> Self {
        // SAFETY: the caller guarantees that `count` numbers are valid.
        Self(if count == 0 { T::ZERO } else { unsafe { *from }.widen() })
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
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
    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.round())
    }

    #[inline(always)]
    fn lt(self, other: Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn le(self, other: Self) -> bool {
        self.0 <= other.0
    }
    #[inline(always)]
    fn eq(self, other: Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn first(_simd: S, count: usize) -> bool {
        count > 0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }

    #[inline(always)]
    fn reduce_sum(self) -> T {
        self.0
    }
    #[inline(always)]
    fn reduce_max(self) -> T {
        self.0
    }
    #[inline(always)]
    fn lane(self, index: usize) -> T {
        debug_assert!(index == 0, "there is one lane");
        self.0
    }
    // The two registers one after the other, in any order of their lanes, are `self` and `other`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Task, dispatch, level};
    use crate::storage::Bf16;

    /// `f64` in a register of one lane is a `Vector` like the processor's own.
    struct All;

    impl Task for All {
        type Output = ();

        fn run<S: Simd>(&mut self, simd: S) {
            let (a, b) = (Single(-2.5_f64), Single(4.0));
            let results = [
                (a + b, 1.5),
                (a - b, -6.5),
                (a * b, -10.0),
                (a / b, -0.625),
                (-a, 2.5),
                (Vector::<S, f64>::mul_add(a, b, a), -12.5),
                (Vector::<S, f64>::abs(a), 2.5),
                (Vector::<S, f64>::min(a, b), -2.5),
                (Vector::<S, f64>::max(a, b), 4.0),
                (Vector::<S, f64>::copysign(b, a), -4.0),
                (Vector::<S, f64>::round(a), -2.0),
                (Vector::<S, f64>::zip_low(a, b), -2.5),
                (Vector::<S, f64>::zip_high(a, b), 4.0),
                (Vector::<S, f64>::unzip_low(a, b), -2.5),
                (Vector::<S, f64>::unzip_high(a, b), 4.0),
            ];
            for (index, (actual, expected)) in results.into_iter().enumerate() {
                assert_eq!(actual.0, expected, "{index}");
            }
            let nan = Single(f64::NAN);
            assert!(Vector::<S, f64>::max(a, nan).0.is_nan() && Vector::<S, f64>::min(a, nan).0.is_nan());
            assert!(Vector::<S, f64>::lt(a, b) && !Vector::<S, f64>::lt(b, b) && Vector::<S, f64>::le(b, b));
            assert!(Vector::<S, f64>::eq(b, b) && !Vector::<S, f64>::eq(nan, nan));

            let mut memory = [7.0, 8.0];
            // SAFETY: there are two numbers, of which one is read or written.
            unsafe {
                assert_eq!(<Single<f64> as Vector<S, f64>>::load(simd, memory.as_ptr()).0, 7.0);
                assert_eq!(<Single<f64> as Vector<S, f64>>::load_partial(simd, memory.as_ptr(), 1).0, 7.0);
                assert_eq!(<Single<f64> as Vector<S, f64>>::load_partial(simd, memory.as_ptr(), 0).0, 0.0);
                let bytes = [3_i8];
                assert_eq!(<Single<f64> as Vector<S, f64>>::load_packed(simd, bytes.as_ptr(), 1).0, 3.0);
                assert_eq!(<Single<f64> as Vector<S, f64>>::load_packed(simd, [Bf16(0x3f80)].as_ptr(), 0).0, 0.0);
                Vector::<S, f64>::store_partial(a, memory.as_mut_ptr(), 0);
                assert_eq!(memory, [7.0, 8.0]);
                Vector::<S, f64>::store_partial(a, memory.as_mut_ptr(), 1);
                Vector::<S, f64>::store(b, memory.as_mut_ptr().add(1));
            }
            assert_eq!(memory, [-2.5, 4.0]);
        }
    }

    #[test]
    fn is_a_register_of_one_lane() {
        dispatch(level(), All);
    }
}
