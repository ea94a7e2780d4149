//! Schedule-free optimizers: Defazio et al., *The road less scheduled* (2024).

use super::adam::{check_moments, power};
use super::{Memory, Optimizer, Part, check_rate, copy_learned, for_each_stretch, splat, update_parts};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::{Parameters, Role};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Vector};

/// Schedule-free gradient descent: it needs no schedule, because it averages the parameters, and takes gradients near the
/// average.
///
/// The network holds `y = (1−β)·z + β·x`, where the gradient is taken: `z ← z − η·(g + λ·y)`, `x ← x + c·(z − x)`.
/// `c` is `1/t` at step `t`; if a [`Schedule`](super::Schedule) varies the rate, as a warm-up does, steps count by the
/// square of their rate. What it keeps is `z`; `x = (y − (1−β)·z)/β`.
///
/// **Evaluate and save `x`**, which [`Trainer::averaged`](crate::train::Trainer::averaged) writes into a second network;
/// train on with `y`.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
/// let (mut net, mut average) = (Line::zeroed(), Line::zeroed());
/// let optimizer = ScheduleFreeSgd { learning_rate: 0.2, ..ScheduleFreeSgd::default() };
/// let mut trainer = Trainer::<Line, _, 4>::new(optimizer, Mse);
/// for _ in 0..200 {
///     trainer.step(&mut net, &x, &y)?;
/// }
/// trainer.averaged(&net, &mut average);
/// assert!((average.evaluate(&[10.0])[0] - 21.0).abs() < 0.5);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScheduleFreeSgd {
    /// η, by default 1.
    pub learning_rate: f64,
    /// β, how near the average gradients are taken; above 0 and below 1, by default 0.9.
    pub beta: f64,
    /// λ, the factor of an L2 penalty `λ/2·θ²` added to the loss; by default 0.
    pub weight_decay: f64,
}

impl Default for ScheduleFreeSgd {
    fn default() -> Self {
        Self { learning_rate: 1.0, beta: 0.9, weight_decay: 0.0 }
    }
}

/// Schedule-free [`AdamW`](super::AdamW): as [`ScheduleFreeSgd`], with the gradient divided by the root of its mean
/// square.
///
/// `v ← β₂·v + (1−β₂)·g²`, `z ← z − η·(g/(√(v/(1−β₂ᵗ)) + ε) + λ·y)`, `x ← x + c·(z − x)`, `y = (1−β₁)·z + β₁·x`.
/// **Evaluate and save `x`**: [`Trainer::averaged`](crate::train::Trainer::averaged).
///
/// ```
/// use monomorph::optim::ScheduleFreeAdamW;
/// assert_eq!(ScheduleFreeAdamW::default().learning_rate, 2.5e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScheduleFreeAdamW {
    /// η, by default 0.0025.
    pub learning_rate: f64,
    /// β₁, how near the average gradients are taken; above 0 and below 1, by default 0.9.
    pub beta1: f64,
    /// β₂, how long the mean of the squares remembers; by default 0.999.
    pub beta2: f64,
    /// ε, which bounds the step where the gradient vanishes; by default 1e-8.
    pub epsilon: f64,
    /// λ, the weight decay: every step subtracts `η·λ·y`; by default 0.
    pub weight_decay: f64,
}

