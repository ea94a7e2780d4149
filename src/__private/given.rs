//! What a user-defined layer takes, and what it is given.

use crate::layer::Inputs;
use crate::tensor::{Tensor, reshape, reshape_mut};

/// The values that a layer takes.
pub trait Values: Inputs {
    /// They as a tuple, even if there is only one.
    type Tuple;
    /// Their shapes.
    const SHAPES: &'static [&'static [usize]];
}

impl<X: Tensor> Values for X {
    type Tuple = (X,);
    const SHAPES: &'static [&'static [usize]] = &[X::SHAPE];
}

/// Values that can be given to a layer that takes `Takes`: as many, each as long, of the same numbers.
///
/// All its types are its own, so that where it is not implemented there is no other error.
#[diagnostic::on_unimplemented(
    message = "a layer that takes `{Takes}` is given `{Self}`",
    label = "takes other values",
    note = "a layer takes as many values as its `Input`, of the same numbers; several stand in parentheses: \
            `(query, memory) |> self::Attention()`"
)]
pub trait Given<Takes> {
    /// A batch.
    type Batch<'a, const B: usize>;
    /// A batch as the layer reads it.
    type Read<'a, const B: usize>;
    /// Where the gradient goes.
    type Gradient<'a, const B: usize>;
    /// Where the layer writes the gradient.
    type Written<'a, const B: usize>;

    /// A batch as the layer reads it.
    fn read<const B: usize>(batch: Self::Batch<'_, B>) -> Self::Read<'_, B>;
    /// Where the layer writes the gradient.
    fn gradient<const B: usize>(gradient: Self::Gradient<'_, B>) -> Self::Written<'_, B>;
}

#[diagnostic::do_not_recommend]
impl<X: Tensor, Y: Tensor<Element = X::Element>> Given<(Y,)> for (X,) {
    type Batch<'a, const B: usize> = &'a [X; B];
    type Read<'a, const B: usize> = &'a [Y; B];
    type Gradient<'a, const B: usize> = Option<&'a mut [X; B]>;
    type Written<'a, const B: usize> = Option<&'a mut [Y; B]>;

    #[inline(always)]
    fn read<const B: usize>(batch: Self::Batch<'_, B>) -> Self::Read<'_, B> {
        reshape(batch)
    }
    #[inline(always)]
    fn gradient<const B: usize>(gradient: Self::Gradient<'_, B>) -> Self::Written<'_, B> {
        gradient.map(reshape_mut)
    }
}

macro_rules! several {
    ($($X:ident $Y:ident $index:tt),*) => {
        impl<$($X: Tensor),*> Values for ($($X,)*) {
            type Tuple = Self;
            const SHAPES: &'static [&'static [usize]] = &[$($X::SHAPE),*];
        }

        #[diagnostic::do_not_recommend]
        impl<$($X: Tensor, $Y: Tensor<Element = $X::Element>),*> Given<($($Y,)*)> for ($($X,)*) {
            type Batch<'a, const B: usize> = ($(&'a [$X; B],)*);
            type Read<'a, const B: usize> = ($(&'a [$Y; B],)*);
            type Gradient<'a, const B: usize> = ($(Option<&'a mut [$X; B]>,)*);
            type Written<'a, const B: usize> = ($(Option<&'a mut [$Y; B]>,)*);

            #[inline(always)]
            fn read<const B: usize>(batch: Self::Batch<'_, B>) -> Self::Read<'_, B> {
                ($(reshape(batch.$index),)*)
            }
            #[inline(always)]
            fn gradient<const B: usize>(gradient: Self::Gradient<'_, B>) -> Self::Written<'_, B> {
                ($(gradient.$index.map(reshape_mut),)*)
            }
        }
    };
}
several!(X P 0, Y Q 1);
several!(X P 0, Y Q 1, Z R 2);
several!(X P 0, Y Q 1, Z R 2, V U 3);
