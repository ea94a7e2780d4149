//! Transcendental functions of whole registers, in `f32` and `f64`.
//!
//! | function | error in `f32` | in `f64` |
//! | --- | --- | --- |
//! | [`exp`], [`exp_m1`], [`ln`], [`tanh`], [`sigmoid`], [`softplus`], [`erf`] | at most 2 ulp | at most 4 ulp |
//!
//! over the whole range, including subnormal results, with or without fused multiply-add; the tests below measure it.
//! Zeros, infinities and NaN give the same results as `libm`. Every lane executes the same instructions whatever its
//! value, so the time does not depend on the data, and a number gives the same result in any lane of a full or a
//! partial register.
//!
//! The methods follow fdlibm (Sun Microsystems, 1993) with its ranges made branchless: Cody and Waite's reduction by
//! multiples of ln 2, and minimax polynomials, where those of [`exp`] and [`erf`] were refitted with the Remez
//! algorithm.

mod format;

use fearless_simd::{SimdBase, SimdFloat, SimdFloatElement};

use crate::scalar::{Real, Scalar, Vector};
use crate::simd::{Lanes, SCALAR, Simd};
use format::Float;

/// The bits of a register, as unsigned integers.
type Bits<S, T> = <<T as SimdFloatElement>::Native<S> as SimdFloat<S>>::Bits;

#[inline(always)]
fn splat<S: Simd, T: Float + Scalar>(simd: S, value: T) -> Lanes<S, T> {
    Lanes::splat(simd, value)
}

/// `coefficients[0] + x · (coefficients[1] + x · (…))`.
#[inline(always)]
fn polynomial<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>, coefficients: &[T]) -> Lanes<S, T> {
    let mut sum = splat(simd, T::ZERO);
    let mut index = coefficients.len();
    while index > 0 {
        index -= 1;
        let term = splat(simd, coefficients[index]);
        sum = if index + 1 == coefficients.len() { term } else { sum.mul_add(x, term) };
    }
    sum
}

/// `2ⁿ` times the number with the bits `one`, for an integer `n` that was rounded by adding
/// [`Float::ROUNDER`]: its bits are then those of the rounder plus `n`, and the rounder's own are
/// shifted out.
#[inline(always)]
fn power<S: Simd, T: Float + Scalar>(simd: S, rounded: Lanes<S, T>, one: T::Bits) -> Lanes<S, T> {
    let exponent = rounded.0.to_bits() << T::MANTISSA_BITS;
    Lanes(T::Native::<S>::from_bits(exponent + Bits::<S, T>::splat(simd, one)))
}

/// `x = n · ln 2 + r` with an integer `n` and `|r| <= ½ ln 2`.
struct Reduced<S: Simd, T: Float> {
    /// `n` plus [`Float::ROUNDER`].
    rounded: Lanes<S, T>,
    n: Lanes<S, T>,
    r: Lanes<S, T>,
    /// The rounding error of `r`.
    rest: Lanes<S, T>,
}

#[inline(always)]
fn reduce<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Reduced<S, T> {
    let rounder = splat(simd, T::ROUNDER);
    let rounded = x.mul_add(splat(simd, T::LOG2_E), rounder);
    let n = rounded - rounder;
    // Exact: `n` has few bits, and the difference cancels.
    let high = n.mul_add(splat(simd, -T::LN_2_HIGH), x);
    let r = n.mul_add(splat(simd, -T::LN_2_LOW), high);
    Reduced { rounded, n, r, rest: n.mul_add(splat(simd, -T::LN_2_LOW), high - r) }
}

/// `eʳ` for the `r` of [`Reduced`].
#[inline(always)]
fn exp_of_r<S: Simd, T: Float + Scalar>(simd: S, r: Lanes<S, T>) -> Lanes<S, T> {
    (r * r).mul_add(polynomial(simd, r, T::EXP), r) + splat(simd, T::ONE)
}

