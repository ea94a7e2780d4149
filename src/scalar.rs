//! The number type of a network.

use core::fmt::{Debug, Display};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::kernels::cortex_m;
use crate::memory::Plain;
use crate::simd::{Lanes, Simd, Vector};

/// A number that networks can be made of: `f32` or `f64`.
///
/// Kernels are written over [`Scalar::Vector`], so a new kind of number is one implementation of
/// this trait and of [`Vector`], not a new set of kernels.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number type that a network can be made of or trained with",
    label = "not a number type of networks",
    note = "use `f32` or `f64`"
)]
pub trait Scalar:
    Plain
    + Copy
    + Default
    + PartialEq
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + SubAssign
    + Mul<Output = Self>
    + MulAssign
    + Div<Output = Self>
    + DivAssign
    + Neg<Output = Self>
{
    /// The register that holds several of them at the SIMD level `S`.
    type Vector<S: Simd>: Vector<S, Self>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The number's name in weight files: `F32`, `F64`.
    const NAME: &'static str;

    /// The nearest number to `value`.
    fn from_f64(value: f64) -> Self;
    /// This number as `f64`.
    fn to_f64(self) -> f64;
    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// `√self`.
    fn sqrt(self) -> Self;
    /// `e^self`.
    fn exp(self) -> Self;
    /// `ln self`.
    fn ln(self) -> Self;
    /// `self^exponent`.
    fn powf(self, exponent: Self) -> Self;
    /// `|self|`.
    fn abs(self) -> Self {
        if self < Self::ZERO { -self } else { self }
    }
    /// The larger of both.
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    /// The smaller of both.
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
}

// The scalar functions come from `libm`, not from the C library of the platform, so that a seed
// gives the same network everywhere.
macro_rules! float {
    ($T:ident, $name:literal, $sqrt:path, $exp:ident, $ln:ident, $pow:ident) => {
        #[diagnostic::do_not_recommend]
        impl Scalar for $T {
            type Vector<S: Simd> = Lanes<S, $T>;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $T::EPSILON;
            const NAME: &'static str = $name;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $T
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $T::is_finite(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $sqrt(self)
            }
            #[inline]
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            #[inline]
            fn ln(self) -> Self {
                libm::$ln(self)
            }
            #[inline]
            fn powf(self, exponent: Self) -> Self {
                libm::$pow(self, exponent)
            }
        }
    };
}
float!(f32, "F32", cortex_m::sqrt, expf, logf, powf);
float!(f64, "F64", libm::sqrt, exp, log, pow);

/// Encodes a hyper-parameter for a const generic parameter: its bits.
///
/// Stable Rust takes no floating-point const generics, so layers such as
/// [`LeakyRelu`](crate::layers::LeakyRelu) take the bits of an `f64`.
///
/// ```
/// use monomorph::layers::LeakyRelu;
/// use monomorph::scalar::bits;
/// type Gentle = LeakyRelu<{ bits(0.3) }>;
/// ```
pub const fn bits(value: f64) -> u64 {
    value.to_bits()
}
