//! Evolution strategies: Salimans et al., *Evolution strategies as a scalable alternative to reinforcement learning*
//! (2017).
//!
//! ```text
//! for each generation
//!     ε ~ N(0, 1), P times;  episodes with θ + σ ε and θ − σ ε
//!     w = ranks of all 2P returns, from −½ to ½
//!     θ ← θ + λ 1/(2 P σ) Σ (w₊ − w₋) ε
//! ```

use super::cross_entropy_method::run;
use crate::init::Init;
use crate::memory;
use crate::network::evaluate;
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer};
use crate::plain::Plain;
use crate::rl::persist::{persist_moments, persist_parameters};
use crate::rl::{Choice, Environment, Persist, Policy, Word};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A search among policies `A` by differences of returns, `2P` at a time, in the environment `E`; `D` says how actions
/// follow from what a network gives.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{CartPole, Categorical, Evolution};
///
/// network! { Linear: [4] -> [2] { Dense(2) } }
/// let mut search = Evolution::<CartPole, Linear, Categorical, 16>::boxed(1);
/// search.learning_rate = 0.05;
/// for _ in 0..30 {
///     search.generation();
/// }
/// assert!(search.generation() > 20.0);
/// ```
#[derive(Plain)]
pub struct Evolution<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> {
    /// θ.
    pub policy: A,
    /// λ of the Adam step; by default 0.01.
    pub learning_rate: f64,
    /// σ; by default 0.1.
    pub deviation: f64,
    moments: [A; 2],
    gradient: A,
    tried: A,
    /// The seed of each ε, which is drawn again instead of kept.
    seeds: [u64; P],
    returns: [[f64; 2]; P],
    generations: u64,
    noise: Noise,
    choice: core::marker::PhantomData<(E, D)>,
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> Evolution<E, A, D, P> {
    /// A search on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(seed: u64) -> alloc::boxed::Box<Self> {
        let mut search = memory::boxed::<Self>();
        search.start(seed);
        search
    }

    /// Begins anew, with a random policy.
    pub fn start(&mut self, seed: u64) {
        const { assert!(<A::Output as Tensor>::LEN == D::OUTPUTS, "the choice needs another number of outputs") };
        memory::clear(self);
        (self.learning_rate, self.deviation, self.noise) = (0.01, 0.1, Noise::new(seed));
        self.policy.initialize(Init::default(), &mut self.noise);
    }

    /// The action of the policy.
    pub fn act(&self, observation: &E::Observation) -> E::Action {
        D::in_environment(&D::best(evaluate(&self.policy, observation).numbers()))
    }

    /// One generation; returns the mean return of all policies that were tried.
    pub fn generation(&mut self) -> f64 {
        for index in 0..P {
            self.seeds[index] = self.noise.next_u64();
            let world = self.noise.next_u64();
            for (side, sign) in [1.0, -1.0].into_iter().enumerate() {
                self.tried.as_mut_slice().copy_from_slice(self.policy.as_slice());
                add(&mut self.tried, sign * self.deviation, self.seeds[index]);
                self.returns[index][side] = run::<E, A, D>(&self.tried, world);
            }
        }
        memory::clear(&mut self.gradient);
        let all = self.returns.as_flattened();
        for (seed, pair) in self.seeds.iter().zip(&self.returns) {
            // The share of all that are worse, ties counting half.
            let rank = |value: f64| {
                let (mut less, mut same) = (0.0, 0.0);
                for other in all {
                    less += f64::from(u8::from(*other < value));
                    same += f64::from(u8::from(*other == value));
                }
                (less + 0.5 * same) / all.len() as f64
            };
            let [up, down] = pair.map(rank);
            add(&mut self.gradient, (down - up) / (2.0 * P as f64 * self.deviation), *seed);
        }
        self.generations += 1;
        let adam = Adam { learning_rate: self.learning_rate, ..Adam::default() };
        adam.apply(self.generations, &mut self.policy, &self.gradient, &mut self.moments);
        all.iter().sum::<f64>() / all.len() as f64
    }
}

/// `network + factor·ε`, for the ε of a seed.
fn add<N: crate::Parameters>(network: &mut N, factor: f64, seed: u64) {
    let mut noise = Noise::new(seed);
    for (number, normal) in network.as_mut_slice().iter_mut().zip(noise.normals()) {
        *number += N::Scalar::from_f64(factor * normal);
    }
}

impl<E: Environment, A: Policy<E>, D: Choice<E>, const P: usize> Persist for Evolution<E, A, D, P> {
    fn persist(&mut self, word: &mut Word<'_>) {
        persist_parameters(&mut self.policy, word);
        persist_moments::<A, Adam>(&mut self.moments, word);
        self.learning_rate.persist(word);
        self.deviation.persist(word);
        self.generations.persist(word);
        self.noise.persist(word);
    }
}
