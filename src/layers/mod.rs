//! The layers, one file each: the formula, the shape rule, the parameters, the passes with the
//! derivative right below its formula, and the tests.

mod activation;
mod activity_regularization;
mod batch_norm;
mod conv;
mod dense;
mod dropout;
mod embedding;
mod group_norm;
mod layer_norm;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod packed;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod passes;
mod pool;
pub mod recurrent;
mod rms_norm;
mod softmax;
mod upsample2d;
mod window;

pub use activation::*;
pub use activity_regularization::*;
pub use batch_norm::*;
pub use conv::*;
pub use dense::*;
pub use dropout::*;
pub use embedding::*;
pub use group_norm::*;
pub use layer_norm::*;
pub use pool::*;
pub use recurrent::{gru::Gru, lstm::Lstm, rnn::Rnn};
pub use rms_norm::*;
pub use softmax::*;
pub use upsample2d::*;
pub use window::*;
