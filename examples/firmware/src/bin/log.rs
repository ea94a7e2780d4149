//! Errors and results, logged with `defmt`: each takes a few bytes, and the text stays in the file on the PC.
//!
//! It needs the feature `defmt` of this package and of monomorph. Instead of [`Lines`], real firmware uses a logger
//! from a crate such as `defmt-rtt`.
#![no_std]
#![no_main]

use firmware::{digits, exit, fail, write};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::train::TrainMemory;
use monomorph::weights::blob::Aligned;
use networks::{Balance, DigitsHalf, DigitsSmall};
use static_cell::ConstStaticCell;

static BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/digits_small.blob")));
static NET: ConstStaticCell<Balance> = ConstStaticCell::new(zeroed());
static MEMORY: ConstStaticCell<TrainMemory<Balance, Sgd, 2>> = ConstStaticCell::new(zeroed());

#[firmware::entry]
fn main() -> ! {
    let (Some(net), Some(memory)) = (NET.try_take(), MEMORY.try_take()) else { fail() };
    if let Err(error) = DigitsHalf::from_bytes(&BLOB.0) {
        defmt::error!("no network: {}", error);
    }
    if let Err(error) = DigitsSmall::from_bytes(BLOB.0.get(..1000).unwrap_or_default()) {
        defmt::error!("no network: {}", error);
    }
    let mut trainer = Trainer::<Balance, _, 2, _>::in_memory(Sgd::default(), Mse, memory);
    for angle in [0.0, f32::NAN] {
        match trainer.step(net, &[[0.0, 0.0, angle, 0.0]; 2], &[[0.5], [1.5]]) {
            Ok(step) => defmt::info!("learned: {}", step),
            Err(error) => defmt::warn!("not learned: {}", error),
        }
    }
    exit()
}

/// A logger that prints every message as a line of hexadecimal digits.
#[defmt::global_logger]
struct Lines;

// SAFETY: nothing interrupts this program, and no message is logged while another one is written.
unsafe impl defmt::Logger for Lines {
    fn acquire() {
        write("log ");
    }
    unsafe fn flush() {}
    unsafe fn release() {
        write("\n");
    }
    unsafe fn write(bytes: &[u8]) {
        for byte in bytes {
            digits((*byte).into(), 16, 2);
        }
    }
}
