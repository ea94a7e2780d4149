//! Speed: the number of instructions per multiply-accumulate, which is always the same.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use firmware::{exit, measure, print, print_number};
use monomorph::memory::zeroed;
use networks::{Policy, noise};

static NET: Policy = {
    let mut net: Policy = zeroed();
    (net.dense1.weight, net.dense1.bias) = (noise(1, 0.4), [0.1; 64]);
    (net.dense2.weight, net.dense2.bias) = (noise(2, 0.2), [0.1; 64]);
    (net.dense3.weight, net.dense3.bias) = (noise(3, 0.2), [0.1; 4]);
    net
};

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    print_number("# macs", Policy::MACS as u32);
    for value in [0.5, -2.0, 0.0, 1e4] {
        let observation = [value; 22];
        print("action", &NET.evaluate(&observation));
        measure(64, || {
            black_box(NET.evaluate(black_box(&observation)));
        });
    }
    exit()
}
