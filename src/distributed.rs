//! Training over several processes, on one machine or many: each computes its part of a batch, and their gradients are
//! added up.
//!
//! What connects the processes is a [`Collective`]; the crate `monomorph-mpi` has one for MPI. Every process, called a
//! rank, has the whole network, makes the same update, and so has the same network after each step.

use core::fmt;

use crate::kernels::elementwise::scale;
use crate::layer::Pass;
use crate::loss::{Loss, LossError};
use crate::network::Network;
use crate::noise::Noise;
use crate::optim::{Objective, Optimizer, clip};
use crate::scalar::{Real, Scalar};
use crate::simd::{Level, Simd, Task, dispatch, level};
use crate::train::{Recipe, Shard, ShardTask, Step, TrainError, TrainMemory, Trainer, UpdateTask, noise_of};

/// What connects the ranks of a training.
///
/// All ranks call the same methods in the same order.
pub trait Collective<T> {
    /// Why numbers could not be exchanged: another process has ended, a network is down.
    type Error: core::error::Error;

    /// The number of this process, from 0.
    fn rank(&self) -> usize;
    /// How many processes there are.
    fn ranks(&self) -> usize;
    /// Replaces each number by its sum over all ranks. Every rank must get the same bits, or the networks drift apart.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    fn sum(&mut self, numbers: &mut [T]) -> Result<(), Self::Error>;
    /// The same for a few numbers that count.
    ///
    /// # Errors
    /// As `sum`.
    fn count(&mut self, numbers: &mut [f64]) -> Result<(), Self::Error>;
    /// Replaces the numbers by those of rank 0.
    ///
    /// # Errors
    /// As `sum`.
    fn broadcast(&mut self, numbers: &mut [T]) -> Result<(), Self::Error>;
}

/// Why a step was not taken; no rank has then changed its network.
#[derive(Clone, Debug, PartialEq)]
pub enum DistributedError<E> {
    /// What is wrong with this rank's part of the batch, or with the whole batch.
    Here(TrainError),
    /// So many other ranks refused their parts; they know why.
    Elsewhere {
        /// How many.
        ranks: usize,
    },
    /// The ranks could not exchange numbers.
    Lost(E),
}

