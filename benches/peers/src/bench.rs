//! Timing, comparison of results, and output.

use std::fmt::Display;
use std::hint::black_box;
use std::time::Duration;

use monomorph::simd::{Level, level};
use serde_json::{Value, json};

use crate::graph::{INPUTS, Net, STEPS, Task};
use crate::limits::{Cache, Limits, time};

/// Outputs agree if they differ by no more than this times the largest output (or 1).
pub const OUTPUT_TOLERANCE: f32 = 1e-4;
/// Training losses agree if their relative difference is no more than this.
pub const LOSS_TOLERANCE: f32 = 1e-3;

/// Seconds per run, or the reason why there are none.
pub type Outcome = Result<f64, Failure>;

pub enum Failure {
    /// The library cannot run the workload.
    NotMeasured(String),
    /// Its results differ from monomorph's.
    Wrong(String),
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::NotMeasured(error.to_string())
    }
}

pub struct Bench {
    pub quick: bool,
    /// The level that monomorph uses, if not the best.
    pub level: Option<Level>,
}

impl Bench {
    /// Times `run`, which takes the index of an input, after comparing its results, extracted by
    /// `read`, with the outputs of `net`.
    pub fn evaluate<O>(&self, net: &Net, run: impl FnMut(usize) -> O, read: impl FnMut(&O) -> Vec<f32>) -> Outcome {
        self.evaluate_within(OUTPUT_TOLERANCE, net, run, read)
    }

    /// The same with another tolerance.
    pub fn evaluate_within<O>(
        &self,
        tolerance: f32,
        net: &Net,
        mut run: impl FnMut(usize) -> O,
        mut read: impl FnMut(&O) -> Vec<f32>,
    ) -> Outcome {
        for (input, ours) in net.outputs.iter().enumerate() {
            self.agree(ours, &read(&run(input)), tolerance)?;
        }
        Ok(self.time(|turn| drop(black_box(run(black_box(turn % INPUTS))))))
    }

    /// Compares the outputs for all inputs without timing.
    pub fn compare(&self, net: &Net, mut run: impl FnMut(usize) -> Vec<f32>) -> Result<(), Failure> {
        net.outputs.iter().enumerate().try_for_each(|(input, ours)| self.agree(ours, &run(input), OUTPUT_TOLERANCE))
    }

    /// Compares results with ours.
    pub fn agree(&self, ours: &[f32], theirs: &[f32], tolerance: f32) -> Result<(), Failure> {
        let scale = ours.iter().fold(1.0, |scale: f32, x| scale.max(x.abs()));
        let error = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let finite = theirs.iter().all(|x| x.is_finite());
        if ours.len() != theirs.len() || !finite || error > tolerance * scale {
            let (ours, theirs) = (&ours[..ours.len().min(4)], &theirs[..theirs.len().min(4)]);
            return Err(Failure::Wrong(format!("results differ by {error}: ours {ours:?}.., theirs {theirs:?}..")));
        }
        Ok(())
    }

    /// Times `step`, which takes the index of the step, after comparing its first losses.
    pub fn train<L>(&self, task: &Task, mut step: impl FnMut(usize) -> L, mut read: impl FnMut(&L) -> f32) -> Outcome {
        for (index, &ours) in task.losses.iter().enumerate() {
            let theirs = read(&step(index));
            let agrees = (ours - theirs).abs() <= LOSS_TOLERANCE * ours.abs();
            if !agrees {
                return Err(Failure::Wrong(format!("loss of step {index}: ours {ours}, theirs {theirs}")));
            }
        }
        Ok(self.time(|turn| drop(black_box(step(STEPS + turn)))))
    }

    /// The minimum time per run.
    pub fn time(&self, run: impl FnMut(usize)) -> f64 {
        time(self.total(), run)
    }

    /// How long each line is measured.
    fn total(&self) -> Duration {
        Duration::from_millis(if self.quick { 100 } else { 1000 })
    }

    /// The limits of the core, as a line of results.
    pub fn limits(&self) -> Value {
        let Limits { flops_per_second, caches } = Limits::measure(self.level.unwrap_or_else(level), self.total());
        let caches = caches.map(|Cache { name, bytes, bytes_per_second }| {
            json!({ "level": name, "size": bytes, "bytes_per_second": bytes_per_second })
        });
        json!({ "limits": { "flops": flops_per_second, "caches": caches } })
    }
}

/// One line of results; `packed` is the format of weights that are not `f32`.
pub fn print(peer: &str, work: &str, packed: Option<&str>, outcome: Outcome) {
    let mut line = json!({ "peer": peer, "work": work });
    if let Some(format) = packed {
        line["packed"] = format.into();
    }
    let (key, value): (_, Value) = match outcome {
        Ok(seconds) => ("seconds", seconds.into()),
        Err(Failure::NotMeasured(reason)) => ("reason", reason.into()),
        Err(Failure::Wrong(what)) => ("wrong", what.into()),
    };
    line[key] = value;
    println!("{line}");
}
