//! Behaviour cloning: D. Pomerleau, *ALVINN: an autonomous land vehicle in a neural network* (1989).
//!
//! ```text
//! with a batch of what someone saw and did
//!     π ← π + λ ∇ mean log π(a)
//! ```

use crate::memory;
use crate::noise::Noise;
use crate::optim::Adam;
use crate::plain::Plain;
use crate::rl::agent::{Learn, learn};
use crate::rl::{Choice, Environment, Learner, Policy};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// A policy `A` that imitates what someone did in the environment `E`, in batches of `B`; `D` says how probable an
/// action is by what the network gives, with deviations of 1 where it is continuous, so that it learns by squared
/// errors.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{CartPole, Categorical, Cloning, Episode, evaluate};
///
/// // Someone who knows how.
/// let expert = |[x, speed, angle, turn]: &[f32; 4]| usize::from(0.1 * x + 0.2 * speed + 3.0 * angle + turn > 0.0);
/// let (mut seen, mut done) = (Vec::new(), Vec::new());
/// let mut episode = Episode::<CartPole>::seeded(1);
/// for _ in 0..2000 {
///     let action = expert(episode.observation());
///     seen.push(*episode.observation());
///     done.push(action);
///     episode.step(&action);
/// }
///
/// network! { Student: [4] -> [2] { Dense(16), Tanh, Dense(2) } }
/// let mut cloning = Cloning::<CartPole, Student, Categorical, 64>::boxed(1e-2, 1);
/// for _ in 0..1000 {
///     cloning.step(&seen, &done)?;
/// }
/// assert!(evaluate::<CartPole>(5, 7, |seen| cloning.act(seen)) > 100.0);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Cloning<E: Environment, A: Policy<E>, D: Choice<E>, const B: usize> {
    /// The learning rate.
    pub learning_rate: f64,
    /// π.
    pub actor: Learner<A>,
    choice: [D::Parameters; 2],
    noise: Noise,
    loss: E::Number,
    seen: [E::Observation; B],
    done: [E::Action; B],
    passes: Passes<A, B>,
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const B: usize> Cloning<E, A, D, B> {
    /// A student on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(learning_rate: f64, seed: u64) -> alloc::boxed::Box<Self> {
        let mut student = memory::boxed::<Self>();
        student.start(learning_rate, seed);
        student
    }

    /// Begins anew, with a random network.
    pub fn start(&mut self, learning_rate: f64, seed: u64) {
        const { assert!(<A::Output as Tensor>::LEN == D::OUTPUTS, "the choice needs another number of outputs") };
        memory::clear(self);
        (self.learning_rate, self.noise) = (learning_rate, Noise::new(seed));
        self.actor.start(&mut self.noise);
    }

    /// Learns from a batch that is drawn from what was seen and done; returns the loss, `−mean log π(a)`.
    ///
    /// # Errors
    /// A gradient that is not finite, or a learning rate out of its range.
    pub fn step(&mut self, seen: &[E::Observation], done: &[E::Action]) -> Result<E::Number, TrainError> {
        for index in 0..B {
            let place = self.noise.below(seen.len().min(done.len()) as u64) as usize;
            if let (Some(seen), Some(done)) = (seen.get(place), done.get(place)) {
                (self.seen[index], self.done[index]) = (*seen, *done);
            }
        }
        learn(self)?;
        Ok(self.loss)
    }

    /// What it has learned to do.
    pub fn act(&self, observation: &E::Observation) -> E::Action {
        D::in_environment(&D::best(crate::network::evaluate(&self.actor.network, observation).numbers()))
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const B: usize> Learn for Cloning<E, A, D, B> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let Self { learning_rate, actor, choice: [parameters, gradient], loss, seen, done, passes, .. } = self;
        let share = E::Number::from_f64(1.0 / B as f64);
        passes.forward(simd, &actor.network, seen);
        *loss = E::Number::ZERO;
        for index in 0..B {
            let (output, grad_output) = (passes.output[index].numbers(), passes.grad_output[index].numbers_mut());
            *loss -= D::log_prob(parameters, output, &done[index])[0] * share;
            D::backward(parameters, output, &done[index], [-share, E::Number::ZERO], grad_output, gradient);
        }
        passes.backward(simd, &actor.network, seen, false);
        let adam = Adam { learning_rate: *learning_rate, ..Adam::default() };
        actor.descend(simd, &adam, 1.0, None, &passes.gradient)
    }
}
