//! Jets: they carry first derivatives and a sum of second derivatives along with every computation.
//!
//! A jet is `x + Σᵢ xᵢ εᵢ + x₂ σ` with `εᵢ εᵢ = σ`, and all other products of `εᵢ` and `σ` are 0:
//!
//! | | value | slope `i` | `second` |
//! | --- | --- | --- | --- |
//! | `a ± b` | `a ± b` | `aᵢ ± bᵢ` | `a₂ ± b₂` |
//! | `a · b` | `a b` | `a bᵢ + b aᵢ` | `a b₂ + b a₂ + Σᵢ aᵢ bᵢ` |
//! | `f(a)` | `f(a)` | `f′(a) aᵢ` | `f′(a) a₂ + ½ f″(a) Σᵢ aᵢ²` |
//!
//! So a function of `xᵢ + sᵢ εᵢ` has the slopes `sᵢ ∂u/∂xᵢ` and `second` = `½ Σᵢ sᵢ² ∂²u/∂xᵢ²`: with all `sᵢ` = 1, half the
//! Laplacian, for the price of a gradient. Where `sᵢ²` is less than the rounding of numbers, the direction takes no part
//! in the sum, but its slope, divided by `sᵢ`, has all its digits.
//!
//! The product of jets has a property that dual numbers with several directions lack: for each jet `a ≠ 0` there is a `b`
//! such that the part `second` of `a b` is not 0. Therefore a backward pass computed with jets, like any other, gives the
//! gradient of whatever is made of these derivatives: if it begins with the jet whose `second` is `∂L/∂value`, whose slopes
//! are `∂L/∂slopeᵢ` and whose value is `∂L/∂second`, then the part `second` of its result is the gradient of `L`.
//! [`Physics`](crate::train::Physics) trains networks this way.
//!
//! A. Griewank and A. Walther, *Evaluating derivatives*, 2nd edition (2008), chapter 13, for polynomials of one variable;
//! R. Li et al., *A computational framework for neural network-based variational Monte Carlo with Forward Laplacian*
//! (2024), for the Laplacian.

mod lanes;

use core::cmp::Ordering;
use core::fmt::{Display, Formatter, Result};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::plain::{Element, Plain};
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;

pub use lanes::JetLanes;
use lanes::splat;

/// A number, its derivatives along `N` directions, and half the sum of its second derivatives along each.
///
/// Networks that are generic over their number type can use jets. Registers of jets are made of registers of `T`; with two
/// directions, such as space and time, they are loaded and stored fastest.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::Jet;
///
/// network! { pub Net<T>: [2] -> [1] { Dense(4), Tanh, Dense(1) } }
///
/// let mut net = Net::<f64>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut jets = Net::<Jet<f64, 2>>::zeroed();
/// for (to, from) in jets.as_mut_slice().iter_mut().zip(net.as_slice()) {
///     *to = Jet::constant(*from);
/// }
///
/// // The gradient and the Laplacian at (0.5, −1).
/// let [u] = jets.evaluate(&[Jet::variable(0.5, 0), Jet::variable(-1.0, 1)]);
/// let at = |x, y| net.evaluate(&[x, y])[0];
/// let h = 1e-4;
/// assert!((u.slopes[1] - (at(0.5, h - 1.0) - at(0.5, -h - 1.0)) / (2.0 * h)).abs() < 1e-7);
/// let around = at(0.5 + h, -1.0) + at(0.5 - h, -1.0) + at(0.5, h - 1.0) + at(0.5, -h - 1.0);
/// assert!((2.0 * u.second - (around - 4.0 * at(0.5, -1.0)) / (h * h)).abs() < 1e-6);
/// # use monomorph::Parameters;
/// ```
///
/// Comparisons, including equality, compare the values. Where a slope of a function is infinite, like that of `√a` at 0,
/// constants stay constants.
#[derive(Clone, Copy, Debug, Plain)]
#[repr(C)]
pub struct Jet<T, const N: usize> {
    /// The value.
    pub value: T,
    /// Its derivatives along the directions.
    pub slopes: [T; N],
    /// Half the sum of the second derivatives along them.
    pub second: T,
}

impl<T: Scalar, const N: usize> Jet<T, N> {
    /// A number that depends on no variable.
    #[inline(always)]
    pub const fn constant(value: T) -> Self {
        Self { value, slopes: [T::ZERO; N], second: T::ZERO }
    }

