//! The networks of `benches/workloads.rs` in monomorph and in other libraries.

pub mod bench;
#[cfg(feature = "libraries")]
pub mod burn;
pub mod by_hand;
#[cfg(feature = "libraries")]
pub mod candle;
#[cfg(feature = "libraries")]
pub mod dfdx;
#[cfg(feature = "libraries")]
pub mod export;
pub mod graph;
#[path = "../../limits.rs"]
pub mod limits;
#[cfg(feature = "libraries")]
pub mod nalgebra;
#[cfg(feature = "libraries")]
pub mod onnx;
pub mod ours;
pub mod plain;
pub mod sequences;
#[cfg(feature = "libraries")]
pub mod tract;
#[path = "../../workloads.rs"]
pub mod workloads;
