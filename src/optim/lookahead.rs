//! Lookahead: Zhang et al., *Lookahead optimizer: k steps forward, 1 step back* (2019).

use super::{Memory, Objective, Optimizer, OptimizerError, Part, copy_learned, learned, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Any optimizer that takes `k` steps and then goes back part of the way: slow weights `φ` follow the fast ones.
///
/// After every `k`-th step `φ ← φ + α·(θ − φ)`, `θ ← φ`; `φ` begins as the parameters before the first step. Evaluate
/// where the two meet, or any time the slow weights: [`Trainer::averaged`](crate::train::Trainer::averaged).
///
/// ```
/// use monomorph::optim::{Lookahead, Adam};
/// let optimizer = Lookahead::new(Adam::default());
/// assert_eq!((optimizer.every, optimizer.alpha), (5, 0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lookahead<O> {
    /// How the fast weights move.
    pub optimizer: O,
    /// k, how many steps are taken at a time; at least 1, by default 5.
    pub every: u32,
    /// α, the share of the way that is kept; from 0 to 1, by default 0.5.
    pub alpha: f64,
}

impl<O> Lookahead<O> {
    /// With the defaults of the paper, `k = 5` and `α = 0.5`.
    pub const fn new(optimizer: O) -> Self {
        Self { optimizer, every: 5, alpha: 0.5 }
    }

    #[inline(always)]
    fn follow<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        parameters: &mut N,
        slow: &mut N,
    ) {
        if step.is_multiple_of(u64::from(self.every.max(1))) {
            let alpha = splat::<T, S>(simd, self.alpha);
            learned(
                simd,
                slow,
                parameters,
                #[inline(always)]
                move |slow, fast| alpha.mul_add(fast - slow, slow),
            );
            copy_learned(slow, parameters);
        }
    }
}

/// What [`Lookahead`] keeps.
#[derive(Plain)]
pub struct LookaheadMemory<N: Parameters, O: Optimizer<N::Scalar>> {
    /// What the optimizer within keeps.
    pub inner: O::Memory<N>,
    slow: N,
}

impl<N: Parameters, O: Optimizer<N::Scalar>> Memory<N> for LookaheadMemory<N, O> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { inner: inner(N, O), slow: network };
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Lookahead<O> {
    type Memory<N: Parameters<Scalar = T>> = LookaheadMemory<N, O>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.optimizer.check(rate)?;
        let every = f64::from(self.every);
        check::<T>("Lookahead", &[("every", every, Range::AtLeastOne), ("alpha", self.alpha, Range::Share)])
    }

    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut LookaheadMemory<N, O>,
    ) {
        if step <= 1 {
            copy_learned(parameters, &mut memory.slow);
        }
        self.optimizer.update(simd, step, rate, gradient_scale, parameters, gradient, &mut memory.inner);
        self.follow(simd, step, parameters, &mut memory.slow);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut LookaheadMemory<N, O>,
    ) -> Result<(), OptimizerError> {
        if step <= 1 {
            copy_learned(parameters, &mut memory.slow);
        }
        self.optimizer.step(simd, step, rate, gradient_scale, parameters, objective, &mut memory.inner)?;
        self.follow(simd, step, parameters, &mut memory.slow);
        Ok(())
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &LookaheadMemory<N, O>, out: &mut N) {
        out.as_mut_slice().copy_from_slice(parameters.as_slice());
        copy_learned(&memory.slow, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::{Sgd, testing};

    #[test]
    fn two_forward_one_back() {
        // 1 → 2 → 3, back to 2, where both meet; → 3 → 4, back to 3.
        let optimizer = Lookahead { every: 2, ..Lookahead::new(Sgd { learning_rate: 1.0, ..Sgd::default() }) };
        testing::by_hand(&optimizer, 1.0, &[-1.0; 4], &[2.0, 2.0, 3.0, 3.0]);
        let wrong = Lookahead { every: 0, ..optimizer };
        assert_eq!(Optimizer::<f32>::check(&wrong, 1.0).unwrap_err().name, "every");
    }

    #[test]
    fn all_the_way_is_no_lookahead() {
        let sgd = Sgd { learning_rate: 0.05, ..Sgd::default() };
        testing::optimizer("optim_sgd", &Lookahead { optimizer: sgd, every: 3, alpha: 1.0 });
    }
}
