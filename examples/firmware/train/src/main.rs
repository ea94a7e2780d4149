//! Trains the networks on a PC and writes the files that the firmware includes to `weights`.
//!
//! Run in `examples/firmware`: `cargo run --release -p train`. It takes about two minutes and needs
//! nothing outside the repository.

mod gestures;

use std::error::Error;
use std::fs;
use std::path::Path;

use monomorph::data::Dataset;
use monomorph::data::idx::Mnist;
use monomorph::prelude::*;
use monomorph::weights;
use networks::{Balance, Digits, IMAGES, balance};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (data, out) = (here.join("../../../data/mnist"), here.join("../weights"));
    digits(&data, &out)?;
    policy(&out)?;
    gestures::train(&out)
}

/// Learns to recognize digits, and saves some of the test images.
fn digits(data: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    const BATCH: usize = 32;
    const EPOCHS: u64 = 12;
    let Mnist { mut train, test } = Mnist::open(data)?;
    let mut net = Digits::zeroed();
    let mut noise = Noise::new(1);
    net.initialize(Init::default(), &mut noise);
    let adam = Adam { learning_rate: 3e-3, ..Adam::default() };
    let mut trainer = Trainer::<Digits, _, BATCH>::new(adam, CrossEntropy)
        .schedule(Schedule::one_cycle(EPOCHS * (train.len() / BATCH) as u64));
    for _ in 0..EPOCHS {
        train.shuffle(&mut noise);
        for batch in train.batches::<BATCH>() {
            trainer.step(&mut net, batch.x, batch.y)?;
        }
    }
    let score = Evaluator::<Digits, BATCH>::new().score(&net, &CrossEntropy, test.inputs(), test.targets())?;
    println!("digits: {:.2} % of the test images correct", 100.0 * score.accuracy.unwrap_or(0.0));
    weights::save(out.join("digits.safetensors"), &net)?;

    let images = test.inputs()[..IMAGES].as_flattened().as_flattened().as_flattened();
    let pixels = images.iter().map(|pixel| (pixel * 255.0).round() as u8).collect::<Vec<_>>();
    fs::write(out.join("images.bin"), pixels)?;
    println!("the first images show {:?}", &test.targets()[..IMAGES]);
    Ok(())
}

/// Learns to imitate a linear controller on random states.
fn policy(out: &Path) -> Result<(), Box<dyn Error>> {
    const BATCH: usize = 32;
    const EPOCHS: u64 = 40;
    let mut noise = Noise::new(2);
    let train = Dataset::from_fn(20_000, |_, state: &mut [f32; 4], force: &mut [f32; 1]| {
        *state = core::array::from_fn(|_| (2.0 * noise.uniform() - 1.0) as f32);
        *force = [balance::linear(state)];
    });
    let mut net = Balance::zeroed();
    net.initialize(Init::default(), &mut Noise::new(3));
    let adam = Adam { learning_rate: 5e-3, ..Adam::default() };
    let mut trainer = Trainer::<Balance, _, BATCH>::new(adam, Mse)
        .schedule(Schedule::one_cycle(EPOCHS * (train.len() / BATCH) as u64));
    for _ in 0..EPOCHS {
        for batch in train.batches::<BATCH>() {
            trainer.step(&mut net, batch.x, batch.y)?;
        }
    }
    let score = Evaluator::<Balance, BATCH>::new().score(&net, &Mse, train.inputs(), train.targets())?;
    println!("balance: mean squared error of the scaled force {:.4}", score.loss);
    weights::save(out.join("balance.safetensors"), &net)?;
    Ok(())
}
