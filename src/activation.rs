//! Elementwise functions, as kernels apply them.

use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// An elementwise function `y = f(x)` and its derivative.
///
/// Since it applies to single numbers, it can run inside the preceding layer, while the values are still in registers.
pub trait Activation<T: Scalar>: 'static {
    /// Whether `f′(x)` can be computed from `y = f(x)` alone, so that `x` need not be kept.
    const FROM_OUTPUT: bool;
    /// Where `f` turns from rising to falling or back, in ascending order; `None` if that is not known. Numbers that
    /// stand for many, such as [`Interval`](crate::Interval), are bounded by it.
    const TURNS: Option<&'static [f64]> = None;

    /// `f(x)`.
    fn apply<S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S>;

    /// `f′(x)`, given `x` and `y = f(x)`. Where `FROM_OUTPUT` holds, `x` must not be used.
    fn derivative<S: Simd>(simd: S, x: T::Vector<S>, y: T::Vector<S>) -> T::Vector<S>;
}

/// `f(x) = x`: no activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

impl<T: Scalar> Activation<T> for Identity {
    const FROM_OUTPUT: bool = true;
    const TURNS: Option<&'static [f64]> = Some(&[]);

    #[inline(always)]
    fn apply<S: Simd>(_simd: S, x: T::Vector<S>) -> T::Vector<S> {
        x
    }

    #[inline(always)]
    fn derivative<S: Simd>(simd: S, _x: T::Vector<S>, _y: T::Vector<S>) -> T::Vector<S> {
        T::Vector::<S>::splat(simd, T::ONE)
    }
}
