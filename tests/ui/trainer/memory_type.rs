use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::{Parameters, Scalar};

struct Growing;

impl<T: Scalar> Optimizer<T> for Growing {
    type Memory<N: Parameters<Scalar = T>> = Vec<N>;

    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        _simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        _parameters: &mut N,
        _gradient: &N,
        _memory: &mut Vec<N>,
    ) {
    }
}

fn main() {}
