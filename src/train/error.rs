//! Why a step was not taken.

use core::fmt;

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
    /// The loss or the gradient became infinite or NaN.
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

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(error) => error.fmt(f),
            Self::Input(error) => write!(f, "{error}; the network was left as it was: correct the input"),
            Self::NotFinite { what, step } => write!(
                f,
                "the {what} is not a finite number at step {step}; the network was left as it was: lower the learning rate, \
                 clip the gradient, or look for infinite inputs"
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
            Self::NotFinite { .. } | Self::Batch { .. } => None,
        }
    }
}
