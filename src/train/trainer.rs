//! The trainer.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::DerefMut;

use super::shard::Batch;
use super::{Recipe, Settings, Step, TrainError, TrainMemory, finish};
use crate::hyperparameters::{Range, check};
use crate::layer::Pass;
use crate::loss::{Loss, LossError};
use crate::memory;
use crate::network::{Network, Trainable};
use crate::noise::Noise;
use crate::optim::{Optimizer, Schedule, assert_parts};
use crate::scalar::{Real, Scalar};
use crate::simd::{Level, Simd, Task, dispatch, level};
use crate::tensor::assert_batch_size;
#[cfg(all(feature = "std", feature = "safetensors"))]
use crate::weights::{Checkpoint, CheckpointWriter, WeightsError};

#[cfg(feature = "alloc")]
type OnHeap<N, R, const B: usize> = Box<TrainMemory<N, <R as Recipe>::Optimizer, B>>;

/// Trains a network on mini-batches of `B` samples. A step allocates nothing.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let mut net = Line::zeroed();
/// let mut trainer = Trainer::<Line, _, 4>::new(Sgd { learning_rate: 0.1, ..Sgd::default() }, Mse);
/// let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
/// for _ in 0..200 {
///     trainer.step(&mut net, &x, &y)?;
/// }
/// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-2);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[cfg(feature = "alloc")]
pub struct Trainer<N: Network, R: Recipe, const B: usize, M = OnHeap<N, R, B>> {
    /// How parameters move.
    pub optimizer: R::Optimizer,
    /// What is minimized.
    pub loss: R::Loss,
    /// The factor that multiplies the optimizer's learning rate at each step.
    pub schedule: Schedule,
    /// The largest norm a gradient may have; larger ones are scaled down.
    pub clip: Option<f64>,
    /// The weight of the terms that layers add to the loss.
    pub term_weight: f64,
    pub(crate) steps: u64,
    pub(crate) noise: Noise,
    pub(crate) memory: M,
    network: PhantomData<N>,
}

/// Trains a network on mini-batches of `B` samples. A step allocates nothing.
#[cfg(not(feature = "alloc"))]
pub struct Trainer<N: Network, R: Recipe, const B: usize, M> {
    /// How parameters move.
    pub optimizer: R::Optimizer,
    /// What is minimized.
    pub loss: R::Loss,
    /// The factor that multiplies the optimizer's learning rate at each step.
    pub schedule: Schedule,
    /// The largest norm a gradient may have; larger ones are scaled down.
    pub clip: Option<f64>,
    /// The weight of the terms that layers add to the loss.
    pub term_weight: f64,
    pub(crate) steps: u64,
    pub(crate) noise: Noise,
    pub(crate) memory: M,
    network: PhantomData<N>,
}

#[cfg(feature = "alloc")]
impl<N: Network, O: Optimizer<N::Scalar>, L, const B: usize> Trainer<N, (O, L), B> {
    /// A trainer with its memory on the heap.
    pub fn new(optimizer: O, loss: L) -> Self
    where
        N: Trainable<Scalar: Real>,
    {
        Self::in_memory(optimizer, loss, memory::boxed())
    }
}

