//! Reinforcement learning: environments, and agents that learn in them. Nothing allocates.
mod agent;
mod algorithms;
mod environment;
mod environments;
mod learner;
mod persist;
mod replay;
mod squashed;

pub use agent::{Agent, Critic, Policy};
pub use algorithms::*;
pub use environment::{Continuous, Discrete, Environment, Episode, Finished, Number, Outcome, Transition, evaluate};
pub use environments::*;
pub use learner::Learner;
pub use persist::{Persist, Word, persist_moments, persist_parameters};
#[cfg(feature = "std")]
pub use persist::{resume, save};
pub use replay::{Batch, Buffer, Experience, Replay};
pub use squashed::SquashedGaussian;
