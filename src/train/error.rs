//! Why a step was not taken.

use core::fmt;

use crate::hyperparameters::OutOfRange;
use crate::layer::InputError;
use crate::loss::LossError;
use crate::optim::OptimizerError;

/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TrainError {
    /// The loss rejected the target.
    Loss(LossError),
    /// A layer rejected the input.
    Input(InputError),
    /// A setting of the trainer, its schedule or its optimizer is out of its range.
    OutOfRange(OutOfRange),
    /// The loss, the norm of the gradient, or the change of a running statistic is infinite or NaN.
    NotFinite {
        /// Which of them.
        what: &'static str,
        /// At which step, counted from 1.
        step: u64,
    },
    /// The optimizer took no step.
    Refused(OptimizerError),
    /// A batch that cannot be cut into shards, or does not have one target for each input.
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

impl From<OutOfRange> for TrainError {
    fn from(error: OutOfRange) -> Self {
        Self::OutOfRange(error)
    }
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(error) => error.fmt(f),
            Self::Input(error) => write!(f, "{error}; the network was left as it was: correct the input"),
            Self::OutOfRange(error) => write!(f, "{error}; the network was left as it was"),
            Self::NotFinite { what, step } => write!(
                f,
                "the {what} is not a finite number at step {step}; the network was left as it was: lower the learning rate, \
                 clip the gradient, or look for inputs that are infinite or huge"
            ),
            Self::Refused(error) => write!(f, "{error}; the network was left as it was"),
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
            Self::Input(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::OutOfRange(error) => Some(error),
            Self::NotFinite { .. } | Self::Batch { .. } => None,
        }
    }
}

/// Why an [`Evaluator`](super::Evaluator) gives no score.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ScoreError {
    /// The loss rejected a target.
    Loss(LossError),
    /// There is no sample, or not one target for each input.
    Samples {
        /// How many inputs there were.
        inputs: usize,
        /// How many targets there were.
        targets: usize,
    },
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(error) => error.fmt(f),
            Self::Samples { inputs, targets } => write!(
                f,
                "{inputs} inputs and {targets} targets have no score: give at least one input, and one target for each"
            ),
        }
    }
}

impl core::error::Error for ScoreError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Loss(error) => Some(error),
            Self::Samples { .. } => None,
        }
    }
}
