//! Batches over several threads: evaluation and training on a pool of `rayon`.
//!
//! Everything runs on the current pool: the global one, or that of `ThreadPool::install`. What comes
//! out does not depend on the number of threads, bit by bit, because batches are always cut in the
//! same places and gradients are added in the same order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::kernels::training;
use crate::loss::{Loss, LossError};
use crate::memory;
use crate::network::{Network, Workspace, evaluate_in};
use crate::noise::Noise;
use crate::optim::Optimizer;
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, Vector, dispatch, level};
use crate::train::{Recipe, Shard, Step, TrainError, Trainer};

/// Evaluates any number of samples, `B` at a time, on the threads of a pool.
///
/// A [`ParallelEvaluator`] for one use; keep one to evaluate again without allocating.
///
/// ```
/// use monomorph::parallel::evaluate_batch;
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// net.dense1.bias = [2.0];
/// let (inputs, mut outputs) = ([[1.0]; 100], [[0.0]; 100]);
/// evaluate_batch::<_, 32>(&net, &inputs, &mut outputs)?;
/// assert_eq!(outputs, [[2.0]; 100]);
/// # Ok::<(), monomorph::parallel::LengthMismatch>(())
/// ```
///
/// # Errors
/// If there are not as many outputs as inputs; nothing is then computed.
pub fn evaluate_batch<N: Network, const B: usize>(
    network: &N,
    inputs: &[N::Input],
    outputs: &mut [N::Output],
) -> Result<(), LengthMismatch> {
    ParallelEvaluator::<N, B>::new().evaluate(network, inputs, outputs)
}

/// Evaluates any number of samples, `B` at a time, in workspaces that it keeps: one a thread.
///
/// As for `B`: larger groups read the weights less often, and take a workspace of `B` times
/// [`Network::EVALUATE_BYTES`], which should fit the second cache: 8 to 64 for most networks.
pub struct ParallelEvaluator<N: Network, const B: usize> {
    workspaces: Vec<Box<Workspaces<N, B>>>,
}

/// Of a group, and of a sample that is left over.
type Workspaces<N, const B: usize> = (Workspace<N, B>, Workspace<N, 1>);

impl<N: Network, const B: usize> Default for ParallelEvaluator<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Network, const B: usize> ParallelEvaluator<N, B> {
    /// An evaluator without memory yet; the first evaluation makes what it needs.
    pub fn new() -> Self {
        Self { workspaces: Vec::new() }
    }

    /// Evaluates `inputs` into `outputs`.
    ///
    /// Groups of `B` begin at the multiples of `B`; what is left over is evaluated one by one.
    ///
    /// # Errors
    /// If there are not as many outputs as inputs; nothing is then computed.
    pub fn evaluate(
        &mut self,
        network: &N,
        inputs: &[N::Input],
        outputs: &mut [N::Output],
    ) -> Result<(), LengthMismatch> {
        if inputs.len() != outputs.len() {
            return Err(LengthMismatch { inputs: inputs.len(), outputs: outputs.len() });
        }
        let threads = rayon::current_num_threads();
        // Whole groups at a time: so many that asking for the next ones costs nothing beside them,
        // and so few that the threads finish together.
        let piece = B * (inputs.len() / (B * threads * 8)).max(1);
        let pieces = Mutex::new(inputs.chunks(piece).zip(outputs.chunks_mut(piece)));
        let lanes = threads.min(inputs.len().div_ceil(piece));
        if self.workspaces.len() < lanes {
            self.workspaces.resize_with(lanes, memory::boxed);
        }
        self.workspaces[..lanes].par_iter_mut().with_max_len(1).for_each(|memory| {
            let (workspace, single) = &mut **memory;
            while let Some((inputs, outputs)) = next(&pieces) {
                let (inputs, last_inputs) = inputs.as_chunks::<B>();
                let (outputs, last_outputs) = outputs.as_chunks_mut::<B>();
                for (input, output) in inputs.iter().zip(outputs) {
                    evaluate_in(network, input, output, workspace);
                }
                for (input, output) in last_inputs.iter().zip(last_outputs) {
                    evaluate_in(network, core::array::from_ref(input), core::array::from_mut(output), single);
                }
            }
        });
        Ok(())
    }
}

