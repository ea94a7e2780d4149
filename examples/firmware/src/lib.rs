//! What the programs in `src/bin` share: starting, printing, exiting and measuring.
//!
//! Everything here has two versions, one for microcontrollers and one for PCs, so that the same
//! programs run on both and the results can be compared. Your firmware needs none of this.
#![no_std]

#[cfg(target_os = "none")]
mod device;
pub mod every;
mod images;
#[cfg(not(target_os = "none"))]
mod pc;

#[cfg(target_os = "none")]
use device as machine;
#[cfg(not(target_os = "none"))]
use pc as machine;

#[cfg(target_os = "none")]
pub use device::entry;
pub use images::{IMAGES, digit, load};
pub use machine::{Ticker, exit, fail};

/// Prints a line: `name value value ..`, with the bits of each number in hexadecimal.
///
/// Printing decimals would take more flash than these networks.
#[inline(never)]
pub fn print(name: &str, values: &[f32]) {
    write(name);
    for value in values {
        write(" 0x");
        digits(value.to_bits(), 16, 8);
    }
    machine::write(b'\n');
}

/// Prints a line: `name number`.
#[inline(never)]
pub fn print_number(name: &str, number: u32) {
    write(name);
    machine::write(b' ');
    digits(number, 10, 1);
    machine::write(b'\n');
}

/// Calls `f` `times` times and prints the instructions and the stack depth of a call. The lines
/// begin with `#`; on a PC nothing is printed.
pub fn measure(times: u32, mut f: impl FnMut()) {
    let stack = machine::stack(&mut f);
    let nothing = machine::instructions(times, &mut || ());
    let something = machine::instructions(times, &mut f);
    if let (Some(stack), Some(nothing), Some(something)) = (stack, nothing, something) {
        print_number("# stack", stack);
        print_number("# instructions", (something - nothing + times / 2) / times);
    }
}

/// Prints a text.
pub fn write(text: &str) {
    for byte in text.bytes() {
        machine::write(byte);
    }
}

/// Prints a number with at least `least` digits.
pub fn digits(number: u32, base: u32, least: u32) {
    // The largest power of the base with as many digits as the number, or more.
    let mut power = 1;
    for _ in 1..least {
        power *= base;
    }
    while number / power >= base {
        power *= base;
    }
    while power > 0 {
        let digit = (number / power % base) as u8;
        machine::write(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        power /= base;
    }
}
