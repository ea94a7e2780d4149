//! DDPG: Lillicrap et al., *Continuous control with deep reinforcement learning* (2016), with independent noise instead
//! of a process's.
//!
//! ```text
//! for each step
//!     a = π(s) + noise;  keep (s, a, r, s')
//!     with a batch of (s, a, r, s')
//!         y = r + γ Q̄(s', π̄(s'))
//!         Q ← Q − λ ∇ mean (Q(s, a) − y)²
//!         π ← π + λ ∇ mean Q(s, π(s))
//!         Q̄ ← Q̄ + τ (Q − Q̄);  π̄ ← π̄ + τ (π − π̄)
//! ```

use super::td3::{squash, squash_backward, squash_batch};
use crate::memory;
use crate::network::{Workspace, evaluate};
use crate::noise::Noise;
use crate::optim::Adam;
use crate::plain::Plain;
use crate::rl::agent::{Learn, add_second, learn, pair, scaled, values};
use crate::rl::environment::{clip, uniform};
use crate::rl::learner::follow;
use crate::rl::{
    Agent, Batch, Buffer, Continuous, Critic, Episode, Finished, Learner, Persist, Policy, Word, persist_parameters,
};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// What [`Ddpg`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct DdpgSettings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// The learning rate of the actor; by default 1e-3.
    pub actor_rate: f64,
    /// The learning rate of the critic; by default 1e-3.
    pub critic_rate: f64,
    /// The deviation of the noise by which it explores, where actions are between −1 and 1; by default 0.1.
    pub exploration: f64,
    /// τ, by which share the targets follow; by default 0.005.
    pub follow: f64,
    /// How many actions are drawn at random before learning begins; by default 100.
    pub starts: u64,
}

impl Default for DdpgSettings {
    fn default() -> Self {
        Self { discount: 0.99, actor_rate: 1e-3, critic_rate: 1e-3, exploration: 0.1, follow: 0.005, starts: 100 }
    }
}

