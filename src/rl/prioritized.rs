//! Experience drawn by how much there is to learn from it: Schaul et al., *Prioritized experience replay* (2016).

use super::{Batch, Buffer, Environment, Experience, Persist, Replay, Word};
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};

/// The sums of a binary tree over `N` numbers: each can be changed, and one drawn by its share of the sum, in `log N`
/// steps.
///
/// ```
/// use monomorph::rl::SumTree;
///
/// let mut tree = monomorph::memory::zeroed::<SumTree<f64, 3>>();
/// for (place, share) in [1.0, 2.0, 5.0].into_iter().enumerate() {
///     tree.set(place, share);
/// }
/// assert_eq!(tree.sum(), 8.0);
/// let drawn = [0.5, 1.5, 3.5, 7.5].map(|at| tree.find(at));
/// // In the order of the tree, which is that of the places only if `N` is a power of two.
/// assert_eq!(drawn.map(|place| tree.get(place)), [2.0, 2.0, 5.0, 1.0]);
/// ```
#[derive(Plain)]
pub struct SumTree<T: Scalar, const N: usize> {
    /// Node `i` is the sum of nodes `2i` and `2i + 1`; nodes from `N` on are the leaves.
    sums: [T; N],
    leaves: [T; N],
}

impl<T: Scalar, const N: usize> SumTree<T, N> {
    fn node(&self, index: usize) -> T {
        let node = if index < N { self.sums.get(index) } else { self.leaves.get(index - N) };
        node.copied().unwrap_or(T::ZERO)
    }

    /// The sum of all.
    pub fn sum(&self) -> T {
        self.node(1)
    }

    /// One of the numbers.
    pub fn get(&self, place: usize) -> T {
        self.leaves.get(place).copied().unwrap_or(T::ZERO)
    }

    /// Changes one of the numbers.
    pub fn set(&mut self, place: usize, value: T) {
        let Some(leaf) = self.leaves.get_mut(place) else { return };
        *leaf = value;
        let mut node = (place + N) / 2;
        while node > 0 {
            let sum = self.node(2 * node) + self.node(2 * node + 1);
            if let Some(node) = self.sums.get_mut(node) {
                *node = sum;
            }
            node /= 2;
        }
    }

    /// The place at which the sum of all before it reaches `at`.
    pub fn find(&self, mut at: T) -> usize {
        let mut node = 1;
        while node < N {
            let left = self.node(2 * node);
            // Rounding may lead beyond what there is; never into nothing.
            if at < left || self.node(2 * node + 1) <= T::ZERO {
                node *= 2;
            } else {
                at -= left;
                node = 2 * node + 1;
            }
        }
        node - N
    }
}

/// The last `N` experiences, each drawn with a probability proportional to `(|error| + ε)^α` of when it was last
/// learned from, and weighted by `(N P)^−β`, divided by the largest weight of the batch.
///
/// New experience has the largest priority so far. Set [`alpha`](Self::alpha) and [`beta`](Self::beta), which are 0 at
/// first: then all count alike.
///
/// ```
/// use monomorph::memory::boxed;
/// use monomorph::rl::{Batch, Buffer, CartPole, Episode, Prioritized};
/// use monomorph::Noise;
///
/// let mut episode = Episode::<CartPole>::seeded(1);
/// let mut replay = boxed::<Prioritized<CartPole, 100>>();
/// (replay.alpha, replay.beta) = (0.6, 0.4);
/// for step in 0..100 {
///     replay.push(&episode.step(&(step % 2)), 0.99);
/// }
/// let mut batch = boxed::<Batch<CartPole, 32>>();
/// replay.draw(&mut Noise::new(1), &mut batch);
/// let errors = batch.places.map(|place| if place == 7 { 1000.0 } else { 0.0 });
/// replay.learned(&batch, &errors);
/// ```
#[derive(Plain)]
pub struct Prioritized<E: Environment, const N: usize> {
    /// α, how much errors count.
    pub alpha: f64,
    /// β, how much of the bias the weights take back; usually it rises to 1.
    pub beta: f64,
    items: Replay<E, N>,
    at: usize,
    tree: SumTree<E::Number, N>,
    largest: E::Number,
}