/// The next item of an iterator that threads share.
fn next<I: Iterator>(shared: &Mutex<I>) -> Option<I::Item> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// Not as many outputs as inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthMismatch {
    /// How many inputs there were.
    pub inputs: usize,
    /// For how many outputs there was room.
    pub outputs: usize,
}

impl fmt::Display for LengthMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, outputs } = self;
        write!(f, "{inputs} inputs, but room for {outputs} outputs: give as many outputs as inputs")
    }
}

impl core::error::Error for LengthMismatch {}

/// A [`Trainer`] whose batches are cut into shards of `B` samples, computed on the threads of a pool.
///
/// The shards' gradients are added in their order and divided to the mean, so a step is that of one
/// batch: the same whatever the number of threads, and equal to the plain trainer's but for rounding.
/// Two layers see the cut: `BatchNorm` takes its statistics of a shard, and each shard draws its own
/// noise for `Dropout`.
///
/// Schedule, clipping, seed and checkpoints are the trainer's. Every shard of a batch keeps a gradient
/// and activations of its own ([`TrainMemory`](crate::train::TrainMemory) without the moments), so `B` should be large: the batch
/// divided by the number of threads, or half of that.
///
/// ```
/// use monomorph::parallel::ParallelTrainer;
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let mut net = Line::zeroed();
/// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
/// let mut parallel = ParallelTrainer::new(Trainer::<Line, _, 2>::new(sgd, Mse).clip(10.0));
/// let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
/// for _ in 0..200 {
///     parallel.step(&mut net, &x, &y)?;
/// }
/// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-2);
/// assert_eq!(parallel.trainer.steps(), 200);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct ParallelTrainer<N: Network, R: Recipe<Optimizer: Optimizer<N::Scalar>>, const B: usize> {
    /// Settings and the optimizer's memory; it saves and resumes.
    pub trainer: Trainer<N, R, B>,
    /// The second and further shards; the first is the trainer's own.
    others: Vec<Box<Shard<N, B>>>,
    steps: Vec<Result<Step<N::Scalar>, TrainError>>,
}

impl<N: Network, O: Optimizer<N::Scalar>, L, const B: usize> ParallelTrainer<N, (O, L), B> {
    /// A trainer that goes on from where `trainer` is.
    pub fn new(trainer: Trainer<N, (O, L), B>) -> Self {
        Self { trainer, others: Vec::new(), steps: Vec::new() }
    }

    /// One step over any number of whole shards. It makes memory for those there were not before.
    ///
    /// # Errors
    /// As [`Trainer::step`], and if the batch is empty, is not a multiple of `B` samples, or has not one
    /// target for each. The network is then left as it was.
    pub fn step<Y: Sync>(
        &mut self,
        network: &mut N,
        inputs: &[N::Input],
        targets: &[Y],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        L: Loss<N::Scalar, N::Output, Y> + Sync,
    {
        self.step_at(level(), network, inputs, targets)
    }

    /// As [`step`](Self::step) at a SIMD level that is given, for tests and measurements.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_at<Y: Sync>(
        &mut self,
        level: Level,
        network: &mut N,
        inputs: &[N::Input],
        targets: &[Y],
    ) -> Result<Step<N::Scalar>, TrainError>
    where
        L: Loss<N::Scalar, N::Output, Y> + Sync,
    {
        let ((batches, []), true, 1..) = (inputs.as_chunks::<B>(), inputs.len() == targets.len(), inputs.len()) else {
            return Err(TrainError::Batch { inputs: inputs.len(), targets: targets.len(), shard: B });
        };
        if self.others.len() + 1 < batches.len() {
            self.others.resize_with(batches.len() - 1, memory::boxed);
        }
        let (trainer, others) = (&mut self.trainer, &mut self.others[..batches.len() - 1]);
        let (loss, step, seed) = (&trainer.loss, trainer.steps + 1, trainer.noise.next_u64());
        let first = &mut trainer.memory.shard;
        {
            let network = &*network;
            rayon::iter::once(&mut *first)
                .chain(others.par_iter_mut().map(|shard| &mut **shard))
                .zip(batches.par_iter().zip(targets.as_chunks::<B>().0))
                .with_max_len(1)
                .enumerate()
                .map(|(index, (shard, batch))| {
                    let noise = Noise::new(Noise::new(seed.wrapping_add(index as u64)).next_u64());
                    dispatch(level, ShardTask { shard, network, loss, batch, noise, step })
                })
                .collect_into_vec(&mut self.steps);
        }
        let whole = mean(&self.steps, B)?;
        let others: Vec<&[N::Scalar]> = others.iter().map(|shard| shard.gradient.as_slice()).collect();
        if !others.is_empty() {
            first.gradient.as_mut_slice().par_chunks_mut(PART).enumerate().for_each(|(index, sum)| {
                dispatch(level, MeanTask { sum, others: &others, start: index * PART });
            });
        }
        dispatch(level, UpdateTask { trainer, network })?;
        Ok(whole)
    }
}

