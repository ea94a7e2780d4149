//! PPO: Schulman et al., *Proximal policy optimization algorithms* (2017).
//!
//! ```text
//! forever
//!     in N environments, T steps: a ~ π(s);  keep (s, a, log π(a), r, V(s), V(s'))
//!     A = generalized advantages;  R = A + V
//!     for each epoch, for each mini-batch in random order
//!         A standardized;  ρ = π(a)/π_old(a)
//!         π ← π − λ ∇ mean (−min(ρ A, clip(ρ, 1 ± c) A) − β H(π))
//!         V ← V − λ ∇ mean ½ (V − R)²
//! ```

use crate::memory;
use crate::network::{Workspace, evaluate};
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::rl::agent::{Learn, learn};
use crate::rl::environment::clip;
use crate::rl::learner::falling;
use crate::rl::surrogate::{standardize, surrogate, value_loss};
use crate::rl::{
    Agent, Choice, Environment, Episode, Finished, Learner, Normalizer, Persist, Policy, Value, Word, advantages,
    persist_moments, persist_parameters,
};

use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// What [`Ppo`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct PpoSettings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// λ of the advantages; by default 0.95.
    pub lambda: f64,
    /// The learning rate; by default 3e-4.
    pub learning_rate: f64,
    /// c, how far the policy moves away from the one that acted; by default 0.2.
    pub clip: f64,
    /// How often each step is learned from; by default 10.
    pub epochs: u32,
    /// β, what entropy is worth; by default 0.
    pub entropy: f64,
    /// The norm to which gradients are clipped; by default 0.5.
    pub norm: f64,
    /// `log σ` at first, where actions are continuous; by default 0.
    pub log_std: f64,
    /// After how many steps learning rate and `c` are 0, to which they fall in a straight line; 0, the default, for
    /// never.
    pub steps: u64,
    /// Whether what is seen and rewards are [normalized](Normalizer); by default they are not.
    pub normalize: bool,
}

impl Default for PpoSettings {
    fn default() -> Self {
        Self {
            discount: 0.99,
            lambda: 0.95,
            learning_rate: 3e-4,
            clip: 0.2,
            epochs: 10,
            entropy: 0.0,
            norm: 0.5,
            log_std: 0.0,
            steps: 0,
            normalize: false,
        }
    }
}

impl PpoSettings {
    /// A2C, the synchronous form of Mnih et al., *Asynchronous methods for deep reinforcement learning* (2016): one
    /// epoch, in which the batch is all that was collected, `B = N T`. Then every `ρ` is 1, nothing is clipped, and the
    /// gradient is that of `A log π(a)`: Huang et al., *A2C is a special case of PPO* (2022).
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// use monomorph::rl::{Agent, CartPole, Categorical, Ppo, PpoSettings};
    ///
    /// network! { Actor: [4] -> [2] { Dense(32), Tanh, Dense(2) } }
    /// network! { Critic: [4] -> [1] { Dense(32), Tanh, Dense(1) } }
    /// type A2c = Ppo<CartPole, Actor, Critic, Categorical, 8, 8, 64>;
    ///
    /// let mut agent = A2c::boxed(PpoSettings::a2c(), 1);
    /// for _ in 0..100 {
    ///     agent.step()?;
    /// }
    /// # Ok::<(), monomorph::train::TrainError>(())
    /// ```
    pub fn a2c() -> Self {
        Self { lambda: 1.0, learning_rate: 7e-4, epochs: 1, ..Self::default() }
    }
}

/// Proximal policy optimization in `N` environments `E` of which `T` steps are taken at a time: the actor `A` gives
/// what the choice `D` makes actions of, the critic `V` what a state is worth; batches are of `B`.
///
/// `D` is [`Categorical`](crate::rl::Categorical) or [`Gaussian`](crate::rl::Gaussian).
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, CartPole, Categorical, Ppo, PpoSettings, evaluate};
///
/// network! { Actor: [4] -> [2] { Dense(32), Tanh, Dense(2) } }
/// network! { Critic: [4] -> [1] { Dense(32), Tanh, Dense(1) } }
///
/// let mut agent = Ppo::<CartPole, Actor, Critic, Categorical, 4, 32, 64>::boxed(PpoSettings::default(), 1);
/// for _ in 0..100 {
///     agent.step()?;
/// }
/// assert!(evaluate::<CartPole>(2, 7, |seen| agent.act(seen)) > 5.0);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Ppo<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize>
{
    /// What it was told; may be changed on the way.
    pub settings: PpoSettings,
    /// Where it is.
    pub episodes: [Episode<E>; N],
    /// π.
    pub actor: Learner<A>,
    /// V.
    pub critic: Learner<V>,
    /// How what is seen is normalized, if it is.
    pub normalizer: Normalizer<E::Observation>,
    /// The parameters of the choice, and their gradient.
    choice: [D::Parameters; 2],
    moments: [D::Parameters; 2],
    returns: Normalizer<[E::Number; 1]>,
    running: [E::Number; N],
    noise: Noise,
    steps: u64,
    at: usize,
    /// The rollouts, environment by environment.
    seen: [[E::Observation; T]; N],
    done: [[E::Action; T]; N],
    log_probs: [[E::Number; T]; N],
    values: [[Kept<E::Number>; T]; N],
    order: [[usize; T]; N],
    now: [E::Observation; N],
    outputs: [A::Output; N],
    judged: [V::Output; N],
    work: (Workspace<A, N>, Workspace<V, N>),
    batch: [E::Observation; B],
    scores: [E::Number; B],
    acting: Passes<A, B>,
    judging: Passes<V, B>,
}

