//! Memory whose size is known at compile time: zeroed in place, planned at compile time, never moved.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

mod arena;
mod plan;

#[doc(hidden)]
#[doc(hidden)]
pub use arena::{ALIGNMENT, Arena, Exact, Slot, apart2, apart3, apart4, at};
#[doc(hidden)]
pub use plan::{Life, Plan, largest_live_set, plan, plan_lives};

pub use crate::plain::Plain;

/// A value of zeros, built at compile time: for `static`s and small values.
///
/// Use [`boxed`] for values that do not fit on the stack.
pub const fn zeroed<X: Plain>() -> X {
    // SAFETY: `Plain` promises that zeros are a valid value.
    unsafe { core::mem::MaybeUninit::zeroed().assume_init() }
}

/// A value of zeros on the heap, without ever being on the stack.
#[cfg(feature = "alloc")]
pub fn boxed<X: Plain>() -> Box<X> {
    let layout = core::alloc::Layout::new::<X>();
    // SAFETY: the allocator is called only with a layout of nonzero size; zeroed memory is a valid `X`; the pointer
    // comes from the global allocator with the layout of `X`, as `Box` demands, or is aligned, if `X` has no bytes.
    // (`Box::new(zeroed())` would reserve stack space for an `X` in debug builds, even where it is never reached.)
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
