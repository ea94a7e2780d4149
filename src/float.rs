//! `f32` and `f64` as the numbers of networks.

use crate::scalar::{Real, Scalar};
use crate::simd::{Lanes, Simd};
use crate::{fpu, math};

// The scalar functions come from `libm`, not from the C library of the platform, so that a seed gives the same network
// on every platform.
macro_rules! float {
    ($T:ident, $name:literal, $sqrt:path, $mul_add:path, $exp:ident, $ln:ident, $pow:ident) => {
        #[diagnostic::do_not_recommend]
        impl Scalar for $T {
            type Vector<S: Simd> = Lanes<S, $T>;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
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
            fn mul_add(self, b: Self, c: Self) -> Self {
                $mul_add(self, b, c)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $T::is_finite(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $T::copysign(self, sign)
            }
        }

        #[diagnostic::do_not_recommend]
        impl Real for $T {
            const EPSILON: Self = $T::EPSILON;

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
            #[inline(always)]
            fn sqrt_lanes<S: Simd>(_simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::sqrt(x)
            }
            #[inline(always)]
            fn exp_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::exp(simd, x)
            }
            #[inline(always)]
            fn exp_m1_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::exp_m1(simd, x)
            }
            #[inline(always)]
            fn ln_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::ln(simd, x)
            }
            #[inline(always)]
            fn tanh_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::tanh(simd, x)
            }
            #[inline(always)]
            fn sigmoid_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::sigmoid(simd, x)
            }
            #[inline(always)]
            fn softplus_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::softplus(simd, x)
            }
            #[inline(always)]
            fn erf_lanes<S: Simd>(simd: S, x: Lanes<S, $T>) -> Lanes<S, $T> {
                math::erf(simd, x)
            }
        }
    };
}
float!(f32, "F32", fpu::sqrt, fpu::mul_add, expf, logf, powf);
float!(f64, "F64", libm::sqrt, fpu::mul_add_f64, exp, log, pow);
