//! Dual numbers: they carry exact derivatives along with every computation.
//!
//! A dual number is a value and its derivatives with respect to `N` variables, `x + Σᵢ xᵢ εᵢ` with `εᵢ εⱼ = 0`.
//! Operations propagate the derivatives by the chain rule (forward-mode automatic differentiation):
//!
//! | | value | derivative |
//! | --- | --- | --- |
//! | `a + b`, `a − b` | `a + b`, `a − b` | `a′ + b′`, `a′ − b′` |
//! | `a · b` | `a b` | `a b′ + b a′` |
//! | `a / b` | `q = a / b` | `(a′ − q b′) / b` |
//! | `f(a)` | `f(a)` | `f′(a) a′` |
//!
//! | `f` | `f′` |
//! | --- | --- |
//! | `√a` | `1 / (2 √a)` |
//! | `eᵃ`, `eᵃ − 1` | `eᵃ` |
//! | `ln a` | `1 / a` |
//! | `aᵇ` | `b aᵇ⁻¹` with respect to `a`, `aᵇ ln a` with respect to `b` |
//! | `tanh a` | `1 − tanh² a` |
//! | `σ(a) = 1 / (1 + e⁻ᵃ)` | `σ(a) (1 − σ(a))` |
//! | `ln(1 + eᵃ)` | `σ(a)` |
//! | `erf a` | `2/√π e^(−a²)` |
//! | `abs a` | the sign of `a`; 0 at 0 |
//! | `max(a, b)`, `min(a, b)` | that of the selected argument; of the first if both are equal |
//! | `round a` | 0 |
//!
//! Comparisons, including equality, compare the values. Where a slope is infinite, like that of `√a` at 0, constants
//! stay constants: a derivative of 0 remains 0.
//!
//! L. Wengert, *A simple automatic derivative evaluation program* (1964); A. Griewank and A. Walther, *Evaluating
//! derivatives*, 2nd edition (2008), chapters 3 and 5; A. Baydin, B. Pearlmutter, A. Radul and J. Siskind, *Automatic
//! differentiation in machine learning: a survey* (2018).

mod functions;
mod lanes;

use core::cmp::Ordering;
use core::fmt::{Display, Formatter, Result};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::plain::{Element, Plain};
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;

pub use lanes::DualLanes;
use lanes::splat;
#[cfg(all(test, feature = "std"))]
pub(crate) use lanes::tests::compare as compare_registers;

