//! The logarithm of the gamma function and its derivative, for positive numbers.
//!
//! Stirling's series from 10 upwards; smaller arguments are shifted there by Γ(x + 1) = x·Γ(x). Milton Abramowitz and
//! Irene Stegun, *Handbook of mathematical functions* (1964), 6.1.15, 6.1.41, 6.3.5 and 6.3.18.

use super::number;
use crate::scalar::Real;

const LARGE: f64 = 10.0;

/// `c₀·y + c₁·y³ + ..`, with `y = 1/x`.
fn odd_series<T: Real>(x: T, coefficients: &[f64]) -> T {
    let y = T::ONE / x;
    let mut sum = T::ZERO;
    for coefficient in coefficients.iter().rev() {
        sum = sum * y * y + number(*coefficient);
    }
    sum * y
}

/// `ln Γ(x)`, for `x > 0`; otherwise NaN.
pub(super) fn ln_gamma<T: Real>(mut x: T) -> T {
    if x.to_f64().is_nan() || x <= T::ZERO {
        return number(f64::NAN);
    }
    let mut shift = T::ONE;
    while x < number(LARGE) {
        shift *= x;
        x += T::ONE;
    }
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    // ½ ln 2π.
    let constant = number::<T>(0.918_938_533_204_672_7);
    (x - number(0.5)) * x.ln() - x + constant + odd_series(x, &SERIES) - shift.ln()
}

/// `ψ(x) = d/dx ln Γ(x)`, for `x > 0`; otherwise NaN.
pub(super) fn digamma<T: Real>(mut x: T) -> T {
    if x.to_f64().is_nan() || x <= T::ZERO {
        return number(f64::NAN);
    }
    let mut sum = T::ZERO;
    while x < number(LARGE) {
        sum -= T::ONE / x;
        x += T::ONE;
    }
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    let inverse = T::ONE / x;
    sum + x.ln() - number::<T>(0.5) * inverse - odd_series(x, &SERIES) * inverse
}

/// `ln B(a, b)`.
pub(super) fn ln_beta<T: Real>(a: T, b: T) -> T {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}
