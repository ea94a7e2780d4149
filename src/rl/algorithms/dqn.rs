//! DQN: Mnih et al., *Human-level control through deep reinforcement learning* (2015); double: van Hasselt, Guez and
//! Silver, *Deep reinforcement learning with double Q-learning* (2016); dueling: Wang et al., *Dueling network
//! architectures for deep reinforcement learning* (2016).
//!
//! ```text
//! for each step
//!     a = random with probability ε, else argmax Q(s, ·);  keep (s, a, r, s')
//!     for each gradient step, with a batch of (s, a, r, s')
//!         a' = argmax Q(s', ·) if double, else argmax Q̄(s', ·);  y = r + γ Q̄(s', a')
//!         Q ← Q − λ ∇ mean huber(Q(s, a) − y)
//!     now and then: Q̄ ← Q
//! ```

use crate::memory;
use crate::network::{Workspace, evaluate};
use crate::noise::Noise;
use crate::optim::Adam;
use crate::plain::Plain;
use crate::rl::agent::{Learn, learn};
use crate::rl::choice::argmax;
use crate::rl::{
    Agent, Batch, Buffer, Discrete, Episode, Finished, Learner, Persist, Policy, Word, persist_parameters,
};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;
use crate::train::{Passes, TrainError};

/// What [`Dqn`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct DqnSettings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// The learning rate; by default 1e-3.
    pub learning_rate: f64,
    /// ε after [`decay`](Self::decay) steps; by default 0.05. It falls in a straight line from 1.
    pub exploration: f64,
    /// In how many steps ε falls; by default 10,000.
    pub decay: u64,
    /// Whether the network that learns chooses the action whose value the other one gives; by default it does.
    pub double: bool,
    /// How many steps are taken before learning begins; by default 1000.
    pub starts: u64,
    /// In how many steps it learns once; by default 4.
    pub every: u64,
    /// How many gradient steps it takes then; by default 1.
    pub updates: u32,
    /// In how many steps the target becomes the network once; by default 500.
    pub target_every: u64,
    /// The norm to which gradients are clipped; by default 10.
    pub clip: f64,
    /// After how many steps the learning rate is 0, to which it falls in a straight line; 0, the default, for never.
    pub steps: u64,
}

impl Default for DqnSettings {
    fn default() -> Self {
        Self {
            discount: 0.99,
            learning_rate: 1e-3,
            exploration: 0.05,
            decay: 10_000,
            double: true,
            starts: 1000,
            every: 4,
            updates: 1,
            target_every: 500,
            clip: 10.0,
            steps: 0,
        }
    }
}

/// Deep Q-learning in the environment `E`: the network `Q` gives what each action is worth, the buffer `R` keeps
/// experience, and batches are of `B`.
///
/// A network that gives one number more is a dueling one: the first is the value `V` of what is seen, the others are
/// advantages, and `Q = V + A − mean A`. With [`Prioritized`](crate::rl::Prioritized) and [`NStep`](crate::rl::NStep)
/// buffers it is the DQN of those papers.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, CartPole, Dqn, DqnSettings, NStep, Prioritized, evaluate};
///
/// network! {
///     pub Dueling: [4] -> [3] { Dense(32), Relu, Dense(3) }
/// }
/// type Memory = NStep<CartPole, Prioritized<CartPole, 1000>, 3>;
///
/// let settings = DqnSettings { starts: 100, ..DqnSettings::default() };
/// let mut agent = Dqn::<CartPole, Dueling, Memory, 16>::boxed(settings, 1);
/// (agent.replay.inner.alpha, agent.replay.inner.beta) = (0.6, 0.4);
/// for _ in 0..500 {
///     agent.step()?;
/// }
/// assert!(evaluate::<CartPole>(2, 7, |seen| agent.act(seen)) > 5.0);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Dqn<E: Discrete, Q: Policy<E>, R: Buffer<E>, const B: usize> {
    /// What it was told; may be changed on the way.
    pub settings: DqnSettings,
    /// Where it is.
    pub episode: Episode<E>,
    /// Q.
    pub network: Learner<Q>,
    /// What it remembers.
    pub replay: R,
    target: Q,
    noise: Noise,
    steps: u64,
    batch: Batch<E, B>,
    errors: [E::Number; B],
    wanted: [E::Number; B],
    /// `Q̄(s')`, and `Q(s')` if double.
    judged: [[Q::Output; B]; 2],
    work: Workspace<Q, B>,
    passes: Passes<Q, B>,
}

/// Where the advantages begin in what a network gives.
const fn offset<E: Discrete, Q: Policy<E>>() -> usize {
    let extra = <Q::Output as Tensor>::LEN - E::ACTIONS;
    assert!(extra <= 1, "the network gives a number for each action, and one more if it is dueling");
    extra
}

