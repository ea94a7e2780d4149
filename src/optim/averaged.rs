//! Averages of the weights that training passes through.
//!
//! Polyak and Juditsky, *Acceleration of stochastic approximation by averaging* (1992); Izmailov et al., *Averaging
//! weights leads to wider optima and better generalization* (2018); as an exponential average with PyTorch's
//! `AveragedModel(multi_avg_fn=get_ema_multi_avg_fn(..))`.

use super::{Memory, Objective, Optimizer, OptimizerError, Part, copy_learned, learned, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// An average of parameters over the steps of a training; see [`Averaged`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Average {
    /// `a ← δ·a + (1−δ)·θ` after each step; it begins as the parameters after the first step. A `decay` δ of 0.999
    /// remembers about a thousand steps.
    Exponential {
        /// δ, at least 0 and below 1.
        decay: f64,
    },
    /// The mean of the parameters after each step later than `after` (Polyak); until then, the parameters.
    Mean {
        /// How many steps do not count.
        after: u64,
    },
}

/// Any optimizer, with an average of the parameters beside them. Training goes on as it would without it.
///
/// The average is part of checkpoints, under the name `average`;
/// [`Trainer::averaged`](crate::train::Trainer::averaged) writes it into a network, with the running statistics of the
/// network that is trained. It takes the memory of one more network.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let optimizer = Averaged { optimizer: Adam::default(), average: Average::Exponential { decay: 0.5 } };
/// let mut trainer = Trainer::<Line, _, 1>::new(optimizer, Mse);
/// let (mut net, mut average) = (Line::zeroed(), Line::zeroed());
/// trainer.step(&mut net, &[[1.0]], &[[1.0]])?; // Adam's step: 0.001
/// trainer.step(&mut net, &[[1.0]], &[[1.0]])?;
/// trainer.averaged(&net, &mut average);
/// assert!((average.dense1.bias[0] - 0.0015).abs() < 1e-6 && (net.dense1.bias[0] - 0.002).abs() < 1e-6);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Averaged<O> {
    /// How parameters move.
    pub optimizer: O,
    /// How they are averaged.
    pub average: Average,
}

/// What [`Averaged`] keeps.
#[derive(Plain)]
pub struct AveragedMemory<N: Parameters, O: Optimizer<N::Scalar>> {
    /// What the optimizer within keeps.
    pub inner: O::Memory<N>,
    average: N,
}

impl<N: Parameters, O: Optimizer<N::Scalar>> Memory<N> for AveragedMemory<N, O> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { inner: inner(N, O), average: network };
}

impl<O> Averaged<O> {
    /// Takes the parameters after a step into the average.
    #[inline(always)]
    fn follow<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        parameters: &N,
        average: &mut N,
    ) {
        let share = match self.average {
            Average::Exponential { decay } => 1.0 - if step <= 1 { 0.0 } else { decay },
            Average::Mean { after } => 1.0 / step.saturating_sub(after).max(1) as f64,
        };
        let share = splat::<T, S>(simd, share);
        learned(
            simd,
            average,
            parameters,
            #[inline(always)]
            move |a, p| share.mul_add(p - a, a),
        );
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Averaged<O> {
    type Memory<N: Parameters<Scalar = T>> = AveragedMemory<N, O>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.optimizer.check(rate)?;
        match self.average {
            Average::Exponential { decay } => check::<T>("Average::Exponential", &[("decay", decay, Range::Decay)]),
            Average::Mean { .. } => Ok(()),
        }
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
        memory: &mut AveragedMemory<N, O>,
    ) {
        self.optimizer.update(simd, step, rate, gradient_scale, parameters, gradient, &mut memory.inner);
        self.follow(simd, step, parameters, &mut memory.average);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut AveragedMemory<N, O>,
    ) -> Result<(), OptimizerError> {
        self.optimizer.step(simd, step, rate, gradient_scale, parameters, objective, &mut memory.inner)?;
        self.follow(simd, step, parameters, &mut memory.average);
        Ok(())
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &AveragedMemory<N, O>, out: &mut N) {
        out.as_mut_slice().copy_from_slice(parameters.as_slice());
        copy_learned(&memory.average, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::optim::{Sgd, testing};

    #[derive(Parameters)]
    #[repr(C)]
    struct Point {
        x: [f64; 1],
        #[parameters(state)]
        running: [f64; 1],
    }

    /// The averages after each of four steps of 1, from 0.
    fn averages(average: Average) -> [f64; 4] {
        let optimizer = Averaged { optimizer: Sgd { learning_rate: 1.0, ..Sgd::default() }, average };
        let (mut point, mut memory, mut out) = (Point { x: [0.0], running: [1.0] }, zeroed(), zeroed::<Point>());
        core::array::from_fn(|step| {
            optimizer.apply(step as u64 + 1, &mut point, &Point { x: [-1.0], running: [0.25] }, &mut memory);
            optimizer.averaged(&point, &memory, &mut out);
            assert_eq!(out.running, point.running, "state is the network's");
            out.x[0]
        })
    }

    #[test]
    fn by_hand() {
        assert_eq!(averages(Average::Exponential { decay: 0.5 }), [1.0, 1.5, 2.25, 3.125]);
        assert_eq!(averages(Average::Mean { after: 0 }), [1.0, 1.5, 2.0, 2.5]);
        assert_eq!(averages(Average::Mean { after: 2 }), [1.0, 2.0, 3.0, 3.5]);
    }

    #[test]
    fn training_does_not_notice() {
        let average = Average::Exponential { decay: 0.9 };
        testing::optimizer(
            "optim_sgd",
            &Averaged { optimizer: Sgd { learning_rate: 0.05, ..Sgd::default() }, average },
        );
        let wrong = Averaged { optimizer: Sgd::default(), average: Average::Exponential { decay: 1.0 } };
        assert_eq!(Optimizer::<f32>::check(&wrong, 1.0).unwrap_err().name, "decay");
    }
}