/// A number and its derivatives with respect to `N` variables, or along `N` directions.
///
/// Networks that are generic over their number type can use dual numbers. An evaluation then also gives the derivatives
/// of the outputs with respect to the inputs or some of the parameters, exact up to rounding; each derivative takes
/// about two to three times as long as a plain evaluation. (For the gradient with respect to all parameters use
/// [`Trainer`](crate::train::Trainer), which needs one forward and one backward pass.)
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::{Dual, Parameters};
///
/// network! { pub Net<T>: [2] -> [1] { Dense(4), Tanh, Dense(1) } }
///
/// let mut net = Net::<f64>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut dual = Net::<Dual<f64, 2>>::zeroed();
/// for (to, from) in dual.as_mut_slice().iter_mut().zip(net.as_slice()) {
///     *to = Dual::constant(*from);
/// }
///
/// // The derivatives of the output by both inputs.
/// let [y] = dual.evaluate(&[Dual::variable(0.5, 0), Dual::variable(-1.0, 1)]);
/// assert!((y.value - net.evaluate(&[0.5, -1.0])[0]).abs() < 1e-12);
/// let difference = (net.evaluate(&[0.5 + 1e-6, -1.0])[0] - net.evaluate(&[0.5 - 1e-6, -1.0])[0]) / 2e-6;
/// assert!((y.derivatives[0] - difference).abs() < 1e-8);
/// ```
///
/// # Second derivatives
/// The backward pass in dual numbers gives the derivatives of the gradient: if the parameters move along a direction
/// `v`, the gradient changes by `H·v`, the product with the Hessian, which itself would be too large to compute (B.
/// Pearlmutter, *Fast exact multiplication by the Hessian*, 1994).
///
/// ```
/// # use monomorph::prelude::*;
/// # use monomorph::{Dual, Parameters};
/// # network! { pub Net<T>: [2] -> [1] { Dense(4), Tanh, Dense(1) } }
/// # let mut net = Net::<f64>::zeroed();
/// # net.initialize(Init::default(), &mut Noise::new(1));
/// let v = [0.5; Net::<f64>::COUNT];
/// let mut dual = Net::<Dual<f64, 1>>::zeroed();
/// for (index, number) in dual.as_mut_slice().iter_mut().enumerate() {
///     *number = Dual { value: net.as_slice()[index], derivatives: [v[index]] };
/// }
///
/// // A step that does not move.
/// let still = Sgd { learning_rate: 0.0, ..Sgd::default() };
/// let mut trainer = Trainer::<Net<Dual<f64, 1>>, _, 1>::new(still, Mse);
/// let step = trainer.step(&mut dual, &[[0.5, -1.0].map(Dual::constant)], &[[Dual::constant(2.0)]])?;
/// let slope = step.loss.derivatives[0];
/// let curvature: f64 = trainer.gradient().as_slice().iter().zip(v).map(|(g, v)| g.derivatives[0] * v).sum();
/// println!("along v the loss has the slope {slope} and the second derivative {curvature}");
/// # let gradient: f64 = trainer.gradient().as_slice().iter().zip(v).map(|(g, v)| g.value * v).sum();
/// # assert!((slope - gradient).abs() < 1e-12);
/// # let loss = |t: f64| {
/// #     let mut moved = Net::<f64>::zeroed();
/// #     for (index, number) in moved.as_mut_slice().iter_mut().enumerate() {
/// #         *number = net.as_slice()[index] + t * v[index];
/// #     }
/// #     (moved.evaluate(&[0.5, -1.0])[0] - 2.0).powi(2)
/// # };
/// # assert!(((loss(1e-4) - 2.0 * loss(0.0) + loss(-1e-4)) / 1e-8 - curvature).abs() < 1e-5);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
///
/// Dual numbers of dual numbers, `Dual<Dual<f64, 1>, 1>`, have second derivatives, too.
///
/// Safetensors files and blobs cannot hold dual numbers; store the original network instead.
#[derive(Clone, Copy, Debug, Plain)]
#[repr(C)]
pub struct Dual<T, const N: usize = 1> {
    /// The value.
    pub value: T,
    /// Its derivatives with respect to the variables.
    pub derivatives: [T; N],
}

impl<T: Scalar, const N: usize> Dual<T, N> {
    /// A number that depends on no variable.
    ///
    /// ```
    /// use monomorph::Dual;
    /// assert_eq!(Dual::<f64, 2>::constant(3.0).derivatives, [0.0, 0.0]);
    /// ```
    #[inline(always)]
    pub const fn constant(value: T) -> Self {
        Self { value, derivatives: [T::ZERO; N] }
    }

    /// The variable with this index, whose derivative with respect to itself is 1.
    ///
    /// ```
    /// use monomorph::Dual;
    /// let (x, y) = (Dual::<f64, 2>::variable(3.0, 0), Dual::variable(4.0, 1));
    /// assert_eq!((x * y).value, 12.0);
    /// assert_eq!((x * y).derivatives, [4.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no variable with this index.
    #[inline]
    pub const fn variable(value: T, index: usize) -> Self {
        let mut variable = Self::constant(value);
        variable.derivatives[index] = T::ONE;
        variable
    }

    /// `f(self)`, given the value and the slope of `f` there.
    #[inline(always)]
    fn chain(self, value: T, slope: T) -> Self {
        self.with(value, |derivative| slope * derivative)
    }

