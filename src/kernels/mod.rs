//! The inner loops, written once over [`Vector`](crate::simd::Vector) for every number type and
//! SIMD level.

pub mod conv;
// Stable Rust says nothing of a floating-point unit in `target_feature`. But it is there where numbers are passed in its
// registers, and of Arm's processors without an operating system only those of the M profile have no 64-bit atomics.
#[cfg_attr(
    not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))),
    path = "elsewhere.rs"
)]
pub(crate) mod cortex_m;
pub mod elementwise;
pub mod gemm;
pub mod math;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod training;