/// How many parameters a thread adds up at a time; their sum stays in the first cache.
const PART: usize = 4096;

/// What shards of `size` samples say together, or the first error.
fn mean<T: Scalar>(shards: &[Result<Step<T>, TrainError>], size: usize) -> Result<Step<T>, TrainError> {
    let (mut loss, mut correct) = (0.0, None);
    for (index, shard) in shards.iter().enumerate() {
        let mut shard = *shard;
        // Counted in the shard; the caller counts in the batch.
        if let Err(TrainError::Loss(LossError::ClassOutOfRange { sample, .. })) = &mut shard {
            *sample += index * size;
        }
        let step = shard?;
        loss += step.loss.to_f64();
        correct = step.correct.map(|right| right + correct.unwrap_or(0));
    }
    Ok(Step { loss: T::from_f64(loss / shards.len() as f64), correct })
}

/// Forward and backward of a shard at the door.
struct ShardTask<'a, N: Network, L, const B: usize, Y> {
    shard: &'a mut Shard<N, B>,
    network: &'a N,
    loss: &'a L,
    batch: (&'a [N::Input; B], &'a [Y; B]),
    noise: Noise,
    step: u64,
}

impl<N: Network, L: Loss<N::Scalar, N::Output, Y>, const B: usize, Y> Task for ShardTask<'_, N, L, B, Y> {
    type Output = Result<Step<N::Scalar>, TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { shard, network, loss, batch, noise, step } = self;
        shard.compute(simd, network, *loss, *batch, noise, *step)
    }
}

/// A part of the gradients' mean: `sum ← (sum + Σ others) / (1 + n)`, in the order of `others`.
struct MeanTask<'a, T> {
    sum: &'a mut [T],
    others: &'a [&'a [T]],
    start: usize,
}

impl<T: Scalar> Task for MeanTask<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let &mut Self { ref mut sum, others, start } = self;
        let share = T::Vector::<S>::splat(simd, T::from_f64(1.0 / (others.len() + 1) as f64));
        for (index, other) in others.iter().enumerate() {
            let part = &other[start..start + sum.len()];
            if index + 1 < others.len() {
                training::update(
                    simd,
                    sum,
                    part,
                    [],
                    #[inline(always)]
                    |a, b, []| (a + b, []),
                );
            } else {
                training::update(
                    simd,
                    sum,
                    part,
                    [],
                    #[inline(always)]
                    |a, b, []| ((a + b) * share, []),
                );
            }
        }
    }
}

/// The end of a step at the door.
struct UpdateTask<'a, N: Network, R: Recipe<Optimizer: Optimizer<N::Scalar>>, const B: usize> {
    trainer: &'a mut Trainer<N, R, B>,
    network: &'a mut N,
}

impl<N: Network, O: Optimizer<N::Scalar>, L, const B: usize> Task for UpdateTask<'_, N, (O, L), B> {
    type Output = Result<(), TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.trainer.update(simd, self.network)
    }
}
