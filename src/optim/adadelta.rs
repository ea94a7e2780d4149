//! Adadelta: Zeiler, *ADADELTA: an adaptive learning rate method* (2012).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// Adadelta: the gradient in units of the steps taken so far, so that there is hardly a learning rate to choose.
///
/// `g ← g + λ·θ`, `v ← ρ·v + (1−ρ)·g²`, `d = g·√(u + ε)/√(v + ε)`, `u ← ρ·u + (1−ρ)·d²`, `θ ← θ − η·d`.
///
/// ```
/// use monomorph::optim::Adadelta;
/// let optimizer = Adadelta { learning_rate: 0.5, ..Adadelta::default() };
/// assert_eq!((optimizer.rho, optimizer.epsilon), (0.9, 1e-6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adadelta {
    /// η, by default 1.
    pub learning_rate: f64,
    /// ρ, how long both means remember; by default 0.9.
    pub rho: f64,
    /// ε, from which the first steps come; by default 1e-6.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { learning_rate: 1.0, rho: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for Adadelta {
    const MEMORY: &'static [&'static str] = &["v", "u"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Adadelta", self.learning_rate, rate)?;
        check::<T>(
            "Adadelta",
            &[
                ("rho", self.rho, Range::Decay),
                ("epsilon", self.epsilon, Range::Positive),
                ("weight_decay", self.weight_decay, Range::NotNegative),
            ],
        )
    }

    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut [N; 2],
    ) {
        let (rho, fresh) = (splat::<T, S>(simd, self.rho), splat::<T, S>(simd, 1.0 - self.rho));
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let down = splat::<T, S>(simd, -self.learning_rate * rate);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [v, u]| {
                let g = decay.mul_add(p, g);
                let v = rho.mul_add(v, fresh * g * g);
                // One root of the quotient instead of two.
                let d = g * T::sqrt_lanes(simd, (u + epsilon) / (v + epsilon));
                (down.mul_add(d, p), [v, rho.mul_add(u, fresh * d * d)])
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
    fn adadelta() {
        testing::optimizer("optim_adadelta", &Adadelta::default());
    }

    #[test]
    fn a_penalty_joins_the_gradient() {
        // g + λθ = 2, v = 0.5·4 = 2, d = 2·√(1/(2 + 1)).
        let optimizer = Adadelta { rho: 0.5, epsilon: 1.0, weight_decay: 1.0, ..Adadelta::default() };
        testing::by_hand(&optimizer, 1.0, &[1.0], &[1.0 - 2.0 / libm::sqrt(3.0)]);
    }
}
