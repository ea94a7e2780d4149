//! Gated recurrent unit: Cho et al., *Learning phrase representations using RNN encoder-decoder* (2014).
//!
//! With the products with the input split into three gates, `r`, `z` and `n`, and those with the hidden state into `r'`,
//! `z'` and `n'`: `r = σ(r + r')`, `z = σ(z + z')`, `n = tanh(n + r·n')`, `hₜ = (1 − z)·n + z·hₜ₋₁`
//!
//! So the reset gate is applied after the product, as in PyTorch's `GRU`, cuDNN and Keras' `reset_after=True`. With
//! `reset = before` it is applied before it, as in the paper, in ONNX's `GRU` (`linear_before_reset = 0`) and Keras'
//! `reset_after=False`: `n'` is the product of `U` with `r ∘ hₜ₋₁`. Since it cannot begin before `r` is known, a step
//! takes about half as long again.

use super::{Cell, Recurrent, Starts, States, copy};
use crate::kernels::elementwise::{update, zip, zip3, zip3_to};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A GRU, from an `X` to a `Y`; its [options](super) stand with the other recurrent layers'.
///
/// ```
/// use monomorph::prelude::*;
///
/// // The hidden state after the last step.
/// network! { pub Classifier: [50, 6] -> [4] { Gru(32, last), Dense(4) } }
/// assert_eq!(Classifier::zeroed().evaluate(&[[0.5; 6]; 50]), [0.0; 4]);
/// ```
pub type Gru<X, I, H, B, Y, S = [<B as Tensor>::Element; 0], const KERAS: bool = false, const RESET_BEFORE: usize = 0> =
    Recurrent<GruCell<KERAS, RESET_BEFORE>, X, I, H, B, Y, S>;

/// The formula of [`Gru`], whether initial values are those of Keras, and whether the hidden state is reset before the
/// product with `U`: 1, or 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GruCell<const KERAS: bool = false, const RESET_BEFORE: usize = 0>;

impl<const KERAS: bool, const RESET_BEFORE: usize> Starts for GruCell<KERAS, RESET_BEFORE> {
    const GATES: usize = 3;
    const KERAS: bool = KERAS;
}

impl<T: Real, const KERAS: bool, const RESET_BEFORE: usize> Cell<T> for GruCell<KERAS, RESET_BEFORE> {
    type Beside<Z: Tensor<Element = T>> = [Z; 0];
    type Kept<Z: Tensor<Element = T>> = [Z; 1];
    type Scratch<Z: Tensor<Element = T>> = [Z; RESET_BEFORE];
    const RESETS: bool = RESET_BEFORE > 0;

    #[inline(always)]
    fn forward<S: Simd>(simd: S, units: usize, gates: &mut [T], products: &mut [T], hidden: &mut [T], _: &mut [T]) {
        let ([r, z, n], [r_h, z_h, n_h]) = (super::gates(gates), super::gates(products));
        update(
            simd,
            units,
            [r, z, n, hidden],
            [r_h, z_h, n_h],
            #[inline(always)]
            |[r, z, n, h], [r_h, z_h, n_h]| {
                let r = if const { RESET_BEFORE > 0 } { r } else { T::sigmoid_lanes(simd, r + r_h) };
                let z = T::sigmoid_lanes(simd, z + z_h);
                let n = T::tanh_lanes(simd, if const { RESET_BEFORE > 0 } { n + n_h } else { r.mul_add(n_h, n) });
                [r, z, n, z.mul_add(h - n, n)]
            },
        );
    }

    #[inline(always)]
    fn reset<S: Simd>(simd: S, units: usize, gates: &mut [T], products: &mut [T], hidden: &[T]) {
        let ([r, ..], [r_h, ..]) = (super::gates::<T, 3>(gates), super::gates::<T, 3>(products));
        update(
            simd,
            units,
            [r, r_h],
            [hidden],
            #[inline(always)]
            |[r, r_h], [h]| {
                let r = T::sigmoid_lanes(simd, r + r_h);
                [r, r * h]
            },
        );
    }

    /// `∂hₜ₋₁ = ∂h·z`, and for the gates `∂n = ∂h·(1 − z)(1 − n²)`, `∂n' = ∂n·r`, `∂r = ∂r' = ∂n·n'·r(1 − r)`,
    /// `∂z = ∂z' = ∂h·(hₜ₋₁ − n)·z(1 − z)`; if the hidden state is reset before, `∂n' = ∂n`, and the reset gate's
    /// follow in `reset_backward`.
    #[inline(always)]
    fn backward<S: Simd>(
        simd: S,
        states: States<'_, T>,
        gates: &mut [T],
        products: &mut [T],
        grad: &mut [T],
        _: &mut [T],
    ) {
        let ([r, z, n], [r_h, z_h, n_h]) = (super::gates(gates), super::gates(products));
        let one = <T as Scalar>::Vector::<S>::splat(simd, T::ONE);
        // `r'` and `z'` are not needed any more: scratch for ∂h·(hₜ₋₁ − n) and for ∂h·z.
        zip3_to(
            simd,
            grad,
            states.hidden_before,
            n,
            z_h,
            #[inline(always)]
            |grad, h, n| grad * (h - n),
        );
        zip3(
            simd,
            n,
            grad,
            z,
            #[inline(always)]
            |n, grad, z| grad * (one - z) * (one - n * n),
        );
        zip(
            simd,
            grad,
            z,
            #[inline(always)]
            |grad, z| grad * z,
        );
        zip(
            simd,
            z_h,
            z,
            #[inline(always)]
            |d, z| d * z * (one - z),
        );
        if const { RESET_BEFORE > 0 } {
            copy(z_h, z);
            copy(n, n_h);
            r_h.fill(T::ZERO);
            z_h.fill(T::ZERO);
            return;
        }
        zip3_to(
            simd,
            n,
            n_h,
            r,
            r_h,
            #[inline(always)]
            |dn, h, r| dn * h * r * (one - r),
        );
        zip3(
            simd,
            n_h,
            n,
            r,
            #[inline(always)]
            |_, dn, r| dn * r,
        );
        for (gate, product) in [(r, r_h), (z, z_h)] {
            copy(product, gate);
        }
    }

    /// `∂hₜ₋₁ += ∂(r ∘ h)·r`, `∂r = ∂(r ∘ h)·hₜ₋₁·r(1 − r)`.
    #[inline(always)]
    fn reset_backward<S: Simd>(simd: S, units: usize, hidden: &[T], gates: &mut [T], reset: &[T], grad: &mut [T]) {
        let ([r, ..], one) = (super::gates::<T, 3>(gates), <T as Scalar>::Vector::<S>::splat(simd, T::ONE));
        update(
            simd,
            units,
            [r, grad],
            [reset, hidden],
            #[inline(always)]
            |[r, grad], [d, h]| [d * h * r * (one - r), d.mul_add(r, grad)],
        );
    }
}
