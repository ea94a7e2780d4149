//! Linear convergence with the gradient of one sample a step: SAG, SAGA and SVRG beside SGD, on a regularised logistic
//! regression.
//!
//! Run: `cargo run --release --example finite_sums`. It prints how far each is from the minimum, and draws
//! `out/finite_sums.svg`.

#[path = "support/curves.rs"]
mod curves;

use std::path::Path;

use monomorph::memory::boxed;
use monomorph::optim::NoSuchFunction;
use monomorph::prelude::*;

const SAMPLES: usize = 1000;
const INPUTS: usize = 20;
const PASSES: usize = 60;
/// The weight of the penalty `α/2·‖w‖²`, which makes the minimum unique and convergence linear.
const ALPHA: f64 = 0.01;

#[derive(Parameters)]
#[repr(C)]
struct Weights {
    w: [f64; INPUTS],
}

struct Sample {
    x: [f64; INPUTS],
    /// 1 or −1.
    class: f64,
}

fn dot(a: &[f64; INPUTS], b: &[f64; INPUTS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Sample {
    /// The gradient of `log(1 + e^(−y·w·x)) + α/2·‖w‖²`.
    fn gradient(&self, at: &Weights, gradient: &mut Weights) {
        let slope = -self.class / (1.0 + (self.class * dot(&at.w, &self.x)).exp());
        for ((to, x), w) in gradient.w.iter_mut().zip(self.x).zip(at.w) {
            *to = slope * x + ALPHA * w;
        }
    }
}

/// The distance to the minimum after each pass over the samples; a step is given its number and the sample's.
fn distances(
    minimum: &Weights,
    mut step: impl FnMut(usize, usize, &mut Weights) -> Result<(), NoSuchFunction>,
) -> Result<Vec<(f64, f64)>, NoSuchFunction> {
    let (mut noise, mut at) = (Noise::new(3), Weights { w: [0.0; INPUTS] });
    let mut points = vec![];
    for pass in 0..=PASSES {
        let squares = at.w.iter().zip(minimum.w).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        points.push((pass as f64, squares.sqrt().max(1e-16).log10()));
        for time in pass * SAMPLES..(pass + 1) * SAMPLES {
            step(time, (noise.uniform() * SAMPLES as f64) as usize, &mut at)?;
        }
    }
    Ok(points)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut noise = Noise::new(1);
    let samples: Vec<Sample> = (0..SAMPLES)
        .map(|_| {
            let x = [(); INPUTS].map(|()| noise.normal());
            Sample { x, class: if x[0] - x[1] + noise.normal() > 0.0 { 1.0 } else { -1.0 } }
        })
        .collect();
    let gradient = |index: usize, at: &Weights, gradient: &mut Weights| samples[index].gradient(at, gradient);
    // How steep the gradient of any sample is.
    let smooth = 0.25 * samples.iter().map(|sample| dot(&sample.x, &sample.x)).fold(0.0, f64::max) + ALPHA;

    // The minimum, by gradients of all samples.
    let (mut minimum, mut one) = (Weights { w: [0.0; INPUTS] }, Weights { w: [0.0; INPUTS] });
    for _ in 0..4000 {
        let mut sum = [0.0; INPUTS];
        for sample in &samples {
            sample.gradient(&minimum, &mut one);
            sum.iter_mut().zip(one.w).for_each(|(sum, g)| *sum += g / SAMPLES as f64);
        }
        minimum.w.iter_mut().zip(sum).for_each(|(w, g)| *w -= 2.0 * g);
    }

    let mut sag = boxed::<Sag<Weights, SAMPLES>>();
    let mut saga = boxed::<Saga<Weights, SAMPLES>>();
    let mut svrg = boxed::<Svrg<Weights, SAMPLES>>();
    let curves = [
        ("SAG", distances(&minimum, |_, index, at| sag.step(1.0 / smooth, index, at, gradient))?),
        ("SAGA", distances(&minimum, |_, index, at| saga.step(1.0 / (3.0 * smooth), index, at, gradient))?),
        ("SVRG", distances(&minimum, |_, index, at| svrg.step(0.2 / smooth, index, at, gradient))?),
        (
            "SGD, 1/√t",
            distances(&minimum, |time, index, at| {
                gradient(index, at, &mut one);
                let rate = 1.0 / (smooth * (1.0 + time as f64 / SAMPLES as f64).sqrt());
                at.w.iter_mut().zip(one.w).for_each(|(w, g)| *w -= rate * g);
                Ok(())
            })?,
        ),
    ];
    for (name, points) in &curves {
        let after = |pass: usize| points[pass].1;
        println!("{name:>9}: 10^{:.1} after 20 passes, 10^{:.1} after {PASSES}", after(20), after(PASSES));
    }
    let path = Path::new("out/finite_sums.svg");
    curves::draw(path, "One sample a step", ["passes over the samples", "log₁₀ distance to the minimum"], &curves)?;
    println!("{}", path.display());
    Ok(())
}
