//! A whole training in one call.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{EarlyStopping, Evaluator, Score, ScoreError, Step, TrainError, Trainer};
use crate::data::Dataset;
use crate::loss::{CrossEntropy, Loss, Mse};
use crate::memory;
use crate::network::{Network, Trainable};
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer, Schedule};
use crate::scalar::{Real, Scalar};

/// Trains `network` on `train`: shuffled batches of 32, 10 epochs of Adam; all of it can be said otherwise.
///
/// The loss follows from the targets: [`CrossEntropy`] for classes (`u8`, `u16`, `u32`, `usize`), [`Mse`] for numbers;
/// [`Fit::loss`] is another one. It is the loop of [`Trainer`], [`Evaluator`] and [`EarlyStopping`] and nothing that could
/// not be written by hand; no step allocates.
///
/// ```
/// use monomorph::data::Dataset;
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let data = Dataset::from_fn(200, |i, x: &mut [f32; 1], y: &mut [f32; 1]| {
///     *x = [i as f32 / 100.0 - 1.0];
///     *y = [2.0 * x[0] + 1.0];
/// });
/// let (train, test) = data.split(40);
/// let mut net = Line::zeroed();
/// let best = fit(&mut net, &train)
///     .validate(&test)
///     .epochs(100)
///     .stop_early(10)
///     .optimizer(Adam { learning_rate: 0.05, ..Adam::default() })
///     .on_epoch(|epoch| println!("{epoch}"))
///     .run()?;
/// assert!(best.validation.unwrap().loss < 1e-6);
/// assert!((net.evaluate(&[0.25])[0] - 1.5).abs() < 1e-2);
/// # Ok::<(), monomorph::train::FitError>(())
/// ```
pub fn fit<'a, N, Y>(network: &'a mut N, train: &'a Dataset<N::Input, Y>) -> Fit<'a, N, Y, Adam, Y::Loss>
where
    N: Network + Trainable,
    Y: NaturalLoss,
{
    Fit::new(network, train, Y::Loss::default())
}

/// The loss that targets of this type are usually learned with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no usual loss",
    label = "neither classes nor numbers",
    note = "`Fit::new(&mut net, &train, loss)` trains with any loss"
)]
pub trait NaturalLoss {
    /// The loss.
    type Loss: Default;
}

macro_rules! natural {
    ($($loss:ty: $($target:ty)*;)*) => { $($( impl NaturalLoss for $target { type Loss = $loss; } )*)* };
}
natural!(CrossEntropy: u8 u16 u32 usize; Mse: f32 f64;);

impl<Y: NaturalLoss, const N: usize> NaturalLoss for [Y; N] {
    type Loss = Y::Loss;
}

#[cfg(feature = "generic-array")]
impl<Y: NaturalLoss, N: generic_array::ArrayLength> NaturalLoss for generic_array::GenericArray<Y, N> {
    type Loss = Y::Loss;
}

/// A training that [`fit`] describes and [`run`](Self::run) does: of the network `N` towards targets `Y`, with the optimizer
/// `O`, the loss `L` and batches of `B` samples.
#[must_use = "`run` trains"]
pub struct Fit<'a, N: Network, Y, O, L, const B: usize = 32> {
    pub(crate) optimizer: O,
    pub(crate) loss: L,
    pub(crate) plan: Plan<'a, N, Y>,
}

/// What does not depend on the optimizer, the loss and the batch.
pub(crate) struct Plan<'a, N: Network, Y> {
    network: &'a mut N,
    train: &'a Dataset<N::Input, Y>,
    validation: Option<&'a Dataset<N::Input, Y>>,
    epochs: u32,
    patience: Option<u32>,
    schedule: Option<Box<dyn FnOnce(u64) -> Schedule + 'a>>,
    clip: Option<f64>,
    seed: u64,
    in_order: bool,
    on_epoch: Option<OnEpoch<'a>>,
    on_step: Option<OnStep<'a, N>>,
}

type OnEpoch<'a> = Box<dyn FnMut(&Epoch) + 'a>;
type OnStep<'a, N> = Box<dyn FnMut(&TrainStep<'_, N>) + 'a>;

