//! The smallest network in every textbook: 3 inputs, 4 hidden units, 2 outputs,
//! y = ψ₂(ψ₁(x·W₁)·W₂) with ψ₁ = tanh, ψ₂ = sigmoid and no biases.
//!
//! Run: `cargo run --example 01_figure_one`. Expected output:
//! ```text
//! FigureOne: 20 parameters, 20 multiply-accumulates
//! y = [0.5722, 0.4278]
//! ```

use monomorph::prelude::*;

network! {
    pub FigureOne: [3] -> [2] {
        Dense(4, bias = false), Tanh,
        Dense(2, bias = false), Sigmoid,
    }
}

fn main() {
    let mut net = FigureOne::zeroed();
    // Weights are plain arrays, [in][out]: two hidden units see x₀ − x₁, two see x₁ + x₂.
    net.dense1.weight = [[1.0, -1.0, 0.0, 0.0], [-1.0, 1.0, 0.5, -0.5], [0.0, 0.0, 0.5, -0.5]];
    net.dense2.weight = [[0.3, -0.3], [0.1, -0.1], [0.2, -0.2], [-0.1, 0.1]];

    let y = net.evaluate(&[1.0, 0.0, 1.0]);
    println!("FigureOne: {} parameters, {} multiply-accumulates", FigureOne::PARAMS, FigureOne::MACS);
    println!("y = {y:.4?}");
}
