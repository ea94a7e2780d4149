//! Batches over several threads: evaluation and training on a `rayon` thread pool.
//!
//! Everything runs on the current pool: the global one, or that of `ThreadPool::install`. Results do not depend on the
//! number of threads, not even in the last bit, because batches are always cut in the same places and gradients are
//! added in the same order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::kernels::training;
use crate::layer::Pass;
use crate::loss::{Loss, LossError};
use crate::memory;
use crate::network::{Network, Trainable, Workspace, evaluate_in};
use crate::optim::{Objective, Optimizer, clip};
use crate::scalar::{Real, Scalar};
use crate::simd::{Level, Simd, Task, Vector, dispatch, level};
use crate::tensor::assert_batch_size;
use crate::train::{
    Epoch, Fit, FitError, Recipe, Shard, ShardTask, Step, TrainError, TrainMemory, Trainer, UpdateTask, noise_of,
};

/// Evaluates any number of samples, `B` at a time, on the threads of a pool.
///
/// Uses a temporary [`ParallelEvaluator`]; keep one to evaluate again without allocating.
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
/// If the numbers of inputs and outputs differ; then nothing is computed.
pub fn evaluate_batch<N: Network, const B: usize>(
    network: &N,
    inputs: &[N::Input],
    outputs: &mut [N::Output],
) -> Result<(), LengthMismatch> {
    ParallelEvaluator::<N, B>::new().evaluate(network, inputs, outputs)
}

/// Evaluates any number of samples, `B` at a time, in workspaces that it keeps: one per thread.
///
/// How to choose `B`: larger groups read the weights less often, and take a workspace of `B` times
/// [`Network::EVALUATE_BYTES`], which should fit into the L2 cache: 8 to 64 for most networks.
pub struct ParallelEvaluator<N: Network, const B: usize> {
    workspaces: Vec<Box<Workspaces<N, B>>>,
}

/// For a group, and for a remaining single sample.
type Workspaces<N, const B: usize> = (Workspace<N, B>, Workspace<N, 1>);

impl<N: Network, const B: usize> Default for ParallelEvaluator<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Network, const B: usize> ParallelEvaluator<N, B> {
    /// An evaluator without memory; the first evaluation allocates what it needs.
    pub fn new() -> Self {
        const { assert_batch_size(B) };
        Self { workspaces: Vec::new() }
    }

    /// Evaluates `inputs` into `outputs`.
    ///
    /// Groups of `B` begin at multiples of `B`; the remaining samples are evaluated one by one.
    ///
    /// # Errors
    /// If the numbers of inputs and outputs differ; then nothing is computed.
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
        // Whole groups at a time: enough that the cost of fetching the next ones is negligible, and few enough that the
        // threads finish together.
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

/// The numbers of inputs and outputs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthMismatch {
    /// The number of inputs.
    pub inputs: usize,
    /// The number of outputs.
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
/// The shards' gradients are added in a fixed order and averaged, so a step is that of one batch: the same for any
/// number of threads, and equal to the plain trainer's up to rounding. Two layers notice the shards: `BatchNorm`
/// computes its statistics per shard, and each shard draws its own noise for `Dropout`.
///
/// Schedule, clipping, seed and checkpoints are the trainer's. An optimizer that evaluates the loss several times per
/// step, such as [`GradientDescent`](crate::optim::GradientDescent), evaluates the loss of the whole batch, on all
/// threads. Every shard of a batch has its own gradient and activations ([`TrainMemory`]
/// without the moments), so `B` should be large: the batch divided by the number of threads, or half of that.
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
    /// The settings and the optimizer's memory; saves and resumes checkpoints.
    pub trainer: Trainer<N, R, B>,
    /// All shards but the first, which is the trainer's own.
    others: Vec<Box<Shard<N, B>>>,
    steps: Vec<Result<Step<N::Scalar>, TrainError>>,
}

