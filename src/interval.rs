//! Intervals: they carry guaranteed bounds along with every computation.
//!
//! An interval stands for all numbers between its two ends. Every operation gives an interval that contains all results
//! of numbers from its operands, whatever the rounding: each end is moved outward, by one unit in the last place after
//! an operation that the processor rounds correctly, by four after a function of `libm`, whose errors are below three.
//! (V. Innocente and P. Zimmermann, *Accuracy of mathematical functions in single, double, double extended, and quadruple
//! precision*, 2024, measure such errors.)
//!
//! | | ends |
//! | --- | --- |
//! | `a + b`, `a − b` | of the ends' sums and differences |
//! | `a · b`, `a / b` | the least and the largest of the ends' products and quotients |
//! | `a / b` where `b` contains 0 | −∞ and ∞; half of that if 0 is an end of `b` |
//! | `max`, `min`, `√`, `eᵃ`, `ln`, `tanh`, `σ`, `ln(1 + eᵃ)`, `erf` | the values at the ends, because they are monotone |
//! | `abs a` | 0 and the larger magnitude, if `a` contains 0 |
//!
//! An activation is bounded by its values at the ends, and at its minimum where that lies between them (`Gelu`, `Silu`,
//! `Mish`, `HardSwish`), so that its bounds are tight. A comparison of two intervals that overlap is undecided, and a
//! selection by it contains both sides. Roots and logarithms are those of the part of the interval that has them. An
//! operation without a result, such as `∞ − ∞`, bounds nothing: its ends are −∞ and ∞.
//!
//! Zeros and ones are exact: `0 · a` is 0, `1 · a` and `0 + a` are `a`.
//!
//! R. Moore, *Interval analysis* (1966); U. Kulisch, *Computer arithmetic and validity* (2008).

mod functions;
mod register;
#[cfg(all(test, feature = "std"))]
mod tests;

pub use register::Register;

use core::cmp::Ordering;
use core::fmt::{Display, Formatter, Result};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::plain::{Element, Plain};
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;

/// All numbers from `low` to `high`.
///
/// Networks that are generic over their number type can use intervals. An evaluation then bounds the outputs for all
/// inputs in a box, and for all parameters if these are intervals, too: a certificate, not an estimate.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::{Interval, Parameters};
///
/// network! { pub Net<T>: [2] -> [1] { Dense(8), Gelu, Dense(1) } }
///
/// let mut net = Net::<f64>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut bounds = Net::<Interval<f64>>::zeroed();
/// for (to, from) in bounds.as_mut_slice().iter_mut().zip(net.as_slice()) {
///     *to = Interval::point(*from);
/// }
///
/// let [y] = bounds.evaluate(&[Interval::around(0.5, 0.1), Interval::new(-1.0, -0.9)]);
/// for x in [[0.4, -1.0], [0.6, -0.9], [0.47, -0.95]] {
///     assert!(y.contains(net.evaluate(&x)[0]));
/// }
/// ```
///
/// The same number in several places is bounded as if these were different numbers: `x − x` is not 0 but contains it. So
/// bounds are sharp for chains of dense layers, convolutions, pools and activations with a small box, and grow with
/// depth; products of activations and normalizations of the sample are bounded loosely.
///
/// `==` and `<` say what is certain: two intervals are equal if both are the same single number.
///
/// Safetensors files and blobs cannot hold intervals; store the original network instead.
#[derive(Clone, Copy, Debug, Default, Plain)]
#[repr(C)]
pub struct Interval<T> {
    /// The lower end.
    pub low: T,
    /// The upper end, not below the lower one.
    pub high: T,
}

/// A number that can be the end of an interval: `f32` or `f64`.
pub trait End: Real {
    /// The next number downward.
    fn below(self) -> Self;
    /// The next number upward.
    fn above(self) -> Self;
}

macro_rules! end {
    ($($T:ident)*) => { $(
        #[diagnostic::do_not_recommend]
        impl End for $T {
            #[inline(always)]
            fn below(self) -> Self {
                self.next_down()
            }
            #[inline(always)]
            fn above(self) -> Self {
                self.next_up()
            }
        }
    )* };
}
end!(f32 f64);

