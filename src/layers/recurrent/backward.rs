//! The steps of back-propagation through time that [`Layer::backward`](crate::Layer::backward) of a recurrent layer calls.

use super::{Cell, Later, OneStep, Part, Recurrent, Saved, Sequence, States, copy, row, row_mut};
use crate::kernels::elementwise::add_assign;
use crate::kernels::gemm::{self, Strided};
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// What `forward` saves.
pub(super) type Kept<T, C, X, H, G, const B: usize> = Saved<
    Over<X, G>,
    <C as Cell<T>>::Kept<Over<X, G>>,
    Over<X, <H as Weight>::Rows>,
    <C as Cell<T>>::Beside<Over<X, <H as Weight>::Rows>>,
    G,
    <H as Weight>::Rows,
    <C as Cell<T>>::Beside<<H as Weight>::Rows>,
    <C as Cell<T>>::Scratch<<H as Weight>::Rows>,
    <C as Cell<T>>::Scratch<G>,
    B,
>;
/// A row `L` for each step.
type Over<X, L> = <<X as Sequence>::Steps as Tensor>::WithLast<L>;

impl<T: Real, C, X, I, H, G, Y, Z> Recurrent<C, X, I, H, G, Y, Z>
where
    C: Cell<T>,
    X: Sequence<Steps: Tensor<Element = T>>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
{
    /// From the gradients of the states after a step computes those of the products (in place of the gates, and in
    /// `products`) and of the states before it, but for what flows through the products with `U`.
    #[inline(always)]
    pub(super) fn backward_cell<S: Simd, const B: usize>(
        &self,
        simd: S,
        step: usize,
        saved: &mut Kept<T, C, X, H, G, B>,
        grad_output: &[Y; B],
    ) {
        for sample in 0..B {
            let Saved { grad, grad_beside, .. } = saved;
            let (grad, grad_beside) = (grad[sample].numbers_mut(), grad_beside[sample].numbers_mut());
            if let Some(at) = Self::given(step) {
                let (hidden, beside) = row(grad_output[sample].numbers(), at, Y::CHANNELS).split_at(Self::HIDDEN);
                add_assign(simd, grad, hidden);
                if const { Self::GIVES_BESIDE } {
                    add_assign(simd, grad_beside, beside);
                }
            }
            let beside = saved.beside[sample].numbers();
            let beside_before = match step.checked_sub(1) {
                Some(before) => row(beside, before, Self::BESIDE),
                None => saved.first_beside[sample].numbers(),
            };
            let hidden_before = match step.checked_sub(1) {
                Some(before) => row(saved.hidden[sample].numbers(), before, Self::HIDDEN),
                None => saved.first[sample].numbers(),
            };
            let states = States { hidden_before, beside_before, beside: row(beside, step, Self::BESIDE) };
            let gates = row_mut(saved.gates[sample].numbers_mut(), step, G::LEN);
            let products = saved.products[sample].numbers_mut();
            let kept = row_mut(saved.kept[sample].numbers_mut(), step, if Self::KEEPS { G::LEN } else { 0 });
            copy(kept, products);
            C::backward(simd, states, gates, products, grad, grad_beside);
            if const { !Self::KEEPS } {
                copy(gates, products);
            } else if const { !C::RESETS } {
                copy(products, kept);
            }
        }
        if const { C::RESETS } {
            let (u, reset) = (self.weight_hh.trained(), batch_slice_mut(&mut saved.row));
            let products = batch_slice(&saved.products);
            gemm::dense_input_gradient::<T, S, OneStep<H::Rows, G, B>>(simd, products, u, reset);
            for sample in 0..B {
                let hidden = match step.checked_sub(1) {
                    Some(before) => row(saved.hidden[sample].numbers(), before, Self::HIDDEN),
                    None => saved.first[sample].numbers(),
                };
                let gates = row_mut(saved.gates[sample].numbers_mut(), step, G::LEN);
                let (reset, grad) = (saved.row[sample].numbers(), saved.grad[sample].numbers_mut());
                C::reset_backward(simd, Self::HIDDEN, hidden, gates, reset, grad);
                let products = saved.products[sample].numbers_mut();
                copy(gates, products);
                let [_, _, candidate] = super::gates(products);
                candidate.fill(T::ZERO);
            }
        }
    }

    /// The gradients of `U` and `c`, from those of the products of all steps: as matrix products.
    #[inline(always)]
    pub(super) fn backward_hidden_weight<S: Simd, const B: usize>(
        simd: S,
        saved: &Kept<T, C, X, H, G, B>,
        gradient: &mut Self,
    ) {
        let (u, bias, width) = (gradient.weight_hh.trained_mut(), gradient.bias_hh.numbers_mut(), Self::HIDDEN);
        if const { C::RESETS } {
            for sample in 0..B {
                let (gates, kept) = (saved.gates[sample].numbers(), saved.kept[sample].numbers());
                let (hidden, first) = (saved.hidden[sample].numbers(), saved.first[sample].numbers());
                let (_, later) = gates.split_at(G::LEN);
                for (hidden, gates, steps) in [(first, gates, 1), (hidden, later, Self::STEPS - 1)] {
                    let hidden = Strided { numbers: hidden, row: 1, step: width };
                    let (from, to) = ((gates, G::LEN), (&mut *u, G::LEN));
                    gemm::product::<T, S, Part<H::Rows, 2>, true>(simd, [width, steps], hidden, from, to);
                }
                let reset = Strided { numbers: kept, row: 1, step: G::LEN };
                let (from, to) = (gates.split_at(2 * width).1, u.split_at_mut(2 * width).1);
                let (from, to) = ((from, G::LEN), (to, G::LEN));
                gemm::product::<T, S, Part<H::Rows, 1>, true>(simd, [width, Self::STEPS], reset, from, to);
                for row in gates.chunks_exact(G::LEN) {
                    add_assign(simd, bias, row);
                }
            }
            return;
        }
        let products = batch_slice(&saved.products);
        if const { Self::BEGINS } {
            let first = batch_slice(&saved.first);
            gemm::dense_weight_gradient::<T, S, OneStep<H::Rows, G, B>>(simd, first, products, u, bias);
        } else {
            for row in products.chunks_exact(G::LEN) {
                add_assign(simd, bias, row);
            }
        }
        if const { Self::STEPS > 1 } {
            for sample in 0..B {
                let gates = saved.gates[sample].numbers();
                let products = if Self::KEEPS { saved.kept[sample].numbers() } else { gates };
                let (_, later) = products.split_at(G::LEN);
                let hidden = saved.hidden[sample].numbers();
                let (before, _) = hidden.split_at(hidden.len() - width);
                gemm::dense_weight_gradient::<T, S, Later<X::Steps, H::Rows, G>>(simd, before, later, u, bias);
            }
        }
    }
}
