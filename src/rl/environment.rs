//! What an environment is, and an episode in it.

use super::Persist;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::tensor::Tensor;

/// The numbers of environments: `f32` or `f64`.
pub trait Number: Real + Persist {
    /// Sine and cosine of an angle in radians.
    fn sin_cos(self) -> (Self, Self);
}

impl Number for f32 {
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        libm::sincosf(self)
    }
}

impl Number for f64 {
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        libm::sincos(self)
    }
}

/// What a step in an environment gives, beside what is then seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The reward of this step.
    pub reward: T,
    /// Whether the task has ended: no reward comes after it. That time is up is something else: see [`Transition`].
    pub terminated: bool,
}

/// A task: something that is seen, and that changes by what is done.
///
/// Its state is a plain value with a random source of its own, so a copy of an environment goes on exactly as it would
/// itself. Nothing allocates.
///
/// ```
/// use monomorph::memory::Plain;
/// use monomorph::rl::{Discrete, Environment, Outcome, Persist, Word};
/// use monomorph::Noise;
///
/// /// A walk to the right end of a corridor.
/// #[derive(Plain)]
/// struct Corridor {
///     place: f32,
///     noise: Noise,
/// }
///
/// impl Environment for Corridor {
///     type Number = f32;
///     type Observation = [f32; 1];
///     type Action = usize;
///     const STEPS: u32 = 100;
///
///     fn seeded(seed: u64) -> Self {
///         Self { place: 0.0, noise: Noise::new(seed) }
///     }
///     fn reset(&mut self) {
///         self.place = self.noise.uniform() as f32;
///     }
///     fn observe(&self) -> [f32; 1] {
///         [self.place]
///     }
///     fn step(&mut self, action: &usize) -> Outcome<f32> {
///         self.place += if *action == 1 { 0.1 } else { -0.1 };
///         Outcome { reward: -1.0, terminated: self.place > 1.0 }
///     }
///     fn persist(&mut self, word: &mut Word<'_>) {
///         self.place.persist(word);
///         self.noise.persist(word);
///     }
/// }
/// impl Discrete for Corridor {
///     const ACTIONS: usize = 2;
/// }
///
/// let mut corridor = Corridor::seeded(1);
/// corridor.reset();
/// while !corridor.step(&1).terminated {}
/// assert!(corridor.observe()[0] > 1.0);
/// ```
pub trait Environment: Plain + Send {
    /// The type of its numbers.
    type Number: Number;
    /// What is seen of it.
    type Observation: Tensor<Element = Self::Number> + Copy;
    /// What can be done: a `usize` if it is one of several, a tensor if it is continuous.
    type Action: Plain + Copy + Send + PartialEq + Persist;
    /// After how many steps an episode is cut off. [`Limit`](super::Limit) sets another number.
    const STEPS: u32;

    /// The environment with a random source that is determined by `seed`; call [`reset`](Self::reset) before the first
    /// step.
    fn seeded(seed: u64) -> Self;
    /// Begins an episode.
    fn reset(&mut self);
    /// What is seen now.
    fn observe(&self) -> Self::Observation;
    /// Does something. After a step that terminates, `reset` comes next.
    fn step(&mut self, action: &Self::Action) -> Outcome<Self::Number>;
    /// Hands over all of its state, for [checkpoints](super::Persist).
    fn persist(&mut self, word: &mut super::Word<'_>);
}

/// An environment with a number of possible actions, counted from 0.
pub trait Discrete: Environment<Action = usize> {
    /// How many.
    const ACTIONS: usize;
}

/// An environment whose action is a tensor, each number between `−BOUND` and `BOUND`.
pub trait Continuous: Environment<Action: Tensor<Element = Self::Number>> {
    /// The largest number of an action.
    const BOUND: f64;
}

/// One step of an episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<E: Environment> {
    /// What was seen before.
    pub observation: E::Observation,
    /// What was done.
    pub action: E::Action,
    /// What it brought.
    pub reward: E::Number,
    /// What was seen then: of the last step of an episode too, the end of this one and not the beginning of the next.
    pub next: E::Observation,
    /// Whether the task ended. The value of `next` is 0 then.
    pub terminated: bool,
    /// Whether time was up. The value of `next` counts as it does anywhere.
    pub truncated: bool,
}

