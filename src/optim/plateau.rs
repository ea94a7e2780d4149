//! A learning rate that falls when nothing improves.

use crate::hyperparameters::{OutOfRange, Range, check};

/// Lowers the learning rate when a loss has not improved for a while: PyTorch's `ReduceLROnPlateau`.
///
/// An observation is better if it is below `best·(1 − threshold)`. After more than `patience` that are not, the rate
/// is multiplied by `factor`, but not below `floor`; the next `cooldown` observations do not count. It is a plain value of
/// a few numbers, and independent of the trainer's [`Schedule`](super::Schedule), which multiplies the learning rate
/// as well.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let mut net = Line::zeroed();
/// let mut trainer = Trainer::<Line, _, 2>::new(Sgd { learning_rate: 0.4, ..Sgd::default() }, Mse);
/// let mut plateau = ReduceOnPlateau { factor: 0.5, patience: 2, ..ReduceOnPlateau::default() };
/// for _epoch in 0..50 {
///     // No line goes through both points.
///     let loss = trainer.step(&mut net, &[[1.0], [1.0]], &[[0.0], [1.0]])?.loss;
///     trainer.optimizer.learning_rate = 0.4 * plateau.observe(f64::from(loss));
/// }
/// assert!(trainer.optimizer.learning_rate < 1e-3);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReduceOnPlateau {
    /// The factor by which the rate falls; above 0 and below 1, by default 0.1.
    pub factor: f64,
    /// How many observations that are not better are accepted; by default 10.
    pub patience: u32,
    /// By which share a better one must be below the best; by default 1e-4.
    pub threshold: f64,
    /// How many observations after a fall do not count; by default 0.
    pub cooldown: u32,
    /// The lowest rate; by default 0.
    pub floor: f64,
    /// The rate at present, from 1 downwards.
    pub rate: f64,
    /// The best observation; infinite before the first.
    pub best: f64,
    /// How many in a row were not better.
    pub waited: u32,
    /// How many will not count.
    pub cooling: u32,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self {
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            floor: 0.0,
            rate: 1.0,
            best: f64::INFINITY,
            waited: 0,
            cooling: 0,
        }
    }
}

impl ReduceOnPlateau {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        check::<f64>(
            "ReduceOnPlateau",
            &[
                ("factor", self.factor, Range::Between),
                ("threshold", self.threshold, Range::Share),
                ("floor", self.floor, Range::Share),
            ],
        )
    }

    /// Records a loss, usually that of the validation after an epoch, and returns the factor of the learning rate from now
    /// on. What is not a number is not better.
    pub fn observe(&mut self, loss: f64) -> f64 {
        // Relative to the size, so that it means the same for losses below 0.
        if loss < self.best - self.threshold * if self.best.is_finite() { self.best.abs() } else { 0.0 } {
            (self.best, self.waited) = (loss, 0);
        } else {
            self.waited = self.waited.saturating_add(1);
        }
        if self.cooling > 0 {
            (self.cooling, self.waited) = (self.cooling - 1, 0);
        }
        if self.waited > self.patience {
            self.rate = (self.rate * self.factor).max(self.floor);
            (self.cooling, self.waited) = (self.cooldown, 0);
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_after_patience() {
        let mut plateau = ReduceOnPlateau { factor: 0.5, patience: 1, cooldown: 2, floor: 0.2, ..Default::default() };
        // Better, not by enough, not for the second time; two that do not count; then again.
        let losses = [1.0, 0.99995, f64::NAN, 2.0, 2.0, 2.0, 2.0, 0.5, 0.5, 0.5, 0.5];
        let rates = losses.map(|loss| plateau.observe(loss));
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2]);
        assert_eq!((plateau.best, plateau.check()), (0.5, Ok(())));
    }

    #[test]
    fn losses_below_0() {
        let mut plateau = ReduceOnPlateau { threshold: 0.1, ..ReduceOnPlateau::default() };
        plateau.observe(-1.0);
        plateau.observe(-1.05);
        assert_eq!(plateau.best, -1.0);
        plateau.observe(-1.2);
        assert_eq!(plateau.best, -1.2);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let refused = |plateau: ReduceOnPlateau| plateau.check().unwrap_err().name;
        assert_eq!(refused(ReduceOnPlateau { factor: 1.0, ..Default::default() }), "factor");
        assert_eq!(refused(ReduceOnPlateau { threshold: -0.1, ..Default::default() }), "threshold");
        assert_eq!(refused(ReduceOnPlateau { floor: 2.0, ..Default::default() }), "floor");
    }
}
