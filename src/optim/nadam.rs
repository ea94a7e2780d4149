//! NAdam: Dozat, *Incorporating Nesterov momentum into Adam* (2016), with the momentum schedule of PyTorch.

use super::adam::{check_moments, power};
use super::{Memory, Optimizer, Part, splat, update_parts};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// NAdam: [`Adam`](super::Adam) with Nesterov's look-ahead.
///
/// `g ← g + λ·θ`, `m ← β₁·m + (1−β₁)·g`, `v ← β₂·v + (1−β₂)·g²`, `v̂ = v/(1−β₂ᵗ)`,
/// `μₜ = β₁·(1 − 0.96^(t·ψ)/2)`, `πₜ = μ₁·μ₂⋯μₜ`, and at step `t`
/// `θ ← θ − η·((1−μₜ)/(1−πₜ)·g + μₜ₊₁/(1−πₜ₊₁)·m)/(√v̂ + ε)`.
///
/// ```
/// use monomorph::optim::NAdam;
/// assert_eq!(NAdam::default().momentum_decay, 4e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NAdam {
    /// η, by default 0.002.
    pub learning_rate: f64,
    /// β₁, how long the mean of the gradient remembers; by default 0.9.
    pub beta1: f64,
    /// β₂, how long the mean of its square remembers; by default 0.999.
    pub beta2: f64,
    /// ε, which bounds the step where the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
    /// ψ, how slowly the momentum rises from β₁/2 to β₁; by default 0.004.
    pub momentum_decay: f64,
}

impl Default for NAdam {
    fn default() -> Self {
        Self { learning_rate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, momentum_decay: 4e-3 }
    }
}

/// What [`NAdam`] keeps.
#[derive(Plain)]
pub struct NAdamMemory<N: Parameters> {
    m: N,
    v: N,
    /// `1 − πₜ`, which is 0 before the first step.
    remainder: N::Scalar,
}

impl<N: Parameters> Memory<N> for NAdamMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { m: network, v: network, remainder: numbers };
}

impl<T: Real> Optimizer<T> for NAdam {
    type Memory<N: Parameters<Scalar = T>> = NAdamMemory<N>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay, momentum_decay } = *self;
        check_moments::<T>("NAdam", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)?;
        check::<T>("NAdam", &[("momentum_decay", momentum_decay, Range::NotNegative)])
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
        memory: &mut NAdamMemory<N>,
    ) {
        let step = step.max(1);
        let momentum = |step: u64| self.beta1 * (1.0 - 0.5 * libm::pow(0.96, step as f64 * self.momentum_decay));
        let (now, next) = (momentum(step), momentum(step.saturating_add(1)));
        let NAdamMemory { m, v, remainder } = memory;
        let product = (1.0 - remainder.to_f64()) * now;
        *remainder = T::from_f64(1.0 - product);
        let down = -self.learning_rate * rate;
        let of_gradient = splat::<T, S>(simd, down * (1.0 - now) / (1.0 - product));
        let of_mean = splat::<T, S>(simd, down * next / (1.0 - product * next));
        let (beta1, fresh1) = (splat::<T, S>(simd, self.beta1), splat::<T, S>(simd, 1.0 - self.beta1));
        let (beta2, fresh2) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, 1.0 - self.beta2));
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let correct = splat::<T, S>(simd, 1.0 / libm::sqrt(1.0 - power(self.beta2, step)));
        update_parts(
            simd,
            gradient_scale,
            parameters,
            gradient,
            [m, v],
            #[inline(always)]
            move |p, g, [m, v]| {
                let g = decay.mul_add(p, g);
                let m = beta1.mul_add(m, fresh1 * g);
                let v = beta2.mul_add(v, fresh2 * g * g);
                let ahead = of_gradient.mul_add(g, of_mean * m);
                (p + ahead / T::sqrt_lanes(simd, v).mul_add(correct, epsilon), [m, v])
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
    fn nadam() {
        testing::optimizer("optim_nadam", &NAdam { learning_rate: 0.01, ..NAdam::default() });
    }

    #[test]
    fn one_step() {
        // Without decay μ = β₁/2 = 1/4. (¾/¾·2 + ¼/(15/16)·1)/2 = 17/15.
        let optimizer =
            NAdam { learning_rate: 0.3, beta1: 0.5, beta2: 0.5, epsilon: 0.0, weight_decay: 0.0, momentum_decay: 0.0 };
        testing::by_hand(&optimizer, 1.0, &[2.0], &[1.0 - 0.3 * 17.0 / 15.0]);
    }
}
