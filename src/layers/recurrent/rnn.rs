//! Elman's recurrent network, *Finding structure in time* (1990): PyTorch's `RNN` with `tanh`.
//!
//! `hₜ = tanh(xₜ·W + b + hₜ₋₁·U + c)`

use super::{Cell, Recurrent, Starts, States};
use crate::kernels::elementwise::{update, zip};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A simple recurrent layer, from an `X` to a `Y`; its [options](super) stand with the other recurrent layers'.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Net: [8, 3] -> [8, 5] { Rnn(5) } }
/// assert_eq!(Net::summary().parameters(), 3 * 5 + 5 * 5 + 2 * 5);
/// ```
pub type Rnn<X, I, H, B, Y, S = [<B as Tensor>::Element; 0], const KERAS: bool = false> =
    Recurrent<RnnCell<KERAS>, X, I, H, B, Y, S>;

/// The formula of [`Rnn`], and whether initial values are those of Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RnnCell<const KERAS: bool = false>;

impl<const KERAS: bool> Starts for RnnCell<KERAS> {
    const GATES: usize = 1;
    const KERAS: bool = KERAS;
}

impl<T: Real, const KERAS: bool> Cell<T> for RnnCell<KERAS> {
    type Beside<Z: Tensor<Element = T>> = [Z; 0];
    type Kept<Z: Tensor<Element = T>> = [Z; 0];
    type Scratch<Z: Tensor<Element = T>> = [Z; 0];

    #[inline(always)]
    fn forward<S: Simd>(simd: S, units: usize, gates: &mut [T], products: &mut [T], hidden: &mut [T], _: &mut [T]) {
        update(
            simd,
            units,
            [gates, hidden],
            [products],
            #[inline(always)]
            |[x, _], [h]| [T::tanh_lanes(simd, x + h); 2],
        );
    }

    /// `∂g = ∂p = ∂h · (1 − h²)`.
    #[inline(always)]
    fn backward<S: Simd>(simd: S, _: States<'_, T>, gates: &mut [T], _: &mut [T], grad: &mut [T], _: &mut [T]) {
        let one = <T as Scalar>::Vector::<S>::splat(simd, T::ONE);
        zip(
            simd,
            gates,
            grad,
            #[inline(always)]
            |h, grad| grad * (one - h * h),
        );
        grad.fill(T::ZERO);
    }
}
