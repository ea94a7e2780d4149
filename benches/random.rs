//! Inputs for measurements.

use monomorph::{Noise, Scalar, Tensor};

/// A batch of numbers from the standard normal distribution, on the heap.
pub fn random<T: Scalar, X: Tensor<T>, const B: usize>(seed: u64) -> Box<[X; B]> {
    let mut noise = Noise::new(seed);
    let mut batch = monomorph::memory::boxed::<[X; B]>();
    for sample in batch.iter_mut() {
        sample.as_mut_slice().fill_with(|| T::from_f64(noise.normal()));
    }
    batch
}
