//! PCs: the same results for comparison, without measurements.

extern crate std;

use std::io::Write;

/// Ends the program successfully.
pub fn exit() -> ! {
    std::process::exit(0)
}

/// Ends the program with an error.
pub fn fail() -> ! {
    std::process::exit(1)
}

/// On a PC, time does not matter.
pub struct Ticker;

impl Ticker {
    /// A ticker, with the microcontroller's interval.
    pub fn every(_microseconds: u32) -> Self {
        Self
    }

    /// Whether a tick has passed that `wait` was not called for.
    pub fn is_late(&mut self) -> bool {
        false
    }

    /// Waits for the next tick.
    pub fn wait(&mut self) {}
}

impl Drop for Ticker {
    fn drop(&mut self) {}
}

pub(crate) fn write(byte: u8) {
    std::io::stdout().write_all(&[byte]).expect("standard output is open");
}

pub(crate) fn instructions(_: u32, _: &mut dyn FnMut()) -> Option<u32> {
    None
}

pub(crate) fn stack(_: &mut dyn FnMut()) -> Option<u32> {
    None
}
