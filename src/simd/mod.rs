//! SIMD: levels, dispatch, registers.
//!
//! Kernels are written once over [`Vector`]; [`dispatch`] picks the widest instruction set of the machine (AVX-512,
//! AVX2 or the baseline on x86; NEON on Arm; SIMD128 on WebAssembly; plain scalars elsewhere) once, at the entry point
//! of a network. Everything below that is inlined into code compiled for that instruction set.
//!
//! Number types without SIMD instructions have registers of one lane: [`Single`].

mod lanes;
mod level;
mod packed;
mod partial;
mod single;

pub use crate::scalar::Vector;
pub use lanes::Lanes;
#[cfg(feature = "std")]
pub use level::levels;
pub(crate) use level::{FUSES, SCALAR, again, unknown};
pub use level::{Level, Simd, Task, dispatch, level, outline, share};
pub use single::Single;
