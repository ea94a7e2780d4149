//! Agents, one file each.

mod sac;
mod td3;

pub use sac::{Sac, SacSettings};
pub use td3::{Td3, Td3Settings};
