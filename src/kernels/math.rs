//! Transcendental functions over registers.

use crate::scalar::Scalar;
use crate::simd::{Lanes, Simd, Vector};
use fearless_simd::SimdFloatElement;

/// Constants.
pub trait Float: SimdFloatElement {}
impl Float for f32 {}
impl Float for f64 {}

macro_rules! stub { ($($n:ident),*) => {$(
    /// To come.
    #[inline(always)]
    pub fn $n<S: Simd, T: Float + Scalar>(_simd: S, x: Lanes<S, T>) -> Lanes<S, T> { x }
)*}}
stub!(exp, exp_m1, ln, ln_1p, tanh, sigmoid, erf);
