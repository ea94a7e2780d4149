//! Tensors are nested arrays: `[T; N]`, `[[T; C]; W]`, `[[[T; C]; W]; H]` …

#[cfg(feature = "generic-array")]
use generic_array::{ArrayLength, GenericArray};

use crate::plain::Plain;

pub use crate::plain::{Element, WholeNumber};

/// A nested array of numbers, row-major, channels last. A single number is a tensor of rank 0.
///
/// There is no wrapper type, no stride and no run-time shape: a grayscale image of 28×28 pixels *is*
/// `[[[f32; 1]; 28]; 28]`. Sizes that are [`typenum`](https://docs.rs/typenum) numbers nest in the same way, as
/// `GenericArray`s (feature `generic-array`).
///
/// ```
/// use monomorph::Tensor;
/// let mut image = [[[0.0_f32; 3]; 4]; 2];
/// image[1][2][0] = 5.0;
/// assert_eq!(<[[[f32; 3]; 4]; 2] as Tensor>::SHAPE, [2, 4, 3]);
/// assert_eq!(image.numbers()[4 * 3 + 2 * 3], 5.0);
/// ```
///
/// # Safety
/// An implementing type consists of exactly `LEN` numbers of type `Element` without padding, with the alignment of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tensor",
    note = "a tensor is a nested array of numbers, such as `[[[f32; 3]; 32]; 32]`"
)]
pub unsafe trait Tensor: Plain + Clone + Send + Sync {
    /// The type of its numbers.
    type Element: Element;
    /// The tensor without its first axis: a step of a sequence, a row of an image.
    type Item: Tensor<Element = Self::Element>;
    /// The tensor without its last axis: a number for every pixel, step or row.
    type Rows: Tensor<Element = Self::Element>;
    /// Its last axis alone: the channels of a pixel, the features of a step.
    type Last: Tensor<Element = Self::Element>;
    /// The same shape with numbers of another type.
    type With<E: Element>: Tensor<Element = E>;
    /// The same shape with another last axis: a row `L` for each step, pixel or row.
    type WithLast<L: Tensor<Element = Self::Element>>: Tensor<Element = Self::Element>;
    /// The sizes of its axes, outermost first.
    const SHAPE: &'static [usize];
    /// How many numbers it holds.
    const LEN: usize;
    /// The size of the last axis: channels or features.
    const CHANNELS: usize = Self::Last::LEN;

    /// The names of its parts, if it is a struct of several tensors.
    #[doc(hidden)]
    const PARTS: &'static [&'static str] = &[];
    /// `Rows` of an array of these.
    #[doc(hidden)]
    type RowsIn<A: Axis>: Tensor<Element = Self::Element>;
    /// `Last` of an array of these, which is `Whole`.
    #[doc(hidden)]
    type LastIn<Whole: Tensor<Element = Self::Element>>: Tensor<Element = Self::Element>;
    /// `WithLast` of an array of these.
    #[doc(hidden)]
    type WithLastIn<A: Axis, L: Tensor<Element = Self::Element>>: Tensor<Element = Self::Element>;

    /// All numbers in memory order.
    #[inline(always)]
    fn numbers(&self) -> &[Self::Element] {
        // SAFETY: `Self` is `LEN` numbers without padding.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), Self::LEN) }
    }
    /// All numbers in memory order, mutably.
    #[inline(always)]
    fn numbers_mut(&mut self) -> &mut [Self::Element] {
        // SAFETY: `Self` is `LEN` numbers without padding.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), Self::LEN) }
    }
}

/// The size of an axis as a type: makes an array of any tensor.
#[doc(hidden)]
pub trait Axis {
    /// The array.
    type Of<X: Tensor>: Tensor<Element = X::Element>;
}

/// The axis of `[X; N]`.
#[doc(hidden)]
pub struct Array<const N: usize>;

impl<const N: usize> Axis for Array<N> {
    type Of<X: Tensor> = [X; N];
}

// SAFETY: it is one number.
unsafe impl<E: Element> Tensor for E {
    type Element = E;
    type Item = E;
    type Rows = E;
    type Last = E;
    type With<F: Element> = F;
    type WithLast<L: Tensor<Element = E>> = L;
    const SHAPE: &'static [usize] = &[];
    const LEN: usize = 1;
    type RowsIn<A: Axis> = E;
    type LastIn<Whole: Tensor<Element = E>> = Whole;
    type WithLastIn<A: Axis, L: Tensor<Element = E>> = L;
}

/// The shape with an axis prepended; [`axes`] cuts off the unused rest.
const fn push(size: usize, shape: &[usize]) -> [usize; 8] {
    let mut longer = [0; 8];
    longer[0] = size;
    let mut axis = 0;
    while axis < shape.len() {
        longer[axis + 1] = shape[axis];
        axis += 1;
    }
    longer
}

