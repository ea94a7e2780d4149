use std::format;

use super::*;
use crate::dual::{Dual, compare_registers};
use crate::noise::Noise;
use crate::scalar::Vector;
use crate::simd::{Task, dispatch, level};

/// One variable, and numbers nested for its second derivative.
type Along = Jet<f64, 1>;
type Twice = Dual<Dual<f64, 1>, 1>;

/// A function of registers.
struct Apply<T>(usize, T);

impl<T: Real> Task for Apply<T> {
    type Output = T;

    fn run<S: Simd>(&mut self, simd: S) -> T {
        let x = T::Vector::<S>::splat(simd, self.1);
        let y = match self.0 {
            0 => T::sqrt_lanes(simd, x),
            1 => T::exp_lanes(simd, x),
            2 => T::exp_m1_lanes(simd, x),
            3 => T::ln_lanes(simd, x),
            4 => T::tanh_lanes(simd, x),
            5 => T::sigmoid_lanes(simd, x),
            6 => T::softplus_lanes(simd, x),
            7 => T::erf_lanes(simd, x),
            8 => x / (x + x * x * x) - x,
            9 => -x.mul_add(x / (x + x), x * x),
            10 => x.abs() * x + x.min(x * x) * x.max(x * x) + x.copysign(-x),
            _ => x.round() * x,
        };
        y.lane(0)
    }
}

const FUNCTIONS: usize = 12;

/// Compares a function of jets with that of nested dual numbers, which are checked by differences.
fn check(what: &str, at: f64, jets: impl Fn(Along) -> Along, duals: impl Fn(Twice) -> Twice) {
    // The variable moves by 3 ε, and by 2 σ besides.
    let jet = jets(Jet { value: at, slopes: [3.0], second: 2.0 });
    let dual = duals(Dual { value: Dual { value: at, derivatives: [1.0] }, derivatives: [Dual::constant(1.0)] });
    let (slope, bend) = (dual.value.derivatives[0], dual.derivatives[0].derivatives[0]);
    let expected = [dual.value.value, 3.0 * slope, 2.0 * slope + 4.5 * bend];
    for (found, expected) in [jet.value, jet.slopes[0], jet.second].into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{what}({at}): {jet}, not {expected}");
    }
}

#[test]
fn functions_have_their_derivatives() {
    for x in [0.3, 0.9, 1.7, 4.5] {
        for function in 0..FUNCTIONS {
            let lanes = |x| dispatch(level(), Apply(function, x));
            let duals = |x| dispatch(level(), Apply::<Twice>(function, x));
            check(&format!("function {function}"), x, lanes, duals);
            if ![0, 3].contains(&function) {
                check(&format!("function {function}"), -x, lanes, duals);
            }
        }
        check("sqrt", x, Real::sqrt, Real::sqrt);
        check("exp", -x, Real::exp, Real::exp);
        check("ln", x, Real::ln, Real::ln);
        check("x^2.5", x, |x| x.powf(Jet::constant(2.5)), |x| x.powf(Twice::from_f64(2.5)));
        check("(-x)^3", x, |x| (-x).powf(Jet::constant(3.0)), |x| (-x).powf(Twice::from_f64(3.0)));
        check("x^x", x, |x| x.powf(x), |x| x.powf(x));
        check("abs", -x, Scalar::abs, Scalar::abs);
        check("min", x, |x| Scalar::min(x, x * x), |x| Scalar::min(x, x * x));
        check("max", x, |x| Scalar::max(x, x * x), |x| Scalar::max(x, x * x));
        check("copysign", -x, |x| Scalar::copysign(x, Jet::ONE), |x| Scalar::copysign(x, Twice::ONE));
        check("arithmetic", x, |x| (x * x - x) / (x + x * x * x) + -x, |x| (x * x - x) / (x + x * x * x) + -x);
        check("round", x + 0.1, |x| Scalar::round(x) * x, |x| Scalar::round(x) * x);
    }
}

