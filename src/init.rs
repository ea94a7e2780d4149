//! How random parameters are drawn before training.

use crate::noise::Noise;
use crate::scalar::Scalar;

/// A rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Init {
    /// To come.
    #[default]
    KaimingUniform,
}

impl Init {
    /// Fills a tensor.
    pub fn fill<T: Scalar>(self, values: &mut [T], _shape: &[usize], noise: &mut Noise) {
        for value in values {
            *value = T::from_f64(noise.uniform());
        }
    }
}
