//! A training step of a neural ODE: its solution, the gradient through it, and Adam.
//!
//! `cargo bench --bench ode`; `benches/peers/ode.sh` compares it with torchdiffeq and diffrax. 64 samples of `y′ = W₂ tanh(W₁ y)`
//! with 50 units from 0 to 1, by ten steps of RK4 and by Dormand and Prince's method at tolerances of 10⁻⁶. Prints a line of
//! JSON for each: the least time of many, in microseconds.

use std::time::Instant;

use monomorph::memory;
use monomorph::network::Trainable;
use monomorph::prelude::*;

network! { pub Fixed: [2] -> [2] { ode(to = 1.0, solver = Rk4, steps = 10) { Dense(50), Tanh, Dense(2) } } }
network! { pub Adaptive: [2] -> [2] { ode(to = 1.0, steps = 64) { Dense(50), Tanh, Dense(2) } } }
network! { pub Adjoint: [2] -> [2] {
    ode(to = 1.0, solver = Rk4, steps = 10, gradient = adjoint) { Dense(50), Tanh, Dense(2) }
} }

const BATCH: usize = 64;

/// Steps of a training, with weights drawn as PyTorch draws them.
fn measure<N: Network<Scalar = f32, Input = [f32; 2], Output = [f32; 2]> + Trainable>(name: &str) {
    let mut noise = Noise::new(1);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::default(), &mut noise);
    let mut numbers = || noise.uniform() as f32 * 4.0 - 2.0;
    let x: [[f32; 2]; BATCH] = std::array::from_fn(|_| [numbers(), numbers()]);
    let y = x.map(|[a, b]| [0.8 * a - 0.3 * b, 0.3 * a + 0.8 * b]);
    let mut trainer = Trainer::<N, _, BATCH>::new(Adam::default(), Mse);
    let (mut least, mut loss) = (f64::INFINITY, 0.0);
    for _ in 0..3000 {
        let begin = Instant::now();
        loss = trainer.step(&mut net, &x, &y).expect("a step").loss;
        least = least.min(begin.elapsed().as_secs_f64());
    }
    println!("{{\"library\": \"monomorph\", \"work\": \"{name}\", \"us\": {:.2}, \"loss\": {loss:.3e}}}", least * 1e6);
}

fn main() {
    measure::<Fixed>("rk4");
    measure::<Adjoint>("rk4, adjoint");
    measure::<Adaptive>("dopri5");
}
