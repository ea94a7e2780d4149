//! Balls: centers and radii, for the gradients of bounds.
//!
//! A layer that is linear maps a box of inputs with the center `c` and the radius `r` (one for each number) to the box with
//! the center `W c + b` and the radius `|W| r`, and a function that rises maps the ends `c − r` and `c + r`, each by itself
//! (S. Gowal and others, *On the effectiveness of interval bound propagation for training verifiably robust models*,
//! 2018). So with the pair `(w, |w|)` in the place of a weight and `(b, 0)` in that of a bias, a network computes bounds if
//! it multiplies pairs part by part, and its backward pass gives their exact gradients: `∂L/∂w` is the first part plus the
//! sign of `w` times the second.
//!
//! That holds for linear layers and functions that rise; [`Bounded`](crate::bounds::Bounded) takes no others.

use core::cmp::Ordering;
use core::fmt::{Display, Formatter, Result};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::plain::{Element, Plain};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;

/// The number type of the network that computes bounds for a [`Bounded`](crate::bounds::Bounded) one: a center and a
/// radius, or what they are multiplied by.
///
/// Operations are part by part: these are not the products of intervals, for which there is
/// [`Interval`](crate::Interval). Registers hold half as many balls as numbers, one part beside the other, so both parts
/// are computed at the speed of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
#[repr(C)]
pub struct Ball<T> {
    /// The center.
    pub center: T,
    /// The radius.
    pub radius: T,
}

impl<T: Real> Ball<T> {
    #[inline(always)]
    fn map(self, f: impl Fn(T) -> T) -> Self {
        Self { center: f(self.center), radius: f(self.radius) }
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        Self { center: f(self.center, other.center), radius: f(self.radius, other.radius) }
    }
}

impl<T: Real> Element for Ball<T> {}

/// The order of the centers.
impl<T: Real> PartialOrd for Ball<T> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.center.partial_cmp(&other.center)
    }
}

/// `1 ± 0.5`.
impl<T: Real> Display for Ball<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(&self.center, f)?;
        f.write_str(" ± ")?;
        Display::fmt(&self.radius, f)
    }
}

impl<T: Real> Neg for Ball<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|x| -x)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $symbol:tt) => {
        impl<T: Real> $trait for Ball<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $symbol b)
            }
        }

        impl<T: Real> $assign for Ball<T> {
            #[inline(always)]
            fn $assign_method(&mut self, other: Self) {
                *self = *self $symbol other;
            }
        }

        impl<S: Simd, T: Real> $trait for Balls<S, T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $symbol other.0)
            }
        }
    };
}
operator!(Add, add, AddAssign, add_assign, +);
operator!(Sub, sub, SubAssign, sub_assign, -);
operator!(Mul, mul, MulAssign, mul_assign, *);
operator!(Div, div, DivAssign, div_assign, /);

/// A register of balls: a register of numbers, in which centers and radii alternate.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Balls<S: Simd, T: Scalar>(T::Vector<S>);

impl<S: Simd, T: Real> Balls<S, T> {
    /// From centers and radii to lower and upper ends.
    #[inline(always)]
    fn ends(self) -> Self {
        let (centers, radii) = self.parts();
        Self((centers - radii).zip_low(centers + radii))
    }

    /// From lower and upper ends to centers and radii.
    #[inline(always)]
    fn of_ends(simd: S, ends: Self) -> Self {
        let (low, high) = ends.parts();
        let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
        Self(((high + low) * half).zip_low((high - low) * half))
    }

    /// The first parts, twice, and the second parts, twice.
    #[inline(always)]
    fn parts(self) -> (T::Vector<S>, T::Vector<S>) {
        (self.0.unzip_low(self.0), self.0.unzip_high(self.0))
    }
}

impl<S: Simd, T: Real> Neg for Balls<S, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<S: Simd, T: Real> Vector<S, Ball<T>> for Balls<S, T> {
    const LANES: usize = {
        let lanes = <T::Vector<S> as Vector<S, T>>::LANES;
        assert!(lanes >= 2, "balls are made of numbers that have registers, `f32` and `f64`");
        lanes / 2
    };
    type Mask = <T::Vector<S> as Vector<S, T>>::Mask;