/// What an action is worth.
#[inline(always)]
fn worth<E: Discrete, Q: Policy<E>>(output: &Q::Output, action: usize) -> E::Number {
    let numbers = output.numbers();
    let (value, advantages) = numbers.split_at(const { offset::<E, Q>() });
    let advantage = advantages.get(action).copied().unwrap_or(E::Number::ZERO);
    match value.first() {
        Some(value) => *value + advantage - crate::rl::agent::mean(advantages),
        None => advantage,
    }
}

/// The action that is worth most.
#[inline(always)]
fn best<E: Discrete, Q: Policy<E>>(output: &Q::Output) -> usize {
    argmax(output.numbers().split_at(const { offset::<E, Q>() }).1)
}

impl<E: Discrete, Q: Policy<E>, R: Buffer<E>, const B: usize> Dqn<E, Q, R, B> {
    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: DqnSettings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with a random network.
    pub fn start(&mut self, settings: DqnSettings, seed: u64) {
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        self.episode = Episode::seeded(noise.next_u64());
        self.network.start(&mut noise);
        self.target.as_mut_slice().copy_from_slice(self.network.network.as_slice());
        self.noise = noise;
    }

    /// ε.
    pub fn exploration(&self) -> f64 {
        let passed = (self.steps as f64 / self.settings.decay.max(1) as f64).min(1.0);
        1.0 + passed * (self.settings.exploration - 1.0)
    }
}

impl<E: Discrete, Q: Policy<E>, R: Buffer<E>, const B: usize> Agent for Dqn<E, Q, R, B> {
    type Environment = E;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        let action = if self.steps < self.settings.starts || self.noise.uniform() < self.exploration() {
            self.noise.below(E::ACTIONS as u64) as usize
        } else {
            self.act(self.episode.observation())
        };
        let transition = self.episode.step(&action);
        self.replay.push(&transition, self.settings.discount);
        self.steps += 1;
        let learns = self.steps > self.settings.starts && !self.replay.is_empty();
        if learns && self.steps.is_multiple_of(self.settings.every.max(1)) {
            for _ in 0..self.settings.updates {
                self.replay.draw(&mut self.noise, &mut self.batch);
                learn(self)?;
                self.replay.learned(&self.batch, &self.errors);
            }
        }
        if self.steps.is_multiple_of(self.settings.target_every.max(1)) {
            self.target.as_mut_slice().copy_from_slice(self.network.network.as_slice());
        }
        Ok(self.episode.finished())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> usize {
        best::<E, Q>(&evaluate(&self.network.network, observation))
    }
}

impl<E: Discrete, Q: Policy<E>, R: Buffer<E>, const B: usize> Learn for Dqn<E, Q, R, B> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let rate = crate::rl::learner::falling(self.steps, self.settings.steps);
        let Self { settings, network, target, batch, errors, wanted, judged, work, passes, .. } = self;

        // a' = argmax Q(s', ·) if double, else argmax Q̄(s', ·);  y = r + γ Q̄(s', a')
        let [by_target, by_network] = judged;
        target.evaluate(simd, Q::batch(&batch.nexts), by_target, work);
        if settings.double {
            network.network.evaluate(simd, Q::batch(&batch.nexts), by_network, work);
        }
        for index in 0..B {
            let chooser = if settings.double { &by_network[index] } else { &by_target[index] };
            let value = worth::<E, Q>(&by_target[index], best::<E, Q>(chooser));
            wanted[index] = batch.rewards[index] + batch.discounts[index] * value;
        }

        // Q ← Q − λ ∇ mean huber(Q(s, a) − y)
        passes.forward(simd, &network.network, &batch.observations);
        let share = E::Number::from_f64(1.0 / B as f64);
        for index in 0..B {
            let action = batch.actions[index];
            errors[index] = worth::<E, Q>(&passes.output[index], action) - wanted[index];
            let slope = errors[index].max(-E::Number::ONE).min(E::Number::ONE) * batch.weights[index] * share;
            let numbers = passes.grad_output[index].numbers_mut();
            let (value, advantages) = numbers.split_at_mut(const { offset::<E, Q>() });
            // Of `V + A − mean A`, if there is a `V`.
            let others =
                if value.is_empty() { E::Number::ZERO } else { slope / E::Number::from_f64(E::ACTIONS as f64) };
            value.fill(slope);
            for (index, advantage) in advantages.iter_mut().enumerate() {
                *advantage = if index == action { slope - others } else { -others };
            }
        }
        passes.backward(simd, &network.network, &batch.observations, false);
        let adam = Adam { learning_rate: settings.learning_rate, ..Adam::default() };
        network.descend(simd, &adam, rate, Some(settings.clip), &passes.gradient)
    }
}

impl<E: Discrete, Q: Policy<E>, R: Buffer<E> + Persist, const B: usize> Persist for Dqn<E, Q, R, B> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episode.persist(word);
        self.network.persist(word);
        self.replay.persist(word);
        persist_parameters(&mut self.target, word);
        self.noise.persist(word);
        self.steps.persist(word);
    }
}
