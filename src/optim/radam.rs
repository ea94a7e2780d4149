//! RAdam: Liu et al., *On the variance of the adaptive learning rate and beyond* (2020).

use super::adam::{check_moments, power};
use super::{Optimizer, splat, update};
use crate::hyperparameters::OutOfRange;
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// RAdam: [`Adam`](super::Adam) that begins as momentum, until it has seen enough gradients to divide by their size. So it
/// needs no warm-up.
///
/// `g ← g + λ·θ`, `m ← β₁·m + (1−β₁)·g`, `v ← β₂·v + (1−β₂)·g²`, `m̂ = m/(1−β₁ᵗ)` at step `t`;
/// `ρ∞ = 2/(1−β₂) − 1`, `ρ = ρ∞ − 2t·β₂ᵗ/(1−β₂ᵗ)`; while `ρ ≤ 5`, `θ ← θ − η·m̂`, then
/// `θ ← θ − η·r·m̂·√(1−β₂ᵗ)/(√v + ε)` with `r² = (ρ−4)(ρ−2)ρ∞/((ρ∞−4)(ρ∞−2)ρ)`.
///
/// ```
/// use monomorph::optim::RAdam;
/// assert_eq!(RAdam::default().learning_rate, 1e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RAdam {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// β₁, how long the mean of the gradient remembers; by default 0.9.
    pub beta1: f64,
    /// β₂, how long the mean of its square remembers; by default 0.999.
    pub beta2: f64,
    /// ε, which bounds the step where the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for RAdam {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for RAdam {
    const MEMORY: &'static [&'static str] = &["m", "v"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("RAdam", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)
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
        memory: &mut [N; 2],
    ) {
        let step = step.max(1);
        let left = power(self.beta2, step);
        let largest = 2.0 / (1.0 - self.beta2) - 1.0;
        let rho = largest - 2.0 * step as f64 * left / (1.0 - left);
        let down = -self.learning_rate * rate / (1.0 - power(self.beta1, step));
        // The divisor is `of_root·√v + alone`: 1 as long as there are too few gradients.
        let (down, of_root, alone) = if rho > 5.0 {
            let squared = (rho - 4.0) * (rho - 2.0) * largest / ((largest - 4.0) * (largest - 2.0) * rho);
            (down * libm::sqrt(squared * (1.0 - left)), 1.0, self.epsilon)
        } else {
            (down, 0.0, 1.0)
        };
        let (down, of_root, alone) =
            (splat::<T, S>(simd, down), splat::<T, S>(simd, of_root), splat::<T, S>(simd, alone));
        let (beta1, fresh1) = (splat::<T, S>(simd, self.beta1), splat::<T, S>(simd, 1.0 - self.beta1));
        let (beta2, fresh2) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, 1.0 - self.beta2));
        let decay = splat::<T, S>(simd, self.weight_decay);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [m, v]| {
                let g = decay.mul_add(p, g);
                let m = beta1.mul_add(m, fresh1 * g);
                let v = beta2.mul_add(v, fresh2 * g * g);
                (p + down * m / T::sqrt_lanes(simd, v).mul_add(of_root, alone), [m, v])
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the case; the sixth step is the first that is rectified.
    #[test]
    fn radam() {
        testing::optimizer("optim_radam", &RAdam { learning_rate: 0.01, ..RAdam::default() });
    }

    #[test]
    fn begins_as_momentum() {
        let optimizer = RAdam { learning_rate: 0.1, beta1: 0.5, ..RAdam::default() };
        testing::by_hand(&optimizer, 1.0, &[2.0, 5.0], &[0.8, 0.8 - 0.1 / 0.75 * 3.0]);
    }
}
