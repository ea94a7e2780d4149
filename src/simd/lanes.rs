//! Hardware registers of `f32` and `f64`.

use core::ops::{Add, Div, Mul, Neg, Sub};

use fearless_simd::{Simd, SimdBase, SimdFloat, SimdFloatElement, SimdMask};

use super::{FUSES, packed, partial};
use crate::scalar::{Scalar, Storage, Vector};

/// Whether `max` of a register may give a number if an operand is NaN: on x86 the result is then the second operand, on
/// Arm and WebAssembly it is NaN.
const IGNORES_NAN: bool = cfg!(not(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")),
)));

/// A hardware register of `f32` or `f64`: the [`Vector`] of the floating-point scalars.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<S: Simd, T: SimdFloatElement>(pub(crate) T::Native<S>);

macro_rules! operator {
    ($trait:ident, $method:ident, $symbol:tt) => {
        impl<S: Simd, T: SimdFloatElement> $trait for Lanes<S, T> {
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

impl<S: Simd, T: SimdFloatElement> Neg for Lanes<S, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<S: Simd, T: Scalar + SimdFloatElement> Vector<S, T> for Lanes<S, T> {
    const LANES: usize = <T::Native<S> as SimdBase<S>>::LEN;
    type Mask = <T::Native<S> as SimdBase<S>>::Mask;

    #[inline(always)]
    fn splat(simd: S, value: T) -> Self {
        Self(T::Native::<S>::splat(simd, value))
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const T) -> Self {
        // SAFETY: `Array` is `[T; LANES]`, for which the caller guarantees validity; it has `T`'s alignment.
        Self(T::Native::<S>::load_array_ref(simd, unsafe { &*from.cast::<<T::Native<S> as SimdBase<S>>::Array>() }))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: `Array` is `[T; LANES]`, for which the caller guarantees validity; it has `T`'s alignment.
        self.0.store_array(unsafe { &mut *to.cast::<<T::Native<S> as SimdBase<S>>::Array>() });
    }
    #[inline(always)]
    unsafe fn load_partial(simd: S, from: *const T, count: usize) -> Self {
        // SAFETY: the same conditions, which the caller guarantees.
        Self(unsafe { partial::load::<S, T>(simd, from, count) })
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut T, count: usize) {
        // SAFETY: the same conditions, which the caller guarantees.
        unsafe { partial::store::<S, T>(self.0, to, count) }
    }
    #[inline(always)]
    unsafe fn load_packed<W: Storage<T>>(simd: S, from: *const W, count: usize) -> Self {
        // SAFETY: the same conditions, which the caller guarantees.
        Self(unsafe { packed::load::<S, T, W>(simd, from, count) })
    }

    #[inline(always)]
    fn mul_add(self, b: Self, mut c: Self) -> Self {
        if const { FUSES } {
            let numbers = self.0.as_slice().iter().zip(b.0.as_slice());
            for (sum, (&a, &b)) in c.0.as_mut_slice().iter_mut().zip(numbers) {
                *sum = a.mul_add(b, *sum);
            }
            return c;
        }
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if IGNORES_NAN { Self::select(self.lt(other), self, other) } else { Self(self.0.min(other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if IGNORES_NAN { Self::select(other.lt(self), self, other) } else { Self(self.0.max(other.0)) }
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.round_ties_even())
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        self.0.simd_lt(other.0)
    }
    #[inline(always)]
    fn le(self, other: Self) -> Self::Mask {
        self.0.simd_le(other.0)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        self.0.simd_eq(other.0)
    }
    #[inline(always)]
    fn first(simd: S, count: usize) -> Self::Mask {
        Self::Mask::from_bitmask(simd, (1 << count) - 1)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(fearless_simd::Select::select(mask, yes.0, no.0))
    }
    #[inline(always)]
    fn reduce_sum(self) -> T {
        self.0.reduce_sum()
    }
    #[inline(always)]
    fn reduce_max(self) -> T {
        self.0.reduce_max()
    }
    #[inline(always)]
    fn lane(self, index: usize) -> T {
        self.0[index]
    }
    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        Self(self.0.zip_low(other.0))
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        Self(self.0.zip_high(other.0))
    }
    #[inline(always)]
    fn unzip_low(self, other: Self) -> Self {
        Self(self.0.unzip_low(other.0))
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        Self(self.0.unzip_high(other.0))
    }
}
