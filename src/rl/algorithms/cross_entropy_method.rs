//! The cross-entropy method: R. Rubinstein, *The cross-entropy method for combinatorial and continuous optimization*
//! (1999); for policies: Mannor, Rubinstein and Gat, *The cross entropy method for fast policy search* (2003).
//!
//! ```text
//! for each generation
//!     P policies θ ~ N(mean, deviation²);  an episode with each
//!     mean, deviation = those of the best ones; deviation + what is left of extra noise
//! ```

use crate::memory;
use crate::network::evaluate;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::rl::persist::persist_parameters;
use crate::rl::{Choice, Environment, Episode, Persist, Policy, Word};
use crate::scalar::{Real, Scalar};
use crate::tensor::Tensor;

/// A search among policies `A` without gradients, `P` at a time, in the environment `E`; `D` says how actions follow
/// from what a network gives.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{CartPole, Categorical, CrossEntropyMethod};
///
/// network! { Linear: [4] -> [2] { Dense(2) } }
/// let mut search = CrossEntropyMethod::<CartPole, Linear, Categorical, 32>::boxed(1);
/// for _ in 0..10 {
///     search.generation();
/// }
/// assert!(search.generation() > 200.0);
/// ```
#[derive(Plain)]
pub struct CrossEntropyMethod<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> {
    /// The mean of all policies: what was found.
    pub mean: A,
    deviation: A,
    policies: [A; P],
    returns: [f64; P],
    order: [usize; P],
    /// How many of them are the best ones; by default an eighth, at least two.
    pub elites: usize,
    /// The deviation that is added in the first generation; it falls by a tenth in each.
    pub extra: f64,
    noise: Noise,
    choice: core::marker::PhantomData<(E, D)>,
}

/// The return of an episode in which the network acts without randomness.
pub(super) fn run<E: Environment, A: Policy<E>, D: Choice<E>>(network: &A, seed: u64) -> f64 {
    let mut episode = Episode::<E>::seeded(seed);
    loop {
        let action = D::in_environment(&D::best(evaluate(network, episode.observation()).numbers()));
        episode.step(&action);
        if let Some(finished) = episode.finished() {
            return finished.total;
        }
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> CrossEntropyMethod<E, A, D, P> {
    /// A search on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(seed: u64) -> alloc::boxed::Box<Self> {
        let mut search = memory::boxed::<Self>();
        search.start(seed);
        search
    }

    /// Begins anew, around zeros with deviations of 1.
    pub fn start(&mut self, seed: u64) {
        const { assert!(<A::Output as Tensor>::LEN == D::OUTPUTS, "the choice needs another number of outputs") };
        memory::clear(self);
        self.deviation.as_mut_slice().fill(A::Scalar::ONE);
        (self.elites, self.extra, self.noise) = ((P / 8).max(2), 0.1, Noise::new(seed));
    }

    /// The action of the mean policy.
    pub fn act(&self, observation: &E::Observation) -> E::Action {
        D::in_environment(&D::best(evaluate(&self.mean, observation).numbers()))
    }

    /// One generation; returns the mean return of its best policies.
    pub fn generation(&mut self) -> f64 {
        let Self { mean, deviation, policies, returns, order, noise, .. } = self;
        for (index, policy) in policies.iter_mut().enumerate() {
            let around = mean.as_slice().iter().zip(deviation.as_slice());
            for ((number, (mean, deviation)), normal) in
                policy.as_mut_slice().iter_mut().zip(around).zip(noise.normals())
            {
                *number = *mean + *deviation * E::Number::from_f64(normal);
            }
            returns[index] = run::<E, A, D>(policy, noise.next_u64());
            order[index] = index;
        }
        order.sort_unstable_by(|a, b| {
            let [a, b] = [a, b].map(|place| returns.get(*place).copied().unwrap_or(f64::NEG_INFINITY));
            b.total_cmp(&a)
        });
        let count = self.elites.clamp(1, P.max(1));
        let share = E::Number::from_f64(1.0 / count as f64);
        let best = || order.iter().take(count).filter_map(|place| policies.get(*place));
        for (at, (mean, deviation)) in mean.as_mut_slice().iter_mut().zip(deviation.as_mut_slice()).enumerate() {
            let number = |policy: &A| policy.as_slice().get(at).copied().unwrap_or(E::Number::ZERO);
            let [mut sum, mut squares] = [E::Number::ZERO; 2];
            best().for_each(|policy| sum += number(policy) * share);
            best().for_each(|policy| squares += (number(policy) - sum) * (number(policy) - sum) * share);
            (*mean, *deviation) = (sum, squares.sqrt() + E::Number::from_f64(self.extra));
        }
        self.extra *= 0.9;
        order.iter().take(count).filter_map(|place| returns.get(*place)).sum::<f64>() / count as f64
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> Persist for CrossEntropyMethod<E, A, D, P> {
    fn persist(&mut self, word: &mut Word<'_>) {
        persist_parameters(&mut self.mean, word);
        persist_parameters(&mut self.deviation, word);
        self.elites.persist(word);
        self.extra.persist(word);
        self.noise.persist(word);
    }
}
