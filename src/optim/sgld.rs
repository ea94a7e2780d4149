//! Stochastic gradient Langevin dynamics: training that draws networks from the posterior.
//!
//! Welling and Teh, *Bayesian learning via stochastic gradient Langevin dynamics* (2011).

use super::{Optimizer, Sgd, check_rate};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::noise::Noise;
use crate::parameters::{Parameters, Role, for_each_tensor};
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Gradient descent with noise, after which parameters are distributed as `exp(−(L + λ/2·‖θ‖²)/T)`.
///
/// `θ ← θ − η·(g + λ·θ) + √(2·η·T)·ε`, with `ε` standard normal (η learning rate, λ weight decay, T temperature).
///
/// With a loss `L` that is the mean over `N` samples of a negative log-likelihood, `T = 1/N` gives the posterior, and `λ = p/N`
/// the prior `N(0, 1/p)`. The mean square is `2σ²` times such a likelihood, up to a constant: for it both are multiplied by
/// that. Take a network every so many steps, when the first ones are forgotten: together they are an
/// [ensemble](crate::uncertainty::Ensemble). The step is not corrected (no Metropolis test), so along a direction of
/// curvature `h` the variance is `T/h` divided by `1 − ½·η·h`, and mini-batches add the noise of their gradients.
///
/// It keeps nothing: the noise follows from the seed and the number of the step. A [schedule](super::Schedule) multiplies
/// `η`, and so the variance of the noise.
///
/// ```
/// use monomorph::optim::Sgld;
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let sgld = Sgld { learning_rate: 0.01, temperature: 1.0 / 100.0, ..Sgld::default() };
/// let mut trainer = Trainer::<Line, _, 2>::new(sgld, Mse);
/// let mut net = Line::zeroed();
/// for _ in 0..10 {
///     trainer.step(&mut net, &[[0.0], [1.0]], &[[0.0], [1.0]])?;
/// }
/// # assert!(net.dense1.bias[0].is_finite() && net.dense1.bias[0] != 0.0);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sgld {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// T; at least 0, by default 0.001. With 0 it is [`Sgd`].
    pub temperature: f64,
    /// λ, by default 0.
    pub weight_decay: f64,
    /// What noise is drawn from, by default 0.
    pub seed: u64,
}

impl Default for Sgld {
    fn default() -> Self {
        Self { learning_rate: 1e-3, temperature: 1e-3, weight_decay: 0.0, seed: 0 }
    }
}

impl<T: Scalar> Optimizer<T> for Sgld {
    const MEMORY: &'static [&'static str] = &[];
    type Memory<N: Parameters<Scalar = T>> = [N; 0];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Sgld", self.learning_rate, rate)?;
        let fields = [
            ("temperature", self.temperature, Range::NotNegative),
            ("weight_decay", self.weight_decay, Range::NotNegative),
        ];
        check::<T>("Sgld", &fields)
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
        memory: &mut [N; 0],
    ) {
        let Self { learning_rate, weight_decay, .. } = *self;
        Sgd { learning_rate, weight_decay }.update(simd, step, rate, gradient_scale, parameters, gradient, memory);
        let deviation = libm::sqrt(2.0 * self.learning_rate * rate * self.temperature);
        // Seeds that are near each other are to be as different as others.
        let mut noise = Noise::new(Noise::new(self.seed ^ Noise::new(step).next_u64()).next_u64());
        let numbers = parameters.as_mut_slice();
        for_each_tensor(N::ENTRIES, &mut |_, tensor, range| {
            if tensor.role == Role::Learned {
                for (number, normal) in numbers.get_mut(range).unwrap_or_default().iter_mut().zip(noise.normals()) {
                    *number += T::from_f64(deviation * normal);
                }
            }
        });
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::metrics::Moments;
    use crate::optim::Optimizer;
    use crate::parameters::Parameters;

    crate::network! { Plane<T>: [2] -> [1] { Dense(1) } }
    type Real = Plane<f64>;

    /// The gradient of `½ Σ h (θ − m)²`.
    fn descend(sgld: Sgld, steps: u64, curvature: [f64; 3], mean: [f64; 3]) -> Moments<3> {
        let mut moments = Moments::default();
        let (mut at, mut gradient) = (crate::memory::zeroed::<Real>(), crate::memory::zeroed::<Real>());
        for step in 1..=steps {
            for index in 0..3 {
                gradient.as_mut_slice()[index] = curvature[index] * (at.as_slice()[index] - mean[index]);
            }
            sgld.apply(step, &mut at, &gradient, &mut []);
            if step > steps / 100 {
                moments.add(&[at.as_slice()[0], at.as_slice()[1], at.as_slice()[2]]);
            }
        }
        moments
    }

    #[test]
    fn draws_have_the_mean_and_the_variance_of_the_posterior() {
        let sgld = Sgld { learning_rate: 0.1, temperature: 0.02, weight_decay: 0.5, seed: 3 };
        let (curvature, mean) = ([0.5, 1.0, 3.0], [1.0, -2.0, 0.3]);
        let moments = descend(sgld, 200_000, curvature, mean);
        for index in 0..3 {
            // With the prior, the curvature is h + λ, and the mean is shrunk.
            let both = curvature[index] + 0.5;
            let expected = 0.02 / both / (1.0 - 0.5 * 0.1 * both);
            let (found, variance) = (moments.mean()[index], moments.variance()[index]);
            assert!((found - curvature[index] * mean[index] / both).abs() < 0.01, "{found}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{variance} instead of {expected}");
        }
    }

    #[test]
    fn steps_draw_different_noise_and_padding_stays_zero() {
        crate::network! { Padded: [64] -> [17] { Dense(17), Tanh, Dense(17) } }
        let (mut net, gradient) = (crate::memory::zeroed::<Padded>(), crate::memory::zeroed::<Padded>());
        let sgld = Sgld::default();
        sgld.apply(1, &mut net, &gradient, &mut []);
        let first = net.dense1.weight;
        sgld.apply(2, &mut net, &gradient, &mut []);
        assert_ne!(net.dense1.weight[0].map(|x| x * 0.5), first[0]);
        let mut learned = 0;
        for_each_tensor(Padded::ENTRIES, &mut |_, _, range| {
            learned += net.as_slice()[range].iter().filter(|x| **x != 0.0).count();
        });
        assert_eq!(learned, net.as_slice().iter().filter(|x| **x != 0.0).count());
        let cold = Sgld { temperature: 0.0, ..sgld };
        let before = net.dense1.weight;
        cold.apply(3, &mut net, &gradient, &mut []);
        assert_eq!(net.dense1.weight, before);
    }
}
