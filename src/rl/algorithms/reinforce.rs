//! REINFORCE: R. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*
//! (1992).
//!
//! ```text
//! for each episode
//!     a ~ π(s);  keep (s, a, r)
//!     R = r + γ R' of each step, standardized over the episode, whose mean is the baseline
//!     π ← π + λ ∇ mean R log π(a)
//! ```

use crate::memory;
use crate::network::evaluate;
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer};
use crate::plain::Plain;
use crate::rl::agent::{Learn, learn};
use crate::rl::surrogate::standardize;
use crate::rl::{
    Agent, Choice, Environment, Episode, Finished, Learner, Persist, Policy, Word, persist_moments, persist_parameters,
};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// What [`Reinforce`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct ReinforceSettings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// The learning rate; by default 3e-3.
    pub learning_rate: f64,
}

impl Default for ReinforceSettings {
    fn default() -> Self {
        Self { discount: 0.99, learning_rate: 3e-3 }
    }
}

/// Policy gradients from whole episodes, of which at most `T` steps are learned from: the network `A` gives what the
/// choice `D` makes actions of.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, CartPole, Categorical, Reinforce, ReinforceSettings};
///
/// network! { Actor: [4] -> [2] { Dense(16), Tanh, Dense(2) } }
/// let mut agent = Reinforce::<CartPole, Actor, Categorical, 500>::boxed(ReinforceSettings::default(), 1);
/// for _ in 0..100 {
///     agent.step()?;
/// }
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Reinforce<E: Environment, A: Policy<E>, D: Choice<E>, const T: usize> {
    /// What it was told; may be changed on the way.
    pub settings: ReinforceSettings,
    /// Where it is.
    pub episode: Episode<E>,
    /// π.
    pub actor: Learner<A>,
    choice: [D::Parameters; 2],
    moments: [D::Parameters; 2],
    noise: Noise,
    steps: u64,
    len: usize,
    seen: [E::Observation; T],
    done: [E::Action; T],
    returns: [E::Number; T],
    passes: Passes<A, T>,
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const T: usize> Reinforce<E, A, D, T> {
    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: ReinforceSettings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with a random network.
    pub fn start(&mut self, settings: ReinforceSettings, seed: u64) {
        const { assert!(<A::Output as Tensor>::LEN == D::OUTPUTS, "the choice needs another number of outputs") };
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        self.episode = Episode::seeded(noise.next_u64());
        self.actor.start(&mut noise);
        self.noise = noise;
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const T: usize> Agent for Reinforce<E, A, D, T> {
    type Environment = E;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        let output = evaluate(&self.actor.network, self.episode.observation());
        let action = D::draw(&self.choice[0], output.numbers(), &mut self.noise);
        let transition = self.episode.step(&D::in_environment(&action));
        if self.len < T {
            self.seen[self.len] = transition.observation;
            self.done[self.len] = action;
            self.returns[self.len] = transition.reward;
            self.len += 1;
        }
        self.steps += 1;
        if transition.last() {
            // R = r + γ R'
            let (mut after, len) = (E::Number::ZERO, self.len.min(T));
            for reward in self.returns.iter_mut().take(len).rev() {
                after = *reward + E::Number::from_f64(self.settings.discount) * after;
                *reward = after;
            }
            let (returns, rest) = self.returns.split_at_mut(len);
            standardize(returns);
            rest.fill(E::Number::ZERO);
            learn(self)?;
            self.len = 0;
        }
        Ok(self.episode.finished())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> E::Action {
        D::in_environment(&D::best(evaluate(&self.actor.network, observation).numbers()))
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const T: usize> Learn for Reinforce<E, A, D, T> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let Self { settings, actor, choice, moments, passes, seen, done, returns, len, .. } = self;
        let share = E::Number::from_f64(1.0 / (*len).max(1) as f64);
        passes.forward(simd, &actor.network, seen);
        let [parameters, gradient] = choice;
        memory::clear(gradient);
        for index in 0..T {
            // Steps beyond the end have a return of 0, and so no gradient.
            let slopes = [-returns[index] * share, E::Number::ZERO];
            let (output, grad_output) = (&passes.output[index], &mut passes.grad_output[index]);
            D::backward(parameters, output.numbers(), &done[index], slopes, grad_output.numbers_mut(), gradient);
        }
        passes.backward(simd, &actor.network, seen, false);
        let adam = Adam { learning_rate: settings.learning_rate, ..Adam::default() };
        actor.descend(simd, &adam, 1.0, None, &passes.gradient)?;
        adam.update(simd, actor.steps(), 1.0, E::Number::ONE, parameters, gradient, moments);
        Ok(())
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const T: usize> Persist for Reinforce<E, A, D, T> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episode.persist(word);
        self.actor.persist(word);
        persist_parameters(&mut self.choice[0], word);
        persist_moments::<D::Parameters, Adam>(&mut self.moments, word);
        self.noise.persist(word);
        self.steps.persist(word);
        self.len.persist(word);
        for index in 0..T {
            crate::rl::persist::persist_numbers(self.seen[index].numbers_mut(), word);
            self.done[index].persist(word);
            self.returns[index].persist(word);
        }
    }
}
