//! Plain data: types that are valid as zeros and need no dropping.

use core::fmt::Debug;

pub use monomorph_macros::Plain;

/// Plain data for which all-zero bytes are a valid value.
///
/// Networks, gradients, saved activations and workspaces are made of it, so that memory of any size can be created in
/// place.
///
/// Derive it, on a struct whose fields are plain data:
///
/// ```
/// use monomorph::memory::{Plain, zeroed};
///
/// #[derive(Plain)]
/// struct Replay<X, const N: usize> {
///     states: [X; N],
///     rewards: [f32; N],
///     len: usize,
/// }
/// static REPLAY: Replay<[f32; 4], 1000> = zeroed();
/// assert_eq!(REPLAY.len, 0);
/// ```
///
/// The derive checks every field, so it needs no `unsafe`.
///
/// # Safety
/// The all-zero bit pattern must be a valid value, and dropping must do nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "not plain data",
    note = "numbers, arrays, and structs with `#[derive(Plain)]` are plain data: zeros are a value of them, and dropping \
            does nothing"
)]
pub unsafe trait Plain: Sized + 'static {}

macro_rules! plain {
    ($($type:ty),*) => { $(
        // SAFETY: zero is a value of the type, and it has no drop glue.
        unsafe impl Plain for $type {}
    )* };
}
plain!((), f32, f64, bool, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

// SAFETY: an array of zeroable elements is zeroable.
unsafe impl<X: Plain, const N: usize> Plain for [X; N] {}
#[cfg(feature = "generic-array")]
// SAFETY: an array of zeroable elements is zeroable, and has no drop glue of its own.
unsafe impl<X: Plain, N: generic_array::ArrayLength> Plain for generic_array::GenericArray<X, N> {}
// SAFETY: it has no bytes.
unsafe impl<X: ?Sized + 'static> Plain for core::marker::PhantomData<X> {}
// SAFETY: both parts are zeroable.
unsafe impl<X: Plain, Y: Plain> Plain for (X, Y) {}
// SAFETY: all parts are zeroable.
unsafe impl<X: Plain, Y: Plain, Z: Plain> Plain for (X, Y, Z) {}
// SAFETY: all parts are zeroable.
unsafe impl<X: Plain, Y: Plain, Z: Plain, V: Plain> Plain for (X, Y, Z, V) {}

/// A number that a tensor can hold: one that networks compute with, or an integer such as a token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number that tensors hold",
    note = "they hold `f32`, `f64`, and the whole numbers of 8 to 32 bits"
)]
pub trait Element: Plain + Copy + Default + PartialEq + Debug + Send + Sync {}

macro_rules! elements {
    ($($number:ty)*) => { $(impl Element for $number {})* };
}
elements!(f32 f64 u8 u16 u32 i8 i16 i32);

/// An integer that is the index of something: a token, a label, a node.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a whole number that can be an index",
    note = "indices are `u8`, `u16`, `u32`, or the signed numbers of these sizes"
)]
pub trait WholeNumber: Element {
    /// The index; for a negative number, one that is always out of range.
    fn index(self) -> usize;
}

macro_rules! whole_numbers {
    ($($number:ty)*) => { $(
        impl WholeNumber for $number {
            #[inline(always)]
            fn index(self) -> usize {
                self.try_into().unwrap_or(usize::MAX)
            }
        }
    )* };
}
whole_numbers!(u8 u16 u32 i8 i16 i32);

#[cfg(test)]
mod tests {
    use core::marker::PhantomData;

    use super::Plain;
    use crate::memory::zeroed;

    trait Shape {
        type Of<const B: usize>: Plain;
    }

    impl Shape for f32 {
        type Of<const B: usize> = [f32; B];
    }

    #[derive(Plain)]
    struct Unit;

    #[derive(Plain)]
    struct Pair(f32, [u8; 3]);

    /// Like the structs of `network!`: with associated types and a batch size.
    #[derive(Plain)]
    struct Batch<const B: usize> {
        fixed: [Pair; B],
        shape: <f32 as Shape>::Of<B>,
        parameters: PhantomData<()>,
    }

    #[derive(Plain)]
    struct Generic<T, S: Shape, const N: usize = 2>
    where
        T: Copy,
    {
        values: [T; N],
        shape: S::Of<N>,
        fixed: [u16; N],
        itself: PhantomData<Self>,
        parameters: PhantomData<(T, S)>,
    }

    fn is_plain<X: Plain>() {}

    #[test]
    fn structs_of_every_form() {
        is_plain::<Unit>();
        let Pair(number, bytes) = zeroed();
        assert_eq!((number, bytes), (0.0, [0; 3]));
        let batch: Batch<2> = zeroed();
        assert_eq!((batch.fixed[1].0, batch.shape, batch.parameters), (0.0, [0.0; 2], PhantomData));
        let generic: Generic<u8, f32> = zeroed();
        assert_eq!((generic.values, generic.shape, generic.fixed), ([0; 2], [0.0; 2], [0; 2]));
        assert_eq!((generic.itself, generic.parameters), (PhantomData, PhantomData));
    }
}
