//! Experience that is learned from again and again: L.-J. Lin, *Self-improving reactive agents based on reinforcement
//! learning, planning and teaching* (1992).

use super::persist::persist_numbers;
use super::{Environment, Persist, Transition, Word};
use crate::memory::zeroed;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// What is learned from a step, or from several in a row.
#[derive(Plain)]
pub struct Experience<E: Environment> {
    /// What was seen.
    pub observation: E::Observation,
    /// What was done.
    pub action: E::Action,
    /// What came of it: the reward, or the discounted sum of several.
    pub reward: E::Number,
    /// What was seen at last.
    pub next: E::Observation,
    /// What a reward after `next` is worth now: γ, or a power of it; 0 if the task ended.
    pub discount: E::Number,
}

impl<E: Environment> Clone for Experience<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E: Environment> Copy for Experience<E> {}

impl<E: Environment> Experience<E> {
    /// What is learned from a step, with the discount `γ`. Where time was up, rewards after it still count.
    #[inline]
    pub fn of(transition: &Transition<E>, discount: f64) -> Self {
        let Transition { observation, action, reward, next, terminated, .. } = *transition;
        let discount = E::Number::from_f64(if terminated { 0.0 } else { discount });
        Self { observation, action, reward, next, discount }
    }
}

impl<E: Environment> Persist for Experience<E> {
    fn persist(&mut self, word: &mut Word<'_>) {
        persist_numbers(self.observation.numbers_mut(), word);
        self.action.persist(word);
        self.reward.persist(word);
        persist_numbers(self.next.numbers_mut(), word);
        self.discount.persist(word);
    }
}

/// Memory of experience from which batches are drawn.
pub trait Buffer<E: Environment>: Plain {
    /// Keeps an experience, in the place of the oldest one if there is no other.
    fn insert(&mut self, experience: &Experience<E>);

    /// Keeps what a step teaches, with the discount `γ`.
    #[inline]
    fn push(&mut self, transition: &Transition<E>, discount: f64) {
        self.insert(&Experience::of(transition, discount));
    }

    /// How many are kept.
    fn len(&self) -> usize;

    /// Whether nothing is kept.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws a batch, with replacement.
    fn draw<const B: usize>(&self, noise: &mut Noise, batch: &mut Batch<E, B>);

    /// Tells how large the error of each of a batch was, from which the next priorities follow.
    fn learned<const B: usize>(&mut self, batch: &Batch<E, B>, errors: &[E::Number; B]) {
        let _ = (batch, errors);
    }
}

/// A batch of experience.
#[derive(Plain)]
pub struct Batch<E: Environment, const B: usize> {
    /// What was seen.
    pub observations: [E::Observation; B],
    /// What was done.
    pub actions: [E::Action; B],
    /// What it brought.
    pub rewards: [E::Number; B],
    /// What was seen then.
    pub nexts: [E::Observation; B],
    /// What later rewards are worth.
    pub discounts: [E::Number; B],
    /// How much each counts; 1 unless the buffer has priorities.
    pub weights: [E::Number; B],
    /// Where each is in the buffer.
    pub places: [usize; B],
}

impl<E: Environment, const B: usize> Batch<E, B> {
    /// Sets one of them.
    #[inline(always)]
    pub(super) fn set(&mut self, index: usize, place: usize, weight: E::Number, experience: &Experience<E>) {
        if index < B {
            self.observations[index] = experience.observation;
            self.actions[index] = experience.action;
            self.rewards[index] = experience.reward;
            self.nexts[index] = experience.next;
            self.discounts[index] = experience.discount;
            self.weights[index] = weight;
            self.places[index] = place;
        }
    }
}

/// The last `N` experiences, from which each is drawn with the same probability.
///
/// ```
/// use monomorph::memory::boxed;
/// use monomorph::rl::{Buffer, CartPole, Episode, Replay};
///
/// let mut episode = Episode::<CartPole>::seeded(1);
/// let mut replay = boxed::<Replay<CartPole, 100>>();
/// for step in 0..300 {
///     replay.push(&episode.step(&(step % 2)), 0.99);
/// }
/// assert_eq!(replay.len(), 100);
/// ```
#[derive(Plain)]
pub struct Replay<E: Environment, const N: usize> {
    items: [Experience<E>; N],
    len: usize,
    at: usize,
}

impl<E: Environment, const N: usize> Replay<E, N> {
    /// One of those kept, by its place.
    #[inline(always)]
    pub fn get(&self, place: usize) -> Experience<E> {
        self.items.get(place).copied().unwrap_or_else(zeroed)
    }
}

impl<E: Environment, const N: usize> Buffer<E> for Replay<E, N> {
    #[inline]
    fn insert(&mut self, experience: &Experience<E>) {
        if let Some(item) = self.items.get_mut(self.at) {
            *item = *experience;
        }
        self.at = if self.at + 1 < N { self.at + 1 } else { 0 };
        self.len = (self.len + 1).min(N);
    }

    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn draw<const B: usize>(&self, noise: &mut Noise, batch: &mut Batch<E, B>) {
        for index in 0..B {
            let place = noise.below(self.len as u64) as usize;
            if let Some(item) = self.items.get(place) {
                batch.set(index, place, E::Number::ONE, item);
            }
        }
    }
}

impl<E: Environment, const N: usize> Persist for Replay<E, N> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.len.persist(word);
        self.at.persist(word);
        self.items.persist(word);
    }
}