    #[inline(always)]
    fn splat(simd: S, value: Ball<T>) -> Self {
        Self(T::Vector::<S>::splat(simd, value.center).zip_low(T::Vector::<S>::splat(simd, value.radius)))
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const Ball<T>) -> Self {
        // SAFETY: the caller guarantees `LANES` balls, each of which is two numbers.
        Self(unsafe { T::Vector::<S>::load(simd, from.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut Ball<T>) {
        // SAFETY: as in `load`.
        unsafe { self.0.store(to.cast()) };
    }
    #[inline(always)]
    unsafe fn load_partial(simd: S, from: *const Ball<T>, count: usize) -> Self {
        // SAFETY: the caller guarantees `count` balls, each of which is two numbers.
        Self(unsafe { T::Vector::<S>::load_partial(simd, from.cast(), 2 * count) })
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut Ball<T>, count: usize) {
        // SAFETY: as in `load_partial`.
        unsafe { self.0.store_partial(to.cast(), 2 * count) };
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.round())
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        self.0.lt(other.0)
    }
    #[inline(always)]
    fn le(self, other: Self) -> Self::Mask {
        self.0.le(other.0)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        self.0.eq(other.0)
    }
    #[inline(always)]
    fn first(simd: S, count: usize) -> Self::Mask {
        T::Vector::<S>::first(simd, 2 * count)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(T::Vector::<S>::select(mask, yes.0, no.0))
    }

    #[inline(always)]
    fn reduce_sum(self) -> Ball<T> {
        // The parts are there twice.
        let (centers, radii) = self.parts();
        let half = T::from_f64(0.5);
        Ball { center: half * centers.reduce_sum(), radius: half * radii.reduce_sum() }
    }
    #[inline(always)]
    fn reduce_max(self) -> Ball<T> {
        let (centers, radii) = self.parts();
        Ball { center: centers.reduce_max(), radius: radii.reduce_max() }
    }
    #[inline(always)]
    fn lane(self, index: usize) -> Ball<T> {
        Ball { center: self.0.lane(2 * index), radius: self.0.lane(2 * index + 1) }
    }
    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        let ((a, b), (c, d)) = (self.parts(), other.parts());
        Self(a.zip_low(c).zip_low(b.zip_low(d)))
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        let ((a, b), (c, d)) = (self.parts(), other.parts());
        Self(a.zip_low(c).zip_high(b.zip_low(d)))
    }
    #[inline(always)]
    fn unzip_low(self, other: Self) -> Self {
        let (centers, radii) = (self.0.unzip_low(other.0), self.0.unzip_high(other.0));
        Self(centers.unzip_low(centers).zip_low(radii.unzip_low(radii)))
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        let (centers, radii) = (self.0.unzip_low(other.0), self.0.unzip_high(other.0));
        Self(centers.unzip_high(centers).zip_low(radii.unzip_high(radii)))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real> Scalar for Ball<T> {
    type Vector<S: Simd> = Balls<S, T>;
    const ZERO: Self = Self { center: T::ZERO, radius: T::ZERO };
    const ONE: Self = Self { center: T::ONE, radius: T::ONE };
    const NAME: &'static str = "ball";

    /// What multiplies both parts.
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        let value = T::from_f64(value);
        Self { center: value, radius: value }
    }
    /// The center.
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.center.to_f64()
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.center.is_finite() && self.radius.is_finite()
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.map(T::abs)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, T::max)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, T::min)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self { center: self.center.mul_add(b.center, c.center), radius: self.radius.mul_add(b.radius, c.radius) }
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.zip(sign, T::copysign)
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.map(T::round)
    }
    /// The values at the ends; NaN for a function that is not known to rise.
    #[inline(always)]
    fn piecewise<S: Simd>(
        simd: S,
        x: Balls<S, T>,
        turns: Option<&[f64]>,
        f: impl Fn(Balls<S, T>) -> Balls<S, T>,
    ) -> Balls<S, T> {
        match turns {
            Some([]) => Balls::of_ends(simd, f(x.ends())),
            _ => Balls::splat(simd, Self::from_f64(f64::NAN)),
        }
    }
    #[inline(always)]
    fn back<S: Simd>(
        simd: S,
        gradient: Balls<S, T>,
        x: Balls<S, T>,
        y: Balls<S, T>,
        slope: impl Fn(Balls<S, T>, Balls<S, T>) -> Balls<S, T>,
    ) -> Balls<S, T> {
        // With ends `u = c + r` and `l = c − r`, ∂L/∂c = ∂L/∂u + ∂L/∂l and ∂L/∂r = ∂L/∂u − ∂L/∂l; the halves of one and the
        // other conversion are the same.
        Balls::of_ends(simd, gradient.ends() * slope(x.ends(), y.ends()))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real> Real for Ball<T> {
    const EPSILON: Self = Self { center: T::EPSILON, radius: T::EPSILON };

    #[inline]
    fn sqrt(self) -> Self {
        self.map(T::sqrt)
    }
    #[inline]
    fn exp(self) -> Self {
        self.map(T::exp)
    }
    #[inline]
    fn ln(self) -> Self {
        self.map(T::ln)
    }
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        self.zip(exponent, T::powf)
    }

    #[inline(always)]
    fn sqrt_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::sqrt_lanes(simd, x.0))
    }
    #[inline(always)]
    fn exp_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::exp_lanes(simd, x.0))
    }
    #[inline(always)]
    fn exp_m1_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::exp_m1_lanes(simd, x.0))
    }
    #[inline(always)]
    fn ln_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::ln_lanes(simd, x.0))
    }
    #[inline(always)]
    fn tanh_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::tanh_lanes(simd, x.0))
    }
    #[inline(always)]
    fn sigmoid_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::sigmoid_lanes(simd, x.0))
    }
    #[inline(always)]
    fn softplus_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::softplus_lanes(simd, x.0))
    }
    #[inline(always)]
    fn erf_lanes<S: Simd>(simd: S, x: Balls<S, T>) -> Balls<S, T> {
        Balls(T::erf_lanes(simd, x.0))
    }
}
