#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
extern crate self as monomorph;
#[cfg(feature = "std")]
extern crate std;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "std")]
pub mod data;
pub mod init;
pub mod kernels;
pub mod layer;
pub mod layers;
pub mod loss;
pub mod memory;
pub mod network;
pub mod noise;
pub mod optim;
#[cfg(feature = "rayon")]
pub mod parallel;
pub mod parameters;
pub mod prelude;
pub mod scalar;
pub mod shapes;
pub mod simd;
pub mod summary;
pub mod tensor;
#[cfg(feature = "alloc")]
pub mod testing;
pub mod train;
pub mod weights;

pub use layer::{Activation, Layer};
pub use monomorph_macros::network;
pub use network::Network;
pub use noise::Noise;
pub use parameters::Parameters;
pub use scalar::Scalar;
pub use tensor::Tensor;