impl<E: Environment, const N: usize> Buffer<E> for Prioritized<E, N> {
    fn insert(&mut self, experience: &Experience<E>) {
        self.items.insert(experience);
        self.largest = if self.largest > E::Number::ZERO { self.largest } else { E::Number::ONE };
        self.tree.set(self.at, self.largest);
        self.at = if self.at + 1 < N { self.at + 1 } else { 0 };
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn draw<const B: usize>(&self, noise: &mut Noise, batch: &mut Batch<E, B>) {
        let (sum, count) = (self.tree.sum(), self.len() as f64);
        let mut most = E::Number::ZERO;
        for index in 0..B {
            // One of each share of the sum, so that a batch is spread over all.
            let at = E::Number::from_f64((index as f64 + noise.uniform()) / B as f64) * sum;
            let place = self.tree.find(at).min(self.len().saturating_sub(1));
            let share = self.tree.get(place) / sum * E::Number::from_f64(count);
            let weight = (E::Number::from_f64(-self.beta) * share.ln()).exp();
            most = most.max(weight);
            batch.set(index, place, weight, &self.items.get(place));
        }
        for weight in &mut batch.weights {
            *weight /= most;
        }
    }

    fn learned<const B: usize>(&mut self, batch: &Batch<E, B>, errors: &[E::Number; B]) {
        for (place, error) in batch.places.iter().zip(errors) {
            let size = error.abs() + E::Number::from_f64(1e-6);
            let priority = (E::Number::from_f64(self.alpha) * size.ln()).exp();
            if priority.is_finite() {
                self.largest = self.largest.max(priority);
                self.tree.set(*place, priority);
            }
        }
    }
}

impl<E: Environment, const N: usize> Persist for Prioritized<E, N> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.alpha.persist(word);
        self.beta.persist(word);
        self.items.persist(word);
        self.at.persist(word);
        self.tree.sums.persist(word);
        self.tree.leaves.persist(word);
        self.largest.persist(word);
    }
}

/// A buffer that keeps, for each step, what `K` steps in a row brought: `r₁ + γ r₂ + … + γᴷ⁻¹ r_K`, with what was seen
/// after the last of them; fewer at the end of an episode. R. Sutton, *Learning to predict by the methods of temporal
/// differences* (1988).
///
/// ```
/// use monomorph::memory::boxed;
/// use monomorph::rl::{Buffer, CartPole, Episode, NStep, Replay};
///
/// let mut episode = Episode::<CartPole>::seeded(1);
/// let mut replay = boxed::<NStep<CartPole, Replay<CartPole, 100>, 3>>();
/// for _ in 0..3 {
///     replay.push(&episode.step(&0), 0.5);
/// }
/// assert_eq!(replay.inner.len(), 1);
/// let first = replay.inner.get(0);
/// assert_eq!((first.reward, first.discount), (1.75, 0.125));
/// ```
#[derive(Plain)]
pub struct NStep<E: Environment, R: Buffer<E>, const K: usize> {
    /// Where they are kept.
    pub inner: R,
    /// Sums that are not complete, the oldest first.
    open: [Experience<E>; K],
    len: usize,
}

impl<E: Environment, R: Buffer<E>, const K: usize> Buffer<E> for NStep<E, R, K> {
    fn insert(&mut self, experience: &Experience<E>) {
        self.inner.insert(experience);
    }

    fn push(&mut self, transition: &super::Transition<E>, discount: f64) {
        let step = Experience::of(transition, discount);
        if let Some(open) = self.open.get_mut(self.len) {
            *open = Experience { reward: E::Number::ZERO, discount: E::Number::ONE, ..step };
            self.len += 1;
        }
        for open in self.open.iter_mut().take(self.len) {
            open.reward += open.discount * step.reward;
            open.discount *= step.discount;
            open.next = step.next;
        }
        let complete = if transition.last() { self.len } else { usize::from(self.len == K) };
        for open in self.open.iter().take(complete) {
            self.inner.insert(open);
        }
        if complete > 0 {
            for index in 0..K {
                if let Some(later) = self.open.get(index + complete).copied() {
                    self.open[index] = later;
                }
            }
            self.len -= complete;
        }
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn draw<const B: usize>(&self, noise: &mut Noise, batch: &mut Batch<E, B>) {
        self.inner.draw(noise, batch);
    }

    fn learned<const B: usize>(&mut self, batch: &Batch<E, B>, errors: &[E::Number; B]) {
        self.inner.learned(batch, errors);
    }
}

impl<E: Environment, R: Buffer<E> + Persist, const K: usize> Persist for NStep<E, R, K> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.inner.persist(word);
        self.len.persist(word);
        for open in &mut self.open {
            open.persist(word);
        }
    }
}
