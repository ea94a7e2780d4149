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

/// RMSProp with momentum, and optionally centred: the variance of the gradient in place of its mean square.
///
/// `g ← g + λ·θ`, `v ← α·v + (1−α)·g²`; if centred, `a ← α·a + (1−α)·g` and `w = v − a²`, otherwise `w = v`;
/// `m ← μ·m + g/(√w + ε)`, `θ ← θ − η·m`. It is PyTorch's `RMSprop(momentum=.., centered=..)`; Graves, *Generating
/// sequences with recurrent neural networks* (2013).
///
/// ```
/// use monomorph::optim::RmsPropMomentum;
/// let optimizer = RmsPropMomentum { centered: true, ..RmsPropMomentum::default() };
/// assert_eq!(optimizer.momentum, 0.9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RmsPropMomentum {
    /// η, by default 0.01.
    pub learning_rate: f64,
    /// α, how long the means remember; by default 0.99.
    pub alpha: f64,
    /// ε, which bounds the step when the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
    /// μ, how much of the last step carries over; by default 0.9.
    pub momentum: f64,
    /// Whether to divide by the deviation of the gradient; by default not.
    pub centered: bool,
}

impl Default for RmsPropMomentum {
    fn default() -> Self {
        let RmsProp { learning_rate, alpha, epsilon, weight_decay } = RmsProp::default();
        Self { learning_rate, alpha, epsilon, weight_decay, momentum: 0.9, centered: false }
    }
}

impl<T: Real> Optimizer<T> for RmsPropMomentum {
    const MEMORY: &'static [&'static str] = &["v", "a", "m"];
    type Memory<N: Parameters<Scalar = T>> = [N; 3];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("RmsPropMomentum", self.learning_rate, rate)?;
        check::<T>(
            "RmsPropMomentum",
            &[
                ("alpha", self.alpha, Range::Decay),
                ("epsilon", self.epsilon, Range::Positive),
                ("weight_decay", self.weight_decay, Range::NotNegative),
                ("momentum", self.momentum, Range::Decay),
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
        memory: &mut [N; 3],
    ) {
        let (alpha, fresh) = (splat::<T, S>(simd, self.alpha), splat::<T, S>(simd, 1.0 - self.alpha));
        let (decay, epsilon) = (splat::<T, S>(simd, self.weight_decay), splat::<T, S>(simd, self.epsilon));
        let (carry, down) = (splat::<T, S>(simd, self.momentum), splat::<T, S>(simd, -self.learning_rate * rate));
        // A mean of 0 centres nothing.
        let of_mean = splat::<T, S>(simd, if self.centered { 1.0 - self.alpha } else { 0.0 });
        let zero = splat::<T, S>(simd, 0.0);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [v, a, m]| {
                let g = decay.mul_add(p, g);
                let v = alpha.mul_add(v, fresh * g * g);
                let a = alpha.mul_add(a, of_mean * g);
                // A variance is not negative, but its rounding may be.
                let w = (v - a * a).max(zero);
                let m = carry.mul_add(m, g / (T::sqrt_lanes(simd, w) + epsilon));
                (down.mul_add(m, p), [v, a, m])
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
    #[test]
    fn momentum_and_centre() {
        // Without momentum and centre it is RMSProp.
        let plain = RmsPropMomentum { momentum: 0.0, ..RmsPropMomentum::default() };
        testing::optimizer("optim_rmsprop", &plain);
        // v = 8, a = 2, w = 4; m = 2. Then v = 4, a = 1, w = 3; m = 1.
        let optimizer = RmsPropMomentum {
            learning_rate: 0.1,
            alpha: 0.5,
            epsilon: 0.0,
            weight_decay: 0.0,
            momentum: 0.5,
            centered: true,
        };
        testing::by_hand(&optimizer, 1.0, &[4.0, 0.0], &[0.8, 0.7]);
    }
}
