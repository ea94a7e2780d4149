//! Every layer there is. `run.sh` inspects this program: if evaluation could panic or allocate, the
//! linker would have included the functions for it.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::{exit, measure, print};
use monomorph::memory::zeroed;
use monomorph::network::evaluate;
use monomorph::prelude::*;
use monomorph::sampling::Sampling;
use monomorph::{Parameters, Tensor};

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
    ActivityRegularization(l2 = 1e-4), Dense(7, bias = false), LogSoftmax,
} }
network! { Noisy: [3, 4] -> [3, 2] {
    GaussianNoise(0.1), DropConnect(4, 0.5), Selu, AlphaDropout(0.1),
    residual(drop = 0.2) { Dense(4), SpatialDropout(0.2) }, GaussianDropout(0.3), Dense(2),
} }
network! { Activations: [5] -> [5] {
    Dense(5), Identity, Dense(5), Selu, Dense(5), GeluTanh, Dense(5), Sigmoid, Dense(5), Tanh, Dense(5), HardSigmoid,
    Dense(5), HardTanh, Dense(5), LeakyHardTanh, Dense(5), FastTanh, Dense(5), Mish, Dense(5), Softplus, Dense(5), Softsign,
} }
network! { Others: [6, 6, 4] -> [4] {
    PRelu(per_channel = true), ConvTranspose2d(4, kernel = 2, stride = 2), Celu, AvgPool2d(2, count_include_pad = true),
    Pad2d(1, mode = reflect), InstanceNorm, LocalResponseNorm(3), SpaceToDepth(2), PixelShuffle(2),
    PixelUnshuffle(2), DepthToSpace(2), BatchNorm(frozen = true), AdaptiveMaxPool2d(4),
    Upsample2d(size = (5, 7), mode = bicubic), AdaptiveAvgPool2d(3), LpPool2d(3, stride = 1, padding = 1), Slice(0, start = 1),
    Transpose(axes = (2, 0, 1)), ReduceMean(0), multiply { {} { ReduceMax(0, keepdim = true) } { ReduceSum(1, keepdim = true) } }, Pad1d(1, mode = wrap),
    ConvTranspose1d(4, kernel = 2),
    AdaptiveMaxPool1d(4), AdaptiveAvgPool1d(5), LpPool1d(2, stride = 1, padding = (1, 0)), Glu, Softmax(axis = 0), concat(axis = 0) { {} { ThresholdedRelu } }, Affine, Flatten, Dense(4),
} }
network! { Two(image: [2, 2, 1], speed: [2]) -> (turn: [1], brake: [2]) {
    let seen = image |> Flatten |> Dense(3) |> Tanh;
    let both = concat(seen, speed) |> repeat 2 { Dense(5), Relu };
    let turn = both |> Dense(1);
    let brake = multiply(both, both) |> inner: Inner;
} }
network! { Inner: [5] -> [2] { Dense(2), Sigmoid } }
network! { Words: [u8; 6] -> [3] {
    tokens: Embedding(11, 4), Positions, Dense(4), Tanh, Unembedding(tokens), GlobalMaxPool1d, Dense(3),
} }
network! { Sequences(x: [3, 4], memory: [2, 3]) -> [3, 4] {
    let both = x |> Gru(2, bidirectional, init = keras) |> Flip(axis = 0);
    let turned = both |> SinusoidalPositions |> SelfAttention(heads = 2, kv_heads = 1, rotary = interleaved);
    let read = (turned, memory) |> Attention(heads = 2);
    read |> TransformerBlock(heads = 2, ffn = 4, causal, activation = swiglu)
} }
network! { #[streaming] Writer: [u8; 8] -> [8, 5] {
    tokens: Embedding(5, 4), Positions, SinusoidalPositions, TransformerBlock(heads = 2, ffn = 8, causal, rotary = half),
    Unembedding(tokens),
} }
network! { #[streaming] Stream: [8, 2] -> [8, 3] {
    Conv1d(4, kernel = 3, dilation = 2, padding = causal), LayerNorm, Relu,
    residual { DepthwiseConv1d(2, padding = causal), RmsNorm }, Rnn(3), Lstm(2, cell, initial = learned),
    Glu(activation = tanh), Gru(4, reset = before), Slice(axis = 1, start = 1), Gru(3), Dense(3), Softmax,
} }
network! { #[packed(WideHalf: bf16)] Wide: [5] -> [2] { Dense(32), Tanh, Dense(2) } }

/// Evaluates a network with numbers that are the same on every machine.
#[inline(never)]
fn run<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str) {
    let mut net: N = zeroed();
    fill(net.as_mut_slice(), 0.2);
    evaluations(name, &net);
}

/// The same with packed weights.
#[inline(never)]
fn run_packed<N: PackedNetwork<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str) {
    let (mut net, mut packed): (N::Of, N) = (zeroed(), zeroed());
    fill(net.as_mut_slice(), 0.2);
    packed.pack(&net);
    evaluations(name, &packed);
}

/// The same with tokens.
#[inline(never)]
fn run_tokens(name: &str) {
    let mut net: Words = zeroed();
    fill(net.as_mut_slice(), 0.2);
    for tokens in [[0, 1, 2, 3, 4, 5], [10, 9, 8, 7, 6, 5], [0; 6], [10; 6]] {
        print(name, &net.evaluate(&tokens));
        measure(8, || {
            black_box(black_box(&net).evaluate(black_box(&tokens)));
        });
    }
}

/// The same step by step.
#[inline(never)]
fn run_steps(name: &str) {
    let mut net: Stream = zeroed();
    fill(net.as_mut_slice(), 0.2);
    let mut state = net.start();
    for most in [1.0, -3.0, 0.0, 1000.0] {
        let mut input = [0.0; 2];
        fill(&mut input, most);
        print(name, &net.step(&mut state, &input));
        let (mut same, mut block) = (state.clone(), state.clone());
        measure(8, || {
            black_box(black_box(&net).step(black_box(&mut same), black_box(&input)));
        });
        for y in net.steps::<3>(&mut block, &[input; 3]) {
            print(name, &y);
        }
    }
}

/// The same for a step that reads all steps before it, and so takes longer than they took.
#[inline(never)]
fn run_writer(name: &str) {
    let mut net: Writer = zeroed();
    fill(net.as_mut_slice(), 0.2);
    let (mut state, mut token, mut noise) = (net.start(), 0, Noise::new(1));
    for _ in 0..10 {
        let mut scores = net.step(&mut state, &token);
        print(name, &scores);
        token = Sampling { top_k: 3, ..Sampling::default() }.draw(&mut scores, &mut noise) as u8;
    }
}

#[inline(always)]
fn evaluations<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str, net: &N) {
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

/// Positive, because some parameters are variances.
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
    run::<Noisy>("noisy");
    run::<Activations>("activations");
    run::<Others>("others");
    run::<Two>("two");
    run_packed::<WideHalf>("wide");
    run_tokens("words");
    run_steps("stream");
    run::<Sequences>("sequences");
    run_writer("writer");
    exit()
}
