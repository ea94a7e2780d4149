//! What a decimal number may be.

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
