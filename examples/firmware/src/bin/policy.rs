//! A policy network: how many instructions a multiply-accumulate takes.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use monomorph::memory::zeroed;
use monomorph::prelude::*;
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
    let observation = [0.5; 22];
    firmware::print("action", &NET.evaluate(&observation));
    firmware::print_number("# macs", Policy::OPERATIONS as u32);
    firmware::measure(64, || {
        black_box(NET.evaluate(black_box(&observation)));
    });
    firmware::exit()
}
