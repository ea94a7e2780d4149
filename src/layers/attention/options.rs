//! How attention is set up, as types: its heads, and what it attends to.

use core::marker::PhantomData;

use crate::layer::{Batch, GradientOf, Inputs};
use crate::layers::attention::rotary::Rotation;
use crate::plain::WholeNumber;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// The heads of attention.
pub trait Heads: 'static {
    /// How many heads the queries have.
    const HEADS: usize;
    /// How many heads the keys and values have; each serves as many heads of queries. They are as many for plain
    /// attention and one for multi-query attention.
    const KV_HEADS: usize;
    /// Whether a step attends to itself and the steps before it only.
    const CAUSAL: bool;
    /// How queries and keys are rotated by their position, if they are.
    type Rotation: Rotation;
    /// A number for each head.
    type Each<T: Scalar>: Tensor<Element = T>;
    /// The bias of a product that gives an `X`: `X`, or nothing.
    type Bias<X: Tensor>: Tensor<Element = X::Element>;
}

/// `HEADS` heads, rotated by `R`; a marker that is never built.
///
/// ```
/// use monomorph::layers::attention::{Grouped, Heads, Rotary};
/// type Llama = Grouped<8, 4, true, Rotary<false>, false>;
/// assert_eq!((Llama::HEADS, Llama::KV_HEADS, Llama::CAUSAL), (8, 4, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grouped<
    const HEADS: usize,
    const KV_HEADS: usize,
    const CAUSAL: bool = false,
    R = super::Unrotated,
    const BIASED: bool = true,
>(PhantomData<R>);

macro_rules! grouped {
    ($biased:literal, $bias:ty) => {
        impl<const HEADS: usize, const KV_HEADS: usize, const CAUSAL: bool, R: Rotation> Heads
            for Grouped<HEADS, KV_HEADS, CAUSAL, R, $biased>
        {
            const HEADS: usize = HEADS;
            const KV_HEADS: usize = KV_HEADS;
            const CAUSAL: bool = CAUSAL;
            type Rotation = R;
            type Each<T: Scalar> = [T; HEADS];
            type Bias<X: Tensor> = $bias;
        }
    };
}
grouped!(true, X);
grouped!(false, [X::Element; 0]);

/// Where the gradients of queries and of a memory are written.
pub type Gradients<'a, X, M, const B: usize> = (Option<&'a mut [X; B]>, Option<&'a mut [M; B]>);

/// What attention takes: a sequence of queries, the memory that they attend to, and how much of it there is.
pub trait Attended: 'static {
    /// The queries, `[STEPS, D]`.
    type Query: Tensor<Element: Scalar>;
    /// What is attended to, `[KEYS, E]`.
    type Memory: Tensor<Element = <Self::Query as Tensor>::Element>;
    /// The input of the layer.
    type Input: Inputs;

    /// The queries and the memory of a batch.
    fn open<'a, const B: usize>(batch: Batch<'a, Self::Input, B>) -> (&'a [Self::Query; B], &'a [Self::Memory; B]);
    /// How many steps of a sample's memory there are, if that is an input.
    fn length<const B: usize>(batch: Batch<'_, Self::Input, B>, sample: usize) -> Option<usize>;
    /// Where their gradients are written; there is no second one if the memory is the queries.
    fn gradients<'a, const B: usize>(
        gradient: GradientOf<'a, Self::Input, B>,
    ) -> Gradients<'a, Self::Query, Self::Memory, B>;
    /// Whether the memory is the queries.
    const ITSELF: bool;
}

/// A sequence attends to itself; a marker that is never built, like the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Itself<X>(PhantomData<X>);

/// A sequence `X` attends to as much of itself as `L`, a whole number, says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItselfPadded<X, L>(PhantomData<(X, L)>);

/// A sequence `X` attends to a memory `M`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Another<X, M>(PhantomData<(X, M)>);

/// A sequence `X` attends to as much of a memory `M` as `L`, a whole number, says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnotherPadded<X, M, L>(PhantomData<(X, M, L)>);

impl<X: Tensor<Element: Scalar>> Attended for Itself<X> {
    type Query = X;
    type Memory = X;
    type Input = X;
    const ITSELF: bool = true;

    #[inline(always)]
    fn open<'a, const B: usize>(batch: Batch<'a, X, B>) -> (&'a [X; B], &'a [X; B]) {
        (batch, batch)
    }
    #[inline(always)]
    fn length<const B: usize>(_: &[X; B], _: usize) -> Option<usize> {
        None
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, X, B>) -> Gradients<'a, X, X, B> {
        (gradient, None)
    }
}

impl<X: Tensor<Element: Scalar>, L: Tensor<Element: WholeNumber>> Attended for ItselfPadded<X, L> {
    type Query = X;
    type Memory = X;
    type Input = (X, L);
    const ITSELF: bool = true;

    #[inline(always)]
    fn open<'a, const B: usize>((x, _): Batch<'a, (X, L), B>) -> (&'a [X; B], &'a [X; B]) {
        (x, x)
    }
    #[inline(always)]
    fn length<const B: usize>((_, length): (&[X; B], &[L; B]), sample: usize) -> Option<usize> {
        length[sample].numbers().first().map(|length| length.index())
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>((gradient, _): GradientOf<'a, (X, L), B>) -> Gradients<'a, X, X, B> {
        (gradient, None)
    }
}

impl<X: Tensor<Element: Scalar>, M: Tensor<Element = X::Element>> Attended for Another<X, M> {
    type Query = X;
    type Memory = M;
    type Input = (X, M);
    const ITSELF: bool = false;

    #[inline(always)]
    fn open<'a, const B: usize>(batch: Batch<'a, (X, M), B>) -> (&'a [X; B], &'a [M; B]) {
        batch
    }
    #[inline(always)]
    fn length<const B: usize>(_: (&[X; B], &[M; B]), _: usize) -> Option<usize> {
        None
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>(gradient: GradientOf<'a, (X, M), B>) -> Gradients<'a, X, M, B> {
        gradient
    }
}

impl<X, M, L> Attended for AnotherPadded<X, M, L>
where
    X: Tensor<Element: Scalar>,
    M: Tensor<Element = X::Element>,
    L: Tensor<Element: WholeNumber>,
{
    type Query = X;
    type Memory = M;
    type Input = (X, M, L);
    const ITSELF: bool = false;

    #[inline(always)]
    fn open<'a, const B: usize>((x, m, _): Batch<'a, (X, M, L), B>) -> (&'a [X; B], &'a [M; B]) {
        (x, m)
    }
    #[inline(always)]
    fn length<const B: usize>((_, _, length): (&[X; B], &[M; B], &[L; B]), sample: usize) -> Option<usize> {
        length[sample].numbers().first().map(|length| length.index())
    }
    #[inline(always)]
    fn gradients<'a, const B: usize>((x, m, _): GradientOf<'a, (X, M, L), B>) -> Gradients<'a, X, M, B> {
        (x, m)
    }
}
