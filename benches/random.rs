//! Inputs for measurements.

use monomorph::{Noise, Scalar, Tensor};

/// A batch of numbers from the standard normal distribution, on the heap.
pub fn random<X: Tensor<Element: Scalar>, const B: usize>(seed: u64) -> Box<[X; B]> {
    let mut noise = Noise::new(seed);
    let mut batch = monomorph::memory::boxed::<[X; B]>();
    for sample in batch.iter_mut() {
        sample.numbers_mut().fill_with(|| X::Element::from_f64(noise.normal()));
    }
    batch
}
