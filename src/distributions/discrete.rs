//! Distributions of whole numbers.

use super::special::ln_gamma;
use super::{Distribution, exponential, log_sum_exp, number, softplus};
use crate::noise::Noise;
use crate::scalar::Real;

/// Yes or no: yes with the probability `σ(l) = 1/(1 + e^(−l))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bernoulli<T> {
    /// `l`, the logarithm of the odds.
    pub logit: T,
}

impl<T: Real> Bernoulli<T> {
    /// The probability of yes.
    pub fn probability(&self) -> T {
        (-softplus(-self.logit)).exp()
    }

    /// `ln(1 + eˡ) − l·σ(l)`.
    pub fn entropy(&self) -> T {
        softplus(self.logit) - self.logit * self.probability()
    }

    /// KL(self ‖ other): `σ(l₁)·(l₁ − l₂) − ln(1 + e^l₁) + ln(1 + e^l₂)`.
    pub fn divergence(&self, other: &Self) -> T {
        self.probability() * (self.logit - other.logit) - softplus(self.logit) + softplus(other.logit)
    }
}

impl<T: Real> Distribution for Bernoulli<T> {
    type Number = T;
    type Value = bool;

    fn log_prob(&self, yes: bool) -> T {
        -softplus(if yes { -self.logit } else { self.logit })
    }

    fn sample(&self, noise: &mut Noise) -> bool {
        noise.uniform() < self.probability().to_f64()
    }
}

/// One of `N` classes: class `i` with the probability `e^lᵢ/Σe^l`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Categorical<T, const N: usize> {
    /// `l`, the logarithms of the probabilities, up to a constant.
    pub logits: [T; N],
}

impl<T: Real, const N: usize> Categorical<T, N> {
    /// The logarithms of the probabilities.
    pub fn log_probs(&self) -> [T; N] {
        let sum = log_sum_exp(self.logits.iter().copied());
        self.logits.map(|logit| logit - sum)
    }

    /// `−Σ p·ln p`.
    pub fn entropy(&self) -> T {
        let mut entropy = T::ZERO;
        self.log_probs().iter().for_each(|log| entropy -= weighted(*log, *log));
        entropy
    }

    /// KL(self ‖ other): `Σ p·(ln p − ln q)`.
    pub fn divergence(&self, other: &Self) -> T {
        let mut divergence = T::ZERO;
        for (p, q) in self.log_probs().into_iter().zip(other.log_probs()) {
            divergence += weighted(p, p - q);
        }
        divergence
    }
}

/// `e^log·x`, of which 0 · ∞ is 0.
fn weighted<T: Real>(log: T, x: T) -> T {
    if log.to_f64() == f64::NEG_INFINITY { T::ZERO } else { log.exp() * x }
}

impl<T: Real, const N: usize> Distribution for Categorical<T, N> {
    type Number = T;
    type Value = usize;

    fn log_prob(&self, class: usize) -> T {
        self.log_probs().get(class).copied().unwrap_or(number(f64::NEG_INFINITY))
    }

    fn sample(&self, noise: &mut Noise) -> usize {
        let (mut left, mut last) = (noise.uniform(), 0);
        for (class, log) in self.log_probs().iter().enumerate() {
            let probability = libm::exp(log.to_f64());
            if probability > 0.0 {
                last = class;
            }
            left -= probability;
            if left < 0.0 {
                break;
            }
        }
        // Rounding may leave a rest after the last.
        last
    }
}

/// How many events: probability `rᵏ·e^(−r)/k!`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Poisson<T> {
    /// `r`, more than 0: the mean.
    pub rate: T,
}

impl<T: Real> Poisson<T> {
    /// `−Σ p·ln p` over all numbers that have a probability: the time it takes grows with the root of the rate.
    /// NaN if that is not finite.
    pub fn entropy(&self) -> T {
        let rate = self.rate.to_f64();
        if !rate.is_finite() {
            return number(f64::NAN);
        }
        let (around, mut entropy) = (12.0 * libm::sqrt(rate) + 40.0, T::ZERO);
        let (first, last) = ((rate - around).max(0.0) as u64, (rate + around) as u64);
        for events in first..=last {
            let log = self.log_prob(events);
            entropy -= weighted(log, log);
        }
        entropy
    }

    /// KL(self ‖ other): `r₁·ln(r₁/r₂) − r₁ + r₂`.
    pub fn divergence(&self, other: &Self) -> T {
        self.rate * (self.rate / other.rate).ln() - self.rate + other.rate
    }
}

impl<T: Real> Distribution for Poisson<T> {
    type Number = T;
    type Value = u64;

    fn log_prob(&self, events: u64) -> T {
        let events = number::<T>(events as f64);
        events * self.rate.ln() - self.rate - ln_gamma(events + T::ONE)
    }

    /// Counts events one by one: the time it takes grows with the rate. 0 if the rate is not finite.
    fn sample(&self, noise: &mut Noise) -> u64 {
        let (rate, mut events) = (self.rate.to_f64(), 0);
        if !rate.is_finite() {
            return 0;
        }
        let mut time = exponential(noise);
        while time < rate {
            events += 1;
            time += exponential(noise);
        }
        events
    }
}
