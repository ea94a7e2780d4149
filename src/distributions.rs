//! Distributions: probabilities, entropies, divergences and samples.
//!
//! | numbers | any | positive | 0 to 1 | whole |
//! | --- | --- | --- | --- | --- |
//! | | [`Normal`], [`Laplace`], [`Cauchy`], [`StudentT`] | [`LogNormal`], [`Exponential`], [`Gamma`] | [`Beta`] | [`Bernoulli`], [`Poisson`], [`Categorical`] |
//! | vectors | [`MultivariateNormal`] | | [`Dirichlet`], which sum to 1 | |
//! | −1 to 1 | [`TanhNormal`] | | | |
//!
//! and [`Mixture`]s of them. All logarithms are natural. A distribution is a plain struct of its parameters, which are
//! not checked: where they are out of their range, results are NaN or meaningless.
//!
//! Everything is generic over the number, so [dual numbers](crate::dual) give the derivatives by the parameters: of
//! logarithms of probabilities, entropies and divergences, and of samples that are functions of the parameters and of
//! noise that is not (*reparameterized*: D. Kingma and M. Welling, *Auto-encoding variational Bayes*, 2014).
//!
//! ```
//! use monomorph::distributions::{Distribution, Normal};
//! use monomorph::{Dual, Noise};
//!
//! let q = Normal { mean: Dual::variable(0.3, 0), deviation: Dual::variable(0.2, 1) };
//! let prior = Normal { mean: Dual::constant(0.0), deviation: Dual::constant(1.0) };
//! let divergence: Dual<f64, 2> = q.divergence(&prior);
//! assert!((divergence.value - 1.1744379124341).abs() < 1e-12);
//! // By the mean: the mean; by the deviation: σ − 1/σ.
//! assert!((divergence.derivatives[0] - 0.3).abs() < 1e-12 && (divergence.derivatives[1] + 4.8).abs() < 1e-12);
//!
//! // A sample moves with the mean.
//! assert_eq!(q.sample(&mut Noise::new(1)).derivatives[0], 1.0);
//! ```
//!
//! Samples are drawn from [`Noise`] by functions of `libm`: a seed gives the same numbers everywhere.

mod discrete;
mod line;
mod mixture;
mod multivariate;
mod positive;
mod special;
#[cfg(test)]
mod tests;

pub use discrete::{Bernoulli, Categorical, Poisson};
pub use line::{Cauchy, Laplace, LogNormal, Normal, StudentT, TanhNormal};
pub use mixture::Mixture;
pub use multivariate::MultivariateNormal;
pub use positive::{Beta, Dirichlet, Exponential, Gamma};

use crate::noise::Noise;
use crate::scalar::Real;

/// What all distributions can do.
pub trait Distribution {
    /// The number of the parameters.
    type Number: Real;
    /// What is drawn.
    type Value;

    /// The logarithm of the probability of `x`, or of its density there; −∞ or NaN where there is none.
    fn log_prob(&self, x: Self::Value) -> Self::Number;

    /// Draws a value.
    fn sample(&self, noise: &mut Noise) -> Self::Value;
}

/// The constant `x`.
#[inline(always)]
fn number<T: Real>(x: f64) -> T {
    T::from_f64(x)
}

/// `ln(1 + eˣ)`.
fn softplus<T: Real>(x: T) -> T {
    // Not by `abs` and `max`, whose slopes at 0 are none or another one's.
    if x > T::ZERO { x + (T::ONE + (-x).exp()).ln() } else { (T::ONE + x.exp()).ln() }
}

/// `ln Σ e^x`.
fn log_sum_exp<T: Real>(numbers: impl Iterator<Item = T> + Clone) -> T {
    let largest =
        numbers.clone().fold(number::<T>(f64::NEG_INFINITY), |largest, x| if x > largest { x } else { largest });
    // A constant, so that infinite ones do no harm; the sum is the same for any.
    let shift = if largest.to_f64().is_finite() { number(largest.to_f64()) } else { T::ZERO };
    let mut sum = T::ZERO;
    for x in numbers {
        sum += (x - shift).exp();
    }
    shift + sum.ln()
}

/// An exponentially distributed number of mean 1.
fn exponential(noise: &mut Noise) -> f64 {
    -libm::log(1.0 - noise.uniform())
}
