//! Adagrad: Duchi, Hazan and Singer, *Adaptive subgradient methods for online learning and
//! stochastic optimization* (2011).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// Adagrad: the gradient divided by the square root of the sum of all its squares so far.
///
/// `g ← g + λ·θ`, `v ← v + g²`, `θ ← θ − η/(1 + (t−1)·δ) · g/(√v + ε)` at step `t`.
///
/// ```
/// use monomorph::optim::Adagrad;
/// let optimizer = Adagrad { learning_rate: 0.05, ..Adagrad::default() };
/// assert_eq!(optimizer.epsilon, 1e-10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adagrad {
    /// η, by default 0.01.
    pub learning_rate: f64,
    /// δ, how fast the learning rate decays with the steps; by default 0.
    pub learning_rate_decay: f64,
    /// ε, which bounds the step when the gradient vanishes; by default 1e-10.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { learning_rate: 1e-2, learning_rate_decay: 0.0, epsilon: 1e-10, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for Adagrad {
    const MEMORY: &'static [&'static str] = &["v"];
    type Memory<N: Parameters<Scalar = T>> = [N; 1];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Adagrad", self.learning_rate, rate)?;
        check::<T>(
            "Adagrad",
            &[
                ("learning_rate_decay", self.learning_rate_decay, Range::NotNegative),
                ("epsilon", self.epsilon, Range::Positive),
                ("weight_decay", self.weight_decay, Range::NotNegative),
            ],
        )
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
        memory: &mut [N; 1],
    ) {
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let slower = 1.0 + step.saturating_sub(1) as f64 * self.learning_rate_decay;
        let down = splat::<T, S>(simd, -self.learning_rate * rate / slower);
        let infinity = splat::<T, S>(simd, f64::INFINITY);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [v]| {
                let g = decay.mul_add(p, g);
                // A sum that would overflow stays as it is: divided by infinity, the parameter would never move again.
                let sum = g.mul_add(g, v);
                let v = T::Vector::<S>::select(sum.lt(infinity), sum, v);
                (p + down * g / (T::sqrt_lanes(simd, v) + epsilon), [v])
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the case.
    #[test]
    fn adagrad() {
        testing::optimizer("optim_adagrad", &Adagrad { learning_rate: 0.05, ..Adagrad::default() });
    }

    #[test]
    fn the_rate_decays() {
        // v = 9, then 25: steps of 0.1·3/3 and 0.1/(1 + 1)·4/5.
        let optimizer = Adagrad { learning_rate: 0.1, learning_rate_decay: 1.0, epsilon: 0.0, ..Adagrad::default() };
        testing::by_hand(&optimizer, 1.0, &[3.0, 4.0], &[0.9, 0.86]);
    }
}