/// A step of a rollout, with what becomes of it.
#[derive(Clone, Copy, Plain)]
struct Kept<T> {
    reward: T,
    value: T,
    next: T,
    terminated: bool,
    truncated: bool,
    advantage: T,
}

impl<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize>
    Ppo<E, A, V, D, N, T, B>
{
    const SIZES: () = {
        assert!(<A::Output as Tensor>::LEN == D::OUTPUTS, "the actor gives as many numbers as the choice needs");
        assert!(<V::Output as Tensor>::LEN == 1, "the critic gives one number");
        assert!(N * T >= B && B > 0, "a batch is not larger than what is collected for it");
    };

    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: PpoSettings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with random networks.
    pub fn start(&mut self, settings: PpoSettings, seed: u64) {
        let () = Self::SIZES;
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        for (episode, now) in self.episodes.iter_mut().zip(&mut self.now) {
            *episode = Episode::seeded(noise.next_u64());
            *now = *episode.observation();
        }
        self.actor.start(&mut noise);
        self.critic.start(&mut noise);
        self.choice[0].as_mut_slice().fill(E::Number::from_f64(settings.log_std));
        for (index, place) in self.order.as_flattened_mut().iter_mut().enumerate() {
            *place = index;
        }
        self.noise = noise;
    }

    /// What is seen, as the networks take it.
    fn seen(&self, observation: &E::Observation) -> E::Observation {
        if self.settings.normalize { self.normalizer.normalized(observation) } else { *observation }
    }

    /// One step in the environment `index`.
    fn act_in(&mut self, index: usize) -> Option<Finished> {
        let (output, at) = (self.outputs[index].numbers(), self.at);
        let action = D::draw(&self.choice[0], output, &mut self.noise);
        let [log_prob, _] = D::log_prob(&self.choice[0], output, &action);
        let transition = self.episodes[index].step(&D::in_environment(&action));
        let mut reward = transition.reward;
        if self.settings.normalize {
            let running = reward + E::Number::from_f64(self.settings.discount) * self.running[index];
            self.returns.see(&[running]);
            reward = clip(reward / (self.returns.variance(0) + E::Number::from_f64(1e-8)).sqrt(), 10.0);
            self.running[index] = if transition.last() { E::Number::ZERO } else { running };
            self.normalizer.see(&transition.next);
        }
        // The value of what is seen last is asked for now; that of all else is at the next step.
        let mut next = E::Number::ZERO;
        if transition.truncated {
            next = first(&evaluate(&self.critic.network, &self.seen(&transition.next)));
        }
        if at < T {
            self.seen[index][at] = self.now[index];
            self.done[index][at] = action;
            self.log_probs[index][at] = log_prob;
            self.values[index][at] = Kept {
                reward,
                value: first(&self.judged[index]),
                next,
                terminated: transition.terminated,
                truncated: transition.truncated,
                advantage: E::Number::ZERO,
            };
        }
        self.episodes[index].finished()
    }

    /// What the networks say of what is seen in all environments.
    fn look(&mut self) {
        for index in 0..N {
            self.now[index] = self.seen(self.episodes[index].observation());
        }
        dispatch(level(), Look(self));
        if self.at > 0 {
            for index in 0..N {
                if let Some(before) = self.values[index].get_mut(self.at - 1)
                    && !before.terminated
                    && !before.truncated
                {
                    before.next = first(&self.judged[index]);
                }
            }
        }
    }

    fn advantages(&mut self) {
        for steps in &mut self.values {
            let (mut values, mut found) = ([Value::default(); T], [E::Number::ZERO; T]);
            for (value, step) in values.iter_mut().zip(&*steps) {
                let Kept { reward, value: before, next, terminated, truncated, .. } = *step;
                *value = Value { reward, value: before, next, terminated, truncated };
            }
            advantages(self.settings.discount, self.settings.lambda, &values, &mut found);
            for (step, advantage) in steps.iter_mut().zip(found) {
                step.advantage = advantage;
            }
        }
    }
}

/// The number that a critic gives.
#[inline(always)]
fn first<X: Tensor<Element: Scalar>>(output: &X) -> X::Element {
    output.numbers().first().copied().unwrap_or(X::Element::ZERO)
}

