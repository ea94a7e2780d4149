//! A custom layer: y = x + a·sin(x), with a learned `a` for every feature.
//!
//! A layer is a struct of tensors that implements the trait `Layer`; `network!` refers to it by its
//! path, `testing::passes` compares all its passes with each other, and `testing::check_gradients` its
//! backward pass with finite differences.
//!
//! Run: `cargo run --example 03_custom_layer`. Expected output:
//! ```text
//! the gradients agree with finite differences
//! loss fell below 0.01: true
//! ```

use monomorph::layer::Pass;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::testing::{check_gradients, passes};
use monomorph::{Layer, Parameters, Scalar, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// y = x + a·sin(x), number by number; `X` is the shape of both.
#[derive(Parameters)]
#[repr(C)]
pub struct Ripple<X> {
    /// The height of each ripple; initially 0.
    #[parameters(start = 0.0)]
    pub amplitude: X,
}

impl<T: Scalar, X: Tensor<Element = T>> Layer for Ripple<X> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;

    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[X; B], output: &mut [X; B], _: &mut ()) {
        for (x, y) in input.iter().zip(output) {
            for ((x, y), a) in x.numbers().iter().zip(y.numbers_mut()).zip(self.amplitude.numbers()) {
                *y = *x + *a * sin(*x);
            }
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        _saved: &mut (),
        _pass: &mut Pass<T>,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    // ∂y/∂x = 1 + a·cos(x), ∂y/∂a = sin(x)
    fn backward<S: Simd, const B: usize>(
        &self,
        _simd: S,
        input: &[X; B],
        _output: &[X; B],
        _saved: &mut (),
        grad_output: &mut [X; B],
        mut grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let amplitude = self.amplitude.numbers();
        for sample in 0..B {
            let (x, dy) = (input[sample].numbers(), grad_output[sample].numbers());
            for (index, da) in gradient.amplitude.numbers_mut().iter_mut().enumerate() {
                *da += dy[index] * sin(x[index]);
            }
            if let Some(grad_input) = grad_input.as_deref_mut() {
                for (index, dx) in grad_input[sample].numbers_mut().iter_mut().enumerate() {
                    *dx = dy[index] * (T::ONE + amplitude[index] * cos(x[index]));
                }
            }
        }
    }
}

fn sin<T: Scalar>(x: T) -> T {
    T::from_f64(x.to_f64().sin())
}

fn cos<T: Scalar>(x: T) -> T {
    T::from_f64(x.to_f64().cos())
}

network! {
    pub Wave: [1] -> [1] {
        Dense(16),
        // Its shape is that of what comes.
        ripple: self::Ripple(),
        Dense(1),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut layer = Ripple { amplitude: [0.5, -0.3, 0.8] };
    let x = [[0.1, 0.7, -1.2], [2.0, -0.4, 0.9]];
    passes(&layer, &x, &[[1.0, -0.5, 0.25]; 2])?;
    check_gradients(&mut layer, &x, 1e-8)?;
    println!("the gradients agree with finite differences");

    // y = sin(3x) on 64 points of [−2, 2].
    let x: [[f32; 1]; 64] = core::array::from_fn(|index| [index as f32 / 16.0 - 2.0]);
    let y = x.map(|[x]| [(3.0 * x).sin()]);
    let mut net = Wave::init(&mut ChaCha8Rng::seed_from_u64(2));
    let mut trainer = Trainer::<Wave, _, 64>::new(Adam { learning_rate: 0.02, ..Adam::default() }, Mse);
    let mut loss = f32::INFINITY;
    for _ in 0..2000 {
        loss = trainer.step(&mut net, &x, &y)?.loss;
    }
    println!("loss fell below 0.01: {}", loss < 0.01);
    Ok(())
}