/// The first `rank` sizes.
const fn axes(shape: &'static [usize; 8], rank: usize) -> &'static [usize] {
    shape.split_at(rank).0
}

macro_rules! nested {
    ($array:ty, $axis:ty, $size:expr, [$($generic:tt)*]) => {
        // SAFETY: arrays have no padding between elements.
        unsafe impl<X: Tensor, $($generic)*> Tensor for $array {
            type Element = X::Element;
            type Item = X;
            type Rows = X::RowsIn<$axis>;
            type Last = X::LastIn<Self>;
            type With<E: Element> = <$axis as Axis>::Of<X::With<E>>;
            type WithLast<L: Tensor<Element = X::Element>> = X::WithLastIn<$axis, L>;
            const SHAPE: &'static [usize] = axes(const { &push($size, X::SHAPE) }, X::SHAPE.len() + 1);
            const LEN: usize = $size * X::LEN;
            type RowsIn<A: Axis> = A::Of<Self::Rows>;
            type LastIn<Whole: Tensor<Element = X::Element>> = Self::Last;
            type WithLastIn<A: Axis, L: Tensor<Element = X::Element>> = A::Of<Self::WithLast<L>>;
        }
    };
}
nested!([X; N], Array<N>, N, [const N: usize]);

#[cfg(feature = "generic-array")]
mod generic {
    use super::*;

    /// The axis of `GenericArray<X, N>`.
    #[doc(hidden)]
    pub struct Generic<N>(core::marker::PhantomData<N>);

    impl<N: ArrayLength> Axis for Generic<N> {
        type Of<X: Tensor> = GenericArray<X, N>;
    }

    nested!(GenericArray<X, N>, Generic<N>, N::USIZE, [N: ArrayLength]);
}

/// A part of several tensors in one struct, such as an output of a network with several; counted from 0 in the order of
/// declaration. [`network!`](crate::network!) implements it.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::tensor::Part;
///
/// network! { Both(x: [2]) -> (left: [2], right: [1]) {
///     let left = x |> Tanh;
///     let right = x |> Dense(1);
/// } }
/// let output = Both::zeroed().evaluate(&[0.0; 2]);
/// let right: &[f32; 1] = Part::<1>::part(&output);
/// assert_eq!(right, &output.right);
/// ```
pub trait Part<const INDEX: usize> {
    /// The type of the part.
    type Type;

    /// The part.
    fn part(&self) -> &Self::Type;
    /// The part, mutably.
    fn part_mut(&mut self) -> &mut Self::Type;
}

/// Fails to compile for batches of no samples.
pub(crate) const fn assert_batch_size(size: usize) {
    assert!(size > 0, "a batch has at least one sample, but here the batch size is 0");
}

/// All numbers of a batch in memory order.
#[inline(always)]
pub fn batch_slice<X: Tensor>(batch: &[X]) -> &[X::Element] {
    // SAFETY: each `X` is `LEN` numbers without padding, and slices add none.
    unsafe { core::slice::from_raw_parts(batch.as_ptr().cast(), batch.len() * X::LEN) }
}

/// All numbers of a batch in memory order, mutably.
#[inline(always)]
pub fn batch_slice_mut<X: Tensor>(batch: &mut [X]) -> &mut [X::Element] {
    // SAFETY: each `X` is `LEN` numbers without padding, and slices add none.
    unsafe { core::slice::from_raw_parts_mut(batch.as_mut_ptr().cast(), batch.len() * X::LEN) }
}

/// The same numbers under another shape of the same length; costs nothing.
///
/// ```
/// let images = [[[[1.0_f32, 2.0], [3.0, 4.0]]]];
/// let flat: &[[f32; 4]; 1] = monomorph::tensor::reshape(&images);
/// assert_eq!(flat[0], [1.0, 2.0, 3.0, 4.0]);
/// ```
#[inline(always)]
pub const fn reshape<X: Tensor, Y: Tensor<Element = X::Element>, const B: usize>(batch: &[X; B]) -> &[Y; B] {
    const { assert!(X::LEN == Y::LEN, "reshape: the shapes differ in length") };
    // SAFETY: both are `B * LEN` numbers without padding and with the alignment of one.
    unsafe { &*(&raw const *batch).cast() }
}

/// The same numbers, mutably, under another shape of the same length; costs nothing.
#[inline(always)]
pub const fn reshape_mut<X: Tensor, Y: Tensor<Element = X::Element>, const B: usize>(
    batch: &mut [X; B],
) -> &mut [Y; B] {
    const { assert!(X::LEN == Y::LEN, "reshape: the shapes differ in length") };
    // SAFETY: both are `B * LEN` numbers without padding and with the alignment of one.
    unsafe { &mut *(&raw mut *batch).cast() }
}

#[cfg(all(test, feature = "std"))]
mod tests;
