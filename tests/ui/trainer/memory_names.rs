use monomorph::optim::update;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::{Parameters, Scalar};

network! { pub Line: [1] -> [1] { Dense(1) } }

struct Forgetful;

impl<T: Scalar> Optimizer<T> for Forgetful {
    const MEMORY: &'static [&'static str] = &["m"];
    type Memory<N: Parameters<Scalar = T>> = [N; 2];

    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut [N; 2],
    ) {
        update(simd, gradient_scale, parameters, gradient, memory, |p, g, [m, v]| (p - g, [m, v]));
    }
}

const BYTES: usize = Trainer::<Line, (Forgetful, Mse), 4>::BYTES;

fn main() {}
