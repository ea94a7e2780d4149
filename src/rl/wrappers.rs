//! Environments made of others.

use super::persist::persist_numbers;
use super::{Continuous, Discrete, Environment, Outcome, Word};
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, batch_slice_mut};

/// Another time limit: `STEPS` steps.
///
/// ```
/// use monomorph::rl::{Episode, Limit, Pendulum};
///
/// let mut episode = Episode::<Limit<Pendulum, 50>>::seeded(1);
/// assert_eq!((1..).find(|_| episode.step(&[0.0]).truncated), Some(50));
/// ```
#[derive(Plain)]
pub struct Limit<E: Environment, const STEPS: u32>(E);

impl<E: Environment, const STEPS: u32> Environment for Limit<E, STEPS> {
    type Number = E::Number;
    type Observation = E::Observation;
    type Action = E::Action;
    const STEPS: u32 = STEPS;

    fn seeded(seed: u64) -> Self {
        Self(E::seeded(seed))
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    #[inline]
    fn observe(&self) -> E::Observation {
        self.0.observe()
    }
    #[inline]
    fn step(&mut self, action: &E::Action) -> Outcome<E::Number> {
        self.0.step(action)
    }
    fn persist(&mut self, word: &mut Word<'_>) {
        self.0.persist(word);
    }
}

/// Each action is done `K` times, until the task ends; the reward is the sum of theirs.
///
/// ```
/// use monomorph::rl::{Environment, MountainCar, Repeat};
///
/// let mut car = Repeat::<MountainCar, 4>::seeded(1);
/// car.reset();
/// assert_eq!(car.step(&2).reward, -4.0);
/// ```
#[derive(Plain)]
pub struct Repeat<E: Environment, const K: u32>(E);

impl<E: Environment, const K: u32> Environment for Repeat<E, K> {
    type Number = E::Number;
    type Observation = E::Observation;
    type Action = E::Action;
    const STEPS: u32 = E::STEPS.div_ceil(K);

    fn seeded(seed: u64) -> Self {
        Self(E::seeded(seed))
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    #[inline]
    fn observe(&self) -> E::Observation {
        self.0.observe()
    }
    fn step(&mut self, action: &E::Action) -> Outcome<E::Number> {
        let mut sum = Outcome { reward: E::Number::ZERO, terminated: false };
        for _ in 0..K {
            let Outcome { reward, terminated } = self.0.step(action);
            sum.reward += reward;
            sum.terminated = terminated;
            if terminated {
                break;
            }
        }
        sum
    }
    fn persist(&mut self, word: &mut Word<'_>) {
        self.0.persist(word);
    }
}

/// What was seen at the last `K` steps is seen, the oldest first; at the beginning `K` times the same.
///
/// ```
/// use monomorph::rl::{CartPole, Environment, FrameStack};
///
/// let mut pole = FrameStack::<CartPole, 2>::seeded(1);
/// pole.reset();
/// let [_, before] = pole.observe();
/// pole.step(&1);
/// assert_eq!(pole.observe()[0], before);
/// ```
#[derive(Plain)]
pub struct FrameStack<E: Environment, const K: usize> {
    inner: E,
    seen: [E::Observation; K],
}

impl<E: Environment, const K: usize> Environment for FrameStack<E, K> {
    type Number = E::Number;
    type Observation = [E::Observation; K];
    type Action = E::Action;
    const STEPS: u32 = E::STEPS;

    fn seeded(seed: u64) -> Self {
        let inner = E::seeded(seed);
        let seen = [inner.observe(); K];
        Self { inner, seen }
    }
    fn reset(&mut self) {
        self.inner.reset();
        self.seen = [self.inner.observe(); K];
    }
    fn observe(&self) -> [E::Observation; K] {
        self.seen
    }
    fn step(&mut self, action: &E::Action) -> Outcome<E::Number> {
        let outcome = self.inner.step(action);
        let numbers = batch_slice_mut(&mut self.seen);
        let len = E::Observation::LEN;
        if numbers.len() >= len {
            numbers.copy_within(len.., 0);
        }
        if let Some(last) = self.seen.last_mut() {
            *last = self.inner.observe();
        }
        outcome
    }
    fn persist(&mut self, word: &mut Word<'_>) {
        self.inner.persist(word);
        persist_numbers(batch_slice_mut(&mut self.seen), word);
    }
}

macro_rules! actions {
    ($wrapper:ident, $number:ty) => {
        impl<E: Discrete, const K: $number> Discrete for $wrapper<E, K> {
            const ACTIONS: usize = E::ACTIONS;
        }
        impl<E: Continuous, const K: $number> Continuous for $wrapper<E, K> {
            const BOUND: f64 = E::BOUND;
        }
    };
}
actions!(Limit, u32);
actions!(Repeat, u32);
actions!(FrameStack, usize);
