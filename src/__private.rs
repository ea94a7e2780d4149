//! What the code of `network!` calls; not part of the public interface.

pub use crate::layer::Layer;
pub use crate::noise::Noise;
pub use crate::simd::Simd;
pub use crate::summary::Node;
pub use crate::{memory, tensor};

pub mod passes;
