//! A small decoder reads letter by letter and keeps their keys and values: the number of instructions per
//! multiply-accumulate.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use firmware::{exit, measure, print, print_number};
use monomorph::prelude::*;
use networks::noise;

/// Letters that it remembers.
const LENGTH: u32 = 16;

network! {
    #[streaming]
    Writer: [u8; 16] -> [16, 32] {
        letters: Embedding(32, 64),
        TransformerBlock(
            heads = 4, ffn = 64, causal, rotary = half, norm = rms, activation = swiglu, bias = false,
        ),
        Unembedding(letters),
    }
}

static NET: Writer = {
    let mut net: Writer = monomorph::memory::zeroed();
    net.letters.weight = noise(1, 1.0);
    (net.norm1.weight, net.norm2.weight) = ([1.0; 64], [1.0; 64]);
    let attention = &mut net.attention1;
    (attention.wq, attention.wk) = (noise(2, 0.3), noise(3, 0.3));
    (attention.wv, attention.wo) = (noise(4, 0.3), noise(5, 0.3));
    (net.dense1.weight, net.dense2.weight, net.dense3.weight) = (noise(6, 0.3), noise(7, 0.3), noise(8, 0.3));
    net
};

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    // Those of the last step, which reads all letters.
    print_number("# macs", Writer::MACS as u32 / LENGTH);
    let mut state = NET.start();
    for step in 1..LENGTH {
        print("letter", &NET.step(&mut state, &((7 * step) as u8 % 32)));
    }
    measure(1, || {
        black_box(NET.step(black_box(&mut state), black_box(&5)));
    });
    exit()
}
