//! A continuous normalizing flow in the plane: learns the density of two moons, and draws from it. Chen, Rubanova,
//! Bettencourt and Duvenaud, *Neural ordinary differential equations* (2018).
//!
//! ```text
//! cargo run --release --example flow
//! cargo run --release --example flow -- --quick
//! ```
//!
//! An equation moves points from the moons to a normal distribution, and carries along how much areas grow, by the exact
//! trace of its Jacobian; so the density of a point is known, and is what is learned. Run backward, it makes moons of noise.
//! It prints what a point costs in nats, a mean over 10,000 new ones, and what it costs by the best normal distribution.
//!
//! The plot, the density and 2,000 drawn points, is `flow.svg` in `--out`.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::loss::{Loss, LossError};
use monomorph::memory;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use plotters::prelude::*;

network! { pub ToNoise: [3] -> [3] {
    ode(from = 0.0, to = 1.0, solver = Rk4, steps = 8) { divergence { Dense(48), Tanh, Dense(48), Tanh, Dense(2) } }
} }
network! { pub FromNoise: [3] -> [3] {
    ode(from = 1.0, to = 0.0, solver = Rk4, steps = 8) { divergence { Dense(48), Tanh, Dense(48), Tanh, Dense(2) } }
} }

/// The points of a step.
const BATCH: usize = 128;

/// Learns a density.
#[derive(Parser)]
struct Options {
    /// The steps of the training.
    #[arg(long, default_value_t = 3000)]
    steps: usize,
    /// A few steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// `−log p(x) = ½ |z|² + log 2π + ℓ`, of the output `(z, ℓ)`.
struct Likelihood;

fn surprise(output: &[f32; 3]) -> f32 {
    let [a, b, l] = *output;
    0.5 * (a * a + b * b) + std::f32::consts::TAU.ln() + l
}

impl Loss<f32, [f32; 3], ()> for Likelihood {
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[[f32; 3]; B],
        target: &[(); B],
        gradient: &mut [[f32; 3]; B],
    ) -> Result<f32, LossError> {
        for (gradient, output) in gradient.iter_mut().zip(output) {
            *gradient = [output[0], output[1], 1.0].map(|slope| slope / B as f32);
        }
        self.value(simd, output, target)
    }

    fn value<S: Simd, const B: usize>(&self, _: S, output: &[[f32; 3]; B], _: &[(); B]) -> Result<f32, LossError> {
        Ok(output.iter().map(surprise).sum::<f32>() / B as f32)
    }
}

/// A point of two moons, and the number beside it.
fn moon(noise: &mut Noise) -> [f32; 3] {
    let angle = std::f64::consts::PI * noise.uniform();
    let (x, y) = if noise.uniform() < 0.5 {
        (angle.cos() - 0.5, angle.sin() - 0.25)
    } else {
        (0.5 - angle.cos(), 0.25 - angle.sin())
    };
    let mut near = |value: f64| ((value + 0.08 * noise.normal()) * 1.5) as f32;
    [near(x), near(y), 0.0]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        options.steps = 30;
    }
    let mut noise = Noise::new(1);
    let mut net = ToNoise::zeroed();
    net.initialize(Init::default(), &mut noise);
    let mut trainer = Trainer::<ToNoise, _, BATCH>::new(Adam::default(), Likelihood);
    for step in 0..options.steps {
        trainer.optimizer.learning_rate = 5e-3 * 0.01_f64.powf(step as f64 / options.steps as f64);
        let points: [[f32; 3]; BATCH] = std::array::from_fn(|_| moon(&mut noise));
        trainer.step(&mut net, &points, &[(); BATCH])?;
    }

    const NEW: usize = 10_000;
    let points: Vec<[f32; 3]> = (0..NEW).map(|_| moon(&mut noise)).collect();
    let flow = points.iter().map(|point| f64::from(surprise(&net.evaluate(point)))).sum::<f64>() / NEW as f64;
    let moments = |f: fn(&[f32; 3]) -> f32| points.iter().map(|point| f64::from(f(point))).sum::<f64>() / NEW as f64;
    let (xx, yy, xy) = (moments(|p| p[0] * p[0]), moments(|p| p[1] * p[1]), moments(|p| p[0] * p[1]));
    let normal = std::f64::consts::TAU.ln() + 1.0 + 0.5 * (xx * yy - xy * xy).ln();
    println!("normal distribution  {normal:.3}");
    println!("flow                 {flow:.3}");

    let mut back = memory::boxed::<FromNoise>();
    back.as_mut_slice().copy_from_slice(net.as_slice());
    let drawn: Vec<[f32; 3]> = (0..2000)
        .map(|_| {
            let z = [noise.normal() as f32, noise.normal() as f32, 0.0];
            back.evaluate(&z)
        })
        .collect();
    plot(&options.out.join("flow.svg"), &net, &drawn)
}

fn plot(path: &Path, net: &ToNoise, drawn: &[[f32; 3]]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    const SIDE: u32 = 480;
    let root = SVGBackend::new(path, (2 * SIDE, SIDE)).into_drawing_area();
    root.fill(&WHITE)?;
    let place = |pixel: u32| pixel as f32 / SIDE as f32 * 6.0 - 3.0;
    // Squares of 6 pixels.
    for row in 0..SIDE / 6 {
        for column in 0..SIDE / 6 {
            let density = (-surprise(&net.evaluate(&[place(6 * column + 3), -place(6 * row + 3), 0.0]))).exp();
            let shade = 1.0 - f64::from(density / 0.5).min(1.0);
            let color = RGBColor((255.0 * shade) as u8, (255.0 * shade.sqrt()) as u8, 255);
            let corner = (6 * column as i32, 6 * row as i32);
            root.draw(&Rectangle::new([corner, (corner.0 + 6, corner.1 + 6)], color.filled()))?;
        }
    }
    for [x, y, _] in drawn {
        let pixel = |value: f32| ((value + 3.0) / 6.0 * SIDE as f32) as i32;
        if x.abs() < 3.0 && y.abs() < 3.0 {
            root.draw(&Circle::new((SIDE as i32 + pixel(*x), pixel(-y)), 1, RGBColor(0, 114, 178).filled()))?;
        }
    }
    root.present()?;
    Ok(())
}
