//! To come.
#[cfg(feature = "idx")]
pub mod idx;