impl<'a, N: Network + Trainable, Y, L> Fit<'a, N, Y, Adam, L> {
    /// As [`fit`], with a loss for targets of any kind.
    pub fn new(network: &'a mut N, train: &'a Dataset<N::Input, Y>, loss: L) -> Self {
        let plan = Plan {
            network,
            train,
            validation: None,
            epochs: 10,
            patience: None,
            schedule: None,
            clip: None,
            seed: 0,
            in_order: false,
            on_epoch: None,
            on_step: None,
        };
        Self { optimizer: Adam::default(), loss, plan }
    }
}

impl<'a, N: Network, Y, O, L, const B: usize> Fit<'a, N, Y, O, L, B> {
    /// Evaluates the network on these samples after every epoch. At the end it has the weights that did best on them.
    pub fn validate(mut self, samples: &'a Dataset<N::Input, Y>) -> Self {
        self.plan.validation = Some(samples);
        self
    }

    /// How often every sample is seen; 10 by default.
    pub fn epochs(mut self, epochs: u32) -> Self {
        self.plan.epochs = epochs;
        self
    }

    /// Stops after this many epochs in a row that are not better than the best, and leaves the best weights: by the
    /// validation loss, or by the training loss if there is no validation. 0 is as patient as 1.
    pub fn stop_early(mut self, patience: u32) -> Self {
        self.plan.patience = Some(patience);
        self
    }

    /// Batches of another size, such as `.batch_size::<64>()`; 32 by default.
    pub fn batch_size<const C: usize>(self) -> Fit<'a, N, Y, O, L, C> {
        Fit { optimizer: self.optimizer, loss: self.loss, plan: self.plan }
    }

    /// Another optimizer; [`Adam`] with its defaults if nothing is said.
    pub fn optimizer<P>(self, optimizer: P) -> Fit<'a, N, Y, P, L, B> {
        Fit { optimizer, loss: self.loss, plan: self.plan }
    }

    /// Another loss.
    pub fn loss<K>(self, loss: K) -> Fit<'a, N, Y, O, K, B> {
        Fit { optimizer: self.optimizer, loss, plan: self.plan }
    }

    /// A schedule of the learning rate, from the number of all steps: `.schedule(Schedule::one_cycle)`, or
    /// `.schedule(|total| Schedule::Cosine { warmup: 100, total, floor: 0.01 })`.
    pub fn schedule(mut self, schedule: impl FnOnce(u64) -> Schedule + 'a) -> Self {
        self.plan.schedule = Some(Box::new(schedule));
        self
    }

    /// Clips gradients to this global norm.
    pub fn clip(mut self, norm: f64) -> Self {
        self.plan.clip = Some(norm);
        self
    }

    /// The seed of the order of the samples and of dropout; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// Takes the samples in their order in every epoch, unshuffled.
    pub fn in_order(mut self) -> Self {
        self.plan.in_order = true;
        self
    }

    /// Calls `f` after every epoch.
    pub fn on_epoch(mut self, f: impl FnMut(&Epoch) + 'a) -> Self {
        self.plan.on_epoch = Some(Box::new(f));
        self
    }

    /// Calls `f` after every step, with the network and the gradient: for [`Watch`](crate::watch::Watch), for example.
    pub fn on_step(mut self, f: impl FnMut(&TrainStep<'_, N>) + 'a) -> Self {
        self.plan.on_step = Some(Box::new(f));
        self
    }

    /// Trains; returns the report of the epoch whose weights the network has then: the best one, or the last if there is
    /// neither validation nor early stopping. With an optimizer that keeps an average, what is evaluated and left is the
    /// average.
    ///
    /// The last samples of an epoch that do not fill a batch are left out; if shuffled, others in each epoch.
    ///
    /// # Errors
    /// No epoch; fewer samples than a batch has; those of a [step](Trainer::step) and of a [score](Evaluator::score). The
    /// network then has the weights of the last step that was taken.
    pub fn run(self) -> Result<Epoch, FitError>
    where
        N: Network<Scalar: Real, Input: Clone> + Trainable,
        Y: Clone,
        O: Optimizer<N::Scalar>,
        L: Loss<N::Scalar, N::Output, Y>,
    {
        let mut trainer = Trainer::<N, _, B>::new(self.optimizer, self.loss);
        self.plan.run(
            1,
            &mut trainer,
            |trainer| trainer,
            |trainer, network, inputs, targets| match (inputs.first_chunk(), targets.first_chunk()) {
                (Some(inputs), Some(targets)) => trainer.step(network, inputs, targets),
                _ => Err(TrainError::Batch { inputs: inputs.len(), targets: targets.len(), shard: B }),
            },
        )
    }
}