impl<N: Network<Scalar: Real>, O: Optimizer<N::Scalar>, L, const B: usize> ParallelTrainer<N, (O, L), B> {
    /// A trainer that continues from the state of `trainer`.
    pub fn new(trainer: Trainer<N, (O, L), B>) -> Self {
        Self { trainer, others: Vec::new(), steps: Vec::new() }
    }

    /// One step over any number of whole shards. It allocates memory for shards that are new.
    ///
    /// # Errors
    /// As [`Trainer::step`], and if the batch is empty, is not a multiple of `B` samples, or does not have one target
    /// for each sample. The network is then unchanged.
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

    /// Like [`step`](Self::step), at a given SIMD level, for tests and measurements.
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
        const { L::REDUCTION.assert_of_parts() };
        let ((batches, []), true, 1..) = (inputs.as_chunks::<B>(), inputs.len() == targets.len(), inputs.len()) else {
            return Err(TrainError::Batch { inputs: inputs.len(), targets: targets.len(), shard: B });
        };
        if self.others.len() + 1 < batches.len() {
            self.others.resize_with(batches.len() - 1, memory::boxed);
        }
        let settings = self.trainer.settings()?;
        let (batches, targets) = (batches, targets.as_chunks::<B>().0);
        let divisor = targets.iter().map(|targets| self.trainer.loss.divisor(targets)).sum();
        if divisor == 0.0 {
            return Err(TrainError::Loss(LossError::NothingCounts));
        }
        let Trainer { optimizer, loss, term_weight, steps, noise, memory, .. } = &mut self.trainer;
        let mut next_noise = *noise;
        let TrainMemory { moments, shard } = &mut **memory;
        let mut batch = Batch {
            level,
            first: shard,
            others: &mut self.others[..batches.len() - 1],
            outcomes: &mut self.steps,
            samples: (batches, targets),
            loss: &*loss,
            divisor,
            seed: next_noise.next_u64(),
            term_weight: N::Scalar::from_f64(*term_weight),
            step: settings.step,
            value: N::Scalar::ZERO,
        };
        let outcome = batch.compute::<true>(network)?;
        dispatch(level, UpdateTask { optimizer: &*optimizer, settings, network, batch: &mut batch, moments })?;
        (*steps, *noise) = (settings.step, next_noise);
        Ok(outcome)
    }
}

impl<N, Y, O, L, const B: usize> Fit<'_, N, Y, O, L, B>
where
    N: Network<Scalar: Real, Input: Clone> + Trainable,
    Y: Clone + Sync,
    O: Optimizer<N::Scalar>,
    L: Loss<N::Scalar, N::Output, Y> + Sync,
{
    /// As [`run`](Self::run), on the threads of the current pool: each step is one of a [`ParallelTrainer`] over `shards`
    /// shards of `B` samples. Steps allocate what the pool takes to share them out.
    ///
    /// ```
    /// use monomorph::data::Dataset;
    /// use monomorph::prelude::*;
    ///
    /// network! { Line: [1] -> [1] { Dense(1) } }
    /// let train = Dataset::new(vec![[-1.0], [0.0], [1.0], [2.0]], vec![[-1.0_f32], [1.0], [3.0], [5.0]])?;
    /// let mut net = Line::zeroed();
    /// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
    /// fit(&mut net, &train).optimizer(sgd).epochs(200).batch_size::<2>().run_parallel(2)?;
    /// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](Self::run), for batches of `shards · B` samples.
    pub fn run_parallel(self, shards: usize) -> Result<Epoch, FitError> {
        let mut trainer = ParallelTrainer::new(Trainer::<N, _, B>::new(self.optimizer, self.loss));
        self.plan.run(shards, &mut trainer, |parallel| &mut parallel.trainer, ParallelTrainer::step)
    }
}

/// A batch that is cut into shards, and the results computed from it.
struct Batch<'a, N: Network, L, Y, const B: usize> {
    level: Level,
    first: &'a mut Shard<N, B>,
    others: &'a mut [Box<Shard<N, B>>],
    outcomes: &'a mut Vec<Result<Step<N::Scalar>, TrainError>>,
    samples: (&'a [[N::Input; B]], &'a [[Y; B]]),
    loss: &'a L,
    /// That of the loss, summed over all shards.
    divisor: f64,
    /// The seed of the noise of all shards; the same at every evaluation.
    seed: u64,
    term_weight: N::Scalar,
    step: u64,
    /// The loss at the point of the gradient.
    value: N::Scalar,
}

