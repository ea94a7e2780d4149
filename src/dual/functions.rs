//! What formulas are written with: operators between dual numbers and constants, and functions as methods.

use core::ops::{Add, Div, Mul, Sub};

use super::Dual;
use crate::scalar::Real;

impl<T: Real, const N: usize> Dual<T, N> {
    /// `√self`.
    #[inline]
    pub fn sqrt(self) -> Self {
        Real::sqrt(self)
    }

    /// `e^self`.
    #[inline]
    pub fn exp(self) -> Self {
        Real::exp(self)
    }

    /// `ln self`.
    #[inline]
    pub fn ln(self) -> Self {
        Real::ln(self)
    }

    /// `self^exponent`, for an exponent that is a variable too or a [constant](Dual::constant).
    #[inline]
    pub fn powf(self, exponent: Self) -> Self {
        Real::powf(self, exponent)
    }

    /// `self²`.
    #[inline]
    pub fn squared(self) -> Self {
        self * self
    }
}

/// For the numbers that constants are written in.
macro_rules! formulas {
    ($t:ident, $sin:path, $cos:path, $atan:path, $tanh:path) => {
        formulas!($t; Add add plus, Sub sub minus, Mul mul times, Div div over);

        impl<const N: usize> Dual<$t, N> {
            /// `sin self`, in radians.
            ///
            /// ```
            /// use monomorph::Dual;
            /// let y = Dual::<f64, 1>::variable(1.0, 0).sin();
            /// assert_eq!((y.value, y.derivatives), (1_f64.sin(), [1_f64.cos()]));
            /// ```
            #[inline]
            pub fn sin(self) -> Self {
                self.chain($sin(self.value), $cos(self.value))
            }

            /// `cos self`, in radians.
            #[inline]
            pub fn cos(self) -> Self {
                self.chain($cos(self.value), -$sin(self.value))
            }

            /// `arctan self`.
            #[inline]
            pub fn atan(self) -> Self {
                self.chain($atan(self.value), 1.0 / (1.0 + self.value * self.value))
            }

            /// `tanh self`.
            #[inline]
            pub fn tanh(self) -> Self {
                let y = $tanh(self.value);
                self.chain(y, 1.0 - y * y)
            }
        }
    };
    ($t:ident; $($trait:ident $method:ident $f:ident),*) => {
        $(
            impl<const N: usize> $trait<$t> for Dual<$t, N> {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: $t) -> Self {
                    self.$f(Self::constant(other))
                }
            }

            impl<const N: usize> $trait<Dual<$t, N>> for $t {
                type Output = Dual<$t, N>;
                #[inline(always)]
                fn $method(self, other: Dual<$t, N>) -> Dual<$t, N> {
                    Dual::constant(self).$f(other)
                }
            }
        )*
    };
}
formulas!(f32, libm::sinf, libm::cosf, libm::atanf, libm::tanhf);
formulas!(f64, libm::sin, libm::cos, libm::atan, libm::tanh);
