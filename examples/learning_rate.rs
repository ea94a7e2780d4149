//! Finding a learning rate: one short training in which it grows.
//!
//! Run: `cargo run --release --example learning_rate`. It prints a rate to begin with, trains with it, and draws
//! `out/learning_rate.svg`, the loss at each rate.

#[path = "support/curves.rs"]
mod curves;

use std::path::Path;

use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const BATCH: usize = 64;

network! { pub Rings: [2] -> [3] { Dense(32), Relu, Dense(32), Relu, Dense(3) } }

/// Points of the plane; their class is the ring that they lie in.
fn batch(noise: &mut Noise) -> ([[f32; 2]; BATCH], [u8; BATCH]) {
    let x = [(); BATCH].map(|()| [(); 2].map(|()| noise.uniform() as f32 * 2.0 - 1.0));
    (x, x.map(|[x, y]| (((x * x + y * y).sqrt() * 3.0) as u8).min(2)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut noise = Noise::new(5);
    let mut net = Rings::init(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<Rings, _, BATCH>::new(Adam::default(), CrossEntropy);

    let mut finder = RateFinder::new(1e-6, 10.0, 200);
    let mut points = vec![];
    while let Some(rate) = finder.rate() {
        let (x, y) = batch(&mut noise);
        trainer.optimizer.learning_rate = rate;
        // A loss that is not finite is an error of the step, and the end of the trial.
        let loss = trainer.step(&mut net, &x, &y).map_or(f64::NAN, |step| f64::from(step.loss));
        let average = finder.observe(loss);
        if average.is_finite() {
            points.push((rate.log10(), average));
        }
    }
    println!("steepest at {:.0e}, lowest at {:.0e}", finder.steepest(), finder.lowest());

    // The trial ruined the network.
    let mut net = Rings::init(&mut ChaCha8Rng::seed_from_u64(1));
    let adam = Adam { learning_rate: finder.steepest(), ..Adam::default() };
    let mut trainer =
        Trainer::<Rings, _, BATCH>::new(adam, CrossEntropy).schedule(Schedule::Polynomial { total: 3000, power: 1 });
    let mut correct = 0;
    for step in 0..3000 {
        let (x, y) = batch(&mut noise);
        let report = trainer.step(&mut net, &x, &y)?;
        correct += if step >= 2900 { report.correct.unwrap_or(0) } else { 0 };
    }
    println!("{:.1} % right in the last 100 of 3000 steps", correct as f64 / BATCH as f64);
    let path = Path::new("out/learning_rate.svg");
    curves::draw(path, "A trial of learning rates", ["log₁₀ learning rate", "loss"], &[("average loss", points)])?;
    println!("{}", path.display());
    Ok(())
}
