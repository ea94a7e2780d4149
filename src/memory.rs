//! Memory whose size the compiler knows: zeroed in place, planned while compiling, never moved.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use crate::scalar::Scalar;
use crate::tensor::Tensor;

mod plan;

pub use plan::{Life, Plan, largest_live_set, plan};

/// Plain data for which all bytes zero is a valid value.
///
/// What networks, gradients, saved activations and workspaces are made of, so that memory of any
/// size can be made in place.
///
/// # Safety
/// The all-zero bit pattern must be a valid value, and dropping must do nothing.
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
// SAFETY: it has no bytes.
unsafe impl<X: ?Sized + 'static> Plain for core::marker::PhantomData<X> {}
// SAFETY: both parts are zeroable.
unsafe impl<X: Plain, Y: Plain> Plain for (X, Y) {}
// SAFETY: all parts are zeroable.
unsafe impl<X: Plain, Y: Plain, Z: Plain> Plain for (X, Y, Z) {}

// SAFETY: the gradient, the saved activations and the outputs are all zeroable.
unsafe impl<N: crate::network::Network, const B: usize> Plain for crate::train::Shard<N, B> {}

// SAFETY: the moments and the shard are zeroable.
unsafe impl<N, O, const B: usize> Plain for crate::train::TrainMemory<N, O, B>
where
    N: crate::network::Network,
    O: crate::optim::Optimizer<N::Scalar>,
{
}

/// A value of zeros, built by the compiler: for `static`s and small values.
///
/// Use [`boxed`] for what does not fit on the stack.
pub const fn zeroed<X: Plain>() -> X {
    // SAFETY: `Plain` promises that zeros are a valid value.
    unsafe { core::mem::MaybeUninit::zeroed().assume_init() }
}

/// A value of zeros on the heap, without ever being on the stack.
#[cfg(feature = "alloc")]
pub fn boxed<X: Plain>() -> Box<X> {
    let layout = core::alloc::Layout::new::<X>();
    // SAFETY: the layout has a size where the allocator is asked; zeroed memory is a valid `X`; the
    // pointer comes from the global allocator with the layout of `X`, as `Box` demands, or is
    // aligned, if `X` has no bytes. (`Box::new(zeroed())` would take stack for an `X` in debug
    // builds, even where it is never reached.)
    unsafe {
        if layout.size() == 0 {
            return Box::from_raw(core::ptr::dangling_mut());
        }
        let memory = alloc::alloc::alloc_zeroed(layout);
        if memory.is_null() {
            alloc::alloc::handle_alloc_error(layout);
        }
        Box::from_raw(memory.cast())
    }
}

/// `len` values of zeros on the heap, none of which is ever on the stack.
#[cfg(feature = "alloc")]
pub fn boxed_slice<X: Plain>(len: usize) -> Box<[X]> {
    let mut memory = Box::new_uninit_slice(len);
    // SAFETY: the pointer is valid for writes of `len` values, and zeroed memory is a valid `X`.
    unsafe {
        core::ptr::write_bytes(memory.as_mut_ptr(), 0, len);
        memory.assume_init()
    }
}

/// Sets a value to zeros in place.
pub fn clear<X: Plain>(value: &mut X) {
    // SAFETY: `Plain` promises that zeros are a valid value and that nothing needs dropping.
    unsafe { core::ptr::write_bytes(value, 0, 1) }
}

/// Offsets and sizes in an arena are multiples of this many numbers: a cache line of `f32`.
pub const ALIGNMENT: usize = 16;

/// Memory for the activations of one sample: `N` numbers on a cache line of their own.
///
/// A batch of `B` samples uses `[Arena<T, N>; B]` as one piece: a value at offset `o` of the plan
/// lies at `o · B`, all samples one after another.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Arena<T, const N: usize>([T; N]);

// SAFETY: an array of zeroable numbers; padding has no validity.
unsafe impl<T: Plain, const N: usize> Plain for Arena<T, N> {}

/// The value at `offset`, to change.
///
/// # Panics
/// If the value does not lie inside the arena; with constant offsets the check folds away.
#[inline(always)]
pub fn at<T: Scalar, X: Tensor<T>, const N: usize, const B: usize>(
    arena: &mut [Arena<T, N>; B],
    offset: usize,
) -> &mut [X; B] {
    const { assert!(N.is_multiple_of(ALIGNMENT), "an arena is a whole number of cache lines") };
    assert!(offset + X::LEN <= N, "a value lies outside its arena");
    // SAFETY: the arenas have no padding (`N` is a multiple of the alignment), so the memory is
    // `N * B` consecutive numbers, of which these lie inside.
    unsafe { &mut *(&raw mut *arena).cast::<T>().add(offset * B).cast() }
}

/// Calls `f` with the value at offset `from` and, to change, the value at offset `to`.
///
/// # Panics
/// If the two overlap or do not lie inside the arena; with constant offsets the check folds away.
#[inline(always)]
pub fn between<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const N: usize, const B: usize, R>(
    arena: &mut [Arena<T, N>; B],
    from: usize,
    to: usize,
    f: impl FnOnce(&[X; B], &mut [Y; B]) -> R,
) -> R {
    const { assert!(N.is_multiple_of(ALIGNMENT), "an arena is a whole number of cache lines") };
    assert!(from + X::LEN <= N && to + Y::LEN <= N, "a value lies outside its arena");
    assert!(from + X::LEN <= to || to + Y::LEN <= from, "two live values overlap");
    let base = (&raw mut *arena).cast::<T>();
    // SAFETY: as in `at` for both, and they do not overlap.
    unsafe { f(&*base.add(from * B).cast(), &mut *base.add(to * B).cast()) }
}

/// As [`between`], with both values to change.
///
/// # Panics
/// As [`between`].
#[inline(always)]
pub fn between_mut<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const N: usize, const B: usize, R>(
    arena: &mut [Arena<T, N>; B],
    from: usize,
    to: usize,
    f: impl FnOnce(&mut [X; B], &mut [Y; B]) -> R,
) -> R {
    const { assert!(N.is_multiple_of(ALIGNMENT), "an arena is a whole number of cache lines") };
    assert!(from + X::LEN <= N && to + Y::LEN <= N, "a value lies outside its arena");
    assert!(from + X::LEN <= to || to + Y::LEN <= from, "two live values overlap");
    let base = (&raw mut *arena).cast::<T>();
    // SAFETY: as in `at` for both, and they do not overlap.
    unsafe { f(&mut *base.add(from * B).cast(), &mut *base.add(to * B).cast()) }
}
