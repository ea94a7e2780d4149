//! How many of MNIST's test images the digits network recognizes, in `f32` and in fixed point with the same weights.
//!
//! Run in `examples/firmware`: `cargo run --release -p train --example accuracy`. It takes seconds.

use std::error::Error;
use std::path::Path;

use monomorph::Scalar;
use monomorph::data::idx::Mnist;
use monomorph::fixed::convert;
use monomorph::prelude::*;
use monomorph::weights;
use networks::{DigitsOf, Number};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Mnist { test, .. } = Mnist::open(here.join("../../../data/mnist"))?;
    let mut net = DigitsOf::<f32>::zeroed();
    weights::load(here.join("../weights/digits.safetensors"), &mut net)?;
    let mut fixed = DigitsOf::<Number>::zeroed();
    println!("{:?}", convert(&net, &mut fixed));

    let (mut right, mut right_fixed, mut alike) = (0, 0, 0);
    for (image, target) in test.inputs().iter().zip(test.targets()) {
        // As `digits_fixed` rounds the grey values.
        let rounded = image.map(|row| {
            row.map(|[pixel]: [f32; 1]| [Number::from_bits(((pixel * 255.0).round() as u32 * 1024 / 255) as i16)])
        });
        let digit = largest(&net.evaluate(image));
        let digit_fixed = largest(&fixed.evaluate(&rounded));
        right += u32::from(digit == *target);
        right_fixed += u32::from(digit_fixed == *target);
        alike += u32::from(digit == digit_fixed);
    }
    println!("of {} images: f32 {right}, fixed point {right_fixed} correct; {alike} alike", test.len());
    Ok(())
}

/// The place of the largest number.
fn largest<T: Scalar>(scores: &[T; 10]) -> usize {
    (1..10).fold(0, |best, index| if scores[index] > scores[best] { index } else { best })
}