impl<E: fmt::Display> fmt::Display for DistributedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(error) => write!(f, "{error}"),
            Self::Elsewhere { ranks } => {
                write!(f, "{ranks} other ranks refused their parts of the batch; see their errors")
            }
            Self::Lost(error) => write!(f, "the ranks cannot exchange gradients: {error}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for DistributedError<E> {}

/// A [`Trainer`] whose batches are cut into as many parts of `B` samples as there are ranks.
///
/// Gradients are averaged as those of shards are in [`ParallelTrainer`](crate::parallel::ParallelTrainer): a step is that
/// of one batch, up to rounding. Two layers notice the parts: `BatchNorm` computes its statistics per part, and each part
/// draws its own noise for `Dropout`.
///
/// Give the ranks different samples and the same settings. Checkpoints are the trainer's: one rank
/// [saves](Trainer::save), and all resume from the file.
///
/// ```
/// use std::convert::Infallible;
///
/// use monomorph::distributed::{Collective, DistributedTrainer};
/// use monomorph::prelude::*;
///
/// /// A single process.
/// struct Alone;
///
/// impl Collective<f32> for Alone {
///     type Error = Infallible;
///     fn rank(&self) -> usize { 0 }
///     fn ranks(&self) -> usize { 1 }
///     fn sum(&mut self, _: &mut [f32]) -> Result<(), Infallible> { Ok(()) }
///     fn count(&mut self, _: &mut [f64]) -> Result<(), Infallible> { Ok(()) }
///     fn broadcast(&mut self, _: &mut [f32]) -> Result<(), Infallible> { Ok(()) }
/// }
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Box::new(Line::zeroed());
/// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
/// let mut trainer = DistributedTrainer::new(Trainer::<Line, _, 2>::new(sgd, Mse), Alone);
/// trainer.begin(&mut net)?;
/// for _ in 0..200 {
///     trainer.step(&mut net, &[[0.0], [1.0]], &[[1.0], [3.0]])?;
/// }
/// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-2);
/// # Ok::<(), monomorph::distributed::DistributedError<Infallible>>(())
/// ```
pub struct DistributedTrainer<N: Network, R: Recipe<Optimizer: Optimizer<N::Scalar>>, const B: usize, C> {
    /// The settings and the optimizer's memory; saves and resumes checkpoints.
    pub trainer: Trainer<N, R, B>,
    /// What connects the ranks.
    pub collective: C,
}

impl<N, O, L, const B: usize, C> DistributedTrainer<N, (O, L), B, C>
where
    N: Network<Scalar: Real>,
    O: Optimizer<N::Scalar>,
    C: Collective<N::Scalar>,
{
    /// A trainer that continues from the state of `trainer`.
    pub fn new(trainer: Trainer<N, (O, L), B>, collective: C) -> Self {
        Self { trainer, collective }
    }

    /// Gives every rank the network of rank 0.
    ///
    /// # Errors
    /// If a rank cannot be reached.
    pub fn begin(&mut self, network: &mut N) -> Result<(), DistributedError<C::Error>> {
        self.collective.broadcast(network.as_mut_slice()).map_err(DistributedError::Lost)
    }

    /// One step, with this rank's part of the batch. The loss and the number of correct samples are those of the whole
    /// batch.
    ///
    /// # Errors
    /// As [`Trainer::step`], for any rank's part; if ranks cannot be reached. All ranks return an error then, and no
    /// network is changed.
    pub fn step<Y>(
        &mut self,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<N::Scalar>, DistributedError<C::Error>>
    where
        L: Loss<N::Scalar, N::Output, Y>,
    {
        const { L::REDUCTION.assert_of_parts() };
        let settings = self.trainer.settings();
        // A part without a sample that counts is no error, a batch without one is.
        let mut counts = [self.trainer.loss.divisor(target), f64::from(u8::from(settings.is_err()))];
        self.collective.count(&mut counts).map_err(DistributedError::Lost)?;
        let [divisor, refused] = counts;
        let settings = agreed(settings, refused)?;
        if divisor == 0.0 {
            return Err(DistributedError::Here(TrainError::Loss(LossError::NothingCounts)));
        }

        let Self { trainer: Trainer { optimizer, loss, term_weight, steps, noise, memory, .. }, collective } = self;
        let mut next_noise = *noise;
        let share = Shard::<N, B>::share(&*loss, target, collective.ranks() as f64, divisor);
        let noise_here = noise_of(next_noise.next_u64(), collective.rank());
        let TrainMemory { moments, shard } = &mut **memory;
        let mut batch = Batch {
            level: level(),
            shard,
            loss: &*loss,
            samples: (input, target),
            collective,
            noise: noise_here,
            term_weight: N::Scalar::from_f64(*term_weight),
            share,
            step: settings.step,
            value: N::Scalar::ZERO,
        };
        let outcome = batch.compute(network)?;
        dispatch(level(), UpdateTask { optimizer: &*optimizer, settings, network, batch: &mut batch, moments })
            .map_err(DistributedError::Here)?;
        (*steps, *noise) = (settings.step, next_noise);
        Ok(outcome)
    }
}

/// The result of this rank, if none refused.
fn agreed<T, E>(result: Result<T, TrainError>, refused: f64) -> Result<T, DistributedError<E>> {
    match result {
        Err(error) => Err(DistributedError::Here(error)),
        Ok(_) if refused > 0.0 => Err(DistributedError::Elsewhere { ranks: refused as usize }),
        Ok(result) => Ok(result),
    }
}

/// This rank's part of a batch.
struct Batch<'a, N: Network, L, Y, C, const B: usize> {
    level: Level,
    shard: &'a mut Shard<N, B>,
    loss: &'a L,
    samples: (&'a [N::Input; B], &'a [Y; B]),
    collective: &'a mut C,
    /// The same at every evaluation.
    noise: Noise,
    term_weight: N::Scalar,
    /// The weight of this part, before the mean over the ranks.
    share: N::Scalar,
    step: u64,
    /// The loss of the whole batch at the point of the gradient.
    value: N::Scalar,
}

impl<N, L, Y, C, const B: usize> Batch<'_, N, L, Y, C, B>
where
    N: Network<Scalar: Real>,
    L: Loss<N::Scalar, N::Output, Y>,
    C: Collective<N::Scalar>,
{
    /// The loss of this part and, if requested, its gradient.
    fn pass<const GRADIENT: bool>(&mut self, network: &N) -> Result<Step<N::Scalar>, TrainError> {
        let Self { level, ref mut shard, loss, samples: batch, noise, term_weight, share, step, .. } = *self;
        let pass = Pass::new(noise, term_weight);
        dispatch(level, ShardTask::<_, _, B, _, GRADIENT> { shard, network, loss, batch, pass, step, share })
    }

    /// The loss and the gradient of the whole batch.
    fn compute(&mut self, network: &N) -> Result<Step<N::Scalar>, DistributedError<C::Error>> {
        let part = self.pass::<true>(network);
        let step = part.unwrap_or(Step { loss: N::Scalar::ZERO, correct: None });
        let correct = step.correct.map_or([0.0, 0.0], |correct| [correct as f64, 1.0]);
        let mut counts = [step.loss.to_f64(), correct[0], correct[1], f64::from(u8::from(part.is_err()))];
        self.collective.count(&mut counts).map_err(DistributedError::Lost)?;
        let [loss, correct, counted, refused] = counts;
        agreed(part, refused)?;
        let gradient = self.shard.gradient.as_mut_slice();
        self.collective.sum(gradient).map_err(DistributedError::Lost)?;
        let ranks = self.collective.ranks() as f64;
        dispatch(self.level, Scale { numbers: gradient, factor: N::Scalar::from_f64(1.0 / ranks) });
        self.value = N::Scalar::from_f64(loss / ranks);
        Ok(Step { loss: self.value, correct: (counted > 0.0).then_some(correct as usize) })
    }
}

impl<N, L, Y, C, const B: usize> Objective<N> for Batch<'_, N, L, Y, C, B>
where
    N: Network<Scalar: Real>,
    L: Loss<N::Scalar, N::Output, Y>,
    C: Collective<N::Scalar>,
{
    fn loss(&self) -> N::Scalar {
        self.value
    }

    fn gradient(&self) -> &N {
        &self.shard.gradient
    }

    fn gradient_mut(&mut self) -> &mut N {
        &mut self.shard.gradient
    }

    fn loss_at(&mut self, parameters: &N) -> N::Scalar {
        let part = self.pass::<false>(parameters).map_or(f64::NAN, |step| step.loss.to_f64());
        let mut loss = [part];
        let sum = self.collective.count(&mut loss).map(|()| loss[0] / self.collective.ranks() as f64);
        N::Scalar::from_f64(sum.unwrap_or(f64::NAN))
    }

    fn gradient_at(&mut self, parameters: &N) -> N::Scalar {
        self.value = N::Scalar::from_f64(f64::NAN);
        let _ = self.compute(parameters);
        if !dispatch(self.level, clip::Squares(self.gradient())).is_finite() {
            self.value = N::Scalar::from_f64(f64::NAN);
        }
        self.value
    }
}

struct Scale<'a, T> {
    numbers: &'a mut [T],
    factor: T,
}

impl<T: Scalar> Task for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        scale(simd, self.numbers, self.factor);
    }
}
