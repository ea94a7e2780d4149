//! The curvature of a loss along its gradient, from one pass in dual numbers, and the step that it suggests.
//!
//! If the parameters move along `g`, numbers that carry a derivative along with their value carry the slope of the
//! loss, and the gradient that `backward` computes of them carries `H·g`, the product with the Hessian.
//!
//! Run: `cargo run --example 05_curvature`. Expected output:
//! ```text
//! loss 1.8193
//! along the gradient it has the slope 18.9171 and the second derivative 120.1519
//! after a step of 0.1574 times the gradient: loss 0.2904
//! ```

use monomorph::prelude::*;
use monomorph::{Dual, Parameters};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    pub Xor<T>: [2] -> [1] { Dense(8), Tanh, Dense(1) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let y = [[0.0], [1.0], [1.0], [0.0]];
    // Trainers that measure and do not move.
    let still = Sgd { learning_rate: 0.0, ..Sgd::default() };

    let mut net = Xor::<f64>::init(&mut ChaCha8Rng::seed_from_u64(1));
    let mut trainer = Trainer::<Xor<f64>, _, 4>::new(still, Mse);
    println!("loss {:.4}", trainer.step(&mut net, &x, &y)?.loss);
    let gradient = trainer.gradient().as_slice();

    // The same network, as it moves along the gradient.
    let mut moving = Xor::<Dual<f64>>::zeroed();
    for (number, (value, slope)) in moving.as_mut_slice().iter_mut().zip(net.as_slice().iter().zip(gradient)) {
        *number = Dual { value: *value, derivatives: [*slope] };
    }
    let (x_dual, y_dual) = (x.map(|x| x.map(Dual::constant)), y.map(|y| y.map(Dual::constant)));
    let mut dual_trainer = Trainer::<Xor<Dual<f64>>, _, 4>::new(still, Mse);
    let [slope] = dual_trainer.step(&mut moving, &x_dual, &y_dual)?.loss.derivatives;
    let changes = dual_trainer.gradient().as_slice().iter().map(|change| change.derivatives[0]);
    let curvature: f64 = gradient.iter().zip(changes).map(|(slope, change)| slope * change).sum();
    println!("along the gradient it has the slope {slope:.4} and the second derivative {curvature:.4}");

    // The lowest point of the parabola that has both.
    let rate = slope / curvature;
    for (number, slope) in net.as_mut_slice().iter_mut().zip(gradient) {
        *number -= rate * slope;
    }
    println!("after a step of {rate:.4} times the gradient: loss {:.4}", trainer.step(&mut net, &x, &y)?.loss);
    Ok(())
}
