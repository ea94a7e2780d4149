use std::format;

use super::*;
use crate::layers::{
    Celu, Elu, FastTanh, Gelu, GeluTanh, HardSigmoid, HardSwish, HardTanh, LeakyHardTanh, LeakyRelu, Mish, Relu, Relu6,
    Selu, Sigmoid, Silu, Softplus, Softsign, Tanh, ThresholdedRelu,
};
use crate::noise::Noise;
use crate::scalar::{Vector, bits};
use crate::simd::{Task, dispatch, level};
use crate::{Activation, Real};

type Double = Interval<f64>;

/// A number of any size up to a few hundred, and sometimes a round one.
fn number(noise: &mut Noise) -> f64 {
    let x = 2.0 * noise.uniform() - 1.0;
    match noise.next_u64() % 8 {
        0 => x * 300.0,
        1 => libm::rint(3.0 * x),
        2 => x * 1e-300,
        _ => x * 4.0,
    }
}

fn interval(noise: &mut Noise) -> Double {
    let (a, b) = (number(noise), number(noise));
    match noise.next_u64() % 4 {
        0 => Interval::point(a),
        1 => Interval::around(a, b * 1e-6),
        _ => Interval::new(a, b),
    }
}

/// A number in it, often an end.
fn inside(x: Double, noise: &mut Noise) -> f64 {
    match noise.next_u64() % 4 {
        0 => x.low,
        1 => x.high,
        _ => (x.low + noise.uniform() * (x.high - x.low)).clamp(x.low, x.high),
    }
}

#[test]
fn operations_contain_their_results() {
    let mut noise = Noise::new(1);
    for _ in 0..10_000 {
        let (a, b, c) = (interval(&mut noise), interval(&mut noise), interval(&mut noise));
        let (x, y, z) = (inside(a, &mut noise), inside(b, &mut noise), inside(c, &mut noise));
        let check = |what: &str, bounds: Double, value: f64| {
            assert!(bounds.contains(value) || value.is_nan(), "{what} of {a}, {b}, {c} is {bounds} without {value}");
        };
        check("sum", a + b, x + y);
        check("difference", a - b, x - y);
        check("product", a * b, x * y);
        check("quotient", a / b, if y == 0.0 { f64::NAN } else { x / y });
        check("mul_add", a.mul_add(b, c), libm::fma(x, y, z));
        check("abs", Scalar::abs(a), x.abs());
        check("max", Scalar::max(a, b), x.max(y));
        check("min", Scalar::min(a, b), x.min(y));
        check("round", Scalar::round(a), libm::rint(x));
        check("copysign", Scalar::copysign(a, b), if y < 0.0 { -x.abs() } else { x.abs() });
        check("hull", a.hull(b), x);
        check("sqrt", Real::sqrt(a), libm::sqrt(x));
        check("exp", Real::exp(a), libm::exp(x));
        check("ln", Real::ln(a), libm::log(x));
        for exponent in [b, Interval::point(libm::rint(y)), Interval::point(2.0), Interval::point(-1.0)] {
            let at = inside(exponent, &mut noise);
            let power = libm::pow(x, at);
            // A negative base has powers for isolated exponents only, and 0 no negative ones.
            let none = (x < 0.0 && exponent.width() > 0.0) || (x == 0.0 && at < 0.0);
            check("power", a.powf(exponent), if none { f64::NAN } else { power });
        }
    }
}

/// Sums and products in twice the digits are inside, too, not only the rounded ones.
#[test]
fn ends_are_rounded_outward() {
    let mut noise = Noise::new(2);
    for _ in 0..10_000 {
        let (x, y) = (number(&mut noise), number(&mut noise));
        let (sum, product) = (Interval::point(x) + Interval::point(y), Interval::point(x) * Interval::point(y));
        // The errors of rounding, which are numbers themselves.
        let rounded = x + y;
        let error = (x - (rounded - (rounded - x))) + (y - (rounded - x));
        assert!(rounded - sum.low >= -error && sum.high - rounded >= error, "{x} + {y}");
        let rounded = x * y;
        if rounded.abs() > 1e-290 {
            let error = libm::fma(x, y, -rounded);
            assert!(rounded - product.low >= -error && product.high - rounded >= error, "{x} · {y}");
        }
        let single = Interval::<f32>::from_f64(x);
        assert!(f64::from(single.low) <= x && x <= f64::from(single.high), "{x}");
        let both = Interval::<f32>::from_f64(x) * Interval::from_f64(y);
        let exact = f64::from(both.low) <= x * y && x * y <= f64::from(both.high);
        assert!(exact || rounded.abs() < 1e-40, "{x} · {y}");
    }
}

/// What an activation makes of a number.
struct Apply<A, T>(T, core::marker::PhantomData<A>);

impl<T: Scalar, A: Activation<T>> Task for Apply<A, T> {
    type Output = T;

    fn run<S: Simd>(&mut self, simd: S) -> T {
        A::apply(simd, T::Vector::<S>::splat(simd, self.0)).lane(0)
    }
}

fn at<T: Scalar, A: Activation<T>>(x: T) -> T {
    dispatch(level(), Apply::<A, T>(x, core::marker::PhantomData))
}

