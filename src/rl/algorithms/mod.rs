//! Agents, one file each.

mod dqn;
mod ppo;
mod sac;
mod td3;

pub use dqn::{Dqn, DqnSettings};
pub use ppo::{Ppo, PpoSettings};
pub use sac::{Sac, SacSettings};
pub use td3::{Td3, Td3Settings};
