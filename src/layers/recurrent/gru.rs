//! Gated recurrent unit: Cho et al., *Learning phrase representations using RNN encoder-decoder* (2014), with the reset
//! gate applied after the product, as in PyTorch's `GRU`, cuDNN and Keras' `reset_after=True`.
//!
//! With the products with the input split into three gates, `r`, `z` and `n`, and those with the hidden state into `r'`,
//! `z'` and `n'`: `r = σ(r + r')`, `z = σ(z + z')`, `n = tanh(n + r·n')`, `hₜ = (1 − z)·n + z·hₜ₋₁`

use super::{Cell, Recurrent, States, copy};
use crate::kernels::elementwise::{zip, zip3, zip3_to};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A GRU, from an `X` to a `Y`.
///
/// ```
/// use monomorph::prelude::*;
///
/// // The hidden state after the last step.
/// network! { pub Classifier: [50, 6] -> [4] { Gru(32, last), Dense(4) } }
/// assert_eq!(Classifier::zeroed().evaluate(&[[0.5; 6]; 50]), [0.0; 4]);
/// ```
pub type Gru<X, I, H, B, Y> = Recurrent<GruCell, X, I, H, B, Y>;

/// The formula of [`Gru`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GruCell;

impl<T: Real> Cell<T> for GruCell {
    const GATES: usize = 3;
    type Beside<Z: Tensor<Element = T>> = [Z; 0];
    type Kept<Z: Tensor<Element = T>> = [Z; 1];

    #[inline(always)]
    fn forward<S: Simd>(simd: S, gates: &mut [T], products: &mut [T], hidden: &mut [T], _: &mut [T]) {
        let ([r, z, n], [r_h, z_h, n_h]) = (super::gates(gates), super::gates(products));
        for (gate, product) in [(&mut *r, r_h), (&mut *z, z_h)] {
            zip(
                simd,
                gate,
                product,
                #[inline(always)]
                |x, h| T::sigmoid_lanes(simd, x + h),
            );
        }
        zip3(
            simd,
            n,
            r,
            n_h,
            #[inline(always)]
            |n, r, h| T::tanh_lanes(simd, r.mul_add(h, n)),
        );
        zip3(
            simd,
            hidden,
            z,
            n,
            #[inline(always)]
            |h, z, n| z.mul_add(h - n, n),
        );
    }

    /// `∂hₜ₋₁ = ∂h·z`, and for the gates `∂n = ∂h·(1 − z)(1 − n²)`, `∂n' = ∂n·r`, `∂r = ∂r' = ∂n·n'·r(1 − r)`,
    /// `∂z = ∂z' = ∂h·(hₜ₋₁ − n)·z(1 − z)`.
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
}
