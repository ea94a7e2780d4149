//! Distributions with a place and a width.

use core::f64::consts::{LN_2, PI, TAU};

use super::special::{digamma, ln_beta};
use super::{Distribution, Gamma, exponential, number, softplus};
use crate::noise::Noise;
use crate::scalar::Real;

/// `N(μ, σ²)`: density `e^(−(x − μ)²/(2σ²)) / (σ·√2π)`. Samples are `μ + σ·ε`, reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal<T> {
    /// `μ`.
    pub mean: T,
    /// `σ`, more than 0.
    pub deviation: T,
}

impl<T: Real> Normal<T> {
    /// `½·ln(2πe·σ²)`.
    pub fn entropy(&self) -> T {
        number::<T>(0.5 + 0.5 * libm::log(TAU)) + self.deviation.ln()
    }

    /// The probability of less than `x`, `½·erfc((μ − x)/(σ·√2))`, with its first derivatives.
    pub fn cumulative(&self, x: T) -> T {
        let z = (x - self.mean) / self.deviation;
        let value = z.to_f64();
        let density = libm::exp(-0.5 * value * value) / libm::sqrt(TAU);
        number::<T>(0.5 * libm::erfc(-value * core::f64::consts::FRAC_1_SQRT_2))
            + number::<T>(density) * (z - number(value))
    }

    /// KL(self ‖ other): `ln(σ₂/σ₁) + (σ₁² + (μ₁ − μ₂)²)/(2σ₂²) − ½`.
    pub fn divergence(&self, other: &Self) -> T {
        let (ratio, apart) = (self.deviation / other.deviation, (self.mean - other.mean) / other.deviation);
        number::<T>(0.5) * (ratio * ratio + apart * apart - T::ONE) - ratio.ln()
    }
}

impl<T: Real> Distribution for Normal<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        let z = (x - self.mean) / self.deviation;
        number::<T>(-0.5) * z * z - self.deviation.ln() - number(0.5 * libm::log(TAU))
    }

    fn sample(&self, noise: &mut Noise) -> T {
        self.mean + self.deviation * number(noise.normal())
    }
}

/// `e^y` of a normal `y`: positive numbers. Samples are reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogNormal<T> {
    /// The mean of the logarithm.
    pub mean: T,
    /// The deviation of the logarithm, more than 0.
    pub deviation: T,
}

impl<T: Real> LogNormal<T> {
    fn of_logarithm(&self) -> Normal<T> {
        Normal { mean: self.mean, deviation: self.deviation }
    }

    /// `μ + ½·ln(2πe·σ²)`.
    pub fn entropy(&self) -> T {
        self.mean + self.of_logarithm().entropy()
    }

    /// KL(self ‖ other), which is that of the logarithms.
    pub fn divergence(&self, other: &Self) -> T {
        self.of_logarithm().divergence(&other.of_logarithm())
    }
}

impl<T: Real> Distribution for LogNormal<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        let logarithm = x.ln();
        self.of_logarithm().log_prob(logarithm) - logarithm
    }

    fn sample(&self, noise: &mut Noise) -> T {
        self.of_logarithm().sample(noise).exp()
    }
}

/// Laplace's: density `e^(−|x − μ|/b) / (2b)`. Samples are reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Laplace<T> {
    /// `μ`.
    pub mean: T,
    /// `b`, more than 0.
    pub scale: T,
}

impl<T: Real> Laplace<T> {
    /// `1 + ln 2b`.
    pub fn entropy(&self) -> T {
        number::<T>(1.0 + LN_2) + self.scale.ln()
    }

    /// KL(self ‖ other): `ln(b₂/b₁) + (b₁·e^(−d/b₁) + d)/b₂ − 1` with `d = |μ₁ − μ₂|`.
    pub fn divergence(&self, other: &Self) -> T {
        let apart = (self.mean - other.mean).abs();
        (other.scale / self.scale).ln() + (self.scale * (-apart / self.scale).exp() + apart) / other.scale - T::ONE
    }
}

impl<T: Real> Distribution for Laplace<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        -(x - self.mean).abs() / self.scale - self.scale.ln() - number(LN_2)
    }

    fn sample(&self, noise: &mut Noise) -> T {
        self.mean + self.scale * number(exponential(noise) - exponential(noise))
    }
}

/// Cauchy's: density `1/(πγ·(1 + ((x − x₀)/γ)²))`; it has no mean. Samples are reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cauchy<T> {
    /// `x₀`, the middle.
    pub median: T,
    /// `γ`, more than 0.
    pub scale: T,
}

impl<T: Real> Cauchy<T> {
    /// `ln 4πγ`.
    pub fn entropy(&self) -> T {
        number::<T>(libm::log(4.0 * PI)) + self.scale.ln()
    }

    /// KL(self ‖ other): `ln(((γ₁ + γ₂)² + (x₁ − x₂)²)/(4γ₁γ₂))` (F. Chyzak and F. Nielsen, 2019).
    pub fn divergence(&self, other: &Self) -> T {
        let (sum, apart) = (self.scale + other.scale, self.median - other.median);
        ((sum * sum + apart * apart) / (number::<T>(4.0) * self.scale * other.scale)).ln()
    }
}

