//! Evaluates any network, with numbers that are the same on every machine.

use core::hint::black_box;

use monomorph::Tensor;
use monomorph::memory::zeroed;
use monomorph::network::evaluate;
use monomorph::prelude::*;

use crate::{measure, print};

/// Evaluates a network whose weights are made up.
#[inline(never)]
pub fn run<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str) {
    let mut net: N = zeroed();
    fill(net.as_mut_slice(), 0.2);
    evaluations(name, &net);
}

/// Prints what it gives for four inputs, and measures how long each takes.
#[inline(always)]
pub fn evaluations<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str, net: &N) {
    let mut input: N::Input = zeroed();
    // Mixed signs, zeros, and values so large that functions saturate: all take the same time.
    for most in [1.0, -3.0, 0.0, 1000.0] {
        fill(input.numbers_mut(), most);
        print(name, evaluate(net, &input).numbers());
        measure(8, || {
            black_box(evaluate(black_box(net), black_box(&input)));
        });
    }
}

/// Fills memory with numbers from zero to `most`. Positive, because some parameters are variances.
pub fn fill(numbers: &mut [f32], most: f32) {
    let mut state = 1_u32;
    for number in numbers {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *number = most * (state >> 8) as f32 / 16_777_216.0;
    }
}
