//! Gradients of several batches for one step.

use super::{Memory, Optimizer, Part, clip, splat, update_parts};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory::clear;
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};

/// Any optimizer that moves once in `every` batches, along the mean of their gradients: large batches in little memory.
///
/// Every batch is a step of the trainer, so the [`Schedule`](super::Schedule) counts batches, and its
/// [clipping](crate::train::Trainer::clip) bounds the gradient of each; the `clip` here bounds the mean. Running
/// statistics change with every batch. What has been added up so far is part of checkpoints. The optimizer within is
/// given one gradient, so a line search in it does not search.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
/// let mut trainer = Trainer::<Line, _, 1>::new(Accumulated { optimizer: sgd, every: 2, clip: None }, Mse);
/// let mut net = Line::zeroed();
/// trainer.step(&mut net, &[[0.0]], &[[1.0]])?; // the gradient of the bias is −2
/// assert_eq!(net.dense1.bias, [0.0]);
/// trainer.step(&mut net, &[[0.0]], &[[2.0]])?; // and −4
/// assert!((net.dense1.bias[0] - 0.3).abs() < 1e-6);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Accumulated<O> {
    /// How parameters move.
    pub optimizer: O,
    /// How many batches make a step; at least 1.
    pub every: u32,
    /// The largest norm that the mean of the gradients may have; larger ones are scaled down.
    pub clip: Option<f64>,
}

/// What [`Accumulated`] keeps.
#[derive(Plain)]
pub struct AccumulatedMemory<N: Parameters, O: Optimizer<N::Scalar>> {
    /// What the optimizer within keeps.
    pub inner: O::Memory<N>,
    accumulated: N,
}

impl<N: Parameters, O: Optimizer<N::Scalar>> Memory<N> for AccumulatedMemory<N, O> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { inner: inner(N, O), accumulated: network };
}

impl<T: Real, O: Optimizer<T>> Optimizer<T> for Accumulated<O> {
    type Memory<N: Parameters<Scalar = T>> = AccumulatedMemory<N, O>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.optimizer.check(rate)?;
        let (every, clip) = (f64::from(self.every), self.clip.unwrap_or(1.0));
        check::<T>("Accumulated", &[("every", every, Range::AtLeastOne), ("clip", clip, Range::Positive)])
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
        memory: &mut AccumulatedMemory<N, O>,
    ) {
        let AccumulatedMemory { inner, accumulated } = memory;
        let every = u64::from(self.every.max(1));
        let share = splat::<T, S>(simd, 1.0 / every as f64);
        update_parts(
            simd,
            gradient_scale,
            parameters,
            gradient,
            [&mut *accumulated],
            #[inline(always)]
            move |p, g, [sum]| (p, [share.mul_add(g, sum)]),
        );
        if step.is_multiple_of(every) {
            let norm = |largest| clip::clip_scale(clip::global_norm(simd, accumulated), T::from_f64(largest));
            let scale = self.clip.map_or(T::ONE, norm);
            self.optimizer.update(simd, step / every, rate, scale, parameters, accumulated, inner);
            clear(accumulated);
        }
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &AccumulatedMemory<N, O>, out: &mut N) {
        self.optimizer.averaged(parameters, &memory.inner, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::optim::{Momentum, Sgd, testing};

    #[test]
    fn one_step_in_three() {
        let optimizer = Accumulated { optimizer: Sgd { learning_rate: 0.1, ..Sgd::default() }, every: 3, clip: None };
        let gradients = [1.0, 2.0, 6.0, 0.0, 0.0, -3.0];
        testing::by_hand(&optimizer, 1.0, &gradients, &[1.0, 1.0, 0.7, 0.7, 0.7, 0.8]);
        let wrong = Accumulated { every: 0, ..optimizer };
        assert_eq!(Optimizer::<f32>::check(&wrong, 1.0).unwrap_err().name, "every");
    }

    #[test]
    fn the_mean_is_clipped() {
        let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
        let optimizer = Accumulated { optimizer: sgd, every: 2, clip: Some(1.0) };
        // The mean is 4, and 1e-6 is what keeps the divisor from 0.
        testing::by_hand(&optimizer, 1.0, &[0.0, 8.0], &[1.0, 1.0 - 0.1 * 4.0 / 4.000001]);
    }

    #[test]
    fn every_batch_is_no_accumulation() {
        let momentum = Momentum { learning_rate: 0.05, ..Momentum::default() };
        testing::optimizer("optim_momentum", &Accumulated { optimizer: momentum, every: 1, clip: None });
    }
}