impl<N: Network, L: Loss<N::Scalar, N::Output, Y> + Sync, Y: Sync, const B: usize> Batch<'_, N, L, Y, B> {
    /// The loss and, if requested, the gradient, which is then in the first shard.
    fn compute<const GRADIENT: bool>(&mut self, network: &N) -> Result<Step<N::Scalar>, TrainError> {
        let &mut Self { level, loss, samples: (inputs, targets), divisor, seed, term_weight, step, .. } = self;
        let shards = inputs.len() as f64;
        rayon::iter::once(&mut *self.first)
            .chain(self.others.par_iter_mut().map(|shard| &mut **shard))
            .zip(inputs.par_iter().zip(targets))
            .with_max_len(1)
            .enumerate()
            .map(|(index, (shard, batch))| {
                let pass = Pass::new(noise_of(seed, index), term_weight);
                let share = Shard::<N, B>::share(loss, batch.1, shards, divisor);
                dispatch(level, ShardTask::<_, _, B, _, GRADIENT> { shard, network, loss, batch, pass, step, share })
            })
            .collect_into_vec(self.outcomes);
        let whole = mean(self.outcomes, B)?;
        if GRADIENT {
            self.value = whole.loss;
            let others: Vec<&[N::Scalar]> = self.others.iter().map(|shard| shard.gradient.as_slice()).collect();
            if !others.is_empty() {
                self.first.gradient.as_mut_slice().par_chunks_mut(PART).enumerate().for_each(|(index, sum)| {
                    dispatch(level, MeanTask { sum, others: &others, start: index * PART });
                });
            }
        }
        Ok(whole)
    }
}

impl<N: Network, L: Loss<N::Scalar, N::Output, Y> + Sync, Y: Sync, const B: usize> Objective<N>
    for Batch<'_, N, L, Y, B>
{
    fn loss(&self) -> N::Scalar {
        self.value
    }

    fn gradient(&self) -> &N {
        &self.first.gradient
    }

    fn gradient_mut(&mut self) -> &mut N {
        &mut self.first.gradient
    }

    fn loss_at(&mut self, parameters: &N) -> N::Scalar {
        self.compute::<false>(parameters).map_or(N::Scalar::from_f64(f64::NAN), |whole| whole.loss)
    }

    fn gradient_at(&mut self, parameters: &N) -> N::Scalar {
        self.value = N::Scalar::from_f64(f64::NAN);
        let _ = self.compute::<true>(parameters);
        if !dispatch(self.level, clip::Squares(self.gradient())).is_finite() {
            self.value = N::Scalar::from_f64(f64::NAN);
        }
        self.value
    }
}

/// How many parameters a thread sums at a time; their sum stays in the L1 cache.
const PART: usize = 4096;

/// The combined result of shards of `size` samples, or the first error.
fn mean<T: Scalar>(shards: &[Result<Step<T>, TrainError>], size: usize) -> Result<Step<T>, TrainError> {
    let (mut loss, mut correct) = (0.0, None);
    for (index, shard) in shards.iter().enumerate() {
        let mut shard = *shard;
        // The sample is counted within the shard; the caller counts within the batch.
        match &mut shard {
            Err(TrainError::Loss(error)) => *error = error.later_by(index * size),
            Err(TrainError::Input(error)) => *error = error.later_by(index * size),
            _ => {}
        }
        let step = shard?;
        loss += step.loss.to_f64();
        correct = step.correct.map(|right| right + correct.unwrap_or(0));
    }
    Ok(Step { loss: T::from_f64(loss / shards.len() as f64), correct })
}

/// Part of the mean of the gradients: `sum ← (sum + Σ others) / (1 + n)`, in the order of `others`.
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
