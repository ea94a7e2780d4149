//! To come.
#[cfg(feature = "safetensors")]
pub mod safetensors;
