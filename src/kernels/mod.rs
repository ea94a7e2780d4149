//! The inner loops, written once over [`Vector`](crate::simd::Vector) for every number type and
//! SIMD level.

mod blocks;
pub mod columns;
pub mod conv;
// The same condition as in `fpu`, which explains it.
#[cfg_attr(
    not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))),
    path = "elsewhere.rs"
)]
mod cortex_m;
pub mod elementwise;
pub mod gemm;
pub mod norm;
pub mod pool;
pub mod reduce;
mod run;
pub mod training;
pub mod window;
