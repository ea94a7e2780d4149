//! An LSTM step by step, as in an effect pedal: the number of instructions per multiply-accumulate, always the same.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use firmware::{exit, measure, print, print_number};
use monomorph::prelude::*;
use networks::noise;

network! {
    #[streaming]
    Amp: [64, 1] -> [64, 1] { Lstm(96), Dense(1) }
}

static NET: Amp = {
    let mut net: Amp = monomorph::memory::zeroed();
    (net.lstm1.weight_ih, net.lstm1.weight_hh) = (noise(1, 0.4), noise(2, 0.1));
    (net.dense1.weight, net.dense1.bias) = (noise(3, 0.2), [0.1]);
    net
};

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    // Those of one step.
    print_number("# macs", Amp::MACS as u32 / 64);
    let mut state = NET.start();
    for value in [0.5, -2.0, 0.0, 1e4] {
        print("sample", &NET.step(&mut state, &[value]));
        let mut same = state.clone();
        measure(64, || {
            black_box(NET.step(black_box(&mut same), black_box(&[value])));
        });
    }
    exit()
}
