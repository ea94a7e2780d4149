//! Reinforcement learning: environments, and agents that learn in them. Nothing allocates.
mod advantage;
mod agent;
mod algorithms;
mod choice;
mod environment;
mod environments;
mod learner;
mod normalizer;
mod persist;
mod prioritized;
mod replay;
mod squashed;
mod surrogate;

pub use advantage::{Value, advantages};
pub use agent::{Agent, Critic, Policy};
pub use algorithms::*;
pub use choice::{Categorical, Choice, Gaussian, LogStd, Nothing};
pub use environment::{Continuous, Discrete, Environment, Episode, Finished, Number, Outcome, Transition, evaluate};
pub use environments::*;
pub use learner::Learner;
pub use normalizer::Normalizer;
pub use persist::{Persist, Word, persist_moments, persist_parameters};
#[cfg(feature = "std")]
pub use persist::{resume, save};
pub use prioritized::{NStep, Prioritized, SumTree};
pub use replay::{Batch, Buffer, Experience, Replay};
pub use squashed::SquashedGaussian;
pub use surrogate::{surrogate, value_loss};
