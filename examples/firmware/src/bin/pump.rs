//! Raw values of a sensor: the network normalizes them itself, by what it has learned from the training data. How it was
//! trained from a CSV file shows [`examples/csv`](../../../csv/main.rs).
#![cfg_attr(target_os = "none", no_std, no_main)]

#[path = "../../../csv/net.rs"]
mod net;

use core::hint::black_box;

use firmware::{exit, measure, print};
use monomorph::prelude::*;
use net::{Pump, STATES};

static NET: Pump = include_weights!(Pump, "../../../csv/pump.safetensors");

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let measured = [[43.0, 640.0, 15.0, 2952.0], [52.0, 700.0, 31.0, 2948.0], [56.0, 905.0, 18.0, 2912.0]];
    for values in measured {
        let scores = NET.evaluate(&values);
        let state = monomorph::metrics::argmax(&scores);
        print(STATES.get(state).unwrap_or(&""), &scores);
    }
    measure(16, || {
        black_box(NET.evaluate(black_box(&measured[0])));
    });
    exit()
}
