//! The layers, one file each: the formula, the shape rule, the parameters, the passes with the
//! derivative right below its formula, and the tests.

mod activation;
mod batch_norm;
mod conv1d;
mod conv2d;
mod dense;
mod dropout;
mod group_norm;
mod layer_norm;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod passes;
mod pool;
mod rms_norm;
mod softmax;
mod stored;
mod upsample2d;
mod window;

pub use activation::*;
pub use batch_norm::*;
pub use conv1d::*;
pub use conv2d::*;
pub use dense::*;
pub use dropout::*;
pub use group_norm::*;
pub use layer_norm::*;
pub use pool::*;
pub use rms_norm::*;
pub use softmax::*;
pub use stored::*;
pub use upsample2d::*;
pub use window::*;