impl<E: Environment> Transition<E> {
    /// Whether it is the last of its episode.
    pub fn last(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// What became of an episode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Finished {
    /// The sum of its rewards.
    pub total: f64,
    /// How many steps it took.
    pub steps: u32,
}

/// An environment in which one episode follows another.
///
/// ```
/// use monomorph::rl::{CartPole, Episode};
///
/// let mut episode = Episode::<CartPole>::seeded(1);
/// let steps = (1..).find(|_| episode.step(&1).last());
/// let finished = episode.finished().expect("an episode that has just ended");
/// assert_eq!(finished.steps, steps.expect("an end"));
/// ```
#[derive(Plain)]
pub struct Episode<E: Environment> {
    /// The environment.
    pub environment: E,
    observation: E::Observation,
    total: f64,
    steps: u32,
    ended: f64,
    length: u32,
}

impl<E: Environment> Episode<E> {
    /// The beginning of the first episode.
    pub fn seeded(seed: u64) -> Self {
        let mut environment = E::seeded(seed);
        environment.reset();
        let observation = environment.observe();
        Self { environment, observation, total: 0.0, steps: 0, ended: 0.0, length: 0 }
    }

    /// What is seen now.
    pub fn observation(&self) -> &E::Observation {
        &self.observation
    }

    /// The episode that the last step ended, if it ended one.
    pub fn finished(&self) -> Option<Finished> {
        (self.length > 0).then_some(Finished { total: self.ended, steps: self.length })
    }

    /// Does something. If the episode ends thereby, the next one begins.
    #[inline]
    pub fn step(&mut self, action: &E::Action) -> Transition<E> {
        let observation = self.observation;
        let Outcome { reward, terminated } = self.environment.step(action);
        let next = self.environment.observe();
        self.total += reward.to_f64();
        self.steps += 1;
        self.length = 0;
        let truncated = !terminated && self.steps >= E::STEPS;
        self.observation = next;
        if terminated || truncated {
            (self.ended, self.length) = (self.total, self.steps);
            (self.total, self.steps) = (0.0, 0);
            self.environment.reset();
            self.observation = self.environment.observe();
        }
        Transition { observation, action: *action, reward, next, terminated, truncated }
    }
}

impl<E: Environment> Persist for Episode<E> {
    fn persist(&mut self, word: &mut super::Word<'_>) {
        self.environment.persist(word);
        self.total.persist(word);
        self.steps.persist(word);
        self.ended.persist(word);
        self.length.persist(word);
        // What is seen follows from the state.
        self.observation = self.environment.observe();
    }
}

/// The mean return of `episodes` episodes in which `policy` acts, in an environment of their own.
///
/// ```
/// use monomorph::rl::{CartPole, evaluate};
///
/// // Whoever pushes against the fall lasts longer than whoever pushes to one side.
/// let against = evaluate::<CartPole>(20, 1, |[_, _, angle, _]| (*angle > 0.0) as usize);
/// let aside = evaluate::<CartPole>(20, 1, |_| 0);
/// assert!(aside < 10.0 && against > 30.0);
/// ```
pub fn evaluate<E: Environment>(episodes: u32, seed: u64, mut policy: impl FnMut(&E::Observation) -> E::Action) -> f64 {
    let mut episode = Episode::<E>::seeded(seed);
    let (mut sum, mut ended) = (0.0, 0);
    while ended < episodes {
        let action = policy(episode.observation());
        episode.step(&action);
        if let Some(finished) = episode.finished() {
            sum += finished.total;
            ended += 1;
        }
    }
    sum / f64::from(episodes.max(1))
}

/// Uniform in `[low, high)`.
pub(super) fn uniform<T: Number>(noise: &mut Noise, low: f64, high: f64) -> T {
    T::from_f64(low + (high - low) * noise.uniform())
}

/// `x` within `−bound..=bound`.
#[inline(always)]
pub(super) fn clip<T: Number>(x: T, bound: f64) -> T {
    x.max(T::from_f64(-bound)).min(T::from_f64(bound))
}
