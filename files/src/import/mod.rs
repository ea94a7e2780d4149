//! Networks from files of graphs: ONNX and TensorFlow Lite.

mod body;
mod flatbuffer;
mod fold;
mod graph;
mod onnx;
mod operators;
mod protobuf;
#[cfg(test)]
mod tests;
mod tflite;
mod translate;
mod windows;

use crate::{Error, Model};

/// Reads an ONNX or a TensorFlow Lite file.
///
/// # Errors
/// Says what is wrong with the file, or names all operators that are not known.
pub fn read_graph(bytes: &[u8]) -> Result<Model, Error> {
    let graph = if tflite::is(bytes) { tflite::read(bytes)? } else { onnx::read(bytes)? };
    translate::translate(&graph)
}

/// A number of 16 bits as IEEE 754 defines it.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    }
}
