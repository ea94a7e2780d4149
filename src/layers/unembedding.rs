//! Unembedding: how well a vector agrees with each row of an embedding's table, which both share.
//!
//! `y[v] = Σ_d x[d] · W[v][d]`, for every row of `x`; `∂L/∂x = ∂L/∂y · W`, `∂L/∂W[v] += Σ ∂L/∂y[v] · x`
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[D]`, or `[STEPS, D]` |
//! | `weight` (W) | `[V, D]`, that of an [`Embedding`] |
//! | `y` | `[V]`, or `[STEPS, V]` |
//!
//! Press and Wolf, *Using the output embedding to improve language models* (2017).

use core::marker::PhantomData;

use crate::activation::Identity;
use crate::kernels::gemm::{self, Product};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::layers::Embedding;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The products of an `X` with the rows of a table `W`, which give a `Y`: the last layer of a language model.
///
/// In a network it uses the table of an earlier layer:
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Words: [u8; 1] -> [1, 3] { tokens: Embedding(3, 2), Unembedding(tokens) } }
/// let mut net = Words::zeroed();
/// net.tokens.weight = [[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]];
/// assert_eq!(net.evaluate(&[2]), [[2.0, 3.0, 13.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Unembedding<X, W: Tensor<Element: Scalar>, Y> {
    /// W: a row for each token.
    #[parameters(tensor, normal = 1.0)]
    pub weight: W,
    /// The input and the output.
    pub shapes: PhantomData<(X, Y)>,
}

impl<X, W: Tensor<Element: Scalar>, Y> Embedding<X, W, Y> {
    /// The layer that multiplies vectors by this table.
    #[inline(always)]
    pub const fn unembedding<V, Z>(&self) -> &Unembedding<V, W, Z> {
        // SAFETY: both are a `W` and nothing else, in C's representation.
        unsafe { &*(&raw const *self).cast() }
    }

    /// [`unembedding`](Self::unembedding), to change.
    #[inline(always)]
    pub const fn unembedding_mut<V, Z>(&mut self) -> &mut Unembedding<V, W, Z> {
        // SAFETY: both are a `W` and nothing else, in C's representation.
        unsafe { &mut *(&raw mut *self).cast() }
    }
}

/// The products of a batch of `N`, turned around: the outputs of the layer are what a dense layer with the weight `W`
/// would take.
struct Sizes<X, Y, const N: usize>(PhantomData<(X, Y)>);

impl<X: Tensor, Y: Tensor, const N: usize> Product for Sizes<X, Y, N> {
    const ROWS: usize = N * X::LEN / X::CHANNELS;
    const IN: usize = Y::CHANNELS;
    const OUT: usize = X::CHANNELS;
    const BIAS: usize = 0;
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, Y: Tensor<Element = T>> Unembedding<X, W, Y> {
    const SHAPE: () = {
        let &[tokens, features] = W::SHAPE else { panic!("Unembedding: the table is `[[T; D]; V]`") };
        assert!(X::LEN > 0 && Y::LEN > 0, "Unembedding: a size is 0");
        assert!(X::CHANNELS == features && Y::CHANNELS == tokens, "Unembedding: the table has another shape");
        assert!(X::LEN / features == Y::LEN / tokens, "Unembedding: input and output differ in steps");
    };
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, Y: Tensor<Element = T>> Layer for Unembedding<X, W, Y> {
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN * Y::CHANNELS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], (): &mut ()) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                gemm::dense_input_gradient::<T, S, Sizes<X, Y, B>>(simd, x, self.weight.numbers(), y);
            },
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        (): &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                let weight = gradient.weight.numbers_mut();
                gemm::dense_weight_gradient::<T, S, Sizes<X, Y, B>>(simd, grad_y, x, weight, &mut []);
            },
        );
        if let Some(grad_input) = grad_input {
            outline_layer::<Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let (grad_y, grad_x) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                    let weight = self.weight.numbers();
                    gemm::dense_forward::<T, T, S, Identity, Sizes<X, Y, B>>(simd, grad_y, weight, &[], &[], grad_x);
                },
            );
        }
    }
}

/// Each row of a sequence is a step.
impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, Y: Tensor<Element = T>> Streaming
    for Unembedding<X, W, Y>
{
    type State = ();
    type StepInput = X::Item;
    type StepOutput = Y::Item;

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, (): &mut (), input: &X::Item, output: &mut Y::Item) {
        let () = Self::SHAPE;
        outline_layer::<Self, 1, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, y) = (input.numbers(), output.numbers_mut());
                gemm::dense_input_gradient::<T, S, Sizes<X::Item, Y::Item, 1>>(simd, x, self.weight.numbers(), y);
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Scalar, const STEPS: usize, const D: usize, const V: usize>() {
        type Table<T, const STEPS: usize, const D: usize, const V: usize> =
            Unembedding<[[T; D]; STEPS], [[T; D]; V], [[T; V]; STEPS]>;
        let layer = random::<Table<T, STEPS, D, V>>();
        let (input, grad_output) = (golden::random::<[[T; D]; STEPS], 2>(2), golden::random::<[[T; V]; STEPS], 2>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; V * D]);
        for row in 0..2 * STEPS {
            for (v, d) in (0..V).flat_map(|v| (0..D).map(move |d| (v, d))) {
                let weight = layer.weight[v][d].to_f64();
                y[row * V + v] += x[row * D + d] * weight;
                dx[row * D + d] += dy[row * V + v] * weight;
                gradient[v * D + d] += dy[row * V + v] * x[row * D + d];
            }
        }
        check::<_, Table<T, STEPS, D, V>, 2>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, 3, 17, 33>();
        agrees::<f64, 1, 1, 3>();
        agrees::<f64, 17, 33, 1>();
        agrees::<f32, 2, 16, 64>();
    }

    #[test]
    fn finite_differences_agree() {
        let mut layer = random::<Unembedding<[[f64; 3]; 2], [[f64; 3]; 5], [[f64; 5]; 2]>>();
        check_gradients(&mut *layer, &golden::random::<[[f64; 3]; 2], 3>(4), 1e-7).unwrap();
    }
}
