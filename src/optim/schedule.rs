//! How the learning rate varies with the steps.

use core::f64::consts::PI;

use super::adam::power;
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
    /// Half a cosine from 1 to `floor`, again and again, each `factor` times as long as the last.
    ///
    /// `floor + (1 − floor)·(1 + cos πx)/2`, `x` the share of the current descent. Loshchilov and Hutter, *SGDR* (2017);
    /// PyTorch's `CosineAnnealingWarmRestarts`.
    CosineRestarts {
        /// The number of steps of the first descent; 0 for no descent at all.
        first: u64,
        /// By how much each descent is longer than the last: 1 for equal ones, usually 2; 0 is as 1.
        factor: u64,
        /// The rate at the end of each descent.
        floor: f64,
    },
    /// `factorᵗ⁻¹` at step `t`: PyTorch's `ExponentialLR`.
    Exponential {
        /// The factor between two steps, usually a little below 1.
        factor: f64,
    },
    /// `(1 − (t−1)/total)^power` at step `t`, then 0: PyTorch's `PolynomialLR`.
    Polynomial {
        /// After how many steps the rate is 0.
        total: u64,
        /// 1 for a straight line, 2 for a parabola. (A whole number, because other powers take some kilobytes of flash in
        /// firmware that trains, whatever its schedule.)
        power: u32,
    },
    /// A straight line from `start` at the first step to `end` after `total` steps: PyTorch's `LinearLR`.
    Linear {
        /// The first rate.
        start: f64,
        /// The final rate.
        end: f64,
        /// After how many steps it is reached.
        total: u64,
    },
    /// Straight lines from `floor` up to 1 and back, each of `half` steps. Smith, *Cyclical learning rates for training
    /// neural networks* (2017); PyTorch's `CyclicLR(mode="triangular")`.
    Cyclic {
        /// The lowest rate.
        floor: f64,
        /// The number of steps from the lowest to the highest; 0 for always the highest.
        half: u64,
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
            Self::Constant | Self::Polynomial { .. } => Ok(()),
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
            Self::CosineRestarts { floor, .. } => {
                check::<f64>("Schedule::CosineRestarts", &[("floor", floor, Range::NotNegative)])
            }
            Self::Exponential { factor } => {
                check::<f64>("Schedule::Exponential", &[("factor", factor, Range::NotNegative)])
            }
            Self::Linear { start, end, .. } => check::<f64>(
                "Schedule::Linear",
                &[("start", start, Range::NotNegative), ("end", end, Range::NotNegative)],
            ),
            Self::Cyclic { floor, .. } => check::<f64>("Schedule::Cyclic", &[("floor", floor, Range::NotNegative)]),
        }
    }

    /// The multiplier at a step; steps count from 1.
    pub fn rate(&self, step: u64) -> f64 {
        let passed = step.saturating_sub(1);
        match *self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => match passed.checked_div(every) {
                Some(drops) => power(factor, drops),
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
            Self::CosineRestarts { first, factor, floor } => {
                let (passed, length) = since_restart(passed, first, factor);
                half_cosine(1.0, floor, share(passed as f64, length as f64))
            }
            Self::Exponential { factor } => power(factor, passed),
            Self::Polynomial { total, power: exponent } => {
                power(1.0 - share(passed as f64, total as f64), exponent.into())
            }
            Self::Linear { start, end, total } => start + (end - start) * share(passed as f64, total as f64),
            Self::Cyclic { floor, half } => match passed.checked_rem(half.saturating_mul(2)) {
                Some(passed) => 1.0 - (1.0 - floor) * (passed as f64 / half as f64 - 1.0).abs(),
                None => 1.0,
            },
        }
    }
}

/// How many steps ago the current descent began, and how long it is.
fn since_restart(mut passed: u64, first: u64, factor: u64) -> (u64, u64) {
    let mut length = first;
    if factor <= 1 {
        return (passed.checked_rem(length).unwrap_or(0), length);
    }
    // Lengths double at least, so there are at most 64 of them.
    while length > 0 && passed >= length {
        passed -= length;
        length = length.saturating_mul(factor);
    }
    (if length > 0 { passed } else { 0 }, length)
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

    #[cfg(all(feature = "safetensors", feature = "std"))]
    #[test]
    fn agrees_with_pytorch() {
        let case = crate::testing::golden::Case::open("optim_schedules");
        for (name, schedule) in [
            ("cosine_warm_restarts", Schedule::CosineRestarts { first: 10, factor: 2, floor: 0.01 }),
            ("exponential", Schedule::Exponential { factor: 0.95 }),
            ("polynomial", Schedule::Polynomial { total: 40, power: 2 }),
            ("linear", Schedule::Linear { start: 0.1, end: 1.0, total: 20 }),
            ("cyclic_triangular", Schedule::Cyclic { floor: 0.1, half: 8 }),
        ] {
            for (index, expected) in case.numbers(name).into_iter().enumerate() {
                rates(schedule, &[(index as u64 + 1, expected)]);
            }
        }
    }

    #[test]
    fn ends_of_schedules() {
        let restarts = |first, factor| Schedule::CosineRestarts { first, factor, floor: 0.0 };
        rates(restarts(2, 1), &[(1, 1.0), (2, 0.5), (3, 1.0), (4, 0.5), (1001, 1.0)]);
        rates(restarts(2, 0), &[(2, 0.5), (3, 1.0)]);
        rates(restarts(2, 3), &[(3, 1.0), (6, 0.5), (9, 1.0)]);
        for factor in [0, 1, 2, u64::MAX] {
            for (first, step) in [(0, 1), (0, u64::MAX), (1, u64::MAX), (u64::MAX, u64::MAX)] {
                let rate = restarts(first, factor).rate(step);
                assert!((0.0..=1.0).contains(&rate), "{first} {factor} {step}: {rate}");
            }
        }
        rates(Schedule::Linear { start: 0.5, end: 2.0, total: 0 }, &[(1, 0.5), (2, 2.0)]);
        rates(Schedule::Polynomial { total: 0, power: 1 }, &[(1, 1.0), (2, 0.0)]);
        rates(Schedule::Cyclic { floor: 0.5, half: 0 }, &[(1, 1.0), (2, 1.0)]);
        rates(Schedule::Cyclic { floor: 0.5, half: 1 }, &[(1, 0.5), (2, 1.0), (3, 0.5)]);
        rates(Schedule::Exponential { factor: 0.5 }, &[(0, 1.0), (1, 1.0), (u64::MAX, 0.0)]);
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
        assert_eq!(refused(Schedule::CosineRestarts { first: 1, factor: 1, floor: -1.0 }), "floor");
        assert_eq!(refused(Schedule::Exponential { factor: f64::INFINITY }), "factor");
        assert_eq!(refused(Schedule::Linear { start: 0.0, end: f64::NAN, total: 1 }), "end");
        assert_eq!(refused(Schedule::Cyclic { floor: -1.0, half: 1 }), "floor");
        for schedule in [Schedule::Constant, Schedule::one_cycle(9)] {
            assert_eq!(schedule.check(), Ok(()));
        }
    }
}
