//! The functions of intervals, computed in `f64` at the ends and rounded outward.

use super::{End, Interval, Register, greater};
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;

/// By how many units in the last place a result of `libm`, or of three of its operations, is moved outward.
const UNITS: usize = 4;

fn lower<T: End>(y: f64) -> T {
    let y = (0..UNITS).fold(y, |y, _| y.next_down());
    let near = T::from_f64(y);
    if near.to_f64() > y { near.below() } else { near }
}

fn upper<T: End>(y: f64) -> T {
    let y = (0..UNITS).fold(y, |y, _| y.next_up());
    let near = T::from_f64(y);
    if near.to_f64() < y { near.above() } else { near }
}

/// A function that rises, with values in `low..=high`; `at_zero` is its exact value at 0, if that is a number.
fn rising<T: End>(
    x: Interval<T>,
    (low, high): (f64, f64),
    at_zero: Option<f64>,
    f: impl Fn(f64) -> f64,
) -> Interval<T> {
    let end = |x: T, outward: fn(f64) -> T| match at_zero {
        Some(y) if x == T::ZERO => T::from_f64(y),
        _ => outward(f(x.to_f64())),
    };
    let (low, high) = (T::from_f64(low), T::from_f64(high));
    let clamp = |y: T| {
        if y < low {
            low
        } else if y > high {
            high
        } else {
            y
        }
    };
    Interval::new(clamp(end(x.low, lower)), clamp(end(x.high, upper)))
}

const INFINITE: f64 = f64::INFINITY;

fn sigmoid(x: f64) -> f64 {
    // Of numbers that do not overflow.
    let e = libm::exp(-libm::fabs(x));
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

fn softplus(x: f64) -> f64 {
    libm::fmax(x, 0.0) + libm::log1p(libm::exp(-libm::fabs(x)))
}

impl<T: End> Interval<T> {
    /// The part that is not negative; 0 if there is none.
    fn not_negative(self) -> Self {
        Self { low: greater(T::ZERO, self.low), high: greater(T::ZERO, self.high) }
    }
}

#[diagnostic::do_not_recommend]
impl<T: End> Real for Interval<T> {
    const EPSILON: Self = Self::point(T::EPSILON);

    fn sqrt(self) -> Self {
        rising(self.not_negative(), (0.0, INFINITE), Some(0.0), libm::sqrt)
    }
    fn exp(self) -> Self {
        rising(self, (0.0, INFINITE), Some(1.0), libm::exp)
    }
    fn ln(self) -> Self {
        rising(self.not_negative(), (-INFINITE, INFINITE), None, libm::log)
    }
    /// For a negative base only where the exponent is one whole number.
    fn powf(self, exponent: Self) -> Self {
        let n = exponent.low.to_f64();
        let whole = exponent.is_point() && n == libm::rint(n);
        let odd = whole && libm::fmod(n, 2.0) != 0.0;
        let base = match (whole, odd) {
            (true, true) => self,
            (true, false) => self.abs(),
            _ => self.not_negative(),
        };
        if exponent == Self::ZERO {
            return Self::ONE;
        }
        if exponent == Self::ONE {
            return self;
        }
        if odd && n < 0.0 && base.low < T::ZERO && base.high >= T::ZERO {
            return Self::all();
        }
        // Monotone in the base and in the exponent, so the extremes are at the corners.
        let ends = |base: T, exponent: T| {
            // Not the power of a negative 0, which would have another sign.
            let y = libm::pow(base.to_f64() + 0.0, exponent.to_f64());
            if base == T::ZERO { Self::point(T::from_f64(y)) } else { Self::new(lower(y), upper(y)) }
        };
        let [a, b] = [base.low, base.high].map(|base| ends(base, exponent.low).hull(ends(base, exponent.high)));
        let y = a.hull(b);
        if odd { y } else { y.not_negative() }
    }

    fn sqrt_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(Self::sqrt)
    }
    fn exp_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(Self::exp)
    }
    fn exp_m1_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(|x| rising(x, (-1.0, INFINITE), Some(0.0), libm::expm1))
    }
    fn ln_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(Self::ln)
    }
    fn tanh_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(|x| rising(x, (-1.0, 1.0), Some(0.0), libm::tanh))
    }
    fn sigmoid_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(|x| rising(x, (0.0, 1.0), Some(0.5), sigmoid))
    }
    fn softplus_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(|x| rising(x, (0.0, INFINITE), None, softplus))
    }
    fn erf_lanes<S: Simd>(_simd: S, x: Register<T>) -> Register<T> {
        x.map(|x| rising(x, (-1.0, 1.0), Some(0.0), libm::erf))
    }
}