/// `x` within `min..=max`; NaN stays NaN.
#[inline(always)]
fn clamp<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>, min: T, max: T) -> Lanes<S, T> {
    let (min, max) = (splat(simd, min), splat(simd, max));
    let x = Lanes::select(x.lt(min), min, x);
    Lanes::select(max.lt(x), max, x)
}

/// `√x`.
#[inline(always)]
pub(crate) fn sqrt<S: Simd, T: SimdFloatElement + Real>(x: Lanes<S, T>) -> Lanes<S, T> {
    if !SCALAR {
        return Lanes(x.0.sqrt());
    }
    let mut roots = x.0;
    for lane in roots.as_mut_slice() {
        *lane = lane.sqrt();
    }
    Lanes(roots)
}

/// `eˣ`.
#[inline(always)]
pub(crate) fn exp<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let x = clamp(simd, x, T::EXP_MIN, T::EXP_MAX);
    let Reduced { n, r, .. } = reduce(simd, x);
    let power_of_r = exp_of_r(simd, r);
    // Two factors with half of the exponent each, because 2ⁿ itself may not be a normal number; only the second product
    // rounds.
    let rounder = splat(simd, T::ROUNDER);
    let half = n.mul_add(splat(simd, T::from_f64(0.5)), rounder);
    let other = (n - (half - rounder)) + rounder;
    power_of_r * power(simd, half, T::ONE_BITS) * power(simd, other, T::ONE_BITS)
}

/// `½ (eˣ − 1)` for `x` between −40 and [`Float::EXP_MAX`].
///
/// Half of it, so that a result that is representable does not overflow on the way.
#[inline(always)]
fn half_exp_m1<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let Reduced { rounded, r, rest, .. } = reduce(simd, x);
    let scale = power(simd, rounded, T::HALF_BITS);
    let tail = (r * r).mul_add(polynomial(simd, r, T::EXP), rest);
    // scale · (1 + r + tail) − ½, with the error of the first sum added back (Knuth's TwoSum):
    // around x = ln ½ and ln 2 the parts cancel.
    let (a, b) = (scale - splat(simd, T::from_f64(0.5)), scale * r);
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    sum + scale.mul_add(tail, error)
}

/// `x` itself where it is so small that `f(x)` rounds to `x`, which also keeps the sign of zero.
#[inline(always)]
fn or_tiny<S: Simd, T: Float + Real>(simd: S, x: Lanes<S, T>, f: Lanes<S, T>) -> Lanes<S, T> {
    Lanes::select(x.abs().lt(splat(simd, T::EPSILON * T::from_f64(0.25))), x, f)
}

/// `eˣ − 1`, exact near 0.
#[inline(always)]
pub(crate) fn exp_m1<S: Simd, T: Float + Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let half = half_exp_m1(simd, clamp(simd, x, T::from_f64(-40.0), T::EXP_MAX));
    or_tiny(simd, x, half + half)
}

/// `k` and `m` with `x = 2ᵏ · m` and `√½ <= m < √2`, for positive normal `x`.
#[inline(always)]
fn split<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> (Lanes<S, T>, Lanes<S, T>) {
    let bits = |value: T::Bits| Bits::<S, T>::splat(simd, value);
    let shifted = x.0.to_bits() + bits(T::ONE_LESS_ROOT_HALF_BITS);
    let exponent = (shifted >> T::MANTISSA_BITS) | bits(T::INTEGERS_BITS);
    let k = Lanes(T::Native::<S>::from_bits(exponent)) - splat(simd, T::INTEGERS + T::BIAS);
    let mantissa = (shifted & bits(T::MANTISSA)) + bits(T::ROOT_HALF_BITS);
    (k, Lanes(T::Native::<S>::from_bits(mantissa)))
}

/// `k · ln 2 + ln m` for `√½ <= m < √2`.
#[inline(always)]
fn ln_of_parts<S: Simd, T: Float + Scalar>(simd: S, k: Lanes<S, T>, m: Lanes<S, T>) -> Lanes<S, T> {
    let f = m - splat(simd, T::ONE);
    let s = f / (f + splat(simd, T::from_f64(2.0)));
    let z = s * s;
    let half_square = splat(simd, T::from_f64(0.5)) * f * f;
    let series = z * polynomial(simd, z, T::LN);
    let low = s.mul_add(half_square + series, k * splat(simd, T::LN_2_LOW));
    k.mul_add(splat(simd, T::LN_2_HIGH), (low - half_square) + f)
}

