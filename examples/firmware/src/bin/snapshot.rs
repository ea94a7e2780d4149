//! A checkpoint without an allocator: training keeps its best parameters, writes them to a page of flash, and finds
//! them there after a reset.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{exit, fail, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::train::TrainMemory;
use monomorph::weights::{Snapshot, SnapshotError};
use static_cell::ConstStaticCell;

network! { Xor: [2] -> [1] { Dense(8), Tanh, Dense(1) } }

static NET: ConstStaticCell<Xor> = ConstStaticCell::new(zeroed());
static MEMORY: ConstStaticCell<TrainMemory<Xor, Adam, 4>> = ConstStaticCell::new(zeroed());
static BEST: ConstStaticCell<Snapshot<Xor>> = ConstStaticCell::new(Snapshot::new());
/// Stands for a page of flash; its size is known to the compiler.
static PAGE: ConstStaticCell<[u8; Snapshot::<Xor>::BYTES]> = ConstStaticCell::new([0xff; _]);

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let (Some(net), Some(memory)) = (NET.try_take(), MEMORY.try_take()) else { fail() };
    let (Some(best), Some(page)) = (BEST.try_take(), PAGE.try_take()) else { fail() };
    net.initialize(Init::default(), &mut Noise::new(1));
    print_number("# planned", (size_of::<Xor>() + size_of::<TrainMemory<Xor, Adam, 4>>()) as u32);
    print_number("bytes", Snapshot::<Xor>::BYTES as u32);

    // Nothing was written yet.
    let damaged = |page: &[u8]| match Snapshot::<Xor>::from_bytes(page) {
        Err(SnapshotError::OtherNetwork(_)) => 1,
        Err(SnapshotError::Damaged) => 2,
        _ => 0,
    };
    print_number("new", damaged(page));

    let x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = [[0.0], [1.0], [1.0], [0.0]];
    // Far too large steps: the loss falls and rises again.
    let adam = Adam { learning_rate: 0.3, ..Adam::default() };
    let mut trainer = Trainer::<Xor, _, 4, _>::in_memory(adam, BceWithLogits, memory);
    let mut least = f32::INFINITY;
    for _ in 0..40 {
        // The loss is that of the parameters before the step.
        best.take(net);
        let Ok(now) = trainer.step(net, &x, &y) else { fail() };
        if now.loss < least {
            least = now.loss;
            page.copy_from_slice(best.as_bytes());
        }
    }
    print("least", &[least]);

    // After a reset, the parameters are gone, but the page is not.
    net.initialize(Init::default(), &mut Noise::new(2));
    let Ok(found) = Snapshot::<Xor>::from_bytes(page) else { fail() };
    if found.restore(net).is_err() {
        fail()
    }
    let Ok(again) = trainer.step(net, &x, &y) else { fail() };
    print("again", &[again.loss]);
    if let Some(byte) = page.last_mut() {
        *byte ^= 1;
    }
    print_number("damaged", damaged(page));
    measure(1, || best.take(net));
    exit()
}
