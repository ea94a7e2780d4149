//! Neural networks with every size known at compile time.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
extern crate self as monomorph;
#[cfg(feature = "std")]
extern crate std;

pub mod init;
pub mod kernels;
pub mod layer;
pub mod layers;
pub mod memory;
pub mod noise;
pub mod parameters;
pub mod scalar;
pub mod shapes;
pub mod simd;
pub mod tensor;

pub use layer::{Activation, Layer};
pub use monomorph_macros::Parameters;
pub use noise::Noise;
pub use parameters::Parameters;
pub use scalar::Scalar;
pub use tensor::Tensor;
