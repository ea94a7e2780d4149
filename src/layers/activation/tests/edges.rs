//! Every function at its edges: kinks, zeros, subnormal and huge numbers, infinities and NaN, in both number types and at
//! every level, compared with PyTorch's definitions evaluated in `f64`.

use core::f64::consts::{FRAC_1_SQRT_2, PI};
use core::marker::PhantomData;

use super::At;
use crate::layer::Activation;
use crate::layers::*;
use crate::scalar::{Real, Scalar, bits};
use crate::simd::{dispatch, levels};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// A function, its derivative, and both where the definitions meet infinities and NaN.
struct Edges {
    value: fn(f64) -> f64,
    slope: fn(f64) -> f64,
    /// Whether the derivative has all its digits where it is small. Others are differences of numbers near 1, as they are
    /// in PyTorch, and have those of 1.
    precise: bool,
    /// Value and derivative at −∞ and ∞, and the derivative at NaN; the value there is NaN.
    low: (f64, f64),
    high: (f64, f64),
    nan: f64,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

fn hard_sigmoid(x: f64) -> f64 {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

fn gelu_tanh(x: f64) -> (f64, f64) {
    let root = (2.0 / PI).sqrt();
    let (tanh, inner) = ((root * (x + 0.044_715 * x * x * x)).tanh(), root * (1.0 + 3.0 * 0.044_715 * x * x));
    // Where PyTorch multiplies 0 by an infinity that is only an overflow, the limit is expected.
    let slope = if x.abs() > 100.0 { 0.0 } else { 0.5 * x * (1.0 - tanh * tanh) * inner };
    (0.5 * x * (1.0 + tanh), 0.5 * (1.0 + tanh) + slope)
}

const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

fn elu_of(x: f64, alpha: f64, scale: f64) -> f64 {
    scale * if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn elu_slope(x: f64, alpha: f64, scale: f64) -> f64 {
    scale * if x > 0.0 { 1.0 } else { alpha * x.exp() }
}

/// Compares `A` with its definition, at the finite numbers of the list and beyond them.
fn check<T: Real, A: Activation<T>>(edges: &Edges) {
    let single = size_of::<T>() == 4;
    let (epsilon, smallest) =
        if single { (f64::from(f32::EPSILON), f64::from(f32::from_bits(1))) } else { (f64::EPSILON, 5e-324) };
    let huge = if single { 1e38 } else { 1e300 };
    let mut numbers = std::vec::Vec::from([0.0, smallest, 1000.0 * smallest, huge, 1e38, 1e20]);
    numbers.extend([1e-30, 1e-9, 0.5, 1.0, 2.0, 3.0, 6.0, 18.0, 50.0, 80.0]);
    for x in numbers.into_iter().flat_map(|x| [x, -x]) {
        // The number that the function is given.
        let x = T::from_f64(x).to_f64();
        let (value, slope) = ((edges.value)(x), (edges.slope)(x));
        let absolute = if edges.precise { 4.0 * smallest } else { 4.0 * epsilon };
        expect::<T, A>(
            x,
            (value, slope),
            16.0 * epsilon,
            (4.0 * epsilon * x.abs().min(1.0) + 4.0 * smallest, absolute),
        );
    }
    for (x, expected) in [(-INF, edges.low), (INF, edges.high), (NAN, (NAN, edges.nan))] {
        expect::<T, A>(x, expected, 4.0 * epsilon, (0.0, 0.0));
    }
}

fn expect<T: Scalar, A: Activation<T>>(x: f64, expected: (f64, f64), relative: f64, absolute: (f64, f64)) {
    // Of infinities and NaN there is only one of each.
    let close = |a: f64, b: f64, absolute: f64| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= relative * b.abs() + absolute
    };
    for level in levels() {
        let (y, slope) = dispatch(level, At::<T, A>(T::from_f64(x), PhantomData));
        let (y, slope) = (y.to_f64(), slope.to_f64());
        assert!(
            close(y, T::from_f64(expected.0).to_f64(), absolute.0) && close(slope, expected.1, absolute.1),
            "{} of {} at {x:e} is {y:e} with slope {slope:e}, not {expected:?}, at {level:?}",
            core::any::type_name::<A>(),
            T::NAME
        );
    }
}

macro_rules! edges {
    ($($name:ident: $type:ty, $value:expr, $slope:expr, $precise:ident, $low:expr, $high:expr, $nan:expr;)*) => { $(
        #[test]
        fn $name() {
            const PRECISE: bool = matches!(stringify!($precise).as_bytes(), b"precise");
            let edges =
                Edges { value: $value, slope: $slope, precise: PRECISE, low: $low, high: $high, nan: $nan };
            check::<f32, $type>(&edges);
            check::<f64, $type>(&edges);
        }
    )* };
}

// The last three columns: value and derivative at −∞ and at ∞, and the derivative at NaN.
edges! {
    identity: Identity, |x| x, |_| 1.0, precise, (-INF, 1.0), (INF, 1.0), 1.0;
    relu: Relu, |x| x.max(0.0), |x| f64::from(x > 0.0), precise, (0.0, 0.0), (INF, 1.0), 1.0;
    relu6: Relu6, |x| x.clamp(0.0, 6.0), |x| f64::from(x > 0.0 && x < 6.0), precise, (0.0, 0.0), (6.0, 0.0), 1.0;
    leaky_relu: LeakyRelu, |x| if x > 0.0 { x } else { 0.01 * x }, |x| if x > 0.0 { 1.0 } else { 0.01 }, precise,
        (-INF, 0.01), (INF, 1.0), 0.01;
    elu: Elu, |x| elu_of(x, 1.0, 1.0), |x| elu_slope(x, 1.0, 1.0), precise, (-1.0, 0.0), (INF, 1.0), NAN;
    steep_elu: Elu<{ bits(2.5) }>, |x| elu_of(x, 2.5, 1.0), |x| elu_slope(x, 2.5, 1.0), precise,
        (-2.5, 0.0), (INF, 1.0), NAN;
    selu: Selu, |x| elu_of(x, ALPHA, SCALE), |x| elu_slope(x, ALPHA, SCALE), precise,
        (-ALPHA * SCALE, 0.0), (INF, SCALE), NAN;
    gelu: Gelu, |x| x * normal(x), |x| normal(x) + x * density(x), rounded, (NAN, NAN), (INF, NAN), NAN;
    gelu_by_tanh: GeluTanh, |x| gelu_tanh(x).0, |x| gelu_tanh(x).1, rounded, (NAN, NAN), (INF, NAN), NAN;
    silu: Silu, |x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x)), rounded, (NAN, NAN), (INF, NAN), NAN;
    logistic: Sigmoid, sigmoid, |x| sigmoid(x) * sigmoid(-x), rounded, (0.0, 0.0), (1.0, 0.0), NAN;
    tanh: Tanh, f64::tanh, |x| 1.0 - x.tanh() * x.tanh(), rounded, (-1.0, 0.0), (1.0, 0.0), NAN;
    hard_logistic: HardSigmoid, hard_sigmoid, |x| if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 }, precise,
        (0.0, 0.0), (1.0, 0.0), 0.0;
    // PyTorch's value in `f32` at 1e38 is ∞, because 6 x is.
    hard_swish: HardSwish, |x| x * hard_sigmoid(x), |x| match x {
        ..=-3.0 => 0.0,
        3.0.. => 1.0,
        x => x / 3.0 + 0.5,
    }, precise, (NAN, 0.0), (INF, 1.0), NAN;
    hard_tanh: HardTanh, |x| x.clamp(-1.0, 1.0), |x| f64::from(x > -1.0 && x < 1.0), precise,
        (-1.0, 0.0), (1.0, 0.0), 1.0;
    // PyTorch's derivative at ∞ is NaN, ∞ · 0; this is its limit.
    mish: Mish, |x| x * softplus(x).tanh(),
        |x| softplus(x).tanh() + x * sigmoid(x) * (1.0 - softplus(x).tanh() * softplus(x).tanh()), rounded,
        (NAN, NAN), (INF, 1.0), NAN;
    softplus_of: Softplus, softplus, sigmoid, precise, (0.0, 0.0), (INF, 1.0), NAN;
    softsign: Softsign, |x| x / (1.0 + x.abs()), |x| 1.0 / ((1.0 + x.abs()) * (1.0 + x.abs())), rounded,
        (NAN, NAN), (NAN, NAN), NAN;
}

/// From the output, `y + α`, there would be no digit left.
#[test]
fn elus_have_a_derivative_far_left() {
    for (x, slope) in [(-18.0, 1.522_997_974_471_263e-8), (-80.0, 1.804_851_387_845_415_2e-35)] {
        for (factor, digits) in [(1.0, 1e-6), (ALPHA * SCALE, 1e-6)] {
            let expected = slope * factor;
            let found = levels().map(|level| match factor {
                1.0 => dispatch(level, At::<f32, Elu>(x, PhantomData)).1,
                _ => dispatch(level, At::<f32, Selu>(x, PhantomData)).1,
            });
            for found in found {
                assert!((f64::from(found) / expected - 1.0).abs() < digits, "{found:e} is not {expected:e}");
            }
        }
    }
}