impl<T: End> Interval<T> {
    /// The interval of one number.
    ///
    /// ```
    /// use monomorph::Interval;
    /// assert_eq!(Interval::point(0.5).width(), 0.0);
    /// ```
    #[inline(always)]
    pub const fn point(value: T) -> Self {
        Self { low: value, high: value }
    }

    /// The interval between two numbers, in either order; all numbers if one of them is NaN.
    #[inline(always)]
    pub fn new(a: T, b: T) -> Self {
        if a <= b {
            Self { low: a, high: b }
        } else if b < a {
            Self { low: b, high: a }
        } else {
            Self { low: T::from_f64(f64::NEG_INFINITY), high: T::from_f64(f64::INFINITY) }
        }
    }

    /// All numbers at most `radius` from `center`.
    ///
    /// ```
    /// use monomorph::Interval;
    /// let x = Interval::around(0.1, 0.3);
    /// assert!(x.contains(-0.2) && x.contains(0.4) && !x.contains(0.401));
    /// ```
    #[inline(always)]
    pub fn around(center: T, radius: T) -> Self {
        let radius = radius.abs();
        Self::new((center - radius).below(), (center + radius).above())
    }

    /// All numbers.
    #[inline(always)]
    pub fn all() -> Self {
        Self::new(T::from_f64(f64::NAN), T::ZERO)
    }

    /// The smallest interval that contains both.
    #[inline(always)]
    pub fn hull(self, other: Self) -> Self {
        Self { low: lesser(self.low, other.low), high: greater(self.high, other.high) }
    }

    /// Whether `value` lies in it.
    #[inline(always)]
    pub fn contains(self, value: T) -> bool {
        self.low <= value && value <= self.high
    }

    /// `high − low`, rounded to nearest.
    #[inline(always)]
    pub fn width(self) -> T {
        self.high - self.low
    }

    #[inline(always)]
    fn is_point(self) -> bool {
        self.low == self.high
    }

    /// Whether every number of it is below every number of the other.
    #[inline(always)]
    fn is_below(self, other: Self) -> bool {
        self.high < other.low
    }

    /// The least and the largest of what `f` makes of an end of each, rounded outward.
    #[inline(always)]
    fn corners(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        let first = f(self.low, other.low);
        let (mut low, mut high) = (first, first);
        for y in [f(self.low, other.high), f(self.high, other.low), f(self.high, other.high)] {
            if y.partial_cmp(&low).is_none() {
                return Self::all();
            }
            (low, high) = (lesser(low, y), greater(high, y));
        }
        Self::new(low.below(), high.above())
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let sum = |a: T, b: T, outward: fn(T) -> T| {
            if a == T::ZERO {
                b
            } else if b == T::ZERO {
                a
            } else {
                outward(a + b)
            }
        };
        let (low, high) = (sum(self.low, other.low, T::below), sum(self.high, other.high, T::above));
        Self {
            low: if low.partial_cmp(&low).is_some() { low } else { T::from_f64(f64::NEG_INFINITY) },
            high: if high.partial_cmp(&high).is_some() { high } else { T::from_f64(f64::INFINITY) },
        }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.plus(-other)
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        if self.is_point() {
            return other.scaled(self.low);
        }
        if other.is_point() {
            return self.scaled(other.low);
        }
        // 0 times an infinite end is 0, because all numbers of an interval are finite.
        let product = |a: T, b: T| if a == T::ZERO || b == T::ZERO { T::ZERO } else { a * b };
        self.corners(other, product)
    }

    /// `factor · self`, most products of a network.
    #[inline(always)]
    fn scaled(self, factor: T) -> Self {
        let product = |end: T, outward: fn(T) -> T| if end == T::ZERO { end } else { outward(factor * end) };
        if factor == T::ONE {
            self
        } else if factor > T::ZERO {
            Self { low: product(self.low, T::below), high: product(self.high, T::above) }
        } else if factor == -T::ONE {
            -self
        } else if factor < T::ZERO {
            Self { low: product(self.high, T::below), high: product(self.low, T::above) }
        } else {
            Self::ZERO
        }
    }

