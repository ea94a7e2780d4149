//! Averaged SGD: Polyak and Juditsky, *Acceleration of stochastic approximation by averaging* (1992), with the schedule
//! of Bottou that PyTorch has.

use super::{Optimizer, check_rate, copy_learned, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Averaged SGD: gradient descent with a falling learning rate, and the mean of the parameters it passes.
///
/// With `ηₜ = η/(1 + λ₀·η·(t−1))^α` at step `t`: `g ← g + λ·θ`, `θ ← (1 − λ₀·ηₜ)·θ − ηₜ·g`, and
/// `a ← a + (θ − a)/max(1, t−1−t₀)`: up to step `t₀ + 2` the average is the parameters themselves. Evaluate and save the
/// average: [`Trainer::averaged`](crate::train::Trainer::averaged).
///
/// ```
/// use monomorph::optim::Asgd;
/// let optimizer = Asgd { t0: 1000, ..Asgd::default() };
/// assert_eq!((optimizer.lambda, optimizer.alpha), (1e-4, 0.75));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Asgd {
    /// η, by default 0.01.
    pub learning_rate: f64,
    /// λ₀, how fast the learning rate falls, and the parameters with it; by default 1e-4.
    pub lambda: f64,
    /// α, the power with which the learning rate falls; by default 0.75.
    pub alpha: f64,
    /// t₀, the step after which averaging begins; by default 1 000 000.
    pub t0: u64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for Asgd {
    fn default() -> Self {
        Self { learning_rate: 1e-2, lambda: 1e-4, alpha: 0.75, t0: 1_000_000, weight_decay: 0.0 }
    }
}

impl<T: Scalar> Optimizer<T> for Asgd {
    const MEMORY: &'static [&'static str] = &["average"];
    type Memory<N: Parameters<Scalar = T>> = [N; 1];

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Asgd", self.learning_rate, rate)?;
        check::<T>(
            "Asgd",
            &[
                ("lambda", self.lambda, Range::NotNegative),
                ("alpha", self.alpha, Range::NotNegative),
                ("weight_decay", self.weight_decay, Range::NotNegative),
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
        memory: &mut [N; 1],
    ) {
        let passed = step.saturating_sub(1);
        let slower = 1.0 + self.lambda * self.learning_rate * passed as f64;
        let eta = self.learning_rate * rate / libm::pow(slower, self.alpha);
        let fresh = splat::<T, S>(simd, 1.0 / passed.saturating_sub(self.t0).max(1) as f64);
        let (keep, down) = (splat::<T, S>(simd, 1.0 - self.lambda * eta), splat::<T, S>(simd, -eta));
        let decay = splat::<T, S>(simd, self.weight_decay);
        update(
            simd,
            gradient_scale,
            parameters,
            gradient,
            memory,
            #[inline(always)]
            move |p, g, [a]| {
                let g = decay.mul_add(p, g);
                let p = down.mul_add(g, p * keep);
                (p, [fresh.mul_add(p - a, a)])
            },
        );
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, [average]: &[N; 1], out: &mut N) {
        out.as_mut_slice().copy_from_slice(parameters.as_slice());
        copy_learned(average, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::optim::testing;

    // The hyperparameters are those from the metadata of the case.
    #[test]
    fn asgd() {
        testing::optimizer("optim_asgd", &Asgd { learning_rate: 0.05, ..Asgd::default() });
    }

    #[test]
    fn the_average_is_that_of_what_it_passes() {
        #[derive(Parameters)]
        #[repr(C)]
        struct Point {
            x: [f64; 1],
        }
        let optimizer = Asgd { learning_rate: 1.0, lambda: 0.0, t0: 0, ..Asgd::default() };
        let (mut point, mut memory, mut average) = (Point { x: [0.0] }, zeroed(), Point { x: [0.0] });
        // θ is −1, −2, −3, −4; the first is left out, as in PyTorch.
        for step in 1..5 {
            optimizer.apply(step, &mut point, &Point { x: [1.0] }, &mut memory);
        }
        optimizer.averaged(&point, &memory, &mut average);
        assert_eq!((point.x, average.x), ([-4.0], [-3.0]));
    }
}
