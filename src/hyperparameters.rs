//! Hyperparameters: the numbers that a user chooses, and the ranges they must lie in.
//!
//! Optimizers, losses, schedules and trainers are plain structs that anybody can fill with any number, so they check
//! their fields before a step is taken.

use core::fmt;

use crate::scalar::Scalar;

/// A hyperparameter that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfRange {
    /// The type to which it belongs.
    pub of: &'static str,
    /// The field.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// What it must be, such as `above 0 and below 1`.
    pub must_be: &'static str,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, name, value, must_be } = self;
        write!(f, "`{name}` of `{of}` is {value}, but must be {must_be}")
    }
}

impl core::error::Error for OutOfRange {}

/// A range of hyperparameters. NaN is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Range {
    /// `−∞ < x < ∞`.
    Finite,
    /// `0 < x < ∞`.
    Positive,
    /// `0 ≤ x < ∞`.
    NotNegative,
    /// `1 ≤ x < ∞`.
    AtLeastOne,
    /// `0 ≤ x ≤ 1`: a share of a whole.
    Share,
    /// `0 ≤ x < 1`: what remains of an average at each step.
    Decay,
    /// `0 < x < 1`.
    Between,
    /// `0 ≤ x ≤ 10⁹`. No finite gradient makes a step of such a learning rate overflow in `f32`.
    LearningRate,
}

impl Range {
    /// Whether a hyperparameter of a network of numbers `T` is in this range.
    pub fn contains<T: Scalar>(self, x: f64) -> bool {
        let (rounded, finite) = (T::from_f64(x), T::from_f64(x).is_finite());
        match self {
            Self::Finite => finite,
            // A number so small that it is 0 in `f32` is no divisor there.
            Self::Positive => rounded > T::ZERO && finite,
            Self::NotNegative => x >= 0.0 && finite,
            Self::AtLeastOne => x >= 1.0 && finite,
            Self::Share => (0.0..=1.0).contains(&x),
            Self::Decay => (0.0..1.0).contains(&x),
            Self::Between => x > 0.0 && x < 1.0,
            Self::LearningRate => (0.0..=1e9).contains(&x),
        }
    }

    /// What a number in this range is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Finite => "finite",
            Self::Positive => "above 0 and finite",
            Self::NotNegative => "at least 0 and finite",
            Self::AtLeastOne => "at least 1 and finite",
            Self::Share => "at least 0 and at most 1",
            Self::Decay => "at least 0 and below 1",
            Self::Between => "above 0 and below 1",
            Self::LearningRate => "at least 0 and at most 1e9",
        }
    }
}

/// Checks the hyperparameters of the type `of`, each with its name, value and range.
///
/// ```
/// use monomorph::hyperparameters::{Range, check};
/// assert!(check::<f32>("Adam", &[("beta1", 0.9, Range::Decay), ("epsilon", 1e-8, Range::Positive)]).is_ok());
/// let error = check::<f32>("Adam", &[("beta1", 1.0, Range::Decay)]).unwrap_err();
/// assert_eq!(error.to_string(), "`beta1` of `Adam` is 1, but must be at least 0 and below 1");
/// ```
///
/// # Errors
/// The first that is out of its range.
pub fn check<T: Scalar>(of: &'static str, values: &[(&'static str, f64, Range)]) -> Result<(), OutOfRange> {
    for &(name, value, range) in values {
        if !range.contains::<T>(value) {
            return Err(OutOfRange { of, name, value, must_be: range.words() });
        }
    }
    Ok(())
}

/// The ε of a normalization, from its bits.
pub(crate) const fn epsilon(bits: u64) -> f64 {
    let epsilon = f64::from_bits(bits);
    assert!(epsilon > 0.0 && epsilon < f64::INFINITY, "the epsilon of a normalization must be above 0 and finite");
    epsilon
}

/// The momentum of a running statistic, from its bits.
pub(crate) const fn share(bits: u64) -> f64 {
    let momentum = f64::from_bits(bits);
    assert!(momentum >= 0.0 && momentum <= 1.0, "the momentum of a running statistic must be at least 0 and at most 1");
    momentum
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_ends() {
        use Range::*;
        let all = [Finite, Positive, NotNegative, AtLeastOne, Share, Decay, Between, LearningRate];
        let inside: [(f64, &[Range]); 7] = [
            (-1.0, &[Finite]),
            (0.0, &[Finite, NotNegative, Share, Decay, LearningRate]),
            (0.5, &[Finite, Positive, NotNegative, Share, Decay, Between, LearningRate]),
            (1.0, &[Finite, Positive, NotNegative, AtLeastOne, Share, LearningRate]),
            (2.0, &[Finite, Positive, NotNegative, AtLeastOne, LearningRate]),
            (f64::INFINITY, &[]),
            (f64::NAN, &[]),
        ];
        for (x, ranges) in inside {
            for range in all {
                assert_eq!(range.contains::<f32>(x), ranges.contains(&range), "{x} in {range:?}");
                assert_eq!(range.contains::<f64>(x), ranges.contains(&range), "{x} in {range:?}");
            }
        }
        // What `f32` cannot hold.
        assert!(Positive.contains::<f64>(1e-60) && !Positive.contains::<f32>(1e-60));
        assert!(NotNegative.contains::<f64>(1e60) && !NotNegative.contains::<f32>(1e60));
        assert!(!LearningRate.contains::<f64>(1.1e9));
    }
}
