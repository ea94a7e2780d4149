//! Distributions of positive numbers and of shares.

use super::special::{digamma, ln_beta, ln_gamma, moved};
use super::{Distribution, exponential, number};
use crate::noise::Noise;
use crate::scalar::Real;

/// Density `r·e^(−r·x)`, for `x ≥ 0`. Samples are reparameterized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential<T> {
    /// `r`, more than 0; the mean is `1/r`.
    pub rate: T,
}

impl<T: Real> Exponential<T> {
    /// `1 − ln r`.
    pub fn entropy(&self) -> T {
        T::ONE - self.rate.ln()
    }

    /// KL(self ‖ other): `ln(r₁/r₂) + r₂/r₁ − 1`.
    pub fn divergence(&self, other: &Self) -> T {
        let ratio = other.rate / self.rate;
        ratio - ratio.ln() - T::ONE
    }
}

impl<T: Real> Distribution for Exponential<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        if x < T::ZERO { number(f64::NEG_INFINITY) } else { self.rate.ln() - self.rate * x }
    }

    fn sample(&self, noise: &mut Noise) -> T {
        number::<T>(exponential(noise)) / self.rate
    }
}

/// Density `rᵃ/Γ(a)·x^(a − 1)·e^(−r·x)`, for `x > 0`. Samples are reparameterized: in the shape implicitly, by how
/// much a sample has to move to keep its rank (M. Figurnov, S. Mohamed and A. Mnih, *Implicit reparameterization gradients*,
/// 2018), which gives first derivatives.
///
/// G. Marsaglia and W. Tsang, *A simple method for generating gamma variables* (2000).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma<T> {
    /// `a`, more than 0.
    pub shape: T,
    /// `r`, more than 0; the mean is `a/r`.
    pub rate: T,
}

impl<T: Real> Gamma<T> {
    /// `a − ln r + ln Γ(a) + (1 − a)·ψ(a)`.
    pub fn entropy(&self) -> T {
        self.shape - self.rate.ln() + ln_gamma(self.shape) + (T::ONE - self.shape) * digamma(self.shape)
    }

    /// KL(self ‖ other): `(a₁ − a₂)·ψ(a₁) − ln Γ(a₁) + ln Γ(a₂) + a₂·ln(r₁/r₂) + a₁·(r₂/r₁ − 1)`.
    pub fn divergence(&self, other: &Self) -> T {
        let ratio = other.rate / self.rate;
        (self.shape - other.shape) * digamma(self.shape) - ln_gamma(self.shape) + ln_gamma(other.shape)
            - other.shape * ratio.ln()
            + self.shape * (ratio - T::ONE)
    }
}

impl<T: Real> Distribution for Gamma<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        self.shape * self.rate.ln() + (self.shape - T::ONE) * x.ln() - self.rate * x - ln_gamma(self.shape)
    }

    fn sample(&self, noise: &mut Noise) -> T {
        let z = standard_gamma(self.shape.to_f64(), noise);
        number::<T>(z) * moved(self.shape, z) / self.rate
    }
}

/// A gamma-distributed number of rate 1; NaN if there is no such shape.
fn standard_gamma(shape: f64, noise: &mut Noise) -> f64 {
    if !(shape > 0.0 && shape.is_finite()) {
        return f64::NAN;
    }
    // Below 1: the number of a shape that is greater by 1, times a power of a uniform one.
    if shape < 1.0 {
        let power = libm::exp(-exponential(noise) / shape);
        return power * standard_gamma(shape + 1.0, noise);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = noise.normal();
        let root = 1.0 + c * x;
        let v = root * root * root;
        if v > 0.0 && -exponential(noise) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// Density `x^(a − 1)·(1 − x)^(b − 1)/B(a, b)`, for `0 < x < 1`. Samples are reparameterized
/// as those of [`Dirichlet`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beta<T> {
    /// `a`, more than 0.
    pub a: T,
    /// `b`, more than 0.
    pub b: T,
}

impl<T: Real> Beta<T> {
    /// `ln B(a, b) − (a − 1)·ψ(a) − (b − 1)·ψ(b) + (a + b − 2)·ψ(a + b)`.
    pub fn entropy(&self) -> T {
        Dirichlet { concentration: [self.a, self.b] }.entropy()
    }

    /// KL(self ‖ other), as of [`Dirichlet`] with two shares.
    pub fn divergence(&self, other: &Self) -> T {
        let [first, second] = [self, other].map(|beta| Dirichlet { concentration: [beta.a, beta.b] });
        first.divergence(&second)
    }
}

impl<T: Real> Distribution for Beta<T> {
    type Number = T;
    type Value = T;

    fn log_prob(&self, x: T) -> T {
        (self.a - T::ONE) * x.ln() + (self.b - T::ONE) * (T::ONE - x).ln() - ln_beta(self.a, self.b)
    }

    fn sample(&self, noise: &mut Noise) -> T {
        Dirichlet { concentration: [self.a, self.b] }.sample(noise)[0]
    }
}

/// `N` shares that sum to 1: density `Γ(Σa)·Π x^(a − 1)/Γ(a)`. Samples are shares of [`Gamma`]s, and
/// reparameterized as those.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirichlet<T, const N: usize> {
    /// `a`, all more than 0.
    pub concentration: [T; N],
}

impl<T: Real, const N: usize> Dirichlet<T, N> {
    fn total(&self) -> T {
        let mut total = T::ZERO;
        self.concentration.iter().for_each(|a| total += *a);
        total
    }

    /// `Σ ln Γ(a) − ln Γ(Σa)`.
    fn ln_beta(&self) -> T {
        let mut sum = -ln_gamma(self.total());
        self.concentration.iter().for_each(|a| sum += ln_gamma(*a));
        sum
    }

    /// `ln B(a) + (Σa − N)·ψ(Σa) − Σ (a − 1)·ψ(a)`.
    pub fn entropy(&self) -> T {
        let total = self.total();
        let mut entropy = self.ln_beta() + (total - number(N as f64)) * digamma(total);
        self.concentration.iter().for_each(|a| entropy -= (*a - T::ONE) * digamma(*a));
        entropy
    }

    /// KL(self ‖ other): `ln B(b) − ln B(a) + Σ (a − b)·(ψ(a) − ψ(Σa))`.
    pub fn divergence(&self, other: &Self) -> T {
        let of_total = digamma(self.total());
        let mut divergence = other.ln_beta() - self.ln_beta();
        for (a, b) in self.concentration.iter().zip(other.concentration) {
            divergence += (*a - b) * (digamma(*a) - of_total);
        }
        divergence
    }
}

impl<T: Real, const N: usize> Distribution for Dirichlet<T, N> {
    type Number = T;
    type Value = [T; N];

    fn log_prob(&self, x: [T; N]) -> T {
        let mut sum = -self.ln_beta();
        for (a, x) in self.concentration.iter().zip(x) {
            sum += (*a - T::ONE) * x.ln();
        }
        sum
    }

    fn sample(&self, noise: &mut Noise) -> [T; N] {
        let shares = self.concentration.map(|a| standard_gamma(a.to_f64(), noise));
        let total: f64 = shares.iter().sum();
        let mut sum = T::ZERO;
        let mut moving: [T; N] = core::array::from_fn(|k| {
            let share = number::<T>(shares[k] / total) * moved(self.concentration[k], shares[k]);
            sum += share;
            share
        });
        moving.iter_mut().for_each(|share| *share /= sum);
        moving
    }
}
