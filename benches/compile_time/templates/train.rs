use std::hint::black_box;
use std::time::Instant;

use monomorph::prelude::*;
use monomorph::{Layer, memory};

include!("network.rs");

fn main() {
    let repetitions: u32 = std::env::args().nth(1).map_or(1, |text| text.parse().expect("a number"));
    let mut net = memory::boxed::<Net>();
    let mut trainer = Trainer::<Net, _, 32>::new(Adam::default(), CrossEntropy);
    let input = memory::boxed::<[<Net as Layer>::Input; 32]>();
    let mut workspace = memory::boxed::<monomorph::network::Workspace<Net, 1>>();
    let mut output = memory::boxed::<[<Net as Layer>::Output; 1]>();
    let start = Instant::now();
    for _ in 0..repetitions {
        let step = trainer.step(&mut *net, black_box(&*input), &[1_usize; 32]).expect("a step");
        black_box(step.loss);
    }
    println!("{}", start.elapsed().as_secs_f64() / f64::from(repetitions));
    net.evaluate_in(core::array::from_ref(&input[0]), black_box(&mut *output), &mut *workspace);
}
