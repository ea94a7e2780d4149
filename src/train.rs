//! Training: mini-batches of a const size, without allocation.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::ops::DerefMut;

use crate::layer::Layer;
use crate::loss::{Loss, LossError};
use crate::memory;
#[cfg(feature = "alloc")]
use crate::network::Workspace;
use crate::network::{Network, Trainable};
use crate::noise::Noise;
use crate::optim::{Optimizer, Schedule, clip};
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, dispatch, level};
#[cfg(all(feature = "std", feature = "safetensors"))]
use crate::weights::{Checkpoint, CheckpointWriter, WeightsError};

/// An optimizer and a loss: what a [`Trainer`] trains by.
///
/// It is the pair `(optimizer, loss)`, which keeps the trainer's type short:
/// `Trainer<Digits, (Adam, CrossEntropy), 64>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer and a loss",
    label = "not an optimizer and a loss",
    note = "a trainer's second parameter is a pair, such as `(Adam, CrossEntropy)`"
)]
pub trait Recipe {
    /// How parameters move.
    type Optimizer;
    /// What is to become small.
    type Loss;
}

#[diagnostic::do_not_recommend]
impl<O, L> Recipe for (O, L) {
    type Optimizer = O;
    type Loss = L;
}

/// All memory of a [`Trainer`]: gradients, the optimizer's moments, the activations of a batch.
///
/// A program without an allocator puts it into a `static`.
pub struct TrainMemory<N: Network, O: Optimizer<N::Scalar>, const B: usize> {
    pub(crate) moments: O::Memory<N>,
    pub(crate) shard: Shard<N, B>,
}

/// A gradient, and what computing it over `B` samples takes.
pub(crate) struct Shard<N: Network, const B: usize> {
    pub(crate) gradient: N,
    saved: <N as Layer<N::Scalar>>::Saved<B>,
    output: [N::Output; B],
    grad_output: [N::Output; B],
}

impl<N: Network, const B: usize> Shard<N, B> {
    /// Leaves the gradient of the mean loss in `gradient`; `step` is counted from 1.
    #[inline(always)]
    pub(crate) fn compute<S: Simd, L: Loss<N::Scalar, N::Output, Y>, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        noise: &mut Noise,
        step: u64,
    ) -> Result<Step<N::Scalar>, TrainError> {
        let Self { gradient, saved, output, grad_output } = self;
        memory::clear(gradient);
        network.forward(simd, input, output, saved, noise);
        let value = loss.loss(simd, output, target, grad_output)?;
        if !value.is_finite() {
            return Err(TrainError::NotFinite { what: "loss", step });
        }
        let correct = loss.correct(output, target);
        network.backward(simd, input, output, saved, grad_output, None, gradient);
        Ok(Step { loss: value, correct })
    }
}

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
    /// What is to become small.
    pub loss: R::Loss,
    /// By what the optimizer's learning rate is multiplied at each step.
    pub schedule: Schedule,
    /// The largest norm a gradient may have; larger ones are scaled down.
    pub clip: Option<f64>,
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
    /// What is to become small.
    pub loss: R::Loss,
    /// By what the optimizer's learning rate is multiplied at each step.
    pub schedule: Schedule,
    /// The largest norm a gradient may have; larger ones are scaled down.
    pub clip: Option<f64>,
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
        N: Trainable,
    {
        Self::in_memory(optimizer, loss, memory::boxed())
    }
}

