//! The inner loops, written once over [`Vector`](crate::simd::Vector) for every number type and
//! SIMD level.

pub mod elementwise;
pub mod math;