impl<N: Network<Scalar: Real, Input: Clone>, Y: Clone> Plan<'_, N, Y> {
    /// The loop, over batches of `shards · B` samples, for whatever takes the steps.
    pub(crate) fn run<T, O: Optimizer<N::Scalar>, L: Loss<N::Scalar, N::Output, Y>, const B: usize>(
        self,
        shards: usize,
        by: &mut T,
        trainer: fn(&mut T) -> &mut Trainer<N, (O, L), B>,
        take: impl Fn(&mut T, &mut N, &[N::Input], &[Y]) -> Result<Step<N::Scalar>, TrainError>,
    ) -> Result<Epoch, FitError> {
        let Self { network, train, validation, epochs, patience, mut on_epoch, mut on_step, .. } = self;
        let batch = B * shards.max(1);
        let steps = train.len() / batch;
        if steps == 0 {
            return Err(FitError::Samples { samples: train.len(), batch });
        }
        let mut noise = Noise::new(self.seed);
        let trained = trainer(by);
        (trained.clip, trained.noise) = (self.clip, Noise::new(noise.next_u64()));
        if let Some(schedule) = self.schedule {
            trained.schedule = schedule(u64::from(epochs) * steps as u64);
        }
        let mut order: Vec<usize> = (0..train.len()).collect();
        let mut inputs: Box<[N::Input]> = memory::boxed_slice(batch);
        let mut targets: Vec<Y> = Vec::with_capacity(batch);
        let mut evaluator = Evaluator::<N, B>::new();
        let mut stopping = EarlyStopping::<N>::new(patience.unwrap_or(u32::MAX));
        let mut averaged = memory::boxed::<N>();
        let chooses = validation.is_some() || patience.is_some();
        let mut chosen = None;
        for epoch in 1..=epochs {
            let clock = Clock::start();
            if !self.in_order {
                shuffle(&mut order, &mut noise);
            }
            let (mut sum, mut correct, mut counted, mut rate) = (0.0, 0, 0, 1.0);
            for samples in order.chunks_exact(batch) {
                for (to, from) in samples.iter().enumerate() {
                    inputs[to..=to].clone_from_slice(&train.inputs()[*from..=*from]);
                }
                targets.clear();
                targets.extend(samples.iter().map(|from| train.targets()[*from].clone()));
                rate = trainer(by).rate();
                let step = take(by, network, &inputs, &targets).map_err(|error| FitError::Step { epoch, error })?;
                let (trained, loss) = (&*trainer(by), step.loss.to_f64());
                sum += loss;
                if let Some(right) = step.correct {
                    correct += right;
                    let shards = targets.as_chunks::<B>().0.iter();
                    counted += shards.map(|shard| trained.loss.counted(shard)).sum::<usize>();
                }
                if let Some(f) = &mut on_step {
                    f(&TrainStep { epoch, step: trained.steps(), loss, network, gradient: trained.gradient() });
                }
            }
            let accuracy = (counted > 0).then(|| correct as f64 / counted as f64);
            let score = Score { loss: sum / steps as f64, accuracy };
            let trained = &*trainer(by);
            trained.averaged(network, &mut averaged);
            let validation = validation
                .map(|set| evaluator.score(&averaged, &trained.loss, set.inputs(), set.targets()))
                .transpose()
                .map_err(|error| FitError::Score { epoch, error })?;
            let before = stopping.best();
            let stop = stopping.observe(validation.unwrap_or(score).loss, &averaged);
            let best = stopping.best() < before;
            let report = Epoch { epoch, train: score, validation, best, rate, seconds: clock.seconds() };
            if let Some(f) = &mut on_epoch {
                f(&report);
            }
            if best || !chooses || chosen.is_none() {
                chosen = Some(report);
            }
            if stop && patience.is_some() {
                break;
            }
        }
        let report = chosen.ok_or(FitError::NoEpoch)?;
        if chooses {
            stopping.restore(&mut averaged);
        }
        network.as_mut_slice().copy_from_slice(averaged.as_slice());
        Ok(report)
    }
}

