//! A step of Bayes by backprop; `bayes.sh` runs it.
//!
//! usage: bayes      prints a line of JSON for each batch: the first losses without noise, and the least time of a step
//!
//! 784-400-400-10 with a standard normal prior and local reparameterization, Adam. Weights, inputs and classes are sines, so
//! that others can compute the same ones.

use std::hint::black_box;
use std::time::{Duration, Instant};

use monomorph::memory;
use monomorph::prelude::*;

network! { pub Digits: [784] -> [10] {
    first: BayesDense(400), Relu, second: BayesDense(400), Relu, last: BayesDense(10)
} }

/// What the divergence counts.
const TERM: f64 = 1.0 / 60_000.0;

/// A number between −1 and 1.
fn sine(index: usize, factor: f64) -> f32 {
    (factor * index as f64).sin() as f32
}

/// A network whose deviations are `softplus(rho)`.
fn network(rho: f32) -> Box<Digits> {
    let mut net = memory::boxed::<Digits>();
    let layers = [
        (net.first.mean.as_mut_slice(), net.first.rho.0.as_mut_slice()),
        (net.second.mean.as_mut_slice(), net.second.rho.0.as_mut_slice()),
        (net.last.mean.as_mut_slice(), net.last.rho.0.as_mut_slice()),
    ];
    for (mean, deviations) in layers {
        mean.iter_mut().enumerate().for_each(|(index, x)| *x = 0.08 * sine(index + 1, 0.7));
        deviations.fill(rho);
    }
    net
}

fn measure<const B: usize>() {
    let inputs: Box<[[f32; 784]; B]> = {
        let mut inputs = memory::boxed::<[[f32; 784]; B]>();
        inputs.as_flattened_mut().iter_mut().enumerate().for_each(|(index, x)| *x = sine(index, 1.3).max(0.0));
        inputs
    };
    let classes: [u8; B] = std::array::from_fn(|index| (index * 7 % 10) as u8);
    let trainer = |term| Trainer::<Digits, _, B>::new(Adam::default(), CrossEntropy).term_weight(term);
    // Of deviations so small, nothing is random; without the divergence and with it.
    let losses: Vec<f32> = [0.0, TERM]
        .into_iter()
        .flat_map(|term| {
            let (mut quiet, mut trainer) = (network(-20.0), trainer(term));
            [0; 3].map(|_| trainer.step(&mut quiet, &inputs, &classes).expect("a step").loss)
        })
        .collect();
    let (mut net, mut trainer) = (network(-5.0), trainer(TERM));
    let mut least = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        let before = Instant::now();
        black_box(trainer.step(&mut net, &inputs, &classes)).expect("a step");
        least = least.min(before.elapsed());
    }
    println!(r#"{{"batch": {B}, "losses": {losses:?}, "seconds": {}}}"#, least.as_secs_f64());
}

fn main() {
    measure::<32>();
    measure::<100>();
}