impl<N, O, L, const B: usize, M> Trainer<N, (O, L), B, M>
where
    N: Network,
    O: Optimizer<N::Scalar>,
    M: DerefMut<Target = TrainMemory<N, O, B>>,
{
    /// How many bytes a trainer takes beside the network.
    pub const BYTES: usize = size_of::<TrainMemory<N, O, B>>();

    /// A trainer in memory of the caller's, which is `monomorph::memory::zeroed()`: a
    /// `&'static mut`, a box, a field.
    pub fn in_memory(optimizer: O, loss: L, mut memory: M) -> Self
    where
        N: Trainable,
    {
        // Memory that was used before starts anew.
        memory::clear(&mut memory.moments);
        let (schedule, noise) = (Schedule::Constant, Noise::new(0));
        Self { optimizer, loss, schedule, clip: None, steps: 0, noise, memory, network: PhantomData }
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

    /// The same trainer with another seed for dropout.
    pub fn seed(mut self, seed: u64) -> Self {
        self.noise = Noise::new(seed);
        self
    }

    /// How many steps were taken.
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

    /// By what the schedule multiplies the learning rate at the next step.
    pub fn rate(&self) -> f64 {
        self.schedule.rate(self.steps + 1)
    }

    /// Writes a checkpoint: the network, the optimizer's memory, how far it is.
    ///
    /// The network's tensors have the names that [`weights::save`](crate::weights::save) gives
    /// them, so a checkpoint is a weights file too.
    ///
    /// # Errors
    /// What the file system says.
    #[cfg(all(feature = "std", feature = "safetensors"))]
    pub fn save(&self, path: impl AsRef<std::path::Path>, network: &N) -> Result<(), WeightsError> {
        let mut writer = CheckpointWriter::new().tensors::<N::Scalar, N>("", network);
        for (name, part) in O::MEMORY.iter().zip(self.memory.moments.as_ref()) {
            writer = writer.tensors::<N::Scalar, N>(&std::format!("optimizer.{name}."), part);
        }
        writer.number("step", self.steps).number("noise", self.noise.state()).save(path)
    }

    /// Reads a checkpoint of a trainer of the same type and goes on from there. Settings such as
    /// the learning rate and the schedule are the caller's to give again.
    ///
    /// # Errors
    /// A file that cannot be read, or of another network or optimizer; the network and the
    /// trainer are then as they were.
    #[cfg(all(feature = "std", feature = "safetensors"))]
    pub fn resume(&mut self, path: impl AsRef<std::path::Path>, network: &mut N) -> Result<(), WeightsError> {
        let checkpoint = Checkpoint::open(path)?;
        let (steps, noise) = (checkpoint.number("step")?, checkpoint.number("noise")?);
        let mut reader = checkpoint.reader().tensors::<N::Scalar, N>("", network);
        for (name, part) in O::MEMORY.iter().zip(self.memory.moments.as_mut()) {
            reader = reader.tensors::<N::Scalar, N>(&std::format!("optimizer.{name}."), part);
        }
        reader.finish()?;
        (self.steps, self.noise) = (steps, Noise::new(noise));
        Ok(())
    }

    /// One step: forward, loss, backward, update.
    ///
    /// # Errors
    /// A target that does not fit the output, or a loss or gradient that is not finite. The network is then
    /// left as it was.
    pub fn step<Y>(
        &mut self,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        L: Loss<N::Scalar, N::Output, Y>,
    {
        self.step_at(level(), network, input, target)
    }

    /// As [`step`](Self::step) at a SIMD level that is given, for tests and measurements.
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
        L: Loss<N::Scalar, N::Output, Y>,
    {
        dispatch(level, StepTask { trainer: self, network, input, target })
    }

    #[inline(always)]
    fn run<S: Simd, Y>(
        &mut self,
        simd: S,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        L: Loss<N::Scalar, N::Output, Y>,
    {
        let (loss, step) = (&self.loss, self.steps + 1);
        let step = self.memory.shard.compute(simd, network, loss, (input, target), &mut self.noise, step)?;
        self.update(simd, network)?;
        Ok(step)
    }

    /// The end of a step: moves the network along the gradient that is in the memory.
    #[inline(always)]
    pub(crate) fn update<S: Simd>(&mut self, simd: S, network: &mut N) -> Result<(), TrainError> {
        let (memory, step) = (&mut *self.memory, self.steps + 1);
        let gradient = &memory.shard.gradient;
        let mut scale = N::Scalar::ONE;
        if let Some(largest) = self.clip {
            let norm = clip::global_norm(simd, gradient);
            if !norm.is_finite() {
                return Err(TrainError::NotFinite { what: "gradient", step });
            }
            scale = clip::clip_scale(norm, N::Scalar::from_f64(largest));
        }
        let rate = self.schedule.rate(step);
        self.optimizer.update(simd, step, rate, scale, network, gradient, &mut memory.moments);
        self.steps = step;
        Ok(())
    }
}

/// A step at the door: everything below it is compiled for one SIMD level.
struct StepTask<'a, N: Network, O: Optimizer<N::Scalar>, L, const B: usize, M, Y> {
    trainer: &'a mut Trainer<N, (O, L), B, M>,
    network: &'a mut N,
    input: &'a [N::Input; B],
    target: &'a [Y; B],
}

impl<N, O, L, const B: usize, M, Y> Task for StepTask<'_, N, O, L, B, M, Y>
where
    N: Network,
    O: Optimizer<N::Scalar>,
    L: Loss<N::Scalar, N::Output, Y>,
    M: DerefMut<Target = TrainMemory<N, O, B>>,
{
    type Output = Result<Step<N::Scalar>, TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.trainer.run(simd, self.network, self.input, self.target)
    }
}

/// What a step says of its batch, before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step<T> {
    /// The mean loss.
    pub loss: T,
    /// How many samples were classified rightly, if the loss is one of classification.
    pub correct: Option<usize>,
}

