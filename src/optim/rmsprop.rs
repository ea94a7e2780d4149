//! RMSProp: Tieleman and Hinton, *Lecture 6.5: divide the gradient by a running average of its
//! recent magnitude* (2012).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// RMSProp: the gradient divided by the square root of a running mean of its squares.
///
/// `g ← g + λ·θ`, `v ← α·v + (1−α)·g²`, `θ ← θ − η·g/(√v + ε)`.
///
/// ```
/// use monomorph::optim::RmsProp;
/// let optimizer = RmsProp { learning_rate: 1e-3, ..RmsProp::default() };
/// assert_eq!(optimizer.alpha, 0.99);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RmsProp {
    /// η, by default 0.01.
    pub learning_rate: f64,
    /// α, how long the mean remembers; by default 0.99.
    pub alpha: f64,
    /// ε, which bounds the step when the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { learning_rate: 1e-2, alpha: 0.99, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl<T: Real> Optimizer<T> for RmsProp {
    const MEMORY: &'static [&'static str] = &["v"];
    type Memory<N: Parameters<Scalar = T>> = [N; 1];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("RmsProp", self.learning_rate, rate)?;
        check::<T>(
            "RmsProp",
            &[
                ("alpha", self.alpha, Range::Decay),
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
        memory: &mut [N; 1],
    ) {
        let (alpha, fresh) = (splat::<T, S>(simd, self.alpha), splat::<T, S>(simd, 1.0 - self.alpha));
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let down = splat::<T, S>(simd, -self.learning_rate * rate);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [v]| {
                let g = decay.mul_add(p, g);
                let v = alpha.mul_add(v, fresh * g * g);
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
    fn rms_prop() {
        testing::optimizer("optim_rmsprop", &RmsProp::default());
    }

    #[test]
    fn a_penalty_joins_the_gradient() {
        // g + λθ = 2; v = 0.25·4 = 1; θ = 1 − 0.1·2/1.
        let optimizer = RmsProp { learning_rate: 0.1, alpha: 0.75, epsilon: 0.0, weight_decay: 1.0 };
        testing::by_hand(&optimizer, 1.0, &[1.0], &[0.8]);
    }
}
