//! What recurrent layers take: a sequence, alone or with the states before its first step.

use crate::layer::{Batch, GradientOf, Inputs};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The input of a recurrent layer: `[STEPS, IN]`; with the states before its first step it is a tuple: `(x, h)`, or
/// `(x, h, c)` for an LSTM.
pub trait Sequence: Inputs {
    /// The sequence.
    type Steps: Tensor;
    /// How many states are given.
    const STATES: usize;
    /// The width of each of them.
    const WIDTH: usize;

    /// The sequences of a batch.
    fn steps<'a, const B: usize>(batch: Batch<'a, Self, B>) -> &'a [Self::Steps; B];
    /// The given states of a batch.
    fn states<'a, const B: usize>(batch: Batch<'a, Self, B>) -> [Option<&'a [Number<Self>]>; 2];
    /// Where the gradients of the sequences and of the given states are written, as far as they are needed.
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, Self, B>) -> Gradients<'a, Self::Steps, B>;
}

/// The gradients of sequences `X` and of the given states.
pub type Gradients<'a, X, const B: usize> = (Option<&'a mut [X; B]>, [Option<&'a mut [<X as Tensor>::Element]>; 2]);

/// The number type of a sequence.
type Number<X> = <<X as Sequence>::Steps as Tensor>::Element;

impl<X: Tensor> Sequence for X {
    type Steps = X;
    const STATES: usize = 0;
    const WIDTH: usize = 0;

    #[inline(always)]
    fn steps<'a, const B: usize>(batch: Batch<'a, X, B>) -> &'a [X; B] {
        batch
    }
    #[inline(always)]
    fn states<'a, const B: usize>(_: Batch<'a, X, B>) -> [Option<&'a [X::Element]>; 2] {
        [None, None]
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, X, B>) -> Gradients<'a, X, B> {
        (gradient, [None, None])
    }
}

impl<X: Tensor, H: Tensor<Element = X::Element>> Sequence for (X, H) {
    type Steps = X;
    const STATES: usize = 1;
    const WIDTH: usize = H::LEN;

    #[inline(always)]
    fn steps<'a, const B: usize>((x, _): Batch<'a, Self, B>) -> &'a [X; B] {
        x
    }
    #[inline(always)]
    fn states<'a, const B: usize>((_, h): Batch<'a, Self, B>) -> [Option<&'a [X::Element]>; 2] {
        [Some(batch_slice(h)), None]
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>((x, h): GradientOf<'a, Self, B>) -> Gradients<'a, X, B> {
        (x, [h.map(|h| batch_slice_mut(h)), None])
    }
}

impl<X: Tensor, H: Tensor<Element = X::Element>> Sequence for (X, H, H) {
    type Steps = X;
    const STATES: usize = 2;
    const WIDTH: usize = H::LEN;

    #[inline(always)]
    fn steps<'a, const B: usize>((x, ..): Batch<'a, Self, B>) -> &'a [X; B] {
        x
    }
    #[inline(always)]
    fn states<'a, const B: usize>((_, h, c): Batch<'a, Self, B>) -> [Option<&'a [X::Element]>; 2] {
        [Some(batch_slice(h)), Some(batch_slice(c))]
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>((x, h, c): GradientOf<'a, Self, B>) -> Gradients<'a, X, B> {
        (x, [h.map(|h| batch_slice_mut(h)), c.map(|c| batch_slice_mut(c))])
    }
}
