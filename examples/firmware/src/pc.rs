//! PCs: the same results, for comparison; nothing is measured.

extern crate std;

use std::io::Write;

/// Ends the program: all is well.
pub fn exit() -> ! {
    std::process::exit(0)
}

/// Ends the program: something is wrong.
pub fn fail() -> ! {
    std::process::exit(1)
}

/// Here time does not matter.
pub struct Ticker;

impl Ticker {
    /// A ticker; the time between ticks is that of the microcontroller.
    pub fn every(_microseconds: u32) -> Self {
        Self
    }

    /// Whether a tick has come that nobody has waited for.
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
