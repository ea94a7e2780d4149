//! XOR, the function that no single layer can compute, learned in half a second.
//!
//! Run: `cargo run --example 02_xor`. Expected output:
//! ```text
//! 0 xor 0 = 0
//! 0 xor 1 = 1
//! 1 xor 0 = 1
//! 1 xor 1 = 0
//! ```

use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    pub Xor: [2] -> [1] { Dense(8), Tanh, Dense(1) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = [[0.0], [1.0], [1.0], [0.0]];

    let mut net = Xor::init(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<Xor, _, 4>::new(Adam { learning_rate: 0.02, ..Adam::default() }, BceWithLogits);
    for _ in 0..500 {
        trainer.step(&mut net, &x, &y)?;
    }

    for input in x {
        // The network outputs a logit: positive means 1.
        let answer = u8::from(net.evaluate(&input)[0] > 0.0);
        println!("{} xor {} = {answer}", input[0], input[1]);
    }
    Ok(())
}