    /// The variable with this index.
    ///
    /// ```
    /// use monomorph::Jet;
    /// let (x, y) = (Jet::<f64, 2>::variable(3.0, 0), Jet::variable(4.0, 1));
    /// let u = x * x * y;
    /// assert_eq!((u.value, u.slopes), (36.0, [24.0, 9.0]));
    /// assert_eq!(2.0 * u.second, 8.0); // 2 y
    /// ```
    ///
    /// # Panics
    /// If there is no variable with this index.
    #[inline]
    pub const fn variable(value: T, index: usize) -> Self {
        let mut variable = Self::constant(value);
        variable.slopes[index] = T::ONE;
        variable
    }

    /// `f(self)`, given the value, the slope and half the second derivative of `f` there. They may be infinite: a part
    /// that is 0 remains 0.
    #[inline(always)]
    fn chain(mut self, value: T, slope: T, half_bend: T) -> Self {
        let mut squares = T::ZERO;
        for part in &mut self.slopes {
            squares = part.mul_add(*part, squares);
            *part = vanishing(*part, slope);
        }
        self.second = vanishing(self.second, slope) + vanishing(squares, half_bend);
        self.value = value;
        self
    }

    /// Combines all parts with those of `other`.
    #[inline(always)]
    fn parts(mut self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        self.value = f(self.value, other.value);
        for (slope, other) in self.slopes.iter_mut().zip(other.slopes) {
            *slope = f(*slope, other);
        }
        self.second = f(self.second, other.second);
        self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.parts(other, |a, b| a + b)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.parts(other, |a, b| a - b)
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.mul_add(other, Self::ZERO)
    }

    /// `q` of `q · other = self`, part by part.
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        let value = self.value / other.value;
        let (mut slopes, mut rest) = (self.slopes, self.second - value * other.second);
        for (slope, of_other) in slopes.iter_mut().zip(other.slopes) {
            *slope = (*slope - value * of_other) / other.value;
            rest -= *slope * of_other;
        }
        Self { value, slopes, second: rest / other.value }
    }
}

/// `factor · other`, of which 0 · ∞ is 0.
#[inline(always)]
fn vanishing<T: Scalar>(factor: T, other: T) -> T {
    if factor == T::ZERO && !other.is_finite() { T::ZERO } else { factor * other }
}

/// A constant.
impl<T: Scalar, const N: usize> From<T> for Jet<T, N> {
    #[inline(always)]
    fn from(value: T) -> Self {
        Self::constant(value)
    }
}

/// 0.
impl<T: Scalar, const N: usize> Default for Jet<T, N> {
    #[inline(always)]
    fn default() -> Self {
        Self::ZERO
    }
}

/// The values are equal.
impl<T: Scalar, const N: usize> PartialEq for Jet<T, N> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The order of the values.
impl<T: Scalar, const N: usize> PartialOrd for Jet<T, N> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

/// `2 + [3, 1]ε + 4σ`.
impl<T: Scalar, const N: usize> Display for Jet<T, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(&self.value, f)?;
        for (index, slope) in self.slopes.iter().enumerate() {
            f.write_str(if index == 0 { " + [" } else { ", " })?;
            Display::fmt(slope, f)?;
        }
        f.write_str(if N > 0 { "]ε + " } else { " + " })?;
        Display::fmt(&self.second, f)?;
        f.write_str("σ")
    }
}

impl<T: Scalar, const N: usize> Element for Jet<T, N> {}

