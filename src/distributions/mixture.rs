//! Mixtures of distributions.

use super::{Categorical, Distribution, Normal, log_sum_exp, number};
use crate::noise::Noise;
use crate::scalar::Real;

/// One of `N` distributions of a kind, drawn by weight: `p(x) = Σ wᵢ·pᵢ(x)`. The prior of Bayes by backprop is one,
/// and what a mixture density network answers.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::distributions::{Categorical, Distribution, Mixture, Normal};
///
/// // A quarter wide and three quarters narrow.
/// let prior = Mixture {
///     weights: Categorical { logits: [0.25_f64.ln(), 0.75_f64.ln()] },
///     components: [Normal { mean: 0.0, deviation: 1.0 }, Normal { mean: 0.0, deviation: 0.01 }],
/// };
/// let narrow = prior.components[1].log_prob(0.0).exp();
/// assert!((prior.log_prob(0.0).exp() / (0.75 * narrow) - 1.0).abs() < 0.01);
/// assert!(prior.sample(&mut Noise::new(1)).is_finite());
/// ```
///
/// Samples are reparameterized in the parameters of the components, if those are, and not in the weights; of normal
/// distributions, [`sample_reparameterized`](Self::sample_reparameterized) is in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture<D: Distribution, const N: usize> {
    /// How often each of them is drawn.
    pub weights: Categorical<D::Number, N>,
    /// What is mixed.
    pub components: [D; N],
}

impl<D: Distribution<Value: Clone>, const N: usize> Distribution for Mixture<D, N> {
    type Number = D::Number;
    type Value = D::Value;

    /// `ln Σ wᵢ·pᵢ(x)`, computed by logarithms.
    fn log_prob(&self, x: D::Value) -> D::Number {
        let mut logs = self.weights.log_probs();
        for (log, component) in logs.iter_mut().zip(&self.components) {
            *log += component.log_prob(x.clone());
        }
        log_sum_exp(logs.into_iter())
    }

    /// # Panics
    /// If there is no component, `N = 0`: at compile time.
    fn sample(&self, noise: &mut Noise) -> D::Value {
        const { assert!(N > 0, "a mixture has at least one component") };
        self.components[self.weights.sample(noise).min(N - 1)].sample(noise)
    }
}

impl<T: Real, const N: usize> Mixture<Normal<T>, N> {
    /// A sample that moves with all parameters, the weights among them, so that it keeps its rank: `dx = −dF(x)/p(x)` with the
    /// distribution function `F` (M. Figurnov, S. Mohamed and A. Mnih, *Implicit reparameterization gradients*, 2018). First
    /// derivatives only.
    pub fn sample_reparameterized(&self, noise: &mut Noise) -> T {
        let x = number::<T>(self.sample(noise).to_f64());
        let (mut function, mut density) = (T::ZERO, 0.0);
        for (log, normal) in self.weights.log_probs().into_iter().zip(&self.components) {
            let weight = log.exp();
            function += weight * normal.cumulative(x);
            density += weight.to_f64() * libm::exp(normal.log_prob(x).to_f64());
        }
        x - (function - number(function.to_f64())) / number(density)
    }
}
