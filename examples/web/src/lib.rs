//! Digits on a web page: a network, its weights and its memory as one WebAssembly module.
//!
//! The module imports nothing and allocates nothing. The page asks for the memory once, writes an
//! image into it, calls `evaluate`, and reads the output of every layer.
#![cfg_attr(target_arch = "wasm32", no_std)]

use monomorph::memory::zeroed;
use monomorph::network::Workspace;
use monomorph::prelude::*;
use static_cell::ConstStaticCell;

network! {
    /// Recognizes a digit in an image of 28×28 pixels and exposes the outputs of its layers.
    ///
    /// Every layer that the page draws is an output. The layers have the names that they were
    /// saved with, so this network can load the weights of the firmware's network.
    pub Digits(image: [28, 28, 1]) -> (edges: [12, 12, 8], strokes: [5, 5, 16], scores: [10], probabilities: [10]) {
        let edges = image |> conv1: Conv2d(8, kernel = 5, stride = 2) |> Relu;
        let strokes = edges |> conv2: Conv2d(16, kernel = 3, stride = 2) |> Relu;
        let scores = strokes |> Flatten |> dense1: Dense(10);
        let probabilities = scores |> Softmax;
    }
}

/// A constant of the module: the compiler reads the file.
pub static NET: Digits = include_weights!(Digits, "../../firmware/weights/digits.safetensors");

/// All the memory that an evaluation needs, besides a little stack.
pub struct Memory {
    /// From 0 (paper) to 1 (ink).
    image: [[[[f32; 1]; 28]; 28]; 1],
    layers: [DigitsOutput; 1],
    workspace: Workspace<Digits, 1>,
}
static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { image: zeroed(), layers: zeroed(), workspace: zeroed() });

/// The memory, for the first caller; null for all others.
#[unsafe(no_mangle)]
pub extern "C" fn memory_once() -> Option<&'static mut Memory> {
    MEMORY.try_take()
}

/// Computes all layers from the image.
#[unsafe(no_mangle)]
pub extern "C" fn evaluate(memory: &mut Memory) {
    NET.evaluate_in(&memory.image, &mut memory.layers, &mut memory.workspace);
}

/// Where the page writes the image: 28 rows of 28 numbers.
#[unsafe(no_mangle)]
pub extern "C" fn image(memory: &mut Memory) -> &mut [[[f32; 1]; 28]; 28] {
    &mut memory.image[0]
}

/// The output of the first convolution: `[row][column][channel]`.
#[unsafe(no_mangle)]
pub extern "C" fn edges(memory: &Memory) -> &[[[f32; 8]; 12]; 12] {
    &memory.layers[0].edges
}

/// The output of the second convolution.
#[unsafe(no_mangle)]
pub extern "C" fn strokes(memory: &Memory) -> &[[[f32; 16]; 5]; 5] {
    &memory.layers[0].strokes
}

/// The scores of the ten digits.
#[unsafe(no_mangle)]
pub extern "C" fn scores(memory: &Memory) -> &[f32; 10] {
    &memory.layers[0].scores
}

/// The same as probabilities.
#[unsafe(no_mangle)]
pub extern "C" fn probabilities(memory: &Memory) -> &[f32; 10] {
    &memory.layers[0].probabilities
}

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
