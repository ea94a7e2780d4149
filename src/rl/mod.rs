//! Reinforcement learning: environments, and agents that learn in them, on a PC and on a microcontroller. Nothing
//! allocates.
//!
//! ```
//! use monomorph::prelude::*;
//! use monomorph::rl::{Agent, Pendulum, Replay, Sac, evaluate, presets};
//!
//! network! { Actor: [3] -> [2] { Dense(64), Relu, Dense(64), Relu, Dense(2) } }
//! network! { Critic: [4] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
//!
//! let mut agent = Sac::<Pendulum, Actor, Critic, Replay<Pendulum, 10_000>, 100>::boxed(presets::pendulum_sac(), 1);
//! for _ in 0..200 {
//!     agent.step()?; // 10,000 of them solve it
//! }
//! let mean_return = evaluate::<Pendulum>(5, 7, |seen| agent.act(seen));
//! # assert!(mean_return < 0.0);
//! # Ok::<(), monomorph::train::TrainError>(())
//! ```
//!
//! | environments | actions | seen |
//! | --- | --- | --- |
//! | [`CartPole`], [`MountainCar`], [`Acrobot`] | one of 2 or 3 | 4, 2, 6 numbers |
//! | [`Pendulum`], [`MountainCarContinuous`] | a number | 3, 2 numbers |
//! | [`Recall`] | one of 2 | a hint at first, and later nothing: only memory solves it |
//! | [`Limit`], [`Repeat`], [`FrameStack`] | as inside | another time limit, repeated actions, several steps at once |
//!
//! | agents | actions | learn from |
//! | --- | --- | --- |
//! | [`Dqn`]: double, dueling, prioritized, n-step | discrete | experience that is kept |
//! | [`Sac`], [`Td3`], [`Ddpg`] | continuous | experience that is kept |
//! | [`Ppo`], [`A2C`](PpoSettings::a2c), [`Reinforce`] | both, by a [`Choice`] | what they have just done |
//! | [`CrossEntropyMethod`], [`Evolution`] | both, by a [`Choice`] | returns alone |
//! | [`Cloning`] | both, by a [`Choice`] | what someone else did |
//!
//! An agent is a plain value with all that it needs: networks, optimizers, what it remembers, its environment and its
//! random source. It is made in place, in a box or in a `static`, and [written to a file](save) and read so that it
//! goes on bit by bit. Its networks are ordinary ones: their weights are saved, packed, and built into programs as
//! those of any other.
//!
//! A time limit is not an end: where time is up, the value of what is seen last still counts.
//!
mod advantage;
mod agent;
mod algorithms;
mod categorical;
mod choice;
mod environment;
mod environments;
mod learner;
mod normalizer;
mod persist;
pub mod presets;
mod prioritized;
mod replay;
mod squashed;
mod surrogate;
mod wrappers;

pub use advantage::{Value, advantages};
pub use agent::{Agent, Critic, Policy};
pub use algorithms::*;
pub use categorical::project;
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
pub use wrappers::{FrameStack, Limit, Repeat};

#[cfg(all(test, feature = "std"))]
mod tests;
