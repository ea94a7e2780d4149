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
/// Size of the network's workspace, in bytes.
pub const DIGITS_MEMORY: usize = 6208;

/// In flash, where the linker puts constants.
static NET: Digits = include_weights!(Digits, "../../weights/digits.safetensors");

/// The network's workspace, one for each task that evaluates. It need not be initialized.
#[repr(C, align(64))]
pub struct DigitsMemory {
    bytes: [u8; DIGITS_MEMORY],
}

// The header cannot compute the size, so the compiler compares it here.
const _: () = {
    assert!(size_of::<DigitsMemory>() == size_of::<Workspace<Digits, 1>>());
    assert!(align_of::<DigitsMemory>() >= align_of::<Workspace<Digits, 1>>());
};

/// Recognizes a digit. Allocates nothing and keeps no state; several tasks may call it at once, each
/// with its own memory.
///
/// # Safety
/// `image` points to `DIGITS_PIXELS` numbers, `scores` to `DIGITS_SCORES` numbers; nothing overlaps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn digits_evaluate(image: *const f32, scores: *mut f32, memory: *mut DigitsMemory) {
    // SAFETY: the caller guarantees the sizes; an array of numbers is laid out as consecutive numbers; any
    // bytes are a valid workspace, because it consists of numbers, and it has the size and the alignment.
    unsafe {
        let (image, scores) = (&*image.cast::<[[[[f32; 1]; 28]; 28]; 1]>(), &mut *scores.cast::<[[f32; 10]; 1]>());
        NET.evaluate_in(image, scores, &mut *memory.cast::<Workspace<Digits, 1>>());
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    panic_is_reachable()
}

/// `run.sh` looks for this name: a program contains it only if something in it can panic.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn panic_is_reachable() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
