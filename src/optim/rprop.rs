//! Rprop: Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning: the RPROP algorithm*
//! (1993).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Rprop: every parameter has a step of its own, which grows as long as the gradient keeps its sign. For all samples at
/// once: the noise of small batches turns signs.
///
/// With the gradient `g₀` of the last step: `s ← η⁺·s` if `g·g₀ > 0`, `s ← η⁻·s` if `g·g₀ < 0`, in which case
/// `g ← 0`; `s` stays from `min_step` to `max_step`; `θ ← θ − s·sign g`, `g₀ ← g`. The first `s` is the learning rate.
///
/// ```
/// use monomorph::optim::Rprop;
/// let optimizer = Rprop::default();
/// assert_eq!((optimizer.shrink, optimizer.growth), (0.5, 1.2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rprop {
    /// The first step, by default 0.01.
    pub learning_rate: f64,
    /// η⁻, the factor of a step that went too far; above 0 and below 1, by default ½.
    pub shrink: f64,
    /// η⁺, the factor of a step in the direction of the last; at least 1, by default 1.2.
    pub growth: f64,
    /// The shortest step, by default 1e-6.
    pub min_step: f64,
    /// The longest step, by default 50.
    pub max_step: f64,
}

impl Default for Rprop {
    fn default() -> Self {
        Self { learning_rate: 1e-2, shrink: 0.5, growth: 1.2, min_step: 1e-6, max_step: 50.0 }
    }
}

impl<T: Scalar> Optimizer<T> for Rprop {
    const MEMORY: &'static [&'static str] = &["gradient", "step_size"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Rprop", self.learning_rate, rate)?;
        check::<T>(
            "Rprop",
            &[
                ("shrink", self.shrink, Range::Between),
                ("growth", self.growth, Range::AtLeastOne),
                ("min_step", self.min_step, Range::NotNegative),
                ("max_step", self.max_step, Range::Positive),
                ("max_step minus min_step", self.max_step - self.min_step, Range::NotNegative),
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
        memory: &mut [N; 2],
    ) {
        // Memory begins as zeros; so the learning rate is added at the first step.
        let first = splat::<T, S>(simd, if step <= 1 { self.learning_rate } else { 0.0 });
        let (shrink, growth) = (splat::<T, S>(simd, self.shrink), splat::<T, S>(simd, self.growth));
        let (least, most) = (splat::<T, S>(simd, self.min_step), splat::<T, S>(simd, self.max_step));
        let (zero, one, down) = (splat::<T, S>(simd, 0.0), splat::<T, S>(simd, 1.0), splat::<T, S>(simd, -rate));
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [last, size]| {
                // Signs, because the product of two small gradients may be 0.
                let (sign, last) = (sign(zero, one, g), sign(zero, one, last));
                let agree = sign * last;
                let turned = agree.lt(zero);
                let factor = T::Vector::<S>::select(zero.lt(agree), growth, one);
                let factor = T::Vector::<S>::select(turned, shrink, factor);
                let size = ((size + first) * factor).max(least).min(most);
                let g = T::Vector::<S>::select(turned, zero, g);
                let sign = T::Vector::<S>::select(turned, zero, sign);
                ((down * sign).mul_add(size, p), [g, size])
            },
        );
    }
}

/// −1, 0 or 1.
#[inline(always)]
pub(super) fn sign<T: Scalar, S: Simd, V: Vector<S, T>>(zero: V, one: V, x: V) -> V {
    V::select(x.eq(zero), zero, one.copysign(x))
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the case.
    #[test]
    fn rprop() {
        testing::optimizer("optim_rprop", &Rprop::default());
    }

    #[test]
    fn steps_grow_and_shrink() {
        // 0.1, then 0.12; the sign turns: no step and half of it, then 0.06; a gradient of 0 moves nothing.
        let optimizer = Rprop { learning_rate: 0.1, ..Rprop::default() };
        testing::by_hand(&optimizer, 1.0, &[3.0, 1.0, -2.0, -1e-300, 0.0], &[0.9, 0.78, 0.78, 0.84, 0.84]);
    }
}