// `Real` is a bound of the functions that need it: for a bound here, the compiler would not say why one is missing.
impl<N, O, L, const B: usize, M> Trainer<N, (O, L), B, M>
where
    N: Network,
    O: Optimizer<N::Scalar>,
    M: DerefMut<Target = TrainMemory<N, O, B>>,
{
    /// How many bytes a trainer takes in addition to the network.
    pub const BYTES: usize = {
        assert_parts::<N, O>();
        assert_batch_size(B);
        size_of::<TrainMemory<N, O, B>>()
    };

    /// A trainer in memory that the caller provides, initialized with `monomorph::memory::zeroed()`: a `&'static mut`,
    /// a box, a field.
    pub fn in_memory(optimizer: O, loss: L, mut memory: M) -> Self
    where
        N: Trainable<Scalar: Real>,
    {
        const {
            assert_parts::<N, O>();
            assert_batch_size(B);
        }
        // Memory may have been used before, so it is reset.
        memory::clear(&mut memory.moments);
        let (schedule, noise) = (Schedule::Constant, Noise::new(0));
        let network = PhantomData;
        Self { optimizer, loss, schedule, clip: None, term_weight: 1.0, steps: 0, noise, memory, network }
    }

    /// The same trainer with a schedule of the learning rate.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The same trainer with gradients clipped to this global norm.
    pub fn clip(mut self, norm: f64) -> Self {
        self.clip = Some(norm);
        self
    }

    /// The same trainer with another weight for the terms that layers add to the loss, such as
    /// [`ActivityRegularization`](crate::layers::ActivityRegularization); 1 by default.
    pub fn term_weight(mut self, weight: f64) -> Self {
        self.term_weight = weight;
        self
    }

    /// The same trainer with another seed for dropout.
    pub fn seed(mut self, seed: u64) -> Self {
        self.noise = Noise::new(seed);
        self
    }

    /// How many steps have been taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The gradient of the last step's batch.
    pub fn gradient(&self) -> &N {
        &self.memory.shard.gradient
    }

    /// The optimizer's memory, for checkpoints.
    pub fn moments(&self) -> &O::Memory<N> {
        &self.memory.moments
    }

    /// Writes the network to evaluate and to save: the average that optimizers such as
    /// [`ScheduleFreeSgd`](crate::optim::ScheduleFreeSgd) and [`Averaged`](crate::optim::Averaged) keep; with any other
    /// optimizer, the network as it is.
    pub fn averaged(&self, network: &N, out: &mut N) {
        self.optimizer.averaged(network, &self.memory.moments, out);
    }

    /// The factor by which the schedule multiplies the learning rate at the next step.
    pub fn rate(&self) -> f64 {
        self.schedule.rate(self.steps + 1)
    }

    /// Writes a checkpoint: the network, the optimizer's memory and the progress of the training.
    ///
    /// The network's tensors have the names that [`weights::save`](crate::weights::save) gives
    /// them, so a checkpoint is a weights file too.
    ///
    /// # Errors
    /// Errors from the file system.
    #[cfg(all(feature = "std", feature = "safetensors"))]
    pub fn save(&self, path: impl AsRef<std::path::Path>, network: &N) -> Result<(), WeightsError> {
        CheckpointWriter::new()
            .tensors("", network)
            .optimizer::<N, O>("optimizer.", &self.memory.moments)
            .number("step", self.steps)
            .number("noise", self.noise.state())
            .save(path)
    }

    /// Reads a checkpoint of a trainer of the same type and continues from there. The caller has to set the learning
    /// rate, the schedule and other settings again.
    ///
    /// # Errors
    /// A file that cannot be read, or that belongs to another network or optimizer; the network and the trainer are
    /// then unchanged.
    #[cfg(all(feature = "std", feature = "safetensors"))]
    pub fn resume(&mut self, path: impl AsRef<std::path::Path>, network: &mut N) -> Result<(), WeightsError> {
        let checkpoint = Checkpoint::open(path)?;
        let (steps, noise) = (checkpoint.number("step")?, checkpoint.number("noise")?);
        let memory = &mut self.memory.moments;
        checkpoint.reader().tensors("", network).optimizer::<N, O>("optimizer.", memory).finish()?;
        (self.steps, self.noise) = (steps, Noise::new(noise));
        Ok(())
    }

    /// One step: forward, loss, backward, update.
    ///
    /// # Errors
    /// A target or an input that does not fit; a loss, gradient or statistic that is not finite; a hyperparameter out of
    /// its range; whatever the optimizer refuses. The network and the trainer are then unchanged, except for what the
    /// optimizer counts, so the same step can be tried again.
    pub fn step<Y>(
        &mut self,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        N::Scalar: Real,
        L: Loss<N::Scalar, N::Output, Y>,
    {
        self.step_at(level(), network, input, target)
    }

    /// Like [`step`](Self::step), at a given SIMD level, for tests and measurements.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_at<Y>(
        &mut self,
        level: Level,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        N::Scalar: Real,
        L: Loss<N::Scalar, N::Output, Y>,
    {
        let settings = self.settings()?;
        dispatch(level, StepTask { trainer: self, network, input, target, settings })
    }

    /// What the next step is to be taken with, if all of it is in its range.
    pub(crate) fn settings(&self) -> Result<Settings, TrainError> {
        let step = self.steps + 1;
        self.schedule.check()?;
        let rate = self.schedule.rate(step);
        self.optimizer.check(rate)?;
        let clip = self.clip.unwrap_or(1.0);
        check::<N::Scalar>(
            "Trainer",
            &[("clip", clip, Range::Positive), ("term_weight", self.term_weight, Range::Finite)],
        )?;
        Ok(Settings { step, rate, clip: self.clip })
    }

    #[inline(always)]
    fn run<S: Simd, Y>(
        &mut self,
        simd: S,
        network: &mut N,
        (input, target): (&[N::Input; B], &[Y; B]),
        settings: Settings,
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        N::Scalar: Real,
        L: Loss<N::Scalar, N::Output, Y>,
    {
        if self.loss.divisor(target) == 0.0 {
            return Err(TrainError::Loss(LossError::NothingCounts));
        }
        let TrainMemory { moments, shard } = &mut *self.memory;
        let (loss, samples, noise) = (&self.loss, (input, target), self.noise);
        let term_weight = N::Scalar::from_f64(self.term_weight);
        let mut pass = Pass::new(noise, term_weight);
        let outcome = shard.compute(simd, network, loss, samples, &mut pass, settings.step, N::Scalar::ONE)?;
        let mut batch = Batch { simd, shard, loss, samples, noise, term_weight, value: outcome.loss };
        finish(simd, &self.optimizer, settings, network, &mut batch, moments)?;
        (self.steps, self.noise) = (settings.step, pass.noise);
        Ok(outcome)
    }
}

/// The entry point of a step: everything below it is compiled for one SIMD level.
struct StepTask<'a, N: Network, O: Optimizer<N::Scalar>, L, const B: usize, M, Y> {
    trainer: &'a mut Trainer<N, (O, L), B, M>,
    network: &'a mut N,
    input: &'a [N::Input; B],
    target: &'a [Y; B],
    settings: Settings,
}

impl<N, O, L, const B: usize, M, Y> Task for StepTask<'_, N, O, L, B, M, Y>
where
    N: Network<Scalar: Real>,
    O: Optimizer<N::Scalar>,
    L: Loss<N::Scalar, N::Output, Y>,
    M: DerefMut<Target = TrainMemory<N, O, B>>,
{
    type Output = Result<Step<N::Scalar>, TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.trainer.run(simd, self.network, (self.input, self.target), self.settings)
    }
}
