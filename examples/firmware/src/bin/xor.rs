//! Training on the device: XOR, from random weights, in a few KiB of RAM.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{exit, fail, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::train::TrainMemory;
use static_cell::ConstStaticCell;

network! { Xor: [2] -> [1] { Dense(8), Tanh, Dense(1) } }

/// The network, and the memory of a trainer for mini-batches of four.
static NET: ConstStaticCell<Xor> = ConstStaticCell::new(zeroed());
static MEMORY: ConstStaticCell<TrainMemory<Xor, Adam, 4>> = ConstStaticCell::new(zeroed());

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let (Some(net), Some(memory)) = (NET.try_take(), MEMORY.try_take()) else { fail() };
    net.initialize(Init::default(), &mut Noise::new(1));
    print_number("# planned", (size_of::<Xor>() + size_of::<TrainMemory<Xor, Adam, 4>>()) as u32);

    let x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = [[0.0], [1.0], [1.0], [0.0]];
    let adam = Adam { learning_rate: 0.05, ..Adam::default() };
    let mut trainer = Trainer::<Xor, _, 4, _>::in_memory(adam, BceWithLogits, memory);
    for step in 0..200 {
        match trainer.step(net, &x, &y) {
            Ok(now) if step % 50 == 0 => print("loss", &[now.loss]),
            Ok(_) => {}
            Err(_) => fail(),
        }
    }
    for input in x {
        // The network outputs a logit: positive means 1.
        print_number("xor", u32::from(net.evaluate(&input)[0] > 0.0));
    }
    measure(1, || {
        if trainer.step(net, &x, &y).is_err() {
            fail()
        }
    });
    exit()
}
