//! Digits for C: a static library and a header.
#![no_std]

use core::panic::PanicInfo;

use monomorph::network::Workspace;
use monomorph::prelude::*;
use networks::Digits;

/// Grey pixels of an image, row by row, from 0 to 1.
pub const DIGITS_PIXELS: usize = 784;
/// Scores: one for each digit; the largest is the answer.
pub const DIGITS_SCORES: usize = 10;
/// Bytes that the network works in.
pub const DIGITS_MEMORY: usize = 6208;

/// In flash, where the linker puts what is constant.
static NET: Digits = include_weights!(Digits, "../../weights/digits.safetensors");

/// What the network works in, one for every task that evaluates. It need not be initialised.
#[repr(C, align(64))]
pub struct DigitsMemory {
    bytes: [u8; DIGITS_MEMORY],
}

// A header cannot compute, so the compiler compares.
const _: () = {
    assert!(size_of::<DigitsMemory>() == size_of::<Workspace<Digits, 1>>());
    assert!(align_of::<DigitsMemory>() >= align_of::<Workspace<Digits, 1>>());
};

/// Reads a digit. Allocates nothing and keeps nothing; several tasks may call it at once, each with
/// memory of its own.
///
/// # Safety
/// `image` points to `DIGITS_PIXELS` numbers, `scores` to `DIGITS_SCORES` numbers; nothing overlaps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn digits_evaluate(image: *const f32, scores: *mut f32, memory: *mut DigitsMemory) {
    // SAFETY: the caller vouches for the sizes; arrays of numbers are those numbers one after another; any
    // bytes are a valid workspace, because it is made of numbers, and it has the size and the alignment.
    unsafe {
        let (image, scores) = (&*image.cast::<[[[[f32; 1]; 28]; 28]; 1]>(), &mut *scores.cast::<[[f32; 10]; 1]>());
        NET.evaluate_in(image, scores, &mut *memory.cast::<Workspace<Digits, 1>>());
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    panic_is_reachable()
}

/// `run.sh` looks for this name: it is in a program only if something there can panic.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn panic_is_reachable() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
