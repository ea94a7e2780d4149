//! Recurrent layers step by step.

use super::{Cell, OneStep, Recurrent, State};
use crate::activation::Identity;
use crate::kernels::gemm;
use crate::memory;
use crate::scalar::Real;
use crate::simd::{Simd, share};
use crate::streaming::{Streaming, outline_steps};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// How many steps of a block are computed at a time.
const BLOCK: usize = 16;

impl<T: Real, C, X, I, H, G, Y, Z> Recurrent<C, X, I, H, G, Y, Z>
where
    C: Cell<T>,
    X: Tensor<Element = T>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
{
    /// The next `N` steps: the products with the input all at once, the others one after another.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(
        &self,
        simd: S,
        state: &mut State<H::Rows, C::Beside<H::Rows>, G>,
        input: &[X::Item; N],
        output: &mut [Y::Last; N],
    ) {
        let (mut many, mut reset) = (memory::zeroed::<[G; N]>(), memory::zeroed::<C::Scratch<H::Rows>>());
        let State { hidden, beside, gates, products } = state;
        let gates = if const { N == 1 } { gates.numbers_mut() } else { batch_slice_mut(&mut many) };
        let (mut reset_products, w) = (memory::zeroed::<C::Scratch<G>>(), &self.weight_ih);
        gemm::dense_forward::<T, I::Format, S, Identity, OneStep<X::Item, G, N>>(
            simd,
            batch_slice(input),
            w.packed(),
            w.scale(),
            self.bias_ih.numbers(),
            gates,
        );
        for (gates, y) in gates.chunks_exact_mut(G::LEN.max(1)).zip(output) {
            let products = [products.numbers_mut(), reset.numbers_mut(), reset_products.numbers_mut()];
            let states = [hidden.numbers_mut(), beside.numbers_mut()];
            self.advance::<S, 1>(simd, (gates, 0), products, states);
            Self::give(hidden.numbers(), beside.numbers(), y.numbers_mut());
        }
    }
}

/// The states are kept from step to step.
impl<T: Real, C, X, I, H, G, Y, Z> Streaming for Recurrent<C, X, I, H, G, Y, Z>
where
    C: Cell<T>,
    X: Tensor<Element = T>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
{
    type State = State<H::Rows, C::Beside<H::Rows>, G>;
    type StepInput = X::Item;
    type StepOutput = Y::Last;

    fn start(&self, state: &mut Self::State) {
        self.begin([None, None], state.hidden.numbers_mut(), state.beside.numbers_mut());
    }

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &X::Item, output: &mut Y::Last) {
        self.steps(simd, state, core::array::from_ref(input), core::array::from_mut(output));
    }

    #[inline(always)]
    fn steps<S: Simd, const N: usize>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &[X::Item; N],
        output: &mut [Y::Last; N],
    ) {
        let () = Self::SHAPE;
        const { assert!(Self::EVERY, "a recurrent layer that gives its last step alone does not run step by step") };
        outline_steps::<Self, N, _, _>(
            simd,
            #[inline(always)]
            || {
                let ((blocks, steps), (results, outputs)) = (input.as_chunks::<BLOCK>(), output.as_chunks_mut());
                if const { N >= BLOCK } {
                    for (input, output) in blocks.iter().zip(results) {
                        share(
                            simd,
                            #[inline(always)]
                            || self.block::<S, BLOCK>(simd, state, input, output),
                        );
                    }
                }
                for (input, output) in steps.iter().zip(outputs) {
                    let (input, output) = (core::array::from_ref(input), core::array::from_mut(output));
                    share(
                        simd,
                        #[inline(always)]
                        || self.block::<S, 1>(simd, state, input, output),
                    );
                }
            },
        );
    }
}
