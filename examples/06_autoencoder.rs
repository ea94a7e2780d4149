//! A generic autoencoder: one declaration and one training function for any width, with a bottleneck of half of it.
//!
//! The width is a type, a number of the crate `typenum`, because stable Rust computes with types but not with const
//! parameters. `GenericArray<f32, D>` is what `[f32; D]` would be.
//!
//! Run: `cargo run --example 06_autoencoder`. Expected output:
//! ```text
//! 8 → 4 → 8: 76 parameters, the error falls to 0.1 % of the first: true
//! 16 → 8 → 16: 280 parameters, the error falls to 0.1 % of the first: true
//! ```

use std::ops::Div;

use generic_array::{ArrayLength, GenericArray};
use monomorph::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use typenum::{U2, U8, U16};

network! {
    pub Autoencoder<D: Unsigned>: [D] -> [D] { code: Dense(D / 2), Dense(D) }
}

/// Trains on samples whose second half follows from the first; returns the first and the last error.
fn train<D>() -> Result<(f32, f32), Box<dyn std::error::Error>>
where
    D: ArrayLength + Div<U2, Output: ArrayLength>,
{
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut net = Autoencoder::<D>::init(&mut rng);
    let mut trainer = Trainer::<Autoencoder<D>, _, 32>::new(Adam { learning_rate: 0.01, ..Adam::default() }, Mse);
    let mut batch = monomorph::memory::boxed::<[GenericArray<f32, D>; 32]>();
    let (mut first, mut last) = (None, 0.0);
    for _ in 0..3000 {
        for sample in batch.iter_mut() {
            let (half, copy) = sample.split_at_mut(D::USIZE / 2);
            half.fill_with(|| rng.random_range(-1.0..1.0));
            for (copy, half) in copy.iter_mut().zip(half) {
                *copy = 2.0 * *half;
            }
        }
        last = trainer.step(&mut net, &batch, &batch)?.loss;
        first.get_or_insert(last);
    }
    Ok((first.unwrap_or(last), last))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = |summary: monomorph::summary::Summary, width: usize, (first, last): (f32, f32)| {
        let (half, parameters) = (width / 2, summary.parameters());
        let falls = last < 0.001 * first;
        println!("{width} → {half} → {width}: {parameters} parameters, the error falls to 0.1 % of the first: {falls}");
    };
    report(Autoencoder::<U8>::summary(), 8, train::<U8>()?);
    report(Autoencoder::<U16>::summary(), 16, train::<U16>()?);
    Ok(())
}
