//! Tensors are nested arrays: `[T; N]`, `[[T; C]; W]`, `[[[T; C]; W]; H]` …

use crate::memory::Plain;
use crate::scalar::Scalar;

/// A nested array of numbers, up to rank 4, row-major, channels last.
///
/// There is no wrapper type, no stride and no run-time shape: an image of 28×28 grey pixels *is*
/// `[[[f32; 1]; 28]; 28]`.
///
/// ```
/// use monomorph::Tensor;
/// let mut image = [[[0.0_f32; 3]; 4]; 2];
/// image[1][2][0] = 5.0;
/// assert_eq!(<[[[f32; 3]; 4]; 2] as Tensor<f32>>::SHAPE, [2, 4, 3]);
/// assert_eq!(Tensor::<f32>::as_slice(&image)[4 * 3 + 2 * 3], 5.0);
/// ```
///
/// # Safety
/// An implementor consists of exactly `LEN` numbers of type `T` without padding, aligned as `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tensor of `{T}`",
    note = "a tensor is a nested array of numbers, such as `[[[f32; 3]; 32]; 32]`, of rank 1 to 4"
)]
pub unsafe trait Tensor<T: Scalar>: Plain + Send + Sync {
    /// The tensor without its last axis: a number for every pixel, step or row.
    type Rows: Tensor<T>;
    /// The sizes of its axes, outermost first.
    const SHAPE: &'static [usize];
    /// How many numbers it holds.
    const LEN: usize;
    /// The size of the last axis: channels or features.
    const CHANNELS: usize = Self::SHAPE[Self::SHAPE.len() - 1];

    /// All numbers in memory order.
    #[inline(always)]
    fn as_slice(&self) -> &[T] {
        // SAFETY: `Self` is `LEN` numbers without padding.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), Self::LEN) }
    }
    /// All numbers in memory order, to change.
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: `Self` is `LEN` numbers without padding.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), Self::LEN) }
    }
}

macro_rules! nested {
    ($array:ty, $rows:ty, [$($size:ident),*]) => {
        // SAFETY: arrays have no padding between elements.
        unsafe impl<T: Scalar, $(const $size: usize),*> Tensor<T> for $array {
            type Rows = $rows;
            const SHAPE: &'static [usize] = &[$($size),*];
            const LEN: usize = 1 $(* $size)*;
        }
    };
}
nested!([T; A], [T; 1], [A]);
nested!([[T; B]; A], [T; A], [A, B]);
nested!([[[T; C]; B]; A], [[T; B]; A], [A, B, C]);
nested!([[[[T; D]; C]; B]; A], [[[T; C]; B]; A], [A, B, C, D]);

/// All numbers of a batch in memory order.
#[inline(always)]
pub fn batch_slice<T: Scalar, X: Tensor<T>>(batch: &[X]) -> &[T] {
    // SAFETY: each `X` is `LEN` numbers without padding, and slices add none.
    unsafe { core::slice::from_raw_parts(batch.as_ptr().cast(), batch.len() * X::LEN) }
}

/// All numbers of a batch in memory order, to change.
#[inline(always)]
pub fn batch_slice_mut<T: Scalar, X: Tensor<T>>(batch: &mut [X]) -> &mut [T] {
    // SAFETY: each `X` is `LEN` numbers without padding, and slices add none.
    unsafe { core::slice::from_raw_parts_mut(batch.as_mut_ptr().cast(), batch.len() * X::LEN) }
}

/// The same numbers under another shape of the same length; costs nothing.
///
/// ```
/// let images = [[[[1.0_f32, 2.0], [3.0, 4.0]]]];
/// let flat: &[[f32; 4]; 1] = monomorph::tensor::reshape::<f32, _, _, 1>(&images);
/// assert_eq!(flat[0], [1.0, 2.0, 3.0, 4.0]);
/// ```
#[inline(always)]
pub const fn reshape<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const B: usize>(batch: &[X; B]) -> &[Y; B] {
    const { assert!(X::LEN == Y::LEN, "reshape: the shapes differ in length") };
    // SAFETY: both are `B * LEN` numbers without padding and with the alignment of `T`.
    unsafe { &*(&raw const *batch).cast() }
}

/// The same numbers, to change, under another shape of the same length; costs nothing.
#[inline(always)]
pub const fn reshape_mut<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const B: usize>(batch: &mut [X; B]) -> &mut [Y; B] {
    const { assert!(X::LEN == Y::LEN, "reshape: the shapes differ in length") };
    // SAFETY: both are `B * LEN` numbers without padding and with the alignment of `T`.
    unsafe { &mut *(&raw mut *batch).cast() }
}