/// Checks an activation's bounds: they contain all values, and are hardly wider than these.
fn bounds<A: Activation<f64> + Activation<Double> + Activation<Interval<f32>>>() {
    let (mut noise, name) = (Noise::new(3), core::any::type_name::<A>());
    for _ in 0..50 {
        let (a, b) = (8.0 * noise.uniform() - 4.0, 0.5 - noise.uniform());
        let x = Interval::new(a, a + 6.0 * b * b * b);
        let y = at::<Double, A>(x);
        let values: std::vec::Vec<f64> =
            (0..=2000).map(|step| at::<f64, A>(x.low + f64::from(step) / 2000.0 * x.width())).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The network's own functions have their errors, too.
        let slack = 1e-14;
        assert!(y.low <= least + slack && largest <= y.high + slack, "{name} of {x} is {y}, not {least} to {largest}");
        let close = 1e-3 * x.width() * x.width() + 1e-3 * x.width() + 1e-13;
        assert!(y.low >= least - close && y.high <= largest + close, "{name} of {x} is {y}, not {least} to {largest}");
        let single = at::<Interval<f32>, A>(Interval::new(x.low as f32, x.high as f32));
        assert!(f64::from(single.low) <= y.low + 1e-6 && y.high <= f64::from(single.high) + 1e-6, "{name}: {single}");
    }
}

#[test]
fn activations_are_bounded_tightly() {
    bounds::<Relu>();
    bounds::<Relu6>();
    bounds::<LeakyRelu>();
    bounds::<LeakyRelu<{ bits(-0.5) }>>();
    bounds::<Elu>();
    bounds::<Elu<{ bits(-1.0) }>>();
    bounds::<Celu>();
    bounds::<Selu>();
    bounds::<Sigmoid>();
    bounds::<Tanh>();
    bounds::<HardSigmoid>();
    bounds::<HardTanh>();
    bounds::<LeakyHardTanh>();
    bounds::<FastTanh>();
    bounds::<ThresholdedRelu>();
    bounds::<Softplus>();
    bounds::<Softsign>();
    bounds::<Gelu>();
    bounds::<GeluTanh>();
    bounds::<Silu>();
    bounds::<HardSwish>();
    bounds::<Mish>();
}

#[test]
fn minima_are_found_between_the_ends() {
    // The minima, to sixteen digits.
    for (y, minimum) in [
        (at::<Double, Gelu>(Interval::new(-3.0, 0.0)), -0.169_971_207_479_903_66),
        (at::<Double, Silu>(Interval::new(-9.0, 0.0)), -0.278_464_542_761_073_8),
        (at::<Double, Mish>(Interval::new(-9.0, 0.0)), -0.308_843_413_017_250_4),
        (at::<Double, HardSwish>(Interval::new(-9.0, 0.0)), -0.375),
    ] {
        assert!(y.low <= minimum && minimum - y.low < 1e-14, "{y} is not {minimum}");
        assert!(y.high >= 0.0 && y.high < 1e-15, "{y}");
    }
}

/// Of a function that turns at places nobody knows, the bounds hold all the same.
#[test]
fn unknown_turns_are_bounded_loosely() {
    let mut noise = Noise::new(4);
    for _ in 0..1000 {
        let x = interval(&mut noise);
        let value = inside(x, &mut noise);
        let y = at::<Double, ThresholdedRelu<{ bits(-1.0) }>>(x);
        assert!(y.contains(at::<f64, ThresholdedRelu<{ bits(-1.0) }>>(value)), "{x}: {y}");
    }
}

#[test]
fn what_has_no_result_bounds_nothing() {
    let everything = Interval::<f64>::all();
    let same = |a: Double, b: Double| (a.low, a.high) == (b.low, b.high);
    assert!(same(Interval::new(f64::NAN, 1.0), everything) && same(Scalar::from_f64(f64::NAN), everything));
    let infinite = Interval::point(f64::INFINITY);
    assert!(same(infinite - infinite, everything));
    assert!(same(Interval::point(1.0) / Interval::new(-1.0, 1.0), everything));
    assert!(same(Interval::point(1.0) / Interval::ZERO, everything));
    let half = Interval::point(1.0) / Interval::new(0.0, 2.0);
    assert!(half.low <= 0.5 && half.low > 0.49 && half.high == f64::INFINITY);
    assert!(same(Interval::point(0.0) * everything, Interval::ZERO));
    assert!(same(Interval::new(-2.0, -1.0).powf(Interval::point(0.5)), Interval::ZERO));
    assert!(everything.contains(0.0) && !everything.is_finite() && Double::ONE.is_finite());
    // What is far out of range is still bounded.
    assert!(Real::exp(Interval::point(800.0_f64)).low == f64::MAX.next_down().next_down().next_down());
    assert!(Real::exp(Interval::point(-800.0_f64)).high > 0.0);
}

#[test]
fn comparisons_say_what_is_certain() {
    let (a, b, c) = (Interval::new(0.0, 1.0), Interval::new(2.0, 3.0), Interval::new(0.5, 2.5));
    let same = c;
    assert!(a < b);
    assert_eq!(a.partial_cmp(&c), None);
    assert!(c != same);
    assert!(a != b);
    assert!(Interval::point(1.0) == Interval::ONE && Interval::point(1.0) <= Interval::ONE);
    assert_eq!(format!("{c}"), "[0.5, 2.5]");
    assert_eq!((a.to_f64(), a.width()), (0.5, 1.0));
}
