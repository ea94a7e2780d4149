//! How the learning rate varies with the steps.

use core::f64::consts::PI;

use crate::hyperparameters::{OutOfRange, Range, check};

/// A multiplier of the optimizer's learning rate for each step.
///
/// Steps count from 1, as in [`Optimizer::update`](super::Optimizer::update); after the last step of a schedule the
/// rate stays at its final value.
///
/// ```
/// use monomorph::optim::Schedule;
/// let schedule = Schedule::Cosine { warmup: 10, total: 110, floor: 0.0 };
/// assert_eq!(schedule.rate(1), 0.1);
/// assert_eq!(schedule.rate(11), 1.0);
/// assert!((schedule.rate(61) - 0.5).abs() < 1e-15);
/// assert_eq!(schedule.rate(1000), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// `factorᵏ` at step `t`, `k = ⌊(t−1)/every⌋`: a drop after every `every` steps (PyTorch's `StepLR`).
    Step {
        /// The number of steps from drop to drop; 0 for no drops.
        every: u64,
        /// The factor by which a drop multiplies the rate.
        factor: f64,
    },
    /// A linear warm-up from 0 to 1, then half a cosine down to `floor`.
    ///
    /// `t/warmup` while `t ≤ warmup`; then `floor + (1 − floor)·(1 + cos πx)/2` with
    /// `x = (t−1−warmup)/(total−warmup)`. Loshchilov and Hutter, *SGDR: stochastic gradient descent
    /// with warm restarts* (2017); without warm-up it is PyTorch's `CosineAnnealingLR`.
    Cosine {
        /// The number of warm-up steps; 0 for none.
        warmup: u64,
        /// The number of all steps, including the warm-up.
        total: u64,
        /// The final rate.
        floor: f64,
    },
    /// From a low rate up to 1 and down to nearly 0, along two half cosines.
    ///
    /// From `1/start_div` at step 1 to 1 at step `warmup_fraction·total`, then to
    /// `1/(start_div·final_div)` at step `total`. Smith and Topin, *Super-convergence: very fast
    /// training of neural networks using large learning rates* (2018), in the form of PyTorch's
    /// `OneCycleLR`; [`Schedule::one_cycle`] has its defaults.
    OneCycle {
        /// The number of all steps.
        total: u64,
        /// The fraction of the steps in which the rate rises.
        warmup_fraction: f64,
        /// 1 divided by the first rate.
        start_div: f64,
        /// The first rate divided by the final one.
        final_div: f64,
    },
}

impl Schedule {
    /// One cycle over `total` steps: up from 1/25 in 30 % of them, then down to 1/250 000.
    pub const fn one_cycle(total: u64) -> Self {
        Self::OneCycle { total, warmup_fraction: 0.3, start_div: 25.0, final_div: 1e4 }
    }

    /// Checks the parameters of the schedule. Trainers call it before every step.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { factor, .. } => check::<f64>("Schedule::Step", &[("factor", factor, Range::NotNegative)]),
            Self::Cosine { floor, .. } => check::<f64>("Schedule::Cosine", &[("floor", floor, Range::NotNegative)]),
            Self::OneCycle { warmup_fraction, start_div, final_div, .. } => check::<f64>(
                "Schedule::OneCycle",
                &[
                    ("warmup_fraction", warmup_fraction, Range::Share),
                    ("start_div", start_div, Range::Positive),
                    ("final_div", final_div, Range::Positive),
                ],
            ),
        }
    }

    /// The multiplier at a step; steps count from 1.
    pub fn rate(&self, step: u64) -> f64 {
        let passed = step.saturating_sub(1);
        match *self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => match passed.checked_div(every) {
                Some(drops) => libm::pow(factor, drops as f64),
                None => 1.0,
            },
            Self::Cosine { warmup, total, floor } => {
                if passed < warmup {
                    (passed + 1) as f64 / warmup as f64
                } else {
                    let down = total.saturating_sub(warmup) as f64;
                    half_cosine(1.0, floor, share((passed - warmup) as f64, down))
                }
            }
            Self::OneCycle { total, warmup_fraction, start_div, final_div } => {
                let passed = passed as f64;
                let up = (warmup_fraction * total as f64 - 1.0).max(0.0);
                let start = 1.0 / start_div;
                if passed < up {
                    half_cosine(start, 1.0, passed / up)
                } else {
                    half_cosine(1.0, start / final_div, share(passed - up, total as f64 - 1.0 - up))
                }
            }
        }
    }
}

