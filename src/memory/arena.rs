//! Memory for values whose offsets were planned.

use core::marker::PhantomData;

use crate::plain::{Element, Plain};
use crate::tensor::Tensor;

/// Offsets and sizes in an arena are multiples of this many numbers: a cache line of `f32`.
pub const ALIGNMENT: usize = 16;

/// Memory for the activations of one sample: `N` numbers, aligned to a cache line.
///
/// A batch of `B` samples uses `[Arena<T, N>; B]` as one contiguous piece: a value at offset `o` of the plan is at
/// `o · B`, with all samples one after another.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Plain)]
pub struct Arena<T, const N: usize>([T; N]);

/// The position of a value of the shape of `X` in an arena; the arena determines the number type.
pub struct Slot<X> {
    offset: usize,
    shape: PhantomData<X>,
}

/// The value that a slot describes, in an arena of numbers `T`.
pub trait Shaped<T: Element> {
    /// The value.
    type Value: Tensor<Element = T>;
}

impl<X: Tensor, T: Element> Shaped<T> for X {
    type Value = X::With<T>;
}

/// A value of exactly the type `X`, for structs of several tensors, whose shape is not an array.
pub struct Exact<X>(PhantomData<X>);

impl<X: Tensor> Shaped<X::Element> for Exact<X> {
    type Value = X;
}

impl<X> Clone for Slot<X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X> Copy for Slot<X> {}

impl<X> Slot<X> {
    /// A slot at an offset, in numbers.
    pub const fn new(offset: usize) -> Self {
        Self { offset, shape: PhantomData }
    }

    #[inline(always)]
    const fn end<T: Element>(self) -> usize
    where
        X: Shaped<T>,
    {
        self.offset + X::Value::LEN
    }
}

/// Fails to compile if an arena would end with padding: the arenas of a batch must be contiguous.
const fn assert_whole<T, const N: usize>() {
    assert!(
        N.is_multiple_of(ALIGNMENT) && size_of::<Arena<T, N>>() == N * size_of::<T>(),
        "an arena is a whole number of cache lines; the numbers of a network have four bytes or a multiple of that"
    );
}

/// The value in a slot, mutably.
///
/// # Panics
/// If the value does not lie inside the arena; with constant slots the check is optimized out.
#[inline(always)]
pub fn at<X: Shaped<T>, T: Element, const N: usize, const B: usize>(
    arena: &mut [Arena<T, N>; B],
    slot: Slot<X>,
) -> &mut [X::Value; B] {
    const { assert_whole::<T, N>() };
    assert!(slot.end::<T>() <= N, "a value lies outside its arena");
    // SAFETY: the arenas have no padding, as was asserted, so the memory is `N * B` consecutive numbers, and the value
    // lies inside; a shape has the same length with any number type.
    unsafe { &mut *place((&raw mut *arena).cast::<T>(), slot.offset, B).cast() }
}

/// Where a value at an offset of the plan begins in the arenas of `samples` samples; a function in a debug build, like
/// [`assert_apart`].
///
/// # Safety
/// It must begin inside the arenas.
#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline(always))]
unsafe fn place<T>(base: *mut T, offset: usize, samples: usize) -> *mut T {
    // SAFETY: the caller guarantees exactly this.
    unsafe { base.add(offset * samples) }
}

/// Panics if one of the places, from start to end, overlaps another or does not lie inside an arena of `len` numbers.
///
/// A debug build has it once instead of in every layer of every network.
#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline(always))]
fn assert_apart(places: &[(usize, usize)], len: usize) {
    let mut index = 0;
    while index < places.len() {
        let (start, end) = places[index];
        assert!(end <= len, "a value lies outside its arena");
        let mut other = 0;
        while other < index {
            let apart = end <= places[other].0 || places[other].1 <= start;
            assert!(apart, "two live values overlap");
            other += 1;
        }
        index += 1;
    }
}

/// Several values of an arena at once, which must not overlap.
macro_rules! apart {
    ($name:ident: $($X:ident $slot:ident),*) => {
        /// Calls `f` with the values in several slots, mutably.
        ///
        /// # Panics
        /// If two of them overlap or one does not lie inside the arena; with constant slots the checks are optimized
        /// out.
        #[inline(always)]
        pub fn $name<$($X: Shaped<T>,)* T: Element, const N: usize, const B: usize, R>(
            arena: &mut [Arena<T, N>; B],
            ($($slot,)*): ($(Slot<$X>,)*),
            f: impl FnOnce($(&mut [$X::Value; B]),*) -> R,
        ) -> R {
            const { assert_whole::<T, N>() };
            assert_apart(&[$(($slot.offset, $slot.end::<T>())),*], N);
            let base = (&raw mut *arena).cast::<T>();
            // SAFETY: as in `at` for each, and they do not overlap.
            unsafe { f($(&mut *place(base, $slot.offset, B).cast()),*) }
        }
    };
}
apart!(apart2: X x, Y y);
apart!(apart3: X x, Y y, Z z);
apart!(apart4: X x, Y y, Z z, V v);

#[cfg(all(test, feature = "std"))]
mod tests;