impl<T: Real> Distribution for Cauchy<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        let z = (x - self.median) / self.scale;
        -(T::ONE + z * z).ln() - self.scale.ln() - number(libm::log(PI))
    }

    fn sample(&self, noise: &mut Noise) -> T {
        self.median + self.scale * number(libm::tan(PI * (noise.uniform() - 0.5)))
    }
}

/// Student's: density in proportion to `(1 + z²/ν)^(−(ν + 1)/2)` with `z = (x − μ)/σ`. Samples are reparameterized, in `ν` as
/// those of [`Gamma`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentT<T> {
    /// `ν`, the degrees of freedom, more than 0.
    pub freedom: T,
    /// `μ`.
    pub mean: T,
    /// `σ`, more than 0.
    pub scale: T,
}

impl<T: Real> StudentT<T> {
    /// `½(ν + 1)·(ψ(½(ν + 1)) − ψ(½ν)) + ln(√ν·B(½ν, ½)) + ln σ`.
    pub fn entropy(&self) -> T {
        let half = number::<T>(0.5);
        let (a, b) = (half * (self.freedom + T::ONE), half * self.freedom);
        a * (digamma(a) - digamma(b)) + half * self.freedom.ln() + ln_beta(b, half) + self.scale.ln()
    }
}

impl<T: Real> Distribution for StudentT<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        let (half, z) = (number::<T>(0.5), (x - self.mean) / self.scale);
        let constant = half * self.freedom.ln() + ln_beta(half * self.freedom, half) + self.scale.ln();
        -half * (self.freedom + T::ONE) * (T::ONE + z * z / self.freedom).ln() - constant
    }

    fn sample(&self, noise: &mut Noise) -> T {
        let (normal, half) = (noise.normal(), number::<T>(0.5) * self.freedom);
        let squares = Gamma { shape: half, rate: T::ONE }.sample(noise);
        self.mean + self.scale * number(normal) * (half / squares).sqrt()
    }
}

/// `tanh u` of a normal `u`: numbers between −1 and 1, as of bounded actions. Samples are reparameterized.
///
/// T. Haarnoja et al., *Soft actor-critic* (2018), appendix C.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::distributions::{Distribution, TanhNormal};
///
/// let action = TanhNormal { mean: 0.2, deviation: 0.5 };
/// let (y, log_prob) = action.sample_with_log_prob(&mut Noise::new(1));
/// assert!((-1.0..1.0).contains(&y) && f64::abs(log_prob - action.log_prob(y)) < 1e-10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TanhNormal<T> {
    /// The mean of `u`.
    pub mean: T,
    /// The deviation of `u`, more than 0.
    pub deviation: T,
}

impl<T: Real> TanhNormal<T> {
    fn before(&self) -> Normal<T> {
        Normal { mean: self.mean, deviation: self.deviation }
    }

    /// `½·ln(2πe·σ²) + E ln(1 − tanh² u)`, of which the mean is computed by the trapezoidal rule: to 10⁻¹² for deviations of up
    /// to 100.
    pub fn entropy(&self) -> T {
        // The rule is exact but for a factor e^(−2π·π/(2hσ)), because ln cosh has its first singularity at iπ/2.
        let pieces = libm::ceil(40.0 * self.deviation.to_f64().clamp(1.0, 100.0)) as u32;
        let step = 8.5 / f64::from(pieces);
        let mut mean = T::ZERO;
        for index in 0..=2 * pieces {
            let z = step * (f64::from(index) - f64::from(pieces));
            let density = libm::exp(-0.5 * z * z) / libm::sqrt(TAU);
            mean += number::<T>(step * density) * ln_slope(self.mean + self.deviation * number(z));
        }
        self.before().entropy() + mean
    }

    /// KL(self ‖ other), which is that of the normal distributions.
    pub fn divergence(&self, other: &Self) -> T {
        self.before().divergence(&other.before())
    }

    /// A sample and the logarithm of its density, also where the sample is rounded to ±1:
    /// `ln p(u) − ln(1 − tanh² u)`, of which the latter is `2·(ln 2 − u − ln(1 + e^(−2u)))`.
    pub fn sample_with_log_prob(&self, noise: &mut Noise) -> (T, T) {
        let u = self.before().sample(noise);
        (tanh(u), self.before().log_prob(u) - ln_slope(u))
    }
}

/// `ln(1 − tanh² u)`.
fn ln_slope<T: Real>(u: T) -> T {
    let two = number::<T>(2.0);
    two * (number::<T>(LN_2) - u - softplus(-two * u))
}

/// `tanh u` by an exponential that does not overflow.
pub(super) fn tanh<T: Real>(u: T) -> T {
    let two = number::<T>(2.0);
    let small = (if u < T::ZERO { two * u } else { -two * u }).exp();
    let magnitude = (T::ONE - small) / (T::ONE + small);
    if u < T::ZERO { -magnitude } else { magnitude }
}

impl<T: Real> Distribution for TanhNormal<T> {
    type Number = T;
    type Value = T;

    /// At `y`, between −1 and 1.
    fn log_prob(&self, y: T) -> T {
        let u = number::<T>(0.5) * ((T::ONE + y) / (T::ONE - y)).ln();
        self.before().log_prob(u) - ((T::ONE + y) * (T::ONE - y)).ln()
    }

    fn sample(&self, noise: &mut Noise) -> T {
        tanh(self.before().sample(noise))
    }
}
