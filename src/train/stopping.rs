//! Early stopping.

use alloc::boxed::Box;

use crate::memory;
use crate::network::Network;

/// Keeps the best parameters so far, and tells when there has been no improvement for a while.
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
pub struct EarlyStopping<N: Network> {
    kept: Box<N>,
    best: f64,
    patience: u32,
    waited: u32,
}

impl<N: Network> EarlyStopping<N> {
    /// Stops after `patience` observations in a row that are not better than the best; 0 is as patient as 1.
    pub fn new(patience: u32) -> Self {
        Self { kept: memory::boxed(), best: f64::INFINITY, patience: patience.max(1), waited: 0 }
    }

    /// Records a validation loss (or anything that should be small); returns whether to stop. What is not finite is not
    /// better.
    pub fn observe(&mut self, loss: f64, network: &N) -> bool {
        if loss < self.best && loss.is_finite() {
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

    /// Restores the parameters of the best observation, if there was one.
    pub fn restore(&self, network: &mut N) {
        if self.best < f64::INFINITY {
            network.as_mut_slice().copy_from_slice((*self.kept).as_slice());
        }
    }
}