/// Deep deterministic policy gradients in the environment `E`: the actor `A` gives actions, which are squashed by a
/// tangent here, the critic `C` judges them, the buffer `R` keeps experience, and batches are of `B`.
///
/// [`Td3`](super::Td3) is what became of it, and does better nearly everywhere.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, Ddpg, DdpgSettings, Pendulum, Replay};
///
/// network! { Actor: [3] -> [1] { Dense(32), Relu, Dense(1) } }
/// network! { Critic(seen: [3], done: [1]) -> [1] { concat(seen, done) |> Dense(32) |> Relu |> Dense(1) } }
///
/// let mut agent = Ddpg::<Pendulum, Actor, Critic, Replay<Pendulum, 1000>, 16>::boxed(DdpgSettings::default(), 1);
/// for _ in 0..300 {
///     agent.step()?;
/// }
/// assert!(agent.act(&[1.0, 0.0, 0.0])[0].abs() <= 2.0);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Ddpg<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> {
    /// What it was told; may be changed on the way.
    pub settings: DdpgSettings,
    /// Where it is.
    pub episode: Episode<E>,
    /// π.
    pub actor: Learner<A>,
    /// Q.
    pub critic: Learner<C>,
    /// What it remembers.
    pub replay: R,
    actor_target: A,
    target: C,
    noise: Noise,
    steps: u64,
    batch: Batch<E, B>,
    actions: [E::Action; B],
    grad_actions: [E::Action; B],
    pairs: [C::Input; B],
    judged: [C::Output; B],
    work: (Workspace<A, B>, Workspace<C, B>, [A::Output; B]),
    acting: Passes<A, B>,
    judging: Passes<C, B>,
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Ddpg<E, A, C, R, B> {
    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: DdpgSettings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with random networks.
    pub fn start(&mut self, settings: DdpgSettings, seed: u64) {
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        self.episode = Episode::seeded(noise.next_u64());
        self.actor.start(&mut noise);
        self.critic.start(&mut noise);
        self.actor_target.as_mut_slice().copy_from_slice(self.actor.network.as_slice());
        self.target.as_mut_slice().copy_from_slice(self.critic.network.as_slice());
        self.noise = noise;
    }

    /// `π(s) + noise`.
    fn explore(&mut self) -> E::Action {
        let mut action = memory::zeroed::<E::Action>();
        if self.steps < self.settings.starts {
            action.numbers_mut().fill_with(|| uniform(&mut self.noise, -1.0, 1.0));
            return action;
        }
        action = squash(&evaluate(&self.actor.network, self.episode.observation()));
        for (action, normal) in action.numbers_mut().iter_mut().zip(self.noise.normals()) {
            *action = clip(*action + E::Number::from_f64(self.settings.exploration * normal), 1.0);
        }
        action
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Agent for Ddpg<E, A, C, R, B> {
    type Environment = E;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        let action = self.explore();
        let mut transition = self.episode.step(&scaled::<E>(action));
        // Networks know actions between −1 and 1.
        transition.action = action;
        self.replay.push(&transition, self.settings.discount);
        self.steps += 1;
        if self.steps >= self.settings.starts {
            self.replay.draw(&mut self.noise, &mut self.batch);
            learn(self)?;
        }
        Ok(self.episode.finished())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> E::Action {
        scaled::<E>(squash(&evaluate(&self.actor.network, observation)))
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Learn for Ddpg<E, A, C, R, B> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let Self { settings, actor, critic, batch, actions, pairs, judged, work, acting, judging, .. } = self;
        let number = E::Number::from_f64;
        let share = number(1.0 / B as f64);

        // y = r + γ Q̄(s', π̄(s'))
        self.actor_target.evaluate(simd, A::batch(&batch.nexts), &mut work.2, &mut work.0);
        squash_batch(simd, &work.2, actions);
        pair::<E, C, B>(&batch.nexts, actions, pairs);
        self.target.evaluate(simd, C::batch(pairs), judged, &mut work.1);

        // Q ← Q − λ ∇ mean (Q(s, a) − y)²
        pair::<E, C, B>(&batch.observations, &batch.actions, pairs);
        judging.forward(simd, &critic.network, pairs);
        for index in 0..B {
            let wanted = batch.rewards[index] + batch.discounts[index] * values::<E, C, B>(judged)[index];
            let error = values::<E, C, B>(&judging.output)[index] - wanted;
            judging.grad_output[index].numbers_mut().fill(number(2.0) * share * batch.weights[index] * error);
        }
        judging.backward(simd, &critic.network, pairs, false);
        let adam = Adam { learning_rate: settings.critic_rate, ..Adam::default() };
        critic.descend(simd, &adam, 1.0, None, &judging.gradient)?;

        // π ← π + λ ∇ mean Q(s, π(s))
        acting.forward(simd, &actor.network, &batch.observations);
        squash_batch(simd, &acting.output, actions);
        pair::<E, C, B>(&batch.observations, actions, pairs);
        judging.forward(simd, &critic.network, pairs);
        for grad in &mut judging.grad_output {
            grad.numbers_mut().fill(-share);
        }
        judging.backward_to_input(simd, &critic.network, pairs);
        memory::clear(&mut self.grad_actions);
        add_second::<E, C, B>(&mut judging.grad_input, &mut self.grad_actions);
        squash_backward(simd, actions, &self.grad_actions, &mut acting.grad_output);
        acting.backward(simd, &actor.network, &batch.observations, false);
        let adam = Adam { learning_rate: settings.actor_rate, ..Adam::default() };
        actor.descend(simd, &adam, 1.0, None, &acting.gradient)?;

        // Q̄ ← Q̄ + τ (Q − Q̄);  π̄ ← π̄ + τ (π − π̄)
        follow(simd, settings.follow, &critic.network, &mut self.target);
        follow(simd, settings.follow, &actor.network, &mut self.actor_target);
        Ok(())
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E> + Persist, const B: usize> Persist
    for Ddpg<E, A, C, R, B>
{
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episode.persist(word);
        self.actor.persist(word);
        self.critic.persist(word);
        persist_parameters(&mut self.actor_target, word);
        persist_parameters(&mut self.target, word);
        self.replay.persist(word);
        self.noise.persist(word);
        self.steps.persist(word);
    }
}
