//! Finding a learning rate: Smith, *Cyclical learning rates for training neural networks* (2017), section 3.3.

use crate::hyperparameters::{OutOfRange, Range, check};

/// Tries learning rates from small to large in one short training, and tells at which the loss falls fastest.
///
/// At step `t` of `steps` the rate is `from·(to/from)^((t−1)/(steps−1))`. Losses are averaged over some ten steps. The
/// trial ends when the average is four times the lowest, or not a number. Train a copy of the network: at the end it is
/// ruined. The finder keeps a few numbers, so nothing allocates; what [`observe`](Self::observe) returns makes a plot.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
/// let mut net = Line::zeroed();
/// let mut trainer = Trainer::<Line, _, 4>::new(Sgd::default(), Mse);
/// let mut finder = RateFinder::new(1e-4, 10.0, 100);
/// while let Some(rate) = finder.rate() {
///     trainer.optimizer.learning_rate = rate;
///     // A loss that is not finite is an error of the step, and the end of the trial.
///     let loss = trainer.step(&mut net, &x, &y).map_or(f64::NAN, |step| f64::from(step.loss));
///     finder.observe(loss);
/// }
/// assert!((0.01..1.0).contains(&finder.steepest()), "{}", finder.steepest());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RateFinder {
    from: f64,
    to: f64,
    steps: u32,
    taken: u32,
    fast: Mean,
    slow: Mean,
    lowest: (f64, f64),
    /// How far the fast average was below the slow one at most, and the rate at which it was.
    steepest: (f64, f64),
    /// That rate when the average was lowest: what falls later is the loss of a training that has failed.
    suggested: f64,
    over: bool,
}

/// An exponential average from the first number on, and the sum of its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    const NOTHING: Self = Self { sum: 0.0, weight: 0.0 };

    /// Adds a number, of which later ones leave the share `keep`.
    fn add(&mut self, number: f64, keep: f64) {
        self.sum = keep * self.sum + (1.0 - keep) * number;
        self.weight = keep * self.weight + (1.0 - keep);
    }

    fn value(self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

/// What later losses leave in both averages. The fast one lags 9 steps behind, the slow one 19; their difference is the
/// slope in the middle, and less noisy than that of one average.
const FAST: f64 = 0.9;
const SLOW: f64 = 0.95;
const LAG: u32 = 14;

impl RateFinder {
    /// From one learning rate to another in so many steps; a hundred are usually enough.
    pub const fn new(from: f64, to: f64, steps: u32) -> Self {
        let (lowest, steepest) = ((f64::INFINITY, from), (0.0, from));
        let (fast, slow) = (Mean::NOTHING, Mean::NOTHING);
        Self { from, to, steps, taken: 0, fast, slow, lowest, steepest, suggested: from, over: false }
    }

    /// Checks the learning rates.
    ///
    /// # Errors
    /// One that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        check::<f64>("RateFinder", &[("from", self.from, Range::Positive), ("to", self.to, Range::Positive)])
    }

    /// The learning rate of the next step; nothing if the trial is over.
    pub fn rate(&self) -> Option<f64> {
        (!self.over && self.taken < self.steps).then(|| self.rate_of(self.taken))
    }

    fn rate_of(&self, step: u32) -> f64 {
        let share = f64::from(step) / f64::from(self.steps.saturating_sub(1).max(1));
        self.from * libm::pow(self.to / self.from, share)
    }

    /// Records the loss of a step at the current [`rate`](Self::rate); returns the average.
    pub fn observe(&mut self, loss: f64) -> f64 {
        let Some(rate) = self.rate() else { return self.average() };
        self.fast.add(loss, FAST);
        self.slow.add(loss, SLOW);
        let now = self.average();
        let fall = self.slow.value() - now;
        // Single losses say little of a slope: not before the average is one.
        if self.taken >= 10 && fall > self.steepest.0 {
            self.steepest = (fall, self.rate_of(self.taken.saturating_sub(LAG)));
        }
        if now < self.lowest.0 {
            (self.lowest, self.suggested) = ((now, rate), self.steepest.1);
        }
        self.over = !now.is_finite() || (self.taken >= 10 && now > 4.0 * self.lowest.0 && now > 0.0);
        self.taken += 1;
        now
    }

    /// The average of the losses of late; 0 before the first.
    pub fn average(&self) -> f64 {
        self.fast.value()
    }

    /// The learning rate at which the loss fell fastest on the way to its lowest: a good one to begin with.
    pub fn steepest(&self) -> f64 {
        self.suggested
    }

    /// The learning rate at which the loss was lowest: usually ten times too large.
    pub fn lowest(&self) -> f64 {
        self.lowest.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_grow_evenly() {
        let mut finder = RateFinder::new(1e-3, 1.0, 4);
        for expected in [1e-3, 1e-2, 1e-1, 1.0] {
            let rate = finder.rate().expect("a rate");
            assert!((rate / expected - 1.0).abs() < 1e-12, "{rate}");
            assert!((finder.observe(2.0) - 2.0).abs() < 1e-12, "the average of equal numbers");
        }
        assert_eq!((finder.rate(), finder.check()), (None, Ok(())));
        assert_eq!(RateFinder::new(1.0, 2.0, 1).rate(), Some(1.0));
        assert_eq!(RateFinder::new(1.0, 2.0, 0).rate(), None);
        assert_eq!(RateFinder::new(0.0, 2.0, 9).check().unwrap_err().name, "from");
    }

    /// Of `loss = 1 − r/(r² + 1)`-like curves the steepest part lies before the lowest.
    #[test]
    fn where_the_loss_falls() {
        let mut finder = RateFinder::new(1e-4, 1e2, 200);
        while let Some(rate) = finder.rate() {
            finder.observe(1.0 / (1.0 + 100.0 * rate) + 0.1 * rate * rate);
        }
        assert!((1e-3..0.1).contains(&finder.steepest()), "{}", finder.steepest());
        assert!((0.1..2.0).contains(&finder.lowest()), "{}", finder.lowest());
        assert!(finder.over && finder.taken < 200, "it ends where the loss explodes");

        // What falls after an explosion does not count.
        let mut finder = RateFinder::new(1e-4, 1e2, 100);
        while let Some(rate) = finder.rate() {
            let loss = 2.0 - 10.0 * rate.min(0.05);
            finder.observe(if (1.0..2.0).contains(&rate) { 20.0 } else { loss });
        }
        assert!(finder.steepest() < 0.1, "{}", finder.steepest());

        let mut finder = RateFinder::new(1e-4, 1e2, 200);
        finder.observe(f64::NAN);
        assert_eq!(finder.rate(), None);
    }
}
