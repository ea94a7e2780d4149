//! SAC: Haarnoja et al., *Soft actor-critic algorithms and applications* (2018), with two critics and a temperature
//! that is learned.
//!
//! ```text
//! for each step
//!     a ~ π(s), clip nothing: a is squashed;  keep (s, a, r, s')
//!     for each gradient step, with a batch of (s, a, r, s')
//!         a' ~ π(s');  y = r + γ (min Q̄(s', a') − α log π(a'))
//!         Qᵢ ← Qᵢ − λ ∇ mean (Qᵢ(s, a) − y)²
//!         ã ~ π(s), as a function of π;  π ← π − λ ∇ mean (α log π(ã) − min Q(s, ã))
//!         α ← α − λ ∇ mean −log α (log π(ã) + H)
//!         Q̄ᵢ ← Q̄ᵢ + τ (Qᵢ − Q̄ᵢ)
//! ```

use crate::memory;
use crate::network::{Workspace, evaluate};
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer};
use crate::plain::Plain;
use crate::rl::agent::{Learn, add_second, learn, mean, pair, scaled, values};
use crate::rl::environment::uniform;
use crate::rl::learner::follow;
use crate::rl::persist::persist_moments;
use crate::rl::squashed::mean_action;
use crate::rl::{
    Agent, Batch, Buffer, Continuous, Critic, Episode, Finished, Learner, Persist, Policy, SquashedGaussian, Word,
    persist_parameters,
};
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// What [`Sac`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct SacSettings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// The learning rate of the actor; by default 1e-3.
    pub actor_rate: f64,
    /// The learning rate of the critics; by default 1e-3.
    pub critic_rate: f64,
    /// The learning rate of the temperature, or 0 to leave it as it is; by default 1e-3.
    pub temperature_rate: f64,
    /// α at first; by default 1.
    pub temperature: f64,
    /// How much of the noise of an action remains at the next step, from 0 to 1; by default 0. Each action has the same
    /// distribution, but several in a row go the same way, which finds what lies far off.
    pub persistence: f64,
    /// τ, by which share the targets follow the critics; by default 0.005.
    pub follow: f64,
    /// How many actions are drawn at random before learning begins; by default 100.
    pub starts: u64,
    /// In how many steps it learns once; by default 1.
    pub every: u64,
    /// How many gradient steps it takes then; by default 1.
    pub updates: u32,
}

impl Default for SacSettings {
    fn default() -> Self {
        Self {
            discount: 0.99,
            actor_rate: 1e-3,
            critic_rate: 1e-3,
            temperature_rate: 1e-3,
            temperature: 1.0,
            persistence: 0.0,
            follow: 0.005,
            starts: 100,
            every: 1,
            updates: 1,
        }
    }
}

/// Soft actor-critic in the environment `E`: the actor `A` gives a mean and a `log σ` for each number of an action, two
/// critics `C` judge actions, the buffer `R` keeps experience, and batches are of `B`.
///
/// The agent is plain memory: zeros in a `static` or a box, until [`start`](Self::start).
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, Pendulum, Replay, Sac, SacSettings, evaluate};
///
/// network! { Actor: [3] -> [2] { Dense(32), Relu, Dense(32), Relu, Dense(2) } }
/// network! { Critic: [4] -> [1] { Dense(32), Relu, Dense(32), Relu, Dense(1) } }
///
/// let mut agent = Sac::<Pendulum, Actor, Critic, Replay<Pendulum, 1000>, 16>::boxed(SacSettings::default(), 1);
/// for _ in 0..300 {
///     agent.step()?;
/// }
/// let mean_return = evaluate::<Pendulum>(2, 7, |seen| agent.act(seen));
/// assert!((-2000.0..0.0).contains(&mean_return));
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Sac<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> {
    /// What it was told; may be changed on the way.
    pub settings: SacSettings,
    /// Where it is.
    pub episode: Episode<E>,
    /// π.
    pub actor: Learner<A>,
    /// The two `Q`.
    pub critics: [Learner<C>; 2],
    /// What it remembers.
    pub replay: R,
    targets: [C; 2],
    /// `log α`, its gradient and its moments.
    temperature: [Temperature<E::Number>; 2],
    moments: [Temperature<E::Number>; 2],
    noise: Noise,
    /// The ε of the last action.
    wander: E::Action,
    steps: u64,
    batch: Batch<E, B>,
    drawn: SquashedGaussian<E::Action, B>,
    pairs: [C::Input; B],
    wanted: [E::Number; B],
    grad_actions: [E::Action; B],
    grad_log_prob: [E::Number; B],
    judged: [[C::Output; B]; 2],
    work: (Workspace<A, B>, Workspace<C, B>, [A::Output; B]),
    acting: Passes<A, B>,
    judging: [Passes<C, B>; 2],
}

