//! The logarithm of the gamma function and its derivative, for positive numbers.
//!
//! Stirling's series from 10 upwards; smaller arguments are shifted there by Γ(x + 1) = x·Γ(x). Milton Abramowitz and
//! Irene Stegun, *Handbook of mathematical functions* (1964), 6.1.15, 6.1.41, 6.3.5 and 6.3.18.

use core::any::TypeId;

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

/// 1, with the derivatives of `ln z` by the shape `a` of a gamma distribution, of which `z` is a number: how a sample moves with
/// its shape, `−(∂F/∂a)/(z·p(z))` for the distribution function `F`. M. Figurnov, S. Mohamed and A. Mnih, *Implicit
/// reparameterization gradients* (2018). Numbers without derivatives give 1 at once.
pub(super) fn moved<T: Real>(a: T, z: f64) -> T {
    let shape = a.to_f64();
    let plain = [TypeId::of::<f32>(), TypeId::of::<f64>()].contains(&TypeId::of::<T>());
    // At 0, which stands for less than any number, the derivative of `z` is 0.
    if plain || !(shape > 0.0 && shape.is_finite() && z > 0.0 && z.is_finite()) {
        return T::ONE;
    }
    // `ln` of z^a·e^(−z)/Γ(a + 1); its value drops out.
    let power = a * number(libm::log(z)) - ln_gamma(a + T::ONE);
    let power = (power - number(power.to_f64())).exp();
    if z < shape + 1.0 { lower_series(a, z, power) } else { upper_fraction(a, z, power) }
}

/// The most terms of a series or fraction; the shape of which it takes more is in the millions.
const TERMS: u32 = 20_000;

/// By `F = z^a·e^(−z)/Γ(a + 1)·Σ zⁿ/((a + 1)..(a + n))`; Abramowitz and Stegun, 6.5.29.
fn lower_series<T: Real>(a: T, z: f64, power: T) -> T {
    let (mut sum, mut term, mut below) = (T::ONE, T::ONE, a);
    for _ in 0..TERMS {
        below += T::ONE;
        term *= number::<T>(z) / below;
        sum += term;
        if term.to_f64() < 1e-18 * sum.to_f64() {
            break;
        }
    }
    let function = power * sum;
    T::ONE - (function - number(function.to_f64())) / number(a.to_f64())
}

/// By `1 − F = z^a·e^(−z)/Γ(a)·1/(z + 1 − a − 1(1 − a)/(z + 3 − a − ..))`; Abramowitz and Stegun, 6.5.31, evaluated by Lentz's
/// method.
fn upper_fraction<T: Real>(a: T, z: f64, power: T) -> T {
    let mut b = number::<T>(z + 1.0) - a;
    let mut d = T::ONE / b;
    let (mut h, mut c, mut least) = (d, b, 4);
    for index in 1..TERMS {
        let n = number::<T>(f64::from(index));
        let factor = n * (a - n);
        // Of a whole shape the value ends here, and its derivative does not.
        if factor.to_f64() == 0.0 {
            least = index + 60;
        }
        b += number(2.0);
        d = T::ONE / (factor * d + b);
        // Infinite before the first.
        c = if index == 1 { b } else { b + factor / c };
        let change = d * c;
        h *= change;
        if libm::fabs(change.to_f64() - 1.0) < 1.5 * T::EPSILON.to_f64() && index > least {
            break;
        }
    }
    // Γ(a + 1) = a·Γ(a).
    let function = power * a * h;
    T::ONE + (function - number(function.to_f64())) / number(a.to_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::Dual;

    type One = Dual<f64, 1>;

    /// Both ways to compute it, where both converge; and the distribution function by Simpson's rule.
    #[test]
    fn samples_move_with_the_shape() {
        for (shape, z) in [(2.5, 3.6), (0.7, 1.8), (6.0, 7.5), (30.0, 31.5), (1.0, 2.1)] {
            let a = One::variable(shape, 0);
            let power: One = a * number::<One>(libm::log(z)) - ln_gamma(a + One::constant(1.0));
            let power = (power - One::constant(power.value)).exp();
            let (lower, upper) = (lower_series(a, z, power), upper_fraction(a, z, power));
            assert_eq!((lower.value, upper.value), (1.0, 1.0));
            let (lower, upper) = (lower.derivatives[0], upper.derivatives[0]);
            assert!((lower - upper).abs() < 1e-9 * (1.0 + lower.abs()), "{shape} {z}: {lower} {upper}");
        }
        // With t = s⁴, which is smooth at 0.
        let function = |a: f64, z: f64| {
            let density = |s: f64| 4.0 * libm::exp((4.0 * a - 1.0) * libm::log(s) - libm::pow(s, 4.0) - ln_gamma(a));
            let (end, pieces) = (libm::pow(z, 0.25), 20_000);
            let h = end / f64::from(pieces);
            let piece = |index: u32| {
                let left = (f64::from(index) * h).max(1e-30);
                density(left) + 4.0 * density(left + 0.5 * h) + density(left + h)
            };
            (0..pieces).map(piece).sum::<f64>() * h / 6.0
        };
        for (shape, z) in [(2.5, 0.3), (2.5, 6.0), (0.9, 0.2), (5.0, 4.0), (5.0, 12.0)] {
            let by_shape = (function(shape + 1e-4, z) - function(shape - 1e-4, z)) / 2e-4;
            let density = libm::exp((shape - 1.0) * libm::log(z) - z - ln_gamma(shape));
            let found = moved(One::variable(shape, 0), z).derivatives[0];
            let expected = -by_shape / (z * density);
            assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{shape} {z}: {found} {expected}");
        }
        assert_eq!(moved(One::variable(1e-3, 0), 0.0).derivatives, [0.0]);
        assert!(moved(One::variable(1e-3, 0), 1e-200).derivatives[0].is_finite());
    }
}