impl Default for ScheduleFreeAdamW {
    fn default() -> Self {
        Self { learning_rate: 2.5e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// What [`ScheduleFreeSgd`] keeps.
#[derive(Plain)]
pub struct ScheduleFreeSgdMemory<N: Parameters> {
    z: N,
    /// The mean of the squared rates so far.
    weight: N::Scalar,
}

/// What [`ScheduleFreeAdamW`] keeps.
#[derive(Plain)]
pub struct ScheduleFreeAdamWMemory<N: Parameters> {
    z: N,
    v: N,
    /// The mean of the squared rates so far.
    weight: N::Scalar,
}

impl<N: Parameters> Memory<N> for ScheduleFreeSgdMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { z: network, weight: numbers };
}

impl<N: Parameters> Memory<N> for ScheduleFreeAdamWMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { z: network, v: network, weight: numbers };
}

/// `c`, the share of this step in the average.
#[inline(always)]
fn share<T: Scalar>(step: u64, rate: f64, mean: &mut T) -> f64 {
    let (weight, step, before) = (rate * rate, step.max(1) as f64, mean.to_f64());
    let after = before + (weight - before) / step;
    *mean = T::from_f64(after);
    if after > 0.0 { weight / (step * after) } else { 0.0 }
}

/// `x = (y − (1−β)·z)/β`, unless no step was taken.
fn average<T: Scalar, N: Parameters<Scalar = T>>(beta: f64, y: &N, z: &N, weight: T, out: &mut N) {
    out.as_mut_slice().copy_from_slice(y.as_slice());
    if weight == T::ZERO {
        return;
    }
    copy_learned(z, out);
    let (near, rest) = (T::from_f64(1.0 / beta), T::from_f64(1.0 - beta));
    for_each_stretch::<T, N>(|role, range| {
        if role == Role::Learned {
            let y = y.as_slice().get(range.clone()).unwrap_or_default();
            for (x, y) in out.as_mut_slice().get_mut(range).unwrap_or_default().iter_mut().zip(y) {
                *x = (*y - rest * *x) * near;
            }
        }
    });
}

impl<T: Scalar> Optimizer<T> for ScheduleFreeSgd {
    type Memory<N: Parameters<Scalar = T>> = ScheduleFreeSgdMemory<N>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("ScheduleFreeSgd", self.learning_rate, rate)?;
        check::<T>(
            "ScheduleFreeSgd",
            &[("beta", self.beta, Range::Between), ("weight_decay", self.weight_decay, Range::NotNegative)],
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
        memory: &mut ScheduleFreeSgdMemory<N>,
    ) {
        let c = share(step, rate, &mut memory.weight);
        let eta = self.learning_rate * rate;
        let (fresh, keep) = (splat::<T, S>(simd, c), splat::<T, S>(simd, 1.0 - c));
        let of_y = splat::<T, S>(simd, -eta * (1.0 - self.beta * (1.0 - c)));
        let (of_z, decay) = (splat::<T, S>(simd, -eta), splat::<T, S>(simd, self.weight_decay));
        // Memory begins as zeros; so the first step adds the parameters.
        let first = splat::<T, S>(simd, if step <= 1 { 1.0 } else { 0.0 });
        update_parts(
            simd,
            gradient_scale,
            parameters,
            gradient,
            [&mut memory.z],
            #[inline(always)]
            move |y, g, [z]| {
                let (g, z) = (decay.mul_add(y, g), first.mul_add(y, z));
                let y = keep.mul_add(y, fresh * z);
                (of_y.mul_add(g, y), [of_z.mul_add(g, z)])
            },
        );
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &ScheduleFreeSgdMemory<N>, out: &mut N) {
        average(self.beta, parameters, &memory.z, memory.weight, out);
    }
}

impl<T: Real> Optimizer<T> for ScheduleFreeAdamW {
    type Memory<N: Parameters<Scalar = T>> = ScheduleFreeAdamWMemory<N>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        check_moments::<T>("ScheduleFreeAdamW", [learning_rate, beta1, beta2, epsilon, weight_decay], rate)?;
        check::<T>("ScheduleFreeAdamW", &[("beta1", beta1, Range::Between)])
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
        memory: &mut ScheduleFreeAdamWMemory<N>,
    ) {
        let step = step.max(1);
        let c = share(step, rate, &mut memory.weight);
        let eta = self.learning_rate * rate;
        let (fresh, keep) = (splat::<T, S>(simd, c), splat::<T, S>(simd, 1.0 - c));
        let of_y = splat::<T, S>(simd, -eta * (1.0 - self.beta1 * (1.0 - c)));
        let (of_z, decay) = (splat::<T, S>(simd, -eta), splat::<T, S>(simd, self.weight_decay));
        let (beta2, fresh2) = (splat::<T, S>(simd, self.beta2), splat::<T, S>(simd, 1.0 - self.beta2));
        let correct = splat::<T, S>(simd, 1.0 / libm::sqrt(1.0 - power(self.beta2, step)));
        let epsilon = splat::<T, S>(simd, self.epsilon);
        let first = splat::<T, S>(simd, if step <= 1 { 1.0 } else { 0.0 });
        update_parts(
            simd,
            gradient_scale,
            parameters,
            gradient,
            [&mut memory.z, &mut memory.v],
            #[inline(always)]
            move |y, g, [z, v]| {
                let z = first.mul_add(y, z);
                let v = beta2.mul_add(v, fresh2 * g * g);
                let d = decay.mul_add(y, g / T::sqrt_lanes(simd, v).mul_add(correct, epsilon));
                let y = keep.mul_add(y, fresh * z);
                (of_y.mul_add(d, y), [of_z.mul_add(d, z), v])
            },
        );
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &ScheduleFreeAdamWMemory<N>, out: &mut N) {
        average(self.beta1, parameters, &memory.z, memory.weight, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::noise::Noise;
    use crate::optim::testing;
    use crate::testing::golden::assert_close;

    // The hyperparameters are those from the metadata of the case.
    #[test]
    fn schedule_free_sgd() {
        testing::optimizer(
            "optim_schedule_free_sgd",
            &ScheduleFreeSgd { learning_rate: 0.05, ..ScheduleFreeSgd::default() },
        );
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Point {
        w: [f64; 3],
        #[parameters(state)]
        running: [f64; 1],
    }

    /// The three sequences of the paper, written as they stand there.
    #[test]
    fn adam_w_is_the_papers() {
        let optimizer =
            ScheduleFreeAdamW { learning_rate: 0.1, weight_decay: 0.01, beta2: 0.9, ..ScheduleFreeAdamW::default() };
        let (mut noise, start) = (Noise::new(5), [0.5, -1.0, 2.0]);
        let (mut point, mut out) = (Point { w: start, running: [1.0] }, Point { w: [0.0; 3], running: [0.0] });
        let mut memory = zeroed();
        optimizer.averaged(&point, &memory, &mut out);
        assert_eq!(out.w, start, "before the first step");
        let (mut x, mut z, mut y, mut v) = (start, start, start, [0.0; 3]);
        for step in 1..20 {
            let gradient = Point { w: [(); 3].map(|()| noise.normal()), running: [0.125] };
            optimizer.apply(step, &mut point, &gradient, &mut memory);
            for i in 0..3 {
                let g = gradient.w[i];
                v[i] = 0.9 * v[i] + 0.1 * g * g;
                let d = g / (libm::sqrt(v[i] / (1.0 - libm::pow(0.9, step as f64))) + 1e-8) + 0.01 * y[i];
                z[i] -= 0.1 * d;
                x[i] += (z[i] - x[i]) / step as f64;
                y[i] = 0.1 * z[i] + 0.9 * x[i];
            }
            optimizer.averaged(&point, &memory, &mut out);
            assert_close("y", &point.w, &y, 1e-12);
            assert_close("x", &out.w, &x, 1e-12);
            assert_eq!(out.running, point.running, "state is the network's");
        }
    }

    #[test]
    fn steps_count_by_the_square_of_their_rate() {
        let mut mean = 0.0;
        assert_eq!(share(1, 0.0, &mut mean), 0.0);
        assert_eq!(share(2, 0.5, &mut mean), 1.0);
        assert_eq!(share(3, 1.0, &mut mean), 0.8);
        assert_eq!(share(4, 1.0, &mut mean), 1.0 / 2.25);
    }
}