#[test]
fn constants_stay_constants() {
    assert_eq!(Real::sqrt(Along::ZERO).slopes, [0.0]);
    assert_eq!(Real::sqrt(Along::ZERO).second, 0.0);
    assert_eq!(Real::ln(Along::ZERO).second, 0.0);
    let zero = Along::variable(0.0, 0).powf(Along::constant(2.0));
    assert_eq!((zero.slopes, zero.second), ([0.0], 1.0));
    let root = dispatch(level(), Apply(0, Along::ZERO));
    assert_eq!((root.slopes, root.second), ([0.0], 0.0));
}

#[test]
fn the_sum_of_second_derivatives_is_half_the_laplacian() {
    let [x, y, z] = [(2.0, 0), (3.0, 1), (5.0, 2)].map(|(value, index)| Jet::<f64, 3>::variable(value, index));
    let mut u = x * x * y / z;
    u += z * z;
    u -= x * y * z;
    u *= y;
    // (x² y/z + z² − x y z) y has the second derivatives 2 y²/z, 2 x²/z − 2 x z and 2 x² y²/z³ + 2 y.
    let laplacian = 18.0 / 5.0 + 8.0 / 5.0 - 20.0 + 2.0 * 36.0 / 125.0 + 6.0;
    assert!((2.0 * u.second - laplacian).abs() < 1e-12, "{u}");
}

#[test]
fn a_direction_may_be_left_out_of_the_sum() {
    let tiny = 2_f64.powi(-40);
    let (x, mut t) = (Jet::<f64, 2>::variable(0.7, 0), Jet::constant(0.3));
    t.slopes[1] = tiny;
    let u = dispatch(level(), Apply(4, x * t)) * t;
    let (y, slope) = (0.21_f64.tanh(), 1.0 - 0.21_f64.tanh().powi(2));
    assert!((u.slopes[1] / tiny - (0.7 * slope * 0.3 + y)).abs() < 1e-15);
    assert!((2.0 * u.second - 0.3 * 0.3 * 0.3 * -2.0 * y * slope).abs() < 1e-16);
}

#[test]
fn every_part_has_its_partner() {
    // The part `second` of a product is Σ of parts in reversed order: what reverse mode needs.
    let mut noise = Noise::new(1);
    let mut draw = || Jet::<f64, 2> {
        value: noise.uniform(),
        slopes: [noise.uniform(), noise.uniform()],
        second: noise.uniform(),
    };
    let (a, b, c) = (draw(), draw(), draw());
    let pairing = a.value * b.second + a.second * b.value + a.slopes[0] * b.slopes[0] + a.slopes[1] * b.slopes[1];
    assert!(((a * b).second - pairing).abs() < 1e-15);
    let (left, right) = (a * b * c, a * (b * c));
    assert!((left.second - right.second).abs() < 1e-15);
}

fn near<T: Scalar, const N: usize>(a: Jet<T, N>, b: Jet<T, N>) -> bool {
    let precision = if size_of::<T>() == 4 { 1e-3 } else { 1e-10 };
    let near = |a: T, b: T| {
        let (a, b) = (a.to_f64(), b.to_f64());
        (a - b).abs() <= precision * (1.0 + b.abs())
    };
    let slopes = a.slopes.iter().zip(b.slopes).all(|(a, b)| near(*a, b));
    near(a.value, b.value) && slopes && near(a.second, b.second)
}

#[test]
fn registers_are_numbers_side_by_side() {
    compare_registers::<Jet<f32, 1>, f32>(near);
    compare_registers::<Jet<f64, 0>, f64>(near);
    compare_registers::<Jet<f32, 2>, f32>(near);
    compare_registers::<Jet<f64, 2>, f64>(near);
    compare_registers::<Jet<f64, 3>, f64>(near);
}

#[test]
fn comparisons_are_those_of_values() {
    let (a, b) = (Jet::<f64, 2>::variable(1.0, 0), Jet::variable(1.0, 1));
    assert!(a == b && a <= b && a < Jet::from(2.0) && a == Jet::ONE && a - b == Jet::default());
    assert!(a.is_finite() && !Along { value: 1.0, slopes: [0.0], second: f64::NAN }.is_finite());
    assert_eq!(format!("{}", Jet { value: 2.0, slopes: [3.0, -1.0], second: 4.0 }), "2 + [3, -1]ε + 4σ");
    assert_eq!(format!("{:.2}", Along::variable(0.5, 0)), "0.50 + [1.00]ε + 0.00σ");
}