    /// [`chain`](Self::chain) where the slope may be infinite.
    #[inline(always)]
    fn steep(self, value: T, slope: T) -> Self {
        self.with(value, |derivative| vanishing(derivative, slope))
    }

    /// Replaces the value, and each derivative by `f` of it.
    #[inline(always)]
    fn with(mut self, value: T, f: impl Fn(T) -> T) -> Self {
        self.value = value;
        for derivative in &mut self.derivatives {
            *derivative = f(*derivative);
        }
        self
    }

    /// Replaces the value, and each derivative by `f` of it and of the other's derivative.
    #[inline(always)]
    fn join(mut self, other: Self, value: T, f: impl Fn(T, T) -> T) -> Self {
        self.value = value;
        for (derivative, other) in self.derivatives.iter_mut().zip(other.derivatives) {
            *derivative = f(*derivative, other);
        }
        self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.join(other, self.value + other.value, |a, b| a + b)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.join(other, self.value - other.value, |a, b| a - b)
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.join(other, self.value * other.value, |a, b| self.value * b + other.value * a)
    }

    #[inline(always)]
    fn over(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        self.join(other, quotient, |a, b| (a - quotient * b) / other.value)
    }
}

/// `factor · other`, of which 0 · ∞ is 0.
#[inline(always)]
fn vanishing<T: Scalar>(factor: T, other: T) -> T {
    // A dual number that is 0 may have derivatives, so the product is not left out without need.
    if factor == T::ZERO && !other.is_finite() { T::ZERO } else { factor * other }
}

/// A constant.
impl<T: Scalar, const N: usize> From<T> for Dual<T, N> {
    #[inline(always)]
    fn from(value: T) -> Self {
        Self::constant(value)
    }
}

/// 0.
impl<T: Scalar, const N: usize> Default for Dual<T, N> {
    #[inline(always)]
    fn default() -> Self {
        Self::ZERO
    }
}

/// The values are equal.
impl<T: Scalar, const N: usize> PartialEq for Dual<T, N> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The order of the values.
impl<T: Scalar, const N: usize> PartialOrd for Dual<T, N> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

/// `2 + [3, 1]ε`.
impl<T: Scalar, const N: usize> Display for Dual<T, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(&self.value, f)?;
        for (index, derivative) in self.derivatives.iter().enumerate() {
            f.write_str(if index == 0 { " + [" } else { ", " })?;
            Display::fmt(derivative, f)?;
        }
        f.write_str(if N > 0 { "]ε" } else { "" })
    }
}

impl<T: Scalar, const N: usize> Element for Dual<T, N> {}

impl<T: Scalar, const N: usize> Neg for Dual<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.with(-self.value, |derivative| -derivative)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $f:ident) => {
        impl<T: Scalar, const N: usize> $trait for Dual<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.$f(other)
            }
        }

        impl<T: Scalar, const N: usize> $assign for Dual<T, N> {
            #[inline(always)]
            fn $assign_method(&mut self, other: Self) {
                *self = self.$f(other);
            }
        }
    };
}
operator!(Add, add, AddAssign, add_assign, plus);
operator!(Sub, sub, SubAssign, sub_assign, minus);
operator!(Mul, mul, MulAssign, mul_assign, times);
operator!(Div, div, DivAssign, div_assign, over);