/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TrainError {
    /// The loss refused the target.
    Loss(LossError),
    /// The loss or the gradient became infinite or NaN.
    NotFinite {
        /// Which of them.
        what: &'static str,
        /// At which step, counted from 1.
        step: u64,
    },
    /// A batch that cannot be cut into shards, or has not one target for each input.
    Batch {
        /// How many inputs there were.
        inputs: usize,
        /// How many targets there were.
        targets: usize,
        /// How many samples a shard has.
        shard: usize,
    },
}

impl From<LossError> for TrainError {
    fn from(error: LossError) -> Self {
        Self::Loss(error)
    }
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(error) => error.fmt(f),
            Self::NotFinite { what, step } => write!(
                f,
                "the {what} is not a finite number at step {step}; the network was left as it was: lower the learning rate, \
                 clip the gradient, or look for infinite inputs"
            ),
            Self::Batch { inputs, targets, shard } => write!(
                f,
                "{inputs} inputs and {targets} targets are no batch for shards of {shard} samples: give as many targets as \
                 inputs, and a multiple of {shard} of them"
            ),
        }
    }
}

impl core::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Loss(error) => Some(error),
            Self::NotFinite { .. } | Self::Batch { .. } => None,
        }
    }
}

/// How well a network does on a set of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of samples classified rightly, if the loss is one of classification.
    pub accuracy: Option<f64>,
}

/// Evaluates a network on any number of samples, `B` at a time, on memory that it keeps.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let net = Line::zeroed();
/// let mut evaluator = Evaluator::<Line, 2>::new();
/// let score = evaluator.score(&net, &Mse, &[[1.0], [2.0], [3.0]], &[[1.0], [1.0], [1.0]])?;
/// assert_eq!(score.loss, 1.0);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[cfg(feature = "alloc")]
pub struct Evaluator<N: Network, const B: usize> {
    memory: Box<EvaluateMemory<N, B>>,
}

/// Workspaces of a batch and of a single sample, and the batch's outputs.
#[cfg(feature = "alloc")]
type EvaluateMemory<N, const B: usize> =
    (Workspace<N, B>, Workspace<N, 1>, [<N as Layer<<N as Network>::Scalar>>::Output; B]);

#[cfg(feature = "alloc")]
impl<N: Network, const B: usize> Default for Evaluator<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl<N: Network, const B: usize> Evaluator<N, B> {
    /// An evaluator with its memory on the heap.
    pub fn new() -> Self {
        Self { memory: memory::boxed() }
    }

    /// Calls `each` with the index of every sample and what the network gives for it.
    pub fn for_each(&mut self, network: &N, inputs: &[N::Input], mut each: impl FnMut(usize, &N::Output)) {
        self.batches(network, inputs, &mut |first, outputs| {
            for (offset, output) in outputs.iter().enumerate() {
                each(first + offset, output);
            }
        });
    }

