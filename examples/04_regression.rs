//! Regression with a validation split, early stopping and the best weights: the noisy curve
//! y = sin(x) + 0.3·x, on shuffled mini-batches.
//!
//! Run: `cargo run --example 04_regression`. Expected output:
//! ```text
//! the validation error is close to the noise: true
//! f(1.0) is within 0.15 of the truth: true
//! ```

use monomorph::data::Dataset;
use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    /// A curve, fitted with two hidden layers.
    pub Curve: [1] -> [1] {
        Dense(32), Tanh,
        Dense(32), Tanh,
        Dense(1),
    }
}

const NOISE: f64 = 0.1;

fn truth(x: f64) -> f64 {
    x.sin() + 0.3 * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut noise = Noise::new(3);
    let mut x = Vec::new();
    let mut y = Vec::new();
    for _ in 0..1200 {
        let at = noise.uniform() * 8.0 - 4.0;
        x.push([at as f32]);
        y.push([(truth(at) + NOISE * noise.normal()) as f32]);
    }
    let (train, validation) = Dataset::new(x, y)?.split(200);

    let mut net = Curve::init(&mut ChaCha8Rng::seed_from_u64(4));
    let best = fit(&mut net, &train)
        .validate(&validation)
        .epochs(60)
        .stop_early(15)
        .optimizer(Adam { learning_rate: 0.01, ..Adam::default() })
        .schedule(|total| Schedule::Cosine { warmup: 0, total, floor: 0.01 })
        .run()?;
    let error = best.validation.map_or(f64::NAN, |score| score.loss.sqrt());

    println!("the validation error is close to the noise: {}", error < 1.2 * NOISE);
    println!("f(1.0) is within 0.15 of the truth: {}", (f64::from(net.evaluate(&[1.0])[0]) - truth(1.0)).abs() < 0.15);
    Ok(())
}