impl<T: Scalar, const N: usize> Neg for Jet<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.parts(self, |a, _| -a)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $f:ident) => {
        impl<T: Scalar, const N: usize> $trait for Jet<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.$f(other)
            }
        }

        impl<T: Scalar, const N: usize> $assign for Jet<T, N> {
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
impl<T: Scalar, const N: usize> Scalar for Jet<T, N> {
    type Vector<S: Simd> = JetLanes<S, T, N>;
    const ZERO: Self = Self::constant(T::ZERO);
    const ONE: Self = Self::constant(T::ONE);
    const NAME: &'static str = "jet";

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
    /// Whether all parts are finite.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.second.is_finite() && self.slopes.iter().all(|slope| slope.is_finite())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        if self.value > T::ZERO {
            self
        } else if self.value < T::ZERO {
            -self
        } else {
            self.chain(self.value.abs(), T::ZERO, T::ZERO)
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
    fn mul_add(self, b: Self, mut c: Self) -> Self {
        c.second = b.value.mul_add(self.second, self.value.mul_add(b.second, c.second));
        for n in 0..N {
            c.second = self.slopes[n].mul_add(b.slopes[n], c.second);
            let of_product = b.value.mul_add(self.slopes[n], c.slopes[n]);
            c.slopes[n] = self.value.mul_add(b.slopes[n], of_product);
        }
        c.value = self.value.mul_add(b.value, c.value);
        c
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let magnitude = self.abs();
        magnitude.chain(magnitude.value.copysign(sign.value), T::ONE.copysign(sign.value), T::ZERO)
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self::constant(self.value.round())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real, const N: usize> Real for Jet<T, N> {
    const EPSILON: Self = Self::constant(T::EPSILON);

    #[inline]
    fn sqrt(self) -> Self {
        let y = self.value.sqrt();
        let slope = T::ONE / (y + y);
        self.chain(y, slope, -slope / (T::from_f64(4.0) * self.value))
    }
    #[inline]
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y, T::from_f64(0.5) * y)
    }
    #[inline]
    fn ln(self) -> Self {
        let slope = T::ONE / self.value;
        self.chain(self.value.ln(), slope, T::from_f64(-0.5) * slope * slope)
    }
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        let (a, b, half) = (self.value, exponent.value, T::from_f64(0.5));
        // A constant exponent needs no logarithm, which exists only for positive numbers.
        if exponent.second == T::ZERO && exponent.slopes.iter().all(|slope| *slope == T::ZERO) {
            let slope = vanishing(b, a.powf(b - T::ONE));
            let bend = vanishing(b * (b - T::ONE), a.powf(b - T::ONE - T::ONE));
            return self.chain(a.powf(b), slope, half * bend);
        }
        Real::exp(exponent * Real::ln(self))
    }

    #[inline(always)]
    fn sqrt_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::sqrt_lanes(simd, x.value);
        let slope = splat::<S, T>(simd, T::ONE) / (y + y);
        x.steep(y, slope, -slope / (splat::<S, T>(simd, T::from_f64(4.0)) * x.value))
    }
    #[inline(always)]
    fn exp_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::exp_lanes(simd, x.value);
        x.chain(y, y, half::<S, T>(simd) * y)
    }
    #[inline(always)]
    fn exp_m1_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::exp_m1_lanes(simd, x.value);
        let slope = y + splat::<S, T>(simd, T::ONE);
        x.chain(y, slope, half::<S, T>(simd) * slope)
    }
    #[inline(always)]
    fn ln_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let slope = splat::<S, T>(simd, T::ONE) / x.value;
        x.steep(T::ln_lanes(simd, x.value), slope, -(half::<S, T>(simd) * slope * slope))
    }
    #[inline(always)]
    fn tanh_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::tanh_lanes(simd, x.value);
        let slope = splat::<S, T>(simd, T::ONE) - y * y;
        x.chain(y, slope, -(y * slope))
    }
    #[inline(always)]
    fn sigmoid_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let y = T::sigmoid_lanes(simd, x.value);
        let slope = y * (splat::<S, T>(simd, T::ONE) - y);
        x.chain(y, slope, slope * (half::<S, T>(simd) - y))
    }
    #[inline(always)]
    fn softplus_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let slope = T::sigmoid_lanes(simd, x.value);
        let bend = slope * (splat::<S, T>(simd, T::ONE) - slope);
        x.chain(T::softplus_lanes(simd, x.value), slope, half::<S, T>(simd) * bend)
    }
    #[inline(always)]
    fn erf_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
        let density = T::exp_lanes(simd, -(x.value * x.value));
        let slope = splat::<S, T>(simd, T::from_f64(core::f64::consts::FRAC_2_SQRT_PI)) * density;
        x.chain(T::erf_lanes(simd, x.value), slope, -(x.value * slope))
    }
}

#[inline(always)]
fn half<S: Simd, T: Scalar>(simd: S) -> T::Vector<S> {
    splat::<S, T>(simd, T::from_f64(0.5))
}

#[cfg(all(test, feature = "std"))]
mod tests;
