//! Long short-term memory: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins,
//! *Learning to forget* (2000); PyTorch's `LSTM`.
//!
//! With the sum of both products split into four gates, `i`, `f`, `g` and `o`:
//! `cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g)`, `hₜ = σ(o)·tanh(cₜ)`

use super::{Cell, Recurrent, Starts, States, copy};
use crate::kernels::elementwise::{add_assign, map_to, update, zip_to, zip3, zip3_to};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// An LSTM, from an `X` to a `Y`; its [options](super) stand with the other recurrent layers'.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     #[streaming]
///     pub Amp: [512, 1] -> [512, 1] { Lstm(24), Dense(1) }
/// }
/// let amp = Amp::zeroed();
/// let mut state = amp.start();
/// assert_eq!(amp.step(&mut state, &[0.5]), [0.0]);
/// ```
pub type Lstm<X, I, H, B, Y, S = [<B as Tensor>::Element; 0], const KERAS: bool = false> =
    Recurrent<LstmCell<KERAS>, X, I, H, B, Y, S>;

/// The formula of [`Lstm`], and whether initial values are those of Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LstmCell<const KERAS: bool = false>;

impl<const KERAS: bool> Starts for LstmCell<KERAS> {
    const GATES: usize = 4;
    const KERAS: bool = KERAS;
    const FORGET: Option<usize> = Some(1);
}

impl<T: Real, const KERAS: bool> Cell<T> for LstmCell<KERAS> {
    type Beside<Z: Tensor<Element = T>> = [Z; 1];
    type Kept<Z: Tensor<Element = T>> = [Z; 0];
    type Scratch<Z: Tensor<Element = T>> = [Z; 0];

    #[inline(always)]
    fn forward<S: Simd>(simd: S, units: usize, gates: &mut [T], products: &mut [T], hidden: &mut [T], cell: &mut [T]) {
        let ([i, f, g, o], [i_h, f_h, g_h, o_h]) = (super::gates(gates), super::gates(products));
        update(
            simd,
            units,
            [i, f, g, o, hidden, cell],
            [i_h, f_h, g_h, o_h],
            #[inline(always)]
            |[i, f, g, o, _, c], [i_h, f_h, g_h, o_h]| {
                let (i, f) = (T::sigmoid_lanes(simd, i + i_h), T::sigmoid_lanes(simd, f + f_h));
                let (g, o) = (T::tanh_lanes(simd, g + g_h), T::sigmoid_lanes(simd, o + o_h));
                let c = i.mul_add(g, c * f);
                [i, f, g, o, o * T::tanh_lanes(simd, c), c]
            },
        );
    }

    /// With `t = tanh(c)`: `∂c += ∂h·o·(1 − t²)`, `∂cₜ₋₁ = ∂c·f`, and for the gates
    /// `∂i = ∂c·g·i(1 − i)`, `∂f = ∂c·cₜ₋₁·f(1 − f)`, `∂g = ∂c·i·(1 − g²)`, `∂o = ∂h·t·o(1 − o)`.
    #[inline(always)]
    fn backward<S: Simd>(
        simd: S,
        states: States<'_, T>,
        gates: &mut [T],
        scratch: &mut [T],
        grad: &mut [T],
        grad_cell: &mut [T],
    ) {
        let ([i, f, g, o], [t, dt, input, _]) = (super::gates(gates), super::gates(scratch));
        let one = <T as Scalar>::Vector::<S>::splat(simd, T::ONE);
        map_to(
            simd,
            states.beside,
            t,
            #[inline(always)]
            |c| T::tanh_lanes(simd, c),
        );
        // ∂h·o·(1 − t²)
        zip3_to(
            simd,
            grad,
            o,
            t,
            dt,
            #[inline(always)]
            |grad, o, t| grad * o * (one - t * t),
        );
        add_assign(simd, grad_cell, dt);
        zip3(
            simd,
            o,
            grad,
            t,
            #[inline(always)]
            |o, grad, t| grad * t * o * (one - o),
        );
        copy(i, input);
        zip3(
            simd,
            i,
            grad_cell,
            g,
            #[inline(always)]
            |i, grad, g| grad * g * i * (one - i),
        );
        zip3(
            simd,
            g,
            grad_cell,
            input,
            #[inline(always)]
            |g, grad, i| grad * i * (one - g * g),
        );
        // The forget gate is still needed for the gradient of the cell state before.
        zip_to(
            simd,
            grad_cell,
            f,
            t,
            #[inline(always)]
            |grad, f| grad * f,
        );
        zip3(
            simd,
            f,
            grad_cell,
            states.beside_before,
            #[inline(always)]
            |f, grad, c| grad * c * f * (one - f),
        );
        copy(t, grad_cell);
        grad.fill(T::ZERO);
    }
}