struct Look<'a, P>(&'a mut P);

impl<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize> Task
    for Look<'_, Ppo<E, A, V, D, N, T, B>>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Ppo { actor, critic, now, outputs, judged, work, .. } = &mut *self.0;
        actor.network.evaluate(simd, A::batch(now), outputs, &mut work.0);
        critic.network.evaluate(simd, V::batch(now), judged, &mut work.1);
    }
}

impl<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize> Agent
    for Ppo<E, A, V, D, N, T, B>
{
    type Environment = E;
    const ENVIRONMENTS: u64 = N as u64;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        self.look();
        let mut finished = None;
        for index in 0..N {
            finished = self.act_in(index).or(finished);
        }
        self.steps += N as u64;
        self.at += 1;
        if self.at >= T {
            self.look();
            self.advantages();
            self.at = 0;
            for _ in 0..self.settings.epochs {
                self.noise.shuffle(self.order.as_flattened_mut());
                learn(self)?;
            }
        }
        Ok(finished)
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> E::Action {
        let output = evaluate(&self.actor.network, &self.seen(observation));
        D::in_environment(&D::best(output.numbers()))
    }
}

/// One epoch.
impl<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize> Learn
    for Ppo<E, A, V, D, N, T, B>
{
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let rate = falling(self.steps, self.settings.steps);
        let Self { settings, actor, critic, choice, moments, batch, scores, acting, judging, .. } = self;
        let (seen, done) = (self.seen.as_flattened(), self.done.as_flattened());
        let (log_probs, values) = (self.log_probs.as_flattened(), self.values.as_flattened());
        let share = E::Number::from_f64(1.0 / B as f64);
        let adam = Adam { learning_rate: settings.learning_rate, epsilon: 1e-5, ..Adam::default() };
        for places in self.order.as_flattened().as_chunks::<B>().0 {
            for (index, place) in places.iter().enumerate() {
                let (Some(seen), Some(value)) = (seen.get(*place), values.get(*place)) else { continue };
                (batch[index], scores[index]) = (*seen, value.advantage);
            }
            standardize(scores);
            acting.forward(simd, &actor.network, batch);
            judging.forward(simd, &critic.network, batch);
            let [parameters, gradient] = &mut *choice;
            memory::clear(gradient);
            for (index, place) in places.iter().enumerate() {
                let (Some(action), Some(old), Some(kept)) =
                    (done.get(*place), log_probs.get(*place), values.get(*place))
                else {
                    continue;
                };
                // π ← π − λ ∇ mean (−min(ρ A, clip(ρ, 1 ± c) A) − β H(π))
                let output = acting.output[index].numbers();
                let [log_prob, _] = D::log_prob(parameters, output, action);
                let [_, slope] = surrogate(settings.clip * rate, log_prob, *old, scores[index]);
                let slopes = [slope * share, -E::Number::from_f64(settings.entropy) * share];
                D::backward(parameters, output, action, slopes, acting.grad_output[index].numbers_mut(), gradient);
                // V ← V − λ ∇ mean ½ (V − R)²
                let wanted = kept.value + kept.advantage;
                let [_, slope] = value_loss(None, first(&judging.output[index]), kept.value, wanted);
                judging.grad_output[index].numbers_mut().fill(slope * share);
            }
            acting.backward(simd, &actor.network, batch, false);
            judging.backward(simd, &critic.network, batch, false);
            actor.descend(simd, &adam, rate, Some(settings.norm), &acting.gradient)?;
            critic.descend(simd, &adam, rate, Some(settings.norm), &judging.gradient)?;
            adam.update(simd, actor.steps(), rate, E::Number::ONE, parameters, gradient, moments);
        }
        Ok(())
    }
}

impl<E: Environment, A: Policy<E>, V: Policy<E>, D: Choice<E>, const N: usize, const T: usize, const B: usize> Persist
    for Ppo<E, A, V, D, N, T, B>
{
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episodes.persist(word);
        self.actor.persist(word);
        self.critic.persist(word);
        self.normalizer.persist(word);
        persist_parameters(&mut self.choice[0], word);
        persist_moments::<D::Parameters, Adam>(&mut self.moments, word);
        self.returns.persist(word);
        self.running.persist(word);
        self.noise.persist(word);
        self.steps.persist(word);
        self.at.persist(word);
        self.order.persist(word);
        for index in 0..N {
            for at in 0..T {
                crate::rl::persist::persist_numbers(self.seen[index][at].numbers_mut(), word);
                self.done[index][at].persist(word);
                self.log_probs[index][at].persist(word);
                let kept = &mut self.values[index][at];
                for number in [&mut kept.reward, &mut kept.value, &mut kept.next, &mut kept.advantage] {
                    number.persist(word);
                }
                kept.terminated.persist(word);
                kept.truncated.persist(word);
            }
        }
    }
}
