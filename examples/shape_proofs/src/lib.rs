//! A program with a network, with tests that wrong shapes do not compile: see `tests/shapes.rs`.

#![no_std]

use monomorph::prelude::*;

/// Height and width of the camera's pictures.
pub const SIDE: usize = 28;

network! {
    /// Distinguishes ten kinds of parts.
    pub Parts: [SIDE, SIDE, 1] -> [10] {
        Conv2d(8, kernel = 5, stride = 2), Relu,
        Flatten,
        Dense(10),
    }
}

/// The kind of the part in a picture.
pub fn kind(network: &Parts, picture: &[[[f32; 1]; SIDE]; SIDE]) -> usize {
    let scores: [f32; 10] = network.evaluate(picture);
    (1..10).fold(0, |best, kind| if scores[kind] > scores[best] { kind } else { best })
}
