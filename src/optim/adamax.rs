//! Adamax: Kingma and Ba, *Adam: a method for stochastic optimization* (2015), section 7.1.

use super::adam::{check_moments, power};
use super::{Optimizer, splat, update};
use crate::hyperparameters::OutOfRange;
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// Adamax: [`Adam`](super::Adam) that divides by the largest gradient of late instead of the root of a mean.
///
/// `g ← g + λ·θ`, `m ← β₁·m + (1−β₁)·g`, `u ← max(β₂·u, |g| + ε)`, `θ ← θ − η/(1−β₁ᵗ)·m/u` at step `t`.
///
/// ```
/// use monomorph::optim::Adamax;
/// assert_eq!(Adamax::default().learning_rate, 2e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adamax {
    /// η, by default 0.002.
    pub learning_rate: f64,
    /// β₁, how long the mean of the gradient remembers; by default 0.9.
    pub beta1: f64,
    /// β₂, how long the largest gradient is remembered; by default 0.999.
    pub beta2: f64,
    /// ε, which bounds the step where the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Adamax {
    fn default() -> Self {
        Self { learning_rate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for Adamax {
    const MEMORY: &'static [&'static str] = &["m", "u"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("Adamax", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)
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
        let (beta1, fresh1) = (splat::<T, S>(simd, self.beta1), splat::<T, S>(simd, 1.0 - self.beta1));
        let (beta2, epsilon) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, self.epsilon));
        let decay = splat::<T, S>(simd, self.weight_decay);
        let down = splat::<T, S>(simd, -self.learning_rate * rate / (1.0 - power(self.beta1, step.max(1))));
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [m, u]| {
                let g = decay.mul_add(p, g);
                let m = beta1.mul_add(m, fresh1 * g);
                let u = (beta2 * u).max(g.abs() + epsilon);
                (p + down * m / u, [m, u])
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
    fn adamax() {
        testing::optimizer("optim_adamax", &Adamax { learning_rate: 0.01, ..Adamax::default() });
    }

    #[test]
    fn the_largest_gradient_counts() {
        // m = 2, u = 4; then m = 2.5, u = 3, because the largest fades to 2.
        let optimizer = Adamax { learning_rate: 0.3, beta1: 0.5, beta2: 0.5, epsilon: 0.0, weight_decay: 0.0 };
        testing::by_hand(&optimizer, 1.0, &[4.0, 3.0], &[0.7, 0.7 - 0.3 / 0.75 * 2.5 / 3.0]);
    }
}