#[diagnostic::do_not_recommend]
impl<T: Scalar, const N: usize> Scalar for Dual<T, N> {
    type Vector<S: Simd> = DualLanes<S, T, N>;
    const ZERO: Self = Self::constant(T::ZERO);
    const ONE: Self = Self::constant(T::ONE);
    const NAME: &'static str = "dual";

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        Self::constant(T::from_f64(value))
    }
    #[inline(always)]
    fn from_i8(value: i8) -> Self {
        Self::constant(T::from_i8(value))
    }
    /// The value alone.
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }
    /// Whether the value and all derivatives are finite.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.derivatives.iter().all(|derivative| derivative.is_finite())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        if self.value > T::ZERO {
            self
        } else if self.value < T::ZERO {
            -self
        } else {
            self.chain(self.value.abs(), T::ZERO)
        }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self.value >= other.value { self } else { other }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self.value <= other.value { self } else { other }
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        let mut sum = c;
        sum.value = self.value.mul_add(b.value, c.value);
        for (index, derivative) in sum.derivatives.iter_mut().enumerate() {
            let of_product = b.value.mul_add(self.derivatives[index], *derivative);
            *derivative = self.value.mul_add(b.derivatives[index], of_product);
        }
        sum
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let magnitude = self.abs();
        magnitude.chain(magnitude.value.copysign(sign.value), T::ONE.copysign(sign.value))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self::constant(self.value.round())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real, const N: usize> Real for Dual<T, N> {
    const EPSILON: Self = Self::constant(T::EPSILON);

    #[inline]
    fn sqrt(self) -> Self {
        let y = self.value.sqrt();
        self.steep(y, T::ONE / (y + y))
    }
    #[inline]
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y)
    }
    #[inline]
    fn ln(self) -> Self {
        self.steep(self.value.ln(), T::ONE / self.value)
    }
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        let (a, b) = (self.value, exponent.value);
        let y = a.powf(b);
        // A constant exponent needs no logarithm, which exists only for positive numbers.
        let by_base = self.steep(y, vanishing(b, a.powf(b - T::ONE)));
        by_base + exponent.steep(T::ZERO, vanishing(y, a.ln()))
    }

    #[inline(always)]
    fn sqrt_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::sqrt_lanes(simd, x.value);
        x.steep(y, splat::<S, T>(simd, T::ONE) / (y + y))
    }
    #[inline(always)]
    fn exp_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::exp_lanes(simd, x.value);
        x.chain(y, y)
    }
    #[inline(always)]
    fn exp_m1_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::exp_m1_lanes(simd, x.value);
        x.chain(y, y + splat::<S, T>(simd, T::ONE))
    }
    #[inline(always)]
    fn ln_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        x.steep(T::ln_lanes(simd, x.value), splat::<S, T>(simd, T::ONE) / x.value)
    }
    #[inline(always)]
    fn tanh_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::tanh_lanes(simd, x.value);
        x.chain(y, splat::<S, T>(simd, T::ONE) - y * y)
    }
    #[inline(always)]
    fn sigmoid_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::sigmoid_lanes(simd, x.value);
        x.chain(y, y * (splat::<S, T>(simd, T::ONE) - y))
    }
    #[inline(always)]
    fn softplus_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        x.chain(T::softplus_lanes(simd, x.value), T::sigmoid_lanes(simd, x.value))
    }
    #[inline(always)]
    fn erf_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let density = T::exp_lanes(simd, -(x.value * x.value));
        let slope = splat::<S, T>(simd, T::from_f64(core::f64::consts::FRAC_2_SQRT_PI)) * density;
        x.chain(T::erf_lanes(simd, x.value), slope)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::format;

    use super::*;
    use crate::scalar::Vector;
    use crate::simd::{Task, dispatch, level};

    type Along = Dual<f64, 1>;

    /// A function of registers.
    #[derive(Clone, Copy, Debug)]
    enum Lanes {
        Sqrt,
        Exp,
        ExpM1,
        Ln,
        Tanh,
        Sigmoid,
        Softplus,
        Erf,
    }

    const ALL: [Lanes; 8] =
        [Lanes::Sqrt, Lanes::Exp, Lanes::ExpM1, Lanes::Ln, Lanes::Tanh, Lanes::Sigmoid, Lanes::Softplus, Lanes::Erf];

    struct Apply<T>(Lanes, T);

    impl<T: Real> Task for Apply<T> {
        type Output = T;

        fn run<S: Simd>(&mut self, simd: S) -> T {
            let x = T::Vector::<S>::splat(simd, self.1);
            let y = match self.0 {
                Lanes::Sqrt => T::sqrt_lanes(simd, x),
                Lanes::Exp => T::exp_lanes(simd, x),
                Lanes::ExpM1 => T::exp_m1_lanes(simd, x),
                Lanes::Ln => T::ln_lanes(simd, x),
                Lanes::Tanh => T::tanh_lanes(simd, x),
                Lanes::Sigmoid => T::sigmoid_lanes(simd, x),
                Lanes::Softplus => T::softplus_lanes(simd, x),
                Lanes::Erf => T::erf_lanes(simd, x),
            };
            y.lane(0)
        }
    }

    /// Compares the derivative of `f` at `x` with differences, and the value with that of plain numbers.
    fn check(what: &str, x: f64, dual: impl Fn(Along) -> Along, plain: impl Fn(f64) -> f64) {
        let y = dual(Dual { value: x, derivatives: [3.0] });
        let step = 1e-4;
        let slope = |step: f64| (plain(x + step) - plain(x - step)) / (2.0 * step);
        // Two differences, extrapolated (Richardson).
        let difference = (4.0 * slope(step / 2.0) - slope(step)) / 3.0;
        assert!((y.value - plain(x)).abs() <= 1e-15 * plain(x).abs(), "{what}({x}) is {y}, not {}", plain(x));
        let error = (y.derivatives[0] - 3.0 * difference).abs();
        assert!(error <= 1e-9 * (1.0 + difference.abs()), "{what}({x}) is {y}, but the slope is {difference}");
    }

    #[test]
    fn functions_have_their_derivatives() {
        for x in [0.3, 0.9, 1.7, 4.5] {
            for lanes in ALL {
                let (dual, plain) =
                    (|x| dispatch(level(), Apply::<Along>(lanes, x)), |x| dispatch(level(), Apply(lanes, x)));
                check(&format!("{lanes:?}"), x, dual, plain);
                if !matches!(lanes, Lanes::Sqrt | Lanes::Ln) {
                    check(&format!("{lanes:?}"), -x, dual, plain);
                }
            }
            check("sqrt", x, Real::sqrt, libm::sqrt);
            check("exp", -x, Real::exp, libm::exp);
            check("ln", x, Real::ln, libm::log);
            check("x^2.5", x, |x| x.powf(Dual::constant(2.5)), |x| libm::pow(x, 2.5));
            check("(-x)^3", x, |x| (-x).powf(Dual::constant(3.0)), |x| libm::pow(-x, 3.0));
            check("1.5^x", x, |x| Dual::constant(1.5).powf(x), |x| libm::pow(1.5, x));
            check("x^x", x, |x| x.powf(x), |x| libm::pow(x, x));
            check("abs", -x, Scalar::abs, f64::abs);
            check("min", x, |x| Scalar::min(x, x * x), |x| x.min(x * x));
            check("max", x, |x| Scalar::max(x, x * x), |x| x.max(x * x));
            check("copysign", -x, |x| Scalar::copysign(x, Dual::constant(1.0)), f64::abs);
            check("arithmetic", x, |x| (x * x - x) / (x + x * x * x) + -x, |x| (x * x - x) / (x + x * x * x) + -x);
            check("mul_add", x, |x| Scalar::mul_add(x, x / (x + x), x * x), |x| x * (x / (x + x)) + x * x);
            check("round", x + 0.1, |x| Scalar::round(x) * x, |x| libm::rint(x) * x);
        }
    }

    #[test]
    fn second_derivatives_are_those_of_nested_numbers() {
        type Twice = Dual<Along, 1>;
        let second = |f: fn(Twice) -> Twice, at: f64| {
            let t = Twice { value: Along::variable(at, 0), derivatives: [Along::ONE] };
            f(t).derivatives[0].derivatives[0]
        };
        // Where first derivatives are 0, second ones are not.
        assert_eq!(second(|t| (t * t + Twice::ONE).sqrt(), 0.0), 1.0);
        assert_eq!(second(|t| (t * t + Twice::ONE).ln(), 0.0), 2.0);
        assert_eq!(second(|t| (t * t + Twice::ONE).powf(Twice::from_f64(1.5)), 0.0), 3.0);
        assert_eq!(second(|t| (t * t).exp(), 0.0), 2.0);
        let ln_2 = core::f64::consts::LN_2;
        assert!((second(|t| Twice::from_f64(2.0).powf(t), 0.0) - ln_2 * ln_2).abs() < 1e-15);
        assert!((second(|t| t.powf(t), 1.0) - 2.0).abs() < 1e-15);
        assert!((second(|t| Twice::ONE / t, 2.0) - 0.25).abs() < 1e-15);
        assert_eq!(second(Scalar::abs, -2.0), 0.0);
    }

    #[test]
    fn kinks_have_the_stated_derivatives() {
        let (zero, x) = (Along::variable(0.0, 0), Along::variable(2.0, 0));
        assert_eq!(Scalar::abs(zero).derivatives, [0.0]);
        let (first, second) = (Along::constant(2.0), x);
        assert_eq!((Scalar::max(first, second).derivatives, Scalar::max(second, first).derivatives), ([0.0], [1.0]));
        assert_eq!((Scalar::min(first, second).derivatives, Scalar::min(second, first).derivatives), ([0.0], [1.0]));
        let nan = Along::constant(f64::NAN);
        assert!(Scalar::max(x, nan).value.is_nan() && Scalar::min(x, nan).value.is_nan());
        assert_eq!(Real::sqrt(zero).derivatives, [f64::INFINITY]);
        assert_eq!(Real::sqrt(Along::ZERO).derivatives, [0.0]);
        assert_eq!(Real::ln(Along::ZERO).derivatives, [0.0]);
        // Constant powers, also of 0 and of negative numbers.
        assert_eq!(zero.powf(Along::constant(0.0)).derivatives, [0.0]);
        assert_eq!(zero.powf(Along::constant(2.0)).derivatives, [0.0]);
        assert_eq!((-x).powf(Along::constant(2.0)).derivatives, [4.0]);
        assert_eq!(Along::ZERO.powf(Along::variable(2.0, 0)).derivatives, [0.0]);
    }

    #[test]
    fn variables_do_not_mix() {
        let [x, y, z] = [2.0, 3.0, 5.0].map(Dual::<f64, 2>::constant);
        let (x, y) = (Dual::variable(x.value, 0), Dual::variable(y.value, 1));
        let mut product = x * y * z;
        product += x;
        product -= y;
        product *= z;
        product /= y;
        // (x y z + x − y) z / y
        assert_eq!(product.value, (30.0 + 2.0 - 3.0) * 5.0 / 3.0);
        assert!((product.derivatives[0] - (15.0 + 1.0) * 5.0 / 3.0).abs() < 1e-14);
        assert!((product.derivatives[1] - 5.0 * -2.0 / 9.0).abs() < 1e-14, "{product}");
    }

    #[test]
    fn derivatives_do_not_take_part_in_comparisons() {
        let (a, b) = (Dual::<f64, 2>::variable(1.0, 0), Dual::variable(1.0, 1));
        assert!(a == b && a <= b && a < Dual::from(2.0) && a == Dual::ONE && a - b == Dual::default());
        assert!(a.is_finite() && !Along { value: 1.0, derivatives: [f64::NAN] }.is_finite());
        assert!(!Along::constant(f64::INFINITY).is_finite());
    }

    #[test]
    fn is_printed_with_its_derivatives() {
        assert_eq!(format!("{}", Dual { value: 2.0, derivatives: [3.0, -1.0] }), "2 + [3, -1]ε");
        assert_eq!(format!("{:.2}", Along::variable(0.5, 0)), "0.50 + [1.00]ε");
        assert_eq!(format!("{}", Dual::<f32, 0>::constant(0.5)), "0.5");
    }
}
