//! Stochastic gradient descent, plain and with momentum.
//!
//! Robbins and Monro, *A stochastic approximation method* (1951); Polyak, *Some methods of
//! speeding up the convergence of iteration methods* (1964); Nesterov (1983), in the form of
//! Sutskever et al., *On the importance of initialization and momentum in deep learning* (2013).

use super::{Optimizer, check_rate, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Plain gradient descent; it keeps nothing.
///
/// `g ← g + λ·θ`, `θ ← θ − η·g` (η learning rate, λ weight decay).
///
/// ```
/// use monomorph::optim::Sgd;
/// let optimizer = Sgd { learning_rate: 0.1, ..Sgd::default() };
/// assert_eq!(optimizer.weight_decay, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sgd {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: 1e-3, weight_decay: 0.0 }
    }
}

impl<T: Scalar> Optimizer<T> for Sgd {
    const MEMORY: &'static [&'static str] = &[];
    type Memory<N: Parameters<Scalar = T>> = [N; 0];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Sgd", self.learning_rate, rate)?;
        check::<T>("Sgd", &[("weight_decay", self.weight_decay, Range::NotNegative)])
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
        memory: &mut [N; 0],
    ) {
        let decay = splat::<T, S>(simd, self.weight_decay);
        let down = splat::<T, S>(simd, -self.learning_rate * rate);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, []| (down.mul_add(decay.mul_add(p, g), p), []),
        );
    }
}

/// Gradient descent with momentum, Polyak's or Nesterov's.
///
/// `g ← g + λ·θ`, `m ← μ·m + g`, then `θ ← θ − η·m`, or with Nesterov's look-ahead
/// `θ ← θ − η·(g + μ·m)` (η learning rate, μ momentum, λ weight decay).
///
/// ```
/// use monomorph::optim::Momentum;
/// let optimizer = Momentum { learning_rate: 0.1, nesterov: true, ..Momentum::default() };
/// assert_eq!(optimizer.momentum, 0.9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Momentum {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// μ, how much of the last step carries over; by default 0.9.
    pub momentum: f64,
    /// Whether to use Nesterov's look-ahead; by default not.
    pub nesterov: bool,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { learning_rate: 1e-3, momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

impl<T: Scalar> Optimizer<T> for Momentum {
    const MEMORY: &'static [&'static str] = &["m"];
    type Memory<N: Parameters<Scalar = T>> = [N; 1];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Momentum", self.learning_rate, rate)?;
        check::<T>(
            "Momentum",
            &[("momentum", self.momentum, Range::Decay), ("weight_decay", self.weight_decay, Range::NotNegative)],
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
        let decay = splat::<T, S>(simd, self.weight_decay);
        let momentum = splat::<T, S>(simd, self.momentum);
        let down = splat::<T, S>(simd, -self.learning_rate * rate);
        if self.nesterov {
            update(
                simd,
                gradient_scale,
                parameters,
                gradient,
                memory,
                #[inline(always)]
                move |p, g, [m]| {
                    let g = decay.mul_add(p, g);
                    let m = momentum.mul_add(m, g);
                    (down.mul_add(momentum.mul_add(m, g), p), [m])
                },
            );
        } else {
            update(
                simd,
                gradient_scale,
                parameters,
                gradient,
                memory,
                #[inline(always)]
                move |p, g, [m]| {
                    let m = momentum.mul_add(m, decay.mul_add(p, g));
                    (down.mul_add(m, p), [m])
                },
            );
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the cases.
    #[test]
    fn plain() {
        testing::optimizer("optim_sgd", &Sgd { learning_rate: 0.05, weight_decay: 0.0 });
        testing::optimizer("optim_sgd_l2", &Sgd { learning_rate: 0.05, weight_decay: 0.1 });
    }

    #[test]
    fn momentum() {
        let momentum = Momentum { learning_rate: 0.05, momentum: 0.9, nesterov: false, weight_decay: 0.0 };
        testing::optimizer("optim_momentum", &momentum);
        testing::optimizer("optim_nesterov", &Momentum { nesterov: true, ..momentum });
    }

    #[test]
    fn the_penalty_joins_the_momentum() {
        // θ = 2, g = 1, λ = 0.5: g + λθ = 2 = m; η = 0.1: θ = 1.8. Then g + λθ = 1.9, m = 3.7.
        let optimizer = Momentum { learning_rate: 0.1, weight_decay: 0.5, ..Momentum::default() };
        testing::by_hand(&optimizer, 2.0, &[1.0, 1.0], &[1.8, 1.8 - 0.1 * 3.7]);
    }
}