/// `ln x`; NaN below 0.
#[inline(always)]
pub(crate) fn ln<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let subnormal = x.lt(splat(simd, T::MIN_POSITIVE));
    let zero = splat(simd, T::ZERO);
    let (k, m) = split(simd, Lanes::select(subnormal, x * splat(simd, T::RAISE), x));
    let k = k - Lanes::select(subnormal, splat(simd, T::RAISE_EXPONENT), zero);
    // Infinity and NaN are their own logarithms.
    let infinity = splat(simd, T::INFINITY);
    let ln = Lanes::select(x.lt(infinity), ln_of_parts(simd, k, m), x);
    let ln = Lanes::select(x.lt(zero), splat(simd, T::NAN), ln);
    Lanes::select(x.eq(zero), -infinity, ln)
}

/// `tanh x`.
#[inline(always)]
pub(crate) fn tanh<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let magnitude = x.abs();
    let square = x * x;
    let small = x.mul_add(square * polynomial(simd, square, T::TANH_SMALL), x);
    // 1 − 2 / (e²ˣ + 1), odd. `min` is NaN where the second operand is.
    let Reduced { rounded, r, .. } = reduce(simd, splat(simd, T::TANH_MAX).min(magnitude + magnitude));
    let one = splat(simd, T::ONE);
    let power_of_r = exp_of_r(simd, r);
    let large = one - splat(simd, T::from_f64(2.0)) / power_of_r.mul_add(power(simd, rounded, T::ONE_BITS), one);
    Lanes::select(magnitude.lt(splat(simd, T::from_f64(0.5))), small, large).copysign(x)
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    // s / (s + s · e⁻ˣ) with a small power of two s, because e⁻ˣ alone would overflow where the result is subnormal. `min`
    // and `max` are NaN where the second operand is.
    let x = splat(simd, T::SIGMOID_MAX).min(splat(simd, T::EXP_MIN).max(x));
    let Reduced { rounded, r, .. } = reduce(simd, -x);
    let scale = splat(simd, T::SIGMOID_SCALE);
    scale / exp_of_r(simd, r).mul_add(power(simd, rounded, T::SIGMOID_SCALE_BITS), scale)
}

/// `ln(1 + eˣ)`.
#[inline(always)]
pub(crate) fn softplus<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    // max(x, 0) + ln(1 + e^−|x|) does not overflow.
    let zero = splat(simd, T::ZERO);
    let power = exp(simd, -x.abs());
    // With s = p / (2 + p), ln(1 + p) = ln((1 + s) / (1 − s)) = 2s + s³ · (…), and 2s = p − s · p, of which p is exact.
    let s = power / (power + splat(simd, T::from_f64(2.0)));
    let square = s * s;
    let rest = square.mul_add(polynomial(simd, square, T::LN_1P), -power);
    Lanes::select(x.lt(zero), zero, x) + s.mul_add(rest, power)
}

