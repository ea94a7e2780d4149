//! Direct convolutions: no im2col matrix is ever built.
//!
//! A tile is some neighboring pixels of an output row × registers of output channels. Where all their windows lie on
//! the input, a row of the kernel is one run of `gemm::accumulate`, because channels come last: the numbers under it
//! are contiguous in the input, and so are its weights. The pixels at the left and right borders, whose windows reach
//! into the padding, are computed down their column with the taps that lie on the input, those in the corners one by
//! one; padding is never read. For an image of one channel and few output channels, registers hold pixels.
//!
//! If only the maximum of 2 × 2 pixels is needed, a tile is compared with the stored maxima and never written itself.
//!
//! | | rows × columns of a tile | sum over |
//! | --- | --- | --- |
//! | `y` | pixels × output channels | taps, input channels |
//! | `y` of one channel | output channels × pixels | taps |
//! | `∂x` | input channels × 1 pixel of several samples, or pixels × input channels of a part of the weight that is [turned](turned) around | taps, output channels |
//! | `∂W` | input channels (of one tap, or a row of taps) × output channels | pixels |
//!
//! Depthwise convolutions are the same with taps in place of input channels: they multiply channel by channel. A
//! one-dimensional convolution is a two-dimensional one with a single row.

mod forward;
mod geometry;
mod gradients;
mod turned;

pub(crate) use forward::forward;
pub(crate) use geometry::{Convolution, Geometry};
pub(crate) use gradients::{backward_input, backward_parameters};