    #[inline(always)]
    fn over(self, other: Self) -> Self {
        let (zero, one) = (T::ZERO, T::ONE);
        if other == Self::ONE || (self == Self::ZERO && !other.contains(zero)) {
            return self;
        }
        if !other.contains(zero) {
            return self.corners(other, |a, b| a / b);
        }
        // The inverse, bounded on one side only.
        let infinite = T::from_f64(f64::INFINITY);
        if zero < other.high && other.low == zero {
            self * Self::new((one / other.high).below(), infinite)
        } else if other.low < zero && other.high == zero {
            self * Self::new(-infinite, (one / other.low).above())
        } else {
            Self::all()
        }
    }
}

/// The smaller of two numbers that are not NaN.
#[inline(always)]
fn lesser<T: Scalar>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// The larger of two numbers that are not NaN.
#[inline(always)]
fn greater<T: Scalar>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// One number.
impl<T: End> From<T> for Interval<T> {
    #[inline(always)]
    fn from(value: T) -> Self {
        Self::point(value)
    }
}

/// Both are the same single number.
impl<T: End> PartialEq for Interval<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.is_point() && other.is_point() && self.low == other.low
    }
}

/// The order, where it is certain.
impl<T: End> PartialOrd for Interval<T> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.is_below(*other) {
            Some(Ordering::Less)
        } else if other.is_below(*self) {
            Some(Ordering::Greater)
        } else if self == other {
            Some(Ordering::Equal)
        } else {
            None
        }
    }
}

/// `[0.5, 0.75]`.
impl<T: End> Display for Interval<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("[")?;
        Display::fmt(&self.low, f)?;
        f.write_str(", ")?;
        Display::fmt(&self.high, f)?;
        f.write_str("]")
    }
}

impl<T: End> Element for Interval<T> {}

impl<T: End> Neg for Interval<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $f:ident) => {
        impl<T: End> $trait for Interval<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.$f(other)
            }
        }

        impl<T: End> $assign for Interval<T> {
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
impl<T: End> Scalar for Interval<T> {
    type Vector<S: Simd> = Register<T>;
    const ZERO: Self = Self::point(T::ZERO);
    const ONE: Self = Self::point(T::ONE);
    const NAME: &'static str = "interval";

    /// The number, or its two neighbors if there is none that is equal to it.
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        let near = T::from_f64(value);
        if near.to_f64() == value { Self::point(near) } else { Self::new(near.below(), near.above()) }
    }
    /// The middle.
    #[inline(always)]
    fn to_f64(self) -> f64 {
        0.5 * self.low.to_f64() + 0.5 * self.high.to_f64()
    }
    /// Whether both ends are.
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
    #[inline(always)]
    fn abs(self) -> Self {
        if self.low >= T::ZERO {
            self
        } else if self.high <= T::ZERO {
            -self
        } else {
            Self { low: T::ZERO, high: greater(-self.low, self.high) }
        }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self { low: greater(self.low, other.low), high: greater(self.high, other.high) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self { low: lesser(self.low, other.low), high: lesser(self.high, other.high) }
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let magnitude = self.abs();
        if sign.low >= T::ZERO {
            magnitude
        } else if sign.high < T::ZERO {
            -magnitude
        } else {
            magnitude.hull(-magnitude)
        }
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self { low: self.low.round(), high: self.high.round() }
    }
    #[inline(always)]
    fn piecewise<S: Simd>(
        simd: S,
        x: Register<T>,
        turns: Option<&[f64]>,
        f: impl Fn(Register<T>) -> Register<T>,
    ) -> Register<T> {
        let _ = simd;
        let (Some(turns), false) = (turns, x.0.is_point()) else { return f(x) };
        let at = |x: Self| f(Register(x)).0;
        let mut y = at(Self::point(x.0.low)).hull(at(Self::point(x.0.high)));
        for turn in turns {
            // A turn is known as closely as a number can tell, so the exact one lies between its neighbors.
            let near = T::from_f64(*turn);
            let turn = if *turn == 0.0 { Self::ZERO } else { Self::new(near.below(), near.above()) };
            if turn.low <= x.0.high && x.0.low <= turn.high {
                y = y.hull(at(turn));
            }
        }
        Register(y)
    }
}
