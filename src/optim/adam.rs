//! Adam: Kingma and Ba, *Adam: a method for stochastic optimization* (2015).
//! AdamW: Loshchilov and Hutter, *Decoupled weight decay regularization* (2019).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// Adam: the size of a step depends on how consistent the gradient is, not on how large it is.
///
/// `g ← g + λ·θ`, `m ← β₁·m + (1−β₁)·g`, `v ← β₂·v + (1−β₂)·g²`,
/// `m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)`, `θ ← θ − η·m̂/(√v̂ + ε)` at step `t`.
///
/// ```
/// use monomorph::optim::Adam;
/// let optimizer = Adam { learning_rate: 3e-4, ..Adam::default() };
/// assert_eq!((optimizer.beta1, optimizer.beta2), (0.9, 0.999));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adam {
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

impl Default for Adam {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// Adam with weight decay decoupled from the gradient, so that it is the same for every parameter.
///
/// `θ ← θ − η·λ·θ`, then the update of [`Adam`] without the penalty.
///
/// ```
/// use monomorph::optim::AdamW;
/// let optimizer = AdamW { weight_decay: 0.1, ..AdamW::default() };
/// assert_eq!(optimizer.learning_rate, 1e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AdamW {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// β₁, how long the mean of the gradient remembers; by default 0.9.
    pub beta1: f64,
    /// β₂, how long the mean of its square remembers; by default 0.999.
    pub beta2: f64,
    /// ε, which bounds the step where the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the weight decay: every step subtracts `η·λ·θ`; by default 0.01.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 1e-2 }
    }
}

impl<T: Real> Optimizer<T> for Adam {
    const MEMORY: &'static [&'static str] = &["m", "v"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("Adam", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)
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
        moments(self, simd, 1.0, step, rate, gradient_scale, parameters, gradient, memory);
    }
}

impl<T: Real> Optimizer<T> for AdamW {
    const MEMORY: &'static [&'static str] = &["m", "v"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("AdamW", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)?;
        // More than all of a parameter cannot decay.
        let share = learning_rate * rate * weight_decay;
        check::<T>("AdamW", &[("learning_rate times weight_decay", share, Range::Share)])
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
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        let adam = Adam { learning_rate, beta1, beta2, epsilon, weight_decay: 0.0 };
        let keep = 1.0 - learning_rate * rate * weight_decay;
        moments(&adam, simd, keep, step, rate, gradient_scale, parameters, gradient, memory);
    }
}

/// What optimizers with two moments check.
pub(super) fn check_moments<T: Real>(
    of: &'static str,
    [learning_rate, beta1, beta2, epsilon, weight_decay]: [f64; 5],
    rate: f64,
) -> Result<(), OutOfRange> {
    check_rate::<T>(of, learning_rate, rate)?;
    check::<T>(
        of,
        &[
            ("beta1", beta1, Range::Decay),
            ("beta2", beta2, Range::Decay),
            ("epsilon", epsilon, Range::Positive),
            ("weight_decay", weight_decay, Range::NotNegative),
        ],
    )
}

/// The step of both; `keep` is the fraction of a parameter that decoupled weight decay leaves.
#[inline(always)]
fn moments<T: Real, N: Parameters<Scalar = T>, S: Simd>(
    adam: &Adam,
    simd: S,
    keep: f64,
    step: u64,
    rate: f64,
    gradient_scale: T,
    parameters: &mut N,
    gradient: &N,
    memory: &mut [N; 2],
) {
    update(simd, gradient_scale, parameters, gradient, memory, rule::<T, S>(adam, simd, keep, step, rate));
}

/// What happens to one register of parameters.
#[expect(clippy::type_complexity, reason = "it is the type that `update` takes")]
#[inline(always)]
pub(super) fn rule<T: Real, S: Simd>(
    adam: &Adam,
    simd: S,
    keep: f64,
    step: u64,
    rate: f64,
) -> impl Fn(T::Vector<S>, T::Vector<S>, [T::Vector<S>; 2]) -> (T::Vector<S>, [T::Vector<S>; 2]) + Copy + use<T, S> {
    // Steps count from 1; a 0 would divide by zero.
    let step = step.max(1);
    let correction1 = 1.0 - power(adam.beta1, step);
    let correction2 = 1.0 - power(adam.beta2, step);
    let (keep, decay) = (splat::<T, S>(simd, keep), splat::<T, S>(simd, adam.weight_decay));
    let (beta1, fresh1) = (splat::<T, S>(simd, adam.beta1), splat::<T, S>(simd, 1.0 - adam.beta1));
    let (beta2, fresh2) = (splat::<T, S>(simd, adam.beta2), splat::<T, S>(simd, 1.0 - adam.beta2));
    let (correct, epsilon) = (splat::<T, S>(simd, 1.0 / libm::sqrt(correction2)), splat::<T, S>(simd, adam.epsilon));
    let down = splat::<T, S>(simd, -adam.learning_rate * rate / correction1);
    #[inline(always)]
    move |p, g, [m, v]| {
        let g = decay.mul_add(p, g);
        let m = beta1.mul_add(m, fresh1 * g);
        let v = beta2.mul_add(v, fresh2 * g * g);
        let step = down * m / T::sqrt_lanes(simd, v).mul_add(correct, epsilon);
        (p.mul_add(keep, step), [m, v])
    }
}

/// `baseᵉˣᵖᵒⁿᵉⁿᵗ` by squaring: several times faster than `pow`, which matters for a tiny network.
#[inline(always)]
pub(super) fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        // The rest is negligible beside 1, and denormal numbers would be slow.
        if base.abs() < 1e-20 {
            return 0.0;
        }
        power *= if exponent & 1 == 1 { base } else { 1.0 };
        base *= base;
        exponent >>= 1;
    }
    power
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the cases.
    #[test]
    fn adam() {
        testing::optimizer("optim_adam", &Adam { learning_rate: 0.01, ..Adam::default() });
    }

    #[test]
    fn adam_w() {
        testing::optimizer("optim_adamw", &AdamW { learning_rate: 0.01, weight_decay: 0.1, ..AdamW::default() });
    }

    #[test]
    fn a_penalty_only_turns_the_gradient() {
        // The first step of Adam is η against the sign of g + λθ = 1 − 0.5·4 = −1.
        let optimizer = Adam { learning_rate: 0.1, weight_decay: -0.5, epsilon: 0.0, ..Adam::default() };
        testing::by_hand(&optimizer, 4.0, &[1.0], &[4.1]);
    }

    #[test]
    fn powers() {
        for base in [0.0, 0.5, 0.9, 0.999, 0.999999, 1.0] {
            for step in (0..64).flat_map(|bit| [1 << bit, (1 << bit) + 1, (1 << bit) | (1_u64 << bit) >> 1]) {
                let (actual, expected) = (power(base, step), libm::pow(base, step as f64));
                assert!((actual - expected).abs() < 1e-9, "{base}^{step}: {actual} is not {expected}");
            }
        }
    }
}
