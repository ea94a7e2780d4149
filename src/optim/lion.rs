//! Lion: Chen et al., *Symbolic discovery of optimization algorithms* (2023), Algorithm 2.

use super::rprop::sign;
use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Lion: every parameter moves by the same amount, in the direction of a momentum; it keeps half of what Adam keeps.
///
/// `θ ← θ − η·λ·θ − η·sign(β₁·m + (1−β₁)·g)`, then `m ← β₂·m + (1−β₂)·g`.
///
/// Learning rates are three to ten times smaller than Adam's, weight decays as much larger.
///
/// ```
/// use monomorph::optim::Lion;
/// let optimizer = Lion { weight_decay: 0.1, ..Lion::default() };
/// assert_eq!((optimizer.beta1, optimizer.beta2), (0.9, 0.99));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lion {
    /// η, by default 1e-4.
    pub learning_rate: f64,
    /// β₁, the part of the momentum in the direction of a step; by default 0.9.
    pub beta1: f64,
    /// β₂, how long the momentum remembers; by default 0.99.
    pub beta2: f64,
    /// λ, the weight decay: every step subtracts `η·λ·θ`; by default 0.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { learning_rate: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl<T: Scalar> Optimizer<T> for Lion {
    const MEMORY: &'static [&'static str] = &["m"];
    type Memory<N: Parameters<Scalar = T>> = [N; 1];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Lion", self.learning_rate, rate)?;
        check::<T>(
            "Lion",
            &[
                ("beta1", self.beta1, Range::Share),
                ("beta2", self.beta2, Range::Decay),
                ("weight_decay", self.weight_decay, Range::NotNegative),
                ("learning_rate times weight_decay", self.learning_rate * rate * self.weight_decay, Range::Share),
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
        memory: &mut [N; 1],
    ) {
        let (beta1, fresh1) = (splat::<T, S>(simd, self.beta1), splat::<T, S>(simd, 1.0 - self.beta1));
        let (beta2, fresh2) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, 1.0 - self.beta2));
        let eta = self.learning_rate * rate;
        let (keep, down) = (splat::<T, S>(simd, 1.0 - eta * self.weight_decay), splat::<T, S>(simd, -eta));
        let (zero, one) = (splat::<T, S>(simd, 0.0), splat::<T, S>(simd, 1.0));
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [m]| {
                let direction = sign(zero, one, beta1.mul_add(m, fresh1 * g));
                (p.mul_add(keep, down * direction), [beta2.mul_add(m, fresh2 * g)])
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
    fn lion() {
        testing::optimizer("optim_lion", &Lion { learning_rate: 0.01, weight_decay: 0.1, ..Lion::default() });
    }

    #[test]
    fn only_the_sign_counts() {
        // Where the direction is 0 nothing moves; m = 0.5, of which half is more than half of −0.25.
        let optimizer = Lion { learning_rate: 0.1, beta1: 0.5, beta2: 0.5, weight_decay: 0.0 };
        testing::by_hand(&optimizer, 1.0, &[0.0, 1.0, -0.25, -9.0], &[1.0, 0.9, 0.8, 0.9]);
    }
}