/// The error function, `2/√π ∫₀ˣ e^(−t²) dt`.
#[inline(always)]
pub(crate) fn erf<S: Simd, T: Float + Scalar>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let one = splat(simd, T::ONE);
    let magnitude = clamp(simd, x.abs(), T::ZERO, T::ERF_MAX);
    let small = x.mul_add(polynomial(simd, magnitude * magnitude, T::ERF_SMALL), x);
    // 1 − e^(−p), where the exponent stays far from the ends of the range.
    let Reduced { rounded, r, .. } = reduce(simd, -polynomial(simd, magnitude - one, T::ERF_LARGE));
    let power_of_r = exp_of_r(simd, r);
    let large = one - power_of_r * power(simd, rounded, T::ONE_BITS);
    Lanes::select(magnitude.lt(one), small, large.copysign(x))
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use crate::simd::{Level, Task, dispatch, levels};
    use std::vec::Vec;

    /// A function, its name and its reference implementation.
    trait Function {
        const NAME: &'static str;
        fn vector<T: Real, S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S>;
        fn reference(x: f64) -> f64;
    }

    macro_rules! function {
        ($type:ident, $method:ident, $lanes:ident, $reference:expr) => {
            struct $type;
            impl Function for $type {
                const NAME: &'static str = stringify!($method);
                #[inline(always)]
                fn vector<T: Real, S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S> {
                    T::$lanes(simd, x)
                }
                fn reference(x: f64) -> f64 {
                    $reference(x)
                }
            }
        };
    }
    function!(Exp, exp, exp_lanes, libm::exp);
    function!(ExpM1, exp_m1, exp_m1_lanes, libm::expm1);
    function!(Ln, ln, ln_lanes, libm::log);
    function!(Tanh, tanh, tanh_lanes, libm::tanh);
    function!(Erf, erf, erf_lanes, libm::erf);
    function!(Sigmoid, sigmoid, sigmoid_lanes, |x: f64| {
        let power = libm::exp(-x.abs());
        (if x < 0.0 { power } else { 1.0 }) / (1.0 + power)
    });
    function!(Softplus, softplus, softplus_lanes, |x: f64| x.max(0.0) + libm::log1p(libm::exp(-x.abs())));

    struct Apply<'a, T, F>(&'a mut [T], F);

    impl<T: Real, F: Function> Task for Apply<'_, T, F> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            crate::kernels::elementwise::map(
                simd,
                self.0,
                #[inline(always)]
                |x| F::vector::<T, S>(simd, x),
            );
        }
    }

    /// The distance from a number to the next one away from zero.
    trait Ulp: Real {
        fn ulp(of: f64) -> f64;
    }
    impl Ulp for f32 {
        fn ulp(of: f64) -> f64 {
            let magnitude = (of as f32).abs().min(f32::MAX.next_down());
            f64::from(magnitude.next_up()) - f64::from(magnitude)
        }
    }
    impl Ulp for f64 {
        fn ulp(of: f64) -> f64 {
            let magnitude = of.abs().min(f64::MAX.next_down());
            magnitude.next_up() - magnitude
        }
    }

    /// The largest error in ulp at `level`, and where it occurs. Zeros, infinities and NaN must be exact.
    fn worst<T: Ulp, F: Function>(level: Level, function: F, x: &[T], expected: &[f64]) -> (f64, T) {
        let mut y = x.to_vec();
        dispatch(level, Apply(&mut y, function));
        let mut worst = (0.0, T::ZERO);
        for ((&x, &y), &expected) in x.iter().zip(&y).zip(expected) {
            let (input, y) = (x.to_f64(), y.to_f64());
            let what = || std::format!("{} at {level:?}: f({input:e}) = {y:e}, not {expected:e}", F::NAME);
            let rounded = T::from_f64(expected).to_f64();
            if rounded.is_finite() && y.is_finite() {
                let error = (y - expected).abs() / T::ulp(expected);
                if error > worst.0 {
                    worst = (error, x);
                }
            } else {
                assert!(rounded == y || rounded.is_nan() && y.is_nan(), "{}", what());
            }
            if expected == 0.0 && x == T::ZERO {
                assert!(y == 0.0 && y.is_sign_negative() == expected.is_sign_negative(), "{}", what());
            }
        }
        worst
    }

    fn check<T: Ulp, F: Function>(function: fn() -> F, x: &[T], bound: f64) {
        let expected: Vec<f64> = x.iter().map(|x| F::reference(x.to_f64())).collect();
        for level in levels() {
            let (error, at) = worst(level, function(), x, &expected);
            std::println!("{:8} {} {error:.3} ulp at {:e}, {level:?}", F::NAME, T::NAME, at.to_f64());
            assert!(error <= bound, "{} at {level:?}: {error} ulp off at {:e}", F::NAME, at.to_f64());
        }
    }

    fn check_all<T: Ulp>(x: &[T], bound: f64) {
        check(|| Exp, x, bound);
        check(|| ExpM1, x, bound);
        check(|| Ln, x, bound);
        check(|| Tanh, x, bound);
        check(|| Sigmoid, x, bound);
        check(|| Softplus, x, bound);
        check(|| Erf, x, bound);
    }

    /// Numbers at which a case changes, and their neighbors.
    const EDGES: [f64; 36] = [
        0.0,
        1.0,
        2.0,
        0.5,
        core::f64::consts::FRAC_1_SQRT_2,
        core::f64::consts::SQRT_2,
        core::f64::consts::LN_2,
        0.5 * core::f64::consts::LN_2,
        1.5 * core::f64::consts::LN_2,
        0.625,
        4.0,
        6.0,
        9.0,
        10.0,
        16.6,
        17.33,
        20.0,
        37.5,
        40.0,
        87.336_55,
        88.376_26,
        88.722_84,
        89.0,
        103.278_93,
        103.972_08,
        104.0,
        708.396_418_532_264_1,
        709.782_712_893_384,
        710.0,
        744.440_071_921_381_3,
        745.133_219_101_941_1,
        746.0,
        1e-8,
        3e-17,
        1e-30,
        1e10,
    ];

    #[test]
    fn f32_is_within_2_ulp_over_the_whole_range() {
        // Bit patterns with a stride that is coprime to the rest: all exponents, both signs.
        let mut x: Vec<f32> = (0..u32::MAX).step_by(26_003).map(f32::from_bits).collect();
        for edge in EDGES {
            let (mut up, mut down) = (edge as f32, edge as f32);
            for _ in 0..50 {
                x.extend([up, -up, down, -down]);
                (up, down) = (up.next_up(), down.next_down());
            }
        }
        x.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE]);
        check_all(&x, 2.0);
    }

    #[test]
    fn f64_is_within_4_ulp_over_the_whole_range() {
        let mut noise = Noise::new(3);
        let mut x: Vec<f64> = (0..50_000).map(|_| f64::from_bits(noise.next_u64())).collect();
        // Most bit patterns are huge or tiny, so also test what is in between.
        for scale in [0.01, 1.0, 8.0, 40.0, 760.0] {
            x.extend((0..20_000).map(|_| scale * (2.0 * noise.uniform() - 1.0)));
        }
        for edge in EDGES {
            let (mut up, mut down) = (edge, edge);
            for _ in 0..50 {
                x.extend([up, -up, down, -down]);
                (up, down) = (up.next_up(), down.next_down());
            }
        }
        x.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN, f64::MIN_POSITIVE]);
        check_all(&x, 4.0);
    }

    fn check_lanes<T: Real, F: Function>(function: fn() -> F) {
        let x: Vec<T> = (0..33).map(|i| T::from_f64(0.37 * i as f64 - 5.0)).collect();
        for level in levels() {
            let mut all = x.clone();
            dispatch(level, Apply(&mut all, function()));
            for (x, in_lane) in x.iter().zip(&all) {
                let mut alone = [*x];
                dispatch(level, Apply(&mut alone, function()));
                let same = alone[0] == *in_lane || alone[0].to_f64().is_nan() && in_lane.to_f64().is_nan();
                assert!(same, "{} at {level:?}: {in_lane} in a full register, {} alone", F::NAME, alone[0]);
            }
        }
    }

    #[test]
    fn every_lane_gives_the_same() {
        check_lanes::<f32, _>(|| Exp);
        check_lanes::<f32, _>(|| ExpM1);
        check_lanes::<f32, _>(|| Ln);
        check_lanes::<f32, _>(|| Tanh);
        check_lanes::<f32, _>(|| Sigmoid);
        check_lanes::<f32, _>(|| Softplus);
        check_lanes::<f32, _>(|| Erf);
        check_lanes::<f64, _>(|| Exp);
        check_lanes::<f64, _>(|| Tanh);
        check_lanes::<f64, _>(|| Softplus);
        check_lanes::<f64, _>(|| Erf);
    }
}