    /// The mean loss, and the accuracy where the loss is one of classification.
    ///
    /// Samples beyond the shorter of the two slices are left out.
    ///
    /// # Errors
    /// A target that does not fit the output.
    pub fn score<Y, L>(&mut self, network: &N, loss: &L, inputs: &[N::Input], targets: &[Y]) -> Result<Score, LossError>
    where
        L: Loss<N::Scalar, N::Output, Y>,
    {
        let samples = inputs.len().min(targets.len());
        let (mut sum, mut correct, mut counted, mut failed) = (0.0, 0, 0, None);
        self.batches(network, &inputs[..samples], &mut |first, outputs| {
            for (output, target) in outputs.iter().zip(&targets[first..]) {
                let (output, target) = (core::array::from_ref(output), core::array::from_ref(target));
                match dispatch(level(), Value::<N, L, Y> { loss, output, target }) {
                    Ok(value) => sum += value.to_f64(),
                    Err(error) => failed = failed.or(Some(error)),
                }
                if let Some(right) = loss.correct(output, target) {
                    (correct, counted) = (correct + right, counted + 1);
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(Score {
                loss: sum / samples.max(1) as f64,
                accuracy: (counted > 0).then(|| correct as f64 / counted as f64),
            }),
        }
    }

    fn batches(&mut self, network: &N, inputs: &[N::Input], each: &mut dyn FnMut(usize, &[N::Output])) {
        let (workspace, single, outputs) = &mut *self.memory;
        let (batches, rest) = inputs.as_chunks::<B>();
        for (index, batch) in batches.iter().enumerate() {
            crate::network::evaluate_in(network, batch, outputs, workspace);
            each(index * B, &outputs[..]);
        }
        for (offset, input) in rest.iter().enumerate() {
            let Some(output) = outputs.first_chunk_mut::<1>() else { break };
            crate::network::evaluate_in(network, core::array::from_ref(input), output, single);
            each(batches.len() * B + offset, &output[..]);
        }
    }
}

/// The loss of one sample at the door.
#[cfg(feature = "alloc")]
struct Value<'a, N: Network, L, Y> {
    loss: &'a L,
    output: &'a [N::Output; 1],
    target: &'a [Y; 1],
}

#[cfg(feature = "alloc")]
impl<N: Network, L: Loss<N::Scalar, N::Output, Y>, Y> Task for Value<'_, N, L, Y> {
    type Output = Result<N::Scalar, LossError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.loss.value(simd, self.output, self.target)
    }
}

/// Keeps the best parameters seen, and says when nothing has become better for a while.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// let mut stopping = EarlyStopping::<Line>::new(2);
/// net.dense1.bias = [1.0];
/// assert!(!stopping.observe(0.5, &net));
/// net.dense1.bias = [2.0];
/// assert!(!stopping.observe(0.7, &net)); // worse
/// assert!(stopping.observe(0.6, &net)); // for the second time: stop
/// stopping.restore(&mut net);
/// assert_eq!((net.dense1.bias, stopping.best()), ([1.0], 0.5));
/// ```
#[cfg(feature = "alloc")]
pub struct EarlyStopping<N: Network> {
    kept: Box<N>,
    best: f64,
    patience: u32,
    waited: u32,
}

#[cfg(feature = "alloc")]
impl<N: Network> EarlyStopping<N> {
    /// Stops after `patience` observations in a row that are not better than the best.
    pub fn new(patience: u32) -> Self {
        Self { kept: memory::boxed(), best: f64::INFINITY, patience, waited: 0 }
    }

    /// Takes note of a validation loss (or anything that should be small); returns whether to
    /// stop.
    pub fn observe(&mut self, loss: f64, network: &N) -> bool {
        if loss < self.best {
            (self.best, self.waited) = (loss, 0);
            self.kept.as_mut_slice().copy_from_slice(network.as_slice());
        } else {
            self.waited += 1;
        }
        self.waited >= self.patience
    }

    /// The smallest value observed; infinite before the first.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// Puts back the parameters of the best observation, if there was any.
    pub fn restore(&self, network: &mut N) {
        if self.best < f64::INFINITY {
            network.as_mut_slice().copy_from_slice((*self.kept).as_slice());
        }
    }
}