/// `part / whole`, from 0 to 1.
fn share(part: f64, whole: f64) -> f64 {
    if part <= 0.0 {
        0.0
    } else if part >= whole {
        1.0
    } else {
        part / whole
    }
}

/// From one value to the other, with slope 0 at both ends.
fn half_cosine(from: f64, to: f64, share: f64) -> f64 {
    // At the end, 1 + cos π is exactly 0.
    to + (from - to) * 0.5 * (1.0 + libm::cos(PI * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, expected: &[(u64, f64)]) {
        for (step, rate) in expected {
            let actual = schedule.rate(*step);
            assert!((actual - rate).abs() < 1e-12, "{schedule:?} at {step}: {actual} is not {rate}");
        }
    }

    #[test]
    fn constant() {
        rates(Schedule::default(), &[(1, 1.0), (u64::MAX, 1.0)]);
    }

    #[test]
    fn steps() {
        let schedule = Schedule::Step { every: 3, factor: 0.1 };
        rates(schedule, &[(0, 1.0), (1, 1.0), (3, 1.0), (4, 0.1), (6, 0.1), (7, 0.01)]);
        rates(Schedule::Step { every: 0, factor: 0.1 }, &[(1, 1.0), (100, 1.0)]);
    }

    #[test]
    fn cosine() {
        let schedule = Schedule::Cosine { warmup: 4, total: 16, floor: 0.1 };
        rates(schedule, &[(1, 0.25), (2, 0.5), (4, 1.0), (5, 1.0)]);
        // A third of the way down cos is 1/2, half of the way 0.
        rates(schedule, &[(9, 0.1 + 0.9 * 0.75), (11, 0.55), (13, 0.1 + 0.9 * 0.25), (17, 0.1), (99, 0.1)]);
        rates(Schedule::Cosine { warmup: 0, total: 2, floor: 0.0 }, &[(1, 1.0), (2, 0.5), (3, 0.0)]);
        // No descent at all.
        rates(Schedule::Cosine { warmup: 2, total: 1, floor: 0.5 }, &[(1, 0.5), (2, 1.0), (3, 1.0), (4, 0.5)]);
    }

    #[test]
    fn one_cycle() {
        // Up for 0.4·10 = 4 steps, so the peak is at step 4; then six steps down to step 10.
        let schedule = Schedule::OneCycle { total: 10, warmup_fraction: 0.4, start_div: 10.0, final_div: 100.0 };
        rates(schedule, &[(1, 0.1), (2, 0.1 + 0.9 * 0.25), (3, 0.1 + 0.9 * 0.75), (4, 1.0)]);
        rates(schedule, &[(6, 0.001 + 0.999 * 0.75), (7, 0.001 + 0.999 * 0.5), (10, 0.001), (11, 0.001)]);
        rates(Schedule::one_cycle(100), &[(1, 0.04), (30, 1.0), (100, 4e-6)]);
        for total in 0..4 {
            for step in 0..6 {
                let rate = Schedule::one_cycle(total).rate(step);
                assert!((0.0..=1.0).contains(&rate), "{total} {step} {rate}");
            }
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let refused = |schedule: Schedule| schedule.check().unwrap_err().name;
        assert_eq!(refused(Schedule::Step { every: 3, factor: -0.1 }), "factor");
        assert_eq!(refused(Schedule::Step { every: 3, factor: f64::NAN }), "factor");
        assert_eq!(refused(Schedule::Cosine { warmup: 1, total: 2, floor: -1.0 }), "floor");
        let cycle = |warmup_fraction, start_div, final_div| {
            refused(Schedule::OneCycle { total: 9, warmup_fraction, start_div, final_div })
        };
        assert_eq!(cycle(1.5, 1.0, 1.0), "warmup_fraction");
        assert_eq!(cycle(0.5, 0.0, 1.0), "start_div");
        assert_eq!(cycle(0.5, 1.0, -1.0), "final_div");
        for schedule in [Schedule::Constant, Schedule::one_cycle(9)] {
            assert_eq!(schedule.check(), Ok(()));
        }
    }
}
