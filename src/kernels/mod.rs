//! The inner loops, written once over [`Vector`](crate::simd::Vector) for every number type and
//! SIMD level.

pub mod conv;
pub(crate) mod cortex_m;
pub mod elementwise;
pub mod gemm;
pub mod math;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod training;
