//! Every layer for tokens and sequences, as `every_layer` has all others; whole and step by step.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::every::{fill, run};
use firmware::{exit, measure, print};
use monomorph::Parameters;
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::sampling::Sampling;

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

/// Evaluates a network of tokens.
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

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    run_tokens("words");
    run_steps("stream");
    run::<Sequences>("sequences");
    run_writer("writer");
    exit()
}
