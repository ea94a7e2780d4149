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
    let (mut train, validation) = Dataset::new(x, y)?.split(200);

    let mut net = Curve::init(&mut ChaCha8Rng::seed_from_u64(4));
    let mut trainer = Trainer::<Curve, _, 32>::new(Adam { learning_rate: 0.01, ..Adam::default() }, Mse)
        .schedule(Schedule::Cosine { warmup: 0, total: 60 * 31, floor: 0.01 });
    let mut evaluator = Evaluator::<Curve, 32>::new();
    let mut stopping = EarlyStopping::<Curve>::new(15);
    for _epoch in 0..60 {
        train.shuffle(&mut noise);
        for batch in train.batches::<32>() {
            trainer.step(&mut net, batch.x, batch.y)?;
        }
        let score = evaluator.score(&net, &Mse, validation.inputs(), validation.targets())?;
        if stopping.observe(score.loss, &net) {
            break;
        }
    }
    stopping.restore(&mut net);

    println!("the validation error is close to the noise: {}", stopping.best().sqrt() < 1.2 * NOISE);
    println!("f(1.0) is within 0.15 of the truth: {}", (f64::from(net.evaluate(&[1.0])[0]) - truth(1.0)).abs() < 0.15);
    Ok(())
}
