//! AMSGrad: Reddi, Kale and Kumar, *On the convergence of Adam and beyond* (2018).

use super::adam::{check_moments, power};
use super::{Optimizer, splat, update};
use crate::hyperparameters::OutOfRange;
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// AMSGrad: [`Adam`](super::Adam) that divides by the largest mean square so far, so that steps never grow again.
///
/// `g ← g + λ·θ`, `m ← β₁·m + (1−β₁)·g`, `v ← β₂·v + (1−β₂)·g²`, `w ← max(w, v)`,
/// `θ ← θ − η/(1−β₁ᵗ)·m/(√(w/(1−β₂ᵗ)) + ε)` at step `t`; it is PyTorch's `Adam(amsgrad=True)`.
///
/// ```
/// use monomorph::optim::AmsGrad;
/// assert_eq!(AmsGrad::default().learning_rate, 1e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AmsGrad {
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

impl Default for AmsGrad {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for AmsGrad {
    const MEMORY: &'static [&'static str] = &["m", "v", "w"];
    type Memory<N: Parameters<Scalar = T>> = [N; 3];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("AmsGrad", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)
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
        memory: &mut [N; 3],
    ) {
        let step = step.max(1);
        let (beta1, fresh1) = (splat::<T, S>(simd, self.beta1), splat::<T, S>(simd, 1.0 - self.beta1));
        let (beta2, fresh2) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, 1.0 - self.beta2));
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let correct = splat::<T, S>(simd, 1.0 / libm::sqrt(1.0 - power(self.beta2, step)));
        let down = splat::<T, S>(simd, -self.learning_rate * rate / (1.0 - power(self.beta1, step)));
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [m, v, w]| {
                let g = decay.mul_add(p, g);
                let m = beta1.mul_add(m, fresh1 * g);
                let v = beta2.mul_add(v, fresh2 * g * g);
                let w = w.max(v);
                (p + down * m / T::sqrt_lanes(simd, w).mul_add(correct, epsilon), [m, v, w])
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
    fn ams_grad() {
        testing::optimizer("optim_amsgrad", &AmsGrad { learning_rate: 0.01, ..AmsGrad::default() });
    }

    #[test]
    fn the_largest_square_stays() {
        // v = 2, then 1; w stays 2, of which 1 − ¼ is the share: m = ½.
        let optimizer = AmsGrad { learning_rate: 0.1, beta1: 0.5, beta2: 0.5, epsilon: 0.0, weight_decay: 0.0 };
        let second = 0.1 / 0.75 * 0.5 / libm::sqrt(2.0 / 0.75);
        testing::by_hand(&optimizer, 1.0, &[2.0, 0.0], &[0.9, 0.9 - second]);
    }
}
