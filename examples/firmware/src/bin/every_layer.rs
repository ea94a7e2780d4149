//! Every layer there is. `run.sh` looks into this program: evaluating can neither panic nor allocate,
//! or the linker would have put the functions for it here.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::{exit, measure, print};
use monomorph::memory::zeroed;
use monomorph::network::{StoredNetwork, evaluate};
use monomorph::prelude::*;
use monomorph::{Layer, Parameters, Tensor};

network! { Images: [8, 8, 3] -> [10] {
    Conv2d(8, kernel = 3, padding = same), BatchNorm, Relu,
    DepthwiseConv2d(3, padding = 1), GroupNorm(2), Relu6,
    Conv2d(6, kernel = 3, groups = 2, dilation = 2, padding = same), HardSwish,
    MaxPool2d(2), Upsample2d(2), AvgPool2d(2), Dropout(0.1),
    residual { Conv2d(6, kernel = 1), LayerNorm, Gelu },
    concat { { Conv2d(2, kernel = 3, stride = 2), GlobalMaxPool2d } { GlobalAvgPool2d } { Flatten, Dense(2), Softmax } },
} }
network! { Signals: [16, 2] -> [7] {
    Conv1d(6, kernel = 3, stride = 2, padding = 1), RmsNorm, Silu,
    DepthwiseConv1d(3, padding = 1), LeakyRelu,
    MaxPool1d(2), AvgPool1d(2), Elu,
    add { { GlobalMaxPool1d } { GlobalAvgPool1d } },
    Dense(7, bias = false), LogSoftmax,
} }
network! { Activations: [5] -> [5] {
    Dense(5), Identity, Dense(5), Selu, Dense(5), GeluTanh, Dense(5), Sigmoid, Dense(5), Tanh, Dense(5), HardSigmoid,
    Dense(5), HardTanh, Dense(5), Mish, Dense(5), Softplus, Dense(5), Softsign,
} }
network! { Two(image: [2, 2, 1], speed: [2]) -> (turn: [1], brake: [2]) {
    let seen = image |> Flatten |> Dense(3) |> Tanh;
    let both = concat(seen, speed) |> repeat 2 { Dense(5), Relu };
    let turn = both |> Dense(1);
    let brake = multiply(both, both) |> inner: Inner;
} }
network! { Inner: [5] -> [2] { Dense(2), Sigmoid } }
network! { #[stored(WideHalf: bf16)] Wide: [5] -> [2] { Dense(32), Tanh, Dense(2) } }

/// Evaluates a network with numbers that any machine computes alike.
#[inline(never)]
fn run<N: Network<Scalar = f32>>(name: &str) {
    let mut net: N = zeroed();
    fill(net.as_mut_slice(), 0.2);
    evaluations(name, &net);
}

/// The same with weights in fewer bits.
#[inline(never)]
fn run_stored<N: StoredNetwork<Scalar = f32>>(name: &str) {
    let (mut net, mut stored): (N::Of, N) = (zeroed(), zeroed());
    fill(net.as_mut_slice(), 0.2);
    stored.store(&net);
    evaluations(name, &stored);
}

#[inline(always)]
fn evaluations<N: Network<Scalar = f32>>(name: &str, net: &N) {
    let mut input: <N as Layer<f32>>::Input = zeroed();
    // Of either sign, none at all, and so large that functions saturate: it takes the same time.
    for most in [1.0, -3.0, 0.0, 1000.0] {
        fill(input.as_mut_slice(), most);
        print(name, evaluate(net, &input).as_slice());
        measure(8, || {
            black_box(evaluate(black_box(net), black_box(&input)));
        });
    }
}

/// Positive numbers, because some parameters are variances.
fn fill(numbers: &mut [f32], most: f32) {
    let mut state = 1_u32;
    for number in numbers {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *number = most * (state >> 8) as f32 / 16_777_216.0;
    }
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    run::<Images>("images");
    run::<Signals>("signals");
    run::<Activations>("activations");
    run::<Two>("two");
    run_stored::<WideHalf>("wide");
    exit()
}
