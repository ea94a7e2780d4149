//! Decimal numbers and what they may be.

use crate::Text;

/// The numbers that an argument takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Any number.
    Any,
    /// 0 to below 1.
    Probability,
    /// 0 to 1.
    Fraction,
    /// 0 or more.
    NotNegative,
    /// Above 0.
    Positive,
}

impl Range {
    /// Whether a number is one of them; NaN is only one of [`Any`](Self::Any).
    pub const fn holds(self, value: f64) -> bool {
        match self {
            Self::Any => true,
            Self::Probability => value >= 0.0 && value < 1.0,
            Self::Fraction => value >= 0.0 && value <= 1.0,
            Self::NotNegative => value >= 0.0,
            Self::Positive => value >= f64::MIN_POSITIVE,
        }
    }

    /// What a number that is not one of them is not.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Any => "a number",
            Self::Probability => "a probability from 0 to below 1",
            Self::Fraction => "a number from 0 to 1",
            Self::NotNegative => "a factor of at least 0",
            Self::Positive => "above 0",
        }
    }
}

/// Checks two decimal numbers, given by their [`bits`](f64::to_bits).
///
/// # Errors
/// A message for the user if the first is not less than the second.
#[doc(hidden)]
pub const fn ordered(layer: &str, low_name: &str, low: u64, high_name: &str, high: u64) -> Result<(), Text> {
    if f64::from_bits(low) < f64::from_bits(high) {
        return Ok(());
    }
    Err(Text::new().str(layer).str(": ").str(low_name).str(" must be less than ").str(high_name))
}

/// A decimal number that the user writes.
///
/// # Errors
/// A message for the user if it is out of its range.
#[doc(hidden)]
pub const fn decimal(layer: &str, what: &str, range: Range, value: f64) -> Result<f64, Text> {
    if range.holds(value) {
        return Ok(value);
    }
    Err(Text::new().str(layer).str(": ").str(what).str(" is not ").str(range.words()))
}
