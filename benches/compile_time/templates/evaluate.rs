use std::hint::black_box;
use std::time::Instant;

use monomorph::prelude::*;
use monomorph::{Layer, memory};

include!("network.rs");

fn main() {
    let repetitions: u32 = std::env::args().nth(1).map_or(1, |text| text.parse().expect("a number"));
    let net = memory::boxed::<Net>();
    let input = memory::boxed::<[<Net as Layer>::Input; 1]>();
    let mut output = memory::boxed::<[<Net as Layer>::Output; 1]>();
    let mut workspace = memory::boxed::<monomorph::network::Workspace<Net, 1>>();
    let start = Instant::now();
    for _ in 0..repetitions {
        black_box(&*net).evaluate_in(black_box(&*input), black_box(&mut *output), &mut *workspace);
    }
    println!("{}", start.elapsed().as_secs_f64() / f64::from(repetitions));
}
