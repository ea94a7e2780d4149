//! Numbers brought to mean 0 and deviation 1, by what has been seen of them so far.

use super::persist::persist_numbers;
use super::{Number, Persist, Word};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::tensor::Tensor;

/// The running mean and variance of each number of a tensor: B. Welford, *Note on a method for calculating corrected
/// sums of squares and products* (1962).
///
/// It belongs to the policy that learned behind it, and is part of checkpoints.
///
/// ```
/// use monomorph::rl::Normalizer;
///
/// let mut normalizer = monomorph::memory::zeroed::<Normalizer<[f64; 1]>>();
/// for x in [1.0, 2.0, 3.0] {
///     normalizer.see(&[x]);
/// }
/// assert!((normalizer.normalized(&[3.0])[0] - 1.5_f64.sqrt()).abs() < 1e-6);
/// ```
#[derive(Plain)]
pub struct Normalizer<X: Tensor<Element: Number>> {
    mean: X,
    squares: X,
    count: u64,
}

impl<X: Tensor<Element: Number>> Normalizer<X> {
    /// Takes another value into account.
    pub fn see(&mut self, value: &X) {
        self.count += 1;
        let share = X::Element::from_f64(1.0 / self.count as f64);
        let moments = self.mean.numbers_mut().iter_mut().zip(self.squares.numbers_mut());
        for ((mean, squares), value) in moments.zip(value.numbers()) {
            let before = *value - *mean;
            *mean += share * before;
            *squares += before * (*value - *mean);
        }
    }

    /// The variance of the number at this index.
    pub fn variance(&self, index: usize) -> X::Element {
        let squares = self.squares.numbers().get(index).copied().unwrap_or(X::Element::ONE);
        if self.count > 1 { squares / X::Element::from_f64(self.count as f64) } else { X::Element::ONE }
    }

    /// `(x − mean)/√(variance + 1e-8)`, within ±10.
    pub fn normalized(&self, value: &X) -> X {
        let mut result = value.clone();
        for (index, (number, mean)) in result.numbers_mut().iter_mut().zip(self.mean.numbers()).enumerate() {
            let deviation = (self.variance(index) + X::Element::from_f64(1e-8)).sqrt();
            *number = super::environment::clip((*number - *mean) / deviation, 10.0);
        }
        result
    }
}

impl<X: Tensor<Element: Number>> Persist for Normalizer<X> {
    fn persist(&mut self, word: &mut Word<'_>) {
        persist_numbers(self.mean.numbers_mut(), word);
        persist_numbers(self.squares.numbers_mut(), word);
        self.count.persist(word);
    }
}
