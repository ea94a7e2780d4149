//! Agents, one file each.

mod cloning;
mod cross_entropy_method;
mod ddpg;
mod dqn;
mod evolution;
mod ppo;
mod reinforce;
mod sac;
mod td3;

pub use cloning::Cloning;
pub use cross_entropy_method::CrossEntropyMethod;
pub use ddpg::{Ddpg, DdpgSettings};
pub use dqn::{Dqn, DqnSettings};
pub use evolution::Evolution;
pub use ppo::{Ppo, PpoSettings};
pub use reinforce::{Reinforce, ReinforceSettings};
pub use sac::{Sac, SacSettings};
pub use td3::{Td3, Td3Settings};
