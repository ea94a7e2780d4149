//! A layer of your own: y = x + a·sin(x), with a learned `a` for every feature.
//!
//! A layer is a struct of tensors and the trait `Layer`; `network!` takes it by its path, and
//! `testing::check_gradients` compares its backward pass with finite differences.
//!
//! Run: `cargo run --example 03_custom_layer`. Expected output:
//! ```text
//! the gradients agree with finite differences
//! loss fell below 0.01: true
//! ```

use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::testing::check_gradients;
use monomorph::{Layer, Parameters, Scalar};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// y = x + a·sin(x), feature by feature.
#[derive(Parameters)]
#[repr(C)]
pub struct Ripple<T, const N: usize> {
    /// The height of each ripple; 0 to begin with.
    #[parameters(start = 0.0)]
    pub amplitude: [T; N],
}

impl<T: Scalar, const N: usize> Layer<T> for Ripple<T, N> {
    type Input = [T; N];
    type Output = [T; N];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = N;

    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[[T; N]; B], output: &mut [[T; N]; B], _: &mut ()) {
        for (x, y) in input.iter().zip(output) {
            for (feature, a) in self.amplitude.iter().enumerate() {
                y[feature] = x[feature] + *a * sin(x[feature]);
            }
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[T; N]; B],
        output: &mut [[T; N]; B],
        _saved: &mut (),
        _noise: &mut Noise,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    // ∂y/∂x = 1 + a·cos(x), ∂y/∂a = sin(x)
    fn backward<S: Simd, const B: usize>(
        &self,
        _simd: S,
        input: &[[T; N]; B],
        _output: &[[T; N]; B],
        _saved: &mut (),
        grad_output: &mut [[T; N]; B],
        mut grad_input: Option<&mut [[T; N]; B]>,
        gradient: &mut Self,
    ) {
        for sample in 0..B {
            for feature in 0..N {
                let (x, dy) = (input[sample][feature], grad_output[sample][feature]);
                gradient.amplitude[feature] += dy * sin(x);
                if let Some(grad_input) = grad_input.as_deref_mut() {
                    grad_input[sample][feature] = dy * (T::ONE + self.amplitude[feature] * cos(x));
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
        ripple: Ripple::<f32, 16>,
        Dense(1),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut layer = Ripple { amplitude: [0.5, -0.3, 0.8] };
    check_gradients(&mut layer, &[[0.1, 0.7, -1.2], [2.0, -0.4, 0.9]], 1e-8)?;
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
