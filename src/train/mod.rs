//! Training: mini-batches of a size known at compile time, without allocation.

#[cfg(feature = "alloc")]
mod curvature;
mod error;
#[cfg(feature = "alloc")]
mod evaluator;
#[cfg(feature = "std")]
mod fit;
mod passes;
#[cfg(feature = "alloc")]
mod physics;
#[cfg(feature = "alloc")]
mod second_order;
mod shard;
#[cfg(feature = "alloc")]
mod stopping;
mod trainer;

#[cfg(all(feature = "nalgebra", feature = "alloc"))]
pub(crate) use self::curvature::Back;
#[cfg(feature = "std")]
pub use self::fit::{Epoch, Fit, FitError, NaturalLoss, TrainStep, fit};
pub(crate) use self::shard::{Settings, Shard, finish};
#[cfg(feature = "alloc")]
pub(crate) use self::shard::{ShardTask, UpdateTask, noise_of};
#[cfg(feature = "alloc")]
pub use self::{
    curvature::{Curvature, GradientPenalty, Lanczos},
    evaluator::Evaluator,
    physics::{Field, Physics, Residual, Term},
    second_order::{SecondOrder, Target},
    stopping::EarlyStopping,
};
pub use self::{
    error::{ScoreError, TrainError},
    passes::Passes,
    trainer::Trainer,
};

use crate::network::Network;
use crate::optim::Optimizer;
use crate::plain::Plain;

/// An optimizer and a loss: what a [`Trainer`] trains with.
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
    /// What is minimized.
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
#[derive(Plain)]
pub struct TrainMemory<N: Network, O: Optimizer<N::Scalar>, const B: usize> {
    pub(crate) moments: O::Memory<N>,
    pub(crate) shard: Shard<N, B>,
}

/// What a step reports about its batch, before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step<T> {
    /// The loss.
    pub loss: T,
    /// The number of correctly classified samples, if the loss is a classification loss; of pixels, if every pixel has a
    /// class.
    pub correct: Option<usize>,
}

/// How well a network does on a set of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Score {
    /// The loss.
    pub loss: f64,
    /// The fraction of correctly classified samples, if the loss is a classification loss; of pixels, if every pixel has
    /// a class.
    pub accuracy: Option<f64>,
}