/// Puts them in random order (Fisher and Yates).
fn shuffle(order: &mut [usize], noise: &mut Noise) {
    for last in (1..order.len()).rev() {
        order.swap(last, noise.below(last as u64 + 1) as usize);
    }
}

/// Measures seconds, where there is a clock.
struct Clock(#[cfg(not(target_family = "wasm"))] std::time::Instant);

impl Clock {
    fn start() -> Self {
        Self(
            #[cfg(not(target_family = "wasm"))]
            std::time::Instant::now(),
        )
    }

    #[cfg(not(target_family = "wasm"))]
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    #[cfg(target_family = "wasm")]
    fn seconds(&self) -> f64 {
        0.0
    }
}

/// A step of [`Fit`], after the update.
#[derive(Clone, Copy, Debug)]
pub struct TrainStep<'a, N> {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// The step, counted from 1 through all epochs.
    pub step: u64,
    /// The loss of its batch, before the update.
    pub loss: f64,
    /// The network, after the update.
    pub network: &'a N,
    /// The gradient, as the optimizer saw it.
    pub gradient: &'a N,
}

/// What [`Fit`] reports of an epoch. It prints as a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Which one, counted from 1.
    pub epoch: u32,
    /// The mean loss of the steps, each before its update, with the terms of layers; the accuracy if the loss is one of
    /// classification.
    pub train: Score,
    /// The score of the samples to validate on, after the epoch.
    pub validation: Option<Score>,
    /// Whether it is the best so far.
    pub best: bool,
    /// The factor of the learning rate, from the schedule, at the last step.
    pub rate: f64,
    /// How long it took, validation included; 0 on targets without a clock (WebAssembly).
    pub seconds: f64,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let score = |f: &mut fmt::Formatter<'_>, score: &Score| {
            write!(f, "loss {:.4}", score.loss)?;
            score.accuracy.map_or(Ok(()), |accuracy| write!(f, ", accuracy {:.2} %", 100.0 * accuracy))
        };
        write!(f, "epoch {}: ", self.epoch)?;
        score(f, &self.train)?;
        if let Some(validation) = &self.validation {
            f.write_str("; validation ")?;
            score(f, validation)?;
        }
        write!(f, "; {:.2} s{}", self.seconds, if self.best { "; best" } else { "" })
    }
}

/// Why [`Fit`] did not train to the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FitError {
    /// There are fewer samples than a batch has.
    Samples {
        /// How many samples there are.
        samples: usize,
        /// How many a batch has.
        batch: usize,
    },
    /// 0 epochs.
    NoEpoch,
    /// A step was not taken.
    Step {
        /// In which epoch.
        epoch: u32,
        /// Why.
        error: TrainError,
    },
    /// The samples to validate on have no score.
    Score {
        /// After which epoch.
        epoch: u32,
        /// Why.
        error: ScoreError,
    },
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples { samples, batch } => {
                write!(f, "{samples} samples do not fill a batch of {batch}: give more, or say `.batch_size::<..>()`")
            }
            Self::NoEpoch => f.write_str("0 epochs train nothing: give at least 1"),
            Self::Step { epoch, error } => write!(f, "epoch {epoch}: {error}"),
            Self::Score { epoch, error } => write!(f, "validation after epoch {epoch}: {error}"),
        }
    }
}

impl core::error::Error for FitError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Step { error, .. } => Some(error),
            Self::Score { error, .. } => Some(error),
            Self::Samples { .. } | Self::NoEpoch => None,
        }
    }
}

#[cfg(test)]
mod tests;