/// `log α` as parameters of its own.
#[derive(crate::Parameters)]
#[repr(C)]
struct Temperature<T: Scalar> {
    log: [T; 1],
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Sac<E, A, C, R, B> {
    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: SacSettings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with random networks.
    pub fn start(&mut self, settings: SacSettings, seed: u64) {
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        self.episode = Episode::seeded(noise.next_u64());
        self.actor.start(&mut noise);
        for (critic, target) in self.critics.iter_mut().zip(&mut self.targets) {
            critic.start(&mut noise);
            target.as_mut_slice().copy_from_slice(critic.network.as_slice());
        }
        self.temperature[0].log = [E::Number::from_f64(libm::log(settings.temperature))];
        self.noise = noise;
    }

    /// α.
    pub fn temperature(&self) -> E::Number {
        self.temperature[0].log[0].exp()
    }

    /// An action drawn from the policy.
    fn explore(&mut self) -> E::Action {
        let mut action = memory::zeroed::<E::Action>();
        if self.steps < self.settings.starts {
            action.numbers_mut().fill_with(|| uniform(&mut self.noise, -1.0, 1.0));
            return action;
        }
        let output = evaluate(&self.actor.network, self.episode.observation());
        let (means, log_stds) = output.numbers().split_at(E::Action::LEN);
        let (kept, fresh) =
            (self.settings.persistence, libm::sqrt(1.0 - self.settings.persistence * self.settings.persistence));
        let wander = self.wander.numbers_mut().iter_mut().zip(self.noise.normals());
        for (((action, mean), log_std), (epsilon, normal)) in
            action.numbers_mut().iter_mut().zip(means).zip(log_stds).zip(wander)
        {
            *epsilon = E::Number::from_f64(kept) * *epsilon + E::Number::from_f64(fresh * normal);
            let log_std = log_std.max(E::Number::from_f64(-5.0)).min(E::Number::from_f64(2.0));
            *action = crate::rl::squashed::tanh(*mean + log_std.exp() * *epsilon);
        }
        action
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Agent for Sac<E, A, C, R, B> {
    type Environment = E;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        let action = self.explore();
        let mut transition = self.episode.step(&scaled::<E>(action));
        // Networks know actions between −1 and 1.
        transition.action = action;
        self.replay.push(&transition, self.settings.discount);
        self.steps += 1;
        if self.steps >= self.settings.starts && self.steps.is_multiple_of(self.settings.every.max(1)) {
            for _ in 0..self.settings.updates {
                self.replay.draw(&mut self.noise, &mut self.batch);
                learn(self)?;
            }
        }
        Ok(self.episode.finished())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> E::Action {
        scaled::<E>(mean_action(&evaluate(&self.actor.network, observation)))
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Learn for Sac<E, A, C, R, B> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let Self { settings, actor, critics, targets, batch, drawn, pairs, wanted, judged, work, noise, .. } = self;
        let number = E::Number::from_f64;
        let alpha = self.temperature[0].log[0].exp();
        let share = number(1.0 / B as f64);

        // y = r + γ (min Q̄(s', a') − α log π(a'))
        actor.network.evaluate(simd, A::batch(&batch.nexts), &mut work.2, &mut work.0);
        drawn.draw(noise);
        drawn.forward(simd, &work.2);
        pair::<E, C, B>(&batch.nexts, &drawn.actions, pairs);
        for (target, judged) in targets.iter().zip(judged.iter_mut()) {
            target.evaluate(simd, C::batch(pairs), judged, &mut work.1);
        }
        let [first, second] = judged.each_ref().map(|judged| values::<E, C, B>(judged));
        for index in 0..B {
            let value = first[index].min(second[index]) - alpha * drawn.log_prob[index];
            wanted[index] = batch.rewards[index] + batch.discounts[index] * value;
        }

        // Qᵢ ← Qᵢ − λ ∇ mean (Qᵢ(s, a) − y)²
        pair::<E, C, B>(&batch.observations, &batch.actions, pairs);
        let critic_adam = Adam { learning_rate: settings.critic_rate, ..Adam::default() };
        for (critic, passes) in critics.iter_mut().zip(&mut self.judging) {
            passes.forward(simd, &critic.network, pairs);
            for index in 0..B {
                let error = values::<E, C, B>(&passes.output)[index] - wanted[index];
                passes.grad_output[index].numbers_mut().fill(number(2.0) * share * batch.weights[index] * error);
            }
            passes.backward(simd, &critic.network, pairs, false);
            critic.descend(simd, &critic_adam, 1.0, None, &passes.gradient)?;
        }

        // π ← π − λ ∇ mean (α log π(ã) − min Q(s, ã))
        let acting = &mut self.acting;
        acting.forward(simd, &actor.network, &batch.observations);
        drawn.draw(noise);
        drawn.forward(simd, &acting.output);
        pair::<E, C, B>(&batch.observations, &drawn.actions, pairs);
        for (critic, passes) in critics.iter().zip(&mut self.judging) {
            passes.forward(simd, &critic.network, pairs);
        }
        let [first, second] = &mut self.judging;
        for index in 0..B {
            let less = values::<E, C, B>(&first.output)[index] < values::<E, C, B>(&second.output)[index];
            let (of_first, of_second) = if less { (-share, E::Number::ZERO) } else { (E::Number::ZERO, -share) };
            first.grad_output[index].numbers_mut().fill(of_first);
            second.grad_output[index].numbers_mut().fill(of_second);
        }
        memory::clear(&mut self.grad_actions);
        for (critic, passes) in critics.iter().zip(&mut self.judging) {
            passes.backward_to_input(simd, &critic.network, pairs);
            add_second::<E, C, B>(&mut passes.grad_input, &mut self.grad_actions);
        }
        self.grad_log_prob.fill(share * alpha);
        drawn.backward(simd, &mut self.grad_actions, &self.grad_log_prob, &mut acting.grad_output);
        acting.backward(simd, &actor.network, &batch.observations, false);
        let actor_adam = Adam { learning_rate: settings.actor_rate, ..Adam::default() };
        actor.descend(simd, &actor_adam, 1.0, None, &acting.gradient)?;

        // α ← α − λ ∇ mean −log α (log π(ã) + H), with H = −dim a
        if settings.temperature_rate > 0.0 {
            let [temperature, gradient] = &mut self.temperature;
            gradient.log = [number(E::Action::LEN as f64) - mean(&drawn.log_prob)];
            let adam = Adam { learning_rate: settings.temperature_rate, ..Adam::default() };
            adam.update(simd, actor.steps(), 1.0, E::Number::ONE, temperature, gradient, &mut self.moments);
        }

        // Q̄ᵢ ← Q̄ᵢ + τ (Qᵢ − Q̄ᵢ)
        for (critic, target) in critics.iter().zip(targets) {
            follow(simd, settings.follow, &critic.network, target);
        }
        Ok(())
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E> + Persist, const B: usize> Persist for Sac<E, A, C, R, B> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episode.persist(word);
        self.actor.persist(word);
        self.critics.persist(word);
        self.targets.iter_mut().for_each(|target| persist_parameters(target, word));
        self.replay.persist(word);
        self.temperature[0].log.persist(word);
        persist_moments::<Temperature<E::Number>, Adam>(&mut self.moments, word);
        self.noise.persist(word);
        crate::rl::persist::persist_numbers(self.wander.numbers_mut(), word);
        self.steps.persist(word);
    }
}
