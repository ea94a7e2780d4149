//! Registers of jets: one of values, one for each slope, and one of sums of second derivatives.

use core::ops::{Add, Div, Mul, Neg, Sub};

use super::Jet;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// A register of [`Jet`]s: a register of `T` for each of their `N + 2` parts.
///
/// In memory the parts of a number are adjacent. A load takes them apart, and a store puts them together again: four parts
/// by two rounds of shuffles, others lane by lane.
#[derive(Debug)]
pub struct JetLanes<S: Simd, T: Scalar, const N: usize> {
    simd: S,
    pub(super) value: T::Vector<S>,
    slopes: [T::Vector<S>; N],
    second: T::Vector<S>,
}

impl<S: Simd, T: Scalar, const N: usize> Clone for JetLanes<S, T, N> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd, T: Scalar, const N: usize> Copy for JetLanes<S, T, N> {}

/// `T` as it is in each lane.
#[inline(always)]
pub(super) fn splat<S: Simd, T: Scalar>(simd: S, value: T) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, value)
}

// Arrays of registers are filled by loops, because `array::map` is a function that may not be inlined.
impl<S: Simd, T: Scalar, const N: usize> JetLanes<S, T, N> {
    const LANES: usize = <T::Vector<S> as Vector<S, T>>::LANES;

    /// `f(self)`, given the values, the slopes and half the second derivatives of `f` there.
    #[inline(always)]
    pub(super) fn chain(self, value: T::Vector<S>, slope: T::Vector<S>, half_bend: T::Vector<S>) -> Self {
        let squares = self.squares();
        let mut all = self.parts(
            self,
            #[inline(always)]
            |part, _| slope * part,
        );
        all.second = half_bend.mul_add(squares, all.second);
        all.value = value;
        all
    }

    /// [`chain`](Self::chain) where slopes may be infinite: a part of 0 remains 0.
    #[inline(always)]
    pub(super) fn steep(self, value: T::Vector<S>, slope: T::Vector<S>, half_bend: T::Vector<S>) -> Self {
        let squares = self.squares();
        let mut all = self.parts(
            self,
            #[inline(always)]
            |part, _| self.vanishing(part, slope),
        );
        all.second = all.second + self.vanishing(squares, half_bend);
        all.value = value;
        all
    }

    /// `part · slope`, of which 0 · ∞ is 0.
    #[inline(always)]
    fn vanishing(self, part: T::Vector<S>, slope: T::Vector<S>) -> T::Vector<S> {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        let (product, finite) = (part * slope, (slope * zero).eq(zero));
        let of_zero = T::Vector::<S>::select(finite, product, zero);
        T::Vector::<S>::select(part.eq(zero), of_zero, product)
    }

    /// `Σ slopes²`.
    #[inline(always)]
    fn squares(self) -> T::Vector<S> {
        let mut squares = splat::<S, T>(self.simd, T::ZERO);
        for n in 0..N {
            squares = self.slopes[n].mul_add(self.slopes[n], squares);
        }
        squares
    }

    /// Combines all parts with those of `other`.
    #[inline(always)]
    fn parts(mut self, other: Self, f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>) -> Self {
        self.value = f(self.value, other.value);
        for n in 0..N {
            self.slopes[n] = f(self.slopes[n], other.slopes[n]);
        }
        self.second = f(self.second, other.second);
        self
    }

    /// Four registers in a row, of which `all` numbers are loaded; the others are 0.
    ///
    /// # Safety
    /// `all` numbers must be readable.
    #[inline(always)]
    unsafe fn registers(simd: S, from: *const T, all: usize) -> [T::Vector<S>; 4] {
        let mut registers = [splat::<S, T>(simd, T::ZERO); 4];
        for n in 0..4 {
            let begin = n * Self::LANES;
            // SAFETY: the numbers from `begin` to `all` are readable.
            unsafe {
                if begin + Self::LANES <= all {
                    registers[n] = T::Vector::<S>::load(simd, from.add(begin));
                } else if begin < all {
                    registers[n] = T::Vector::<S>::load_partial(simd, from.add(begin), all - begin);
                }
            }
        }
        registers
    }

    /// The registers of parts, in their order.
    #[inline(always)]
    fn part(&self, index: usize) -> T::Vector<S> {
        match index {
            0 => self.value,
            slope if slope <= N => self.slopes[slope - 1],
            _ => self.second,
        }
    }

    /// From registers of parts, in their order.
    #[inline(always)]
    fn of(simd: S, part: impl Fn(usize) -> T::Vector<S>) -> Self {
        let value = part(0);
        let mut slopes = [value; N];
        for n in 0..N {
            slopes[n] = part(n + 1);
        }
        Self { simd, value, slopes, second: part(N + 1) }
    }
}

impl<S: Simd, T: Scalar, const N: usize> Add for JetLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a + b,
        )
    }
}

impl<S: Simd, T: Scalar, const N: usize> Sub for JetLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a - b,
        )
    }
}

impl<S: Simd, T: Scalar, const N: usize> Mul for JetLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let mut product = other;
        product.value = self.value * other.value;
        product.second = self.value.mul_add(other.second, other.value * self.second);
        for n in 0..N {
            product.slopes[n] = self.value.mul_add(other.slopes[n], other.value * self.slopes[n]);
            product.second = self.slopes[n].mul_add(other.slopes[n], product.second);
        }
        product
    }
}

impl<S: Simd, T: Scalar, const N: usize> Div for JetLanes<S, T, N> {
    type Output = Self;
    /// `q` of `q · other = self`, part by part.
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let mut quotient = self;
        quotient.value = self.value / other.value;
        quotient.second = self.second - quotient.value * other.second;
        for n in 0..N {
            quotient.slopes[n] = (self.slopes[n] - quotient.value * other.slopes[n]) / other.value;
            quotient.second = quotient.second - quotient.slopes[n] * other.slopes[n];
        }
        quotient.second = quotient.second / other.value;
        quotient
    }
}

impl<S: Simd, T: Scalar, const N: usize> Neg for JetLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.parts(
            self,
            #[inline(always)]
            |a, _| -a,
        )
    }
}

impl<S: Simd, T: Scalar, const N: usize> Vector<S, Jet<T, N>> for JetLanes<S, T, N> {
    const LANES: usize = Self::LANES;
    type Mask = <T::Vector<S> as Vector<S, T>>::Mask;

    #[inline(always)]
    fn splat(simd: S, number: Jet<T, N>) -> Self {
        let mut slopes = [splat::<S, T>(simd, T::ZERO); N];
        for n in 0..N {
            slopes[n] = splat::<S, T>(simd, number.slopes[n]);
        }
        let (value, second) = (splat::<S, T>(simd, number.value), splat::<S, T>(simd, number.second));
        Self { simd, value, slopes, second }
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const Jet<T, N>) -> Self {
        // SAFETY: the caller guarantees exactly this.
        unsafe { Self::load_partial(simd, from, Self::LANES) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut Jet<T, N>) {
        // SAFETY: the caller guarantees exactly this.
        unsafe { self.store_partial(to, Self::LANES) }
    }
    #[inline(always)]
    unsafe fn load_partial(simd: S, from: *const Jet<T, N>, count: usize) -> Self {
        const { assert!(Self::LANES <= 16) };
        let parts = from.cast::<T>();
        if const { N == 2 } {
            // SAFETY: `4 · count` parts are readable.
            let [a, b, c, d] = unsafe { Self::registers(simd, parts, 4 * count) };
            let (even, odd) = ((a.unzip_low(b), c.unzip_low(d)), (a.unzip_high(b), c.unzip_high(d)));
            let (value, second) = (even.0.unzip_low(even.1), odd.0.unzip_high(odd.1));
            let (first, other) = (odd.0.unzip_low(odd.1), even.0.unzip_high(even.1));
            return Self::of(
                simd,
                #[inline(always)]
                |part| match part {
                    0 => value,
                    1 => first,
                    2 => other,
                    _ => second,
                },
            );
        }
        Self::of(
            simd,
            #[inline(always)]
            |part| {
                let mut lanes = [T::ZERO; 16];
                for lane in 0..count {
                    // SAFETY: `lane < count` numbers are readable, each of which is `N + 2` adjacent `T`.
                    lanes[lane] = unsafe { *parts.add(lane * (N + 2) + part) };
                }
                // SAFETY: a register has at most sixteen lanes.
                unsafe { T::Vector::<S>::load(simd, lanes.as_ptr()) }
            },
        )
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut Jet<T, N>, count: usize) {
        let parts = to.cast::<T>();
        if const { N == 2 } {
            let (value, first, other, second) = (self.part(0), self.part(1), self.part(2), self.part(3));
            let (even, odd) =
                ((value.zip_low(other), value.zip_high(other)), (first.zip_low(second), first.zip_high(second)));
            let registers =
                [even.0.zip_low(odd.0), even.0.zip_high(odd.0), even.1.zip_low(odd.1), even.1.zip_high(odd.1)];
            for n in 0..4 {
                let (begin, all) = (n * Self::LANES, 4 * count);
                // SAFETY: `4 · count` parts are writable, of which register `n` is those from `n · LANES` on.
                unsafe {
                    if begin + Self::LANES <= all {
                        registers[n].store(parts.add(begin));
                    } else if begin < all {
                        registers[n].store_partial(parts.add(begin), all - begin);
                    }
                }
            }
            return;
        }
        for part in 0..N + 2 {
            let mut buffer = [T::ZERO; 16];
            // SAFETY: a register has at most sixteen lanes; `lane < count` numbers are writable.
            unsafe {
                self.part(part).store(buffer.as_mut_ptr());
                for lane in 0..count {
                    *parts.add(lane * (N + 2) + part) = buffer[lane];
                }
            }
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, mut c: Self) -> Self {
        c.value = self.value.mul_add(b.value, c.value);
        c.second = b.value.mul_add(self.second, self.value.mul_add(b.second, c.second));
        for n in 0..N {
            c.second = self.slopes[n].mul_add(b.slopes[n], c.second);
            let of_product = b.value.mul_add(self.slopes[n], c.slopes[n]);
            c.slopes[n] = self.value.mul_add(b.slopes[n], of_product);
        }
        c
    }
    #[inline(always)]
    fn abs(self) -> Self {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        let (positive, negative) = (zero.lt(self.value), self.value.lt(zero));
        let mut all = self.parts(
            self,
            #[inline(always)]
            |part, _| {
                let otherwise = T::Vector::<S>::select(negative, -part, zero);
                T::Vector::<S>::select(positive, part, otherwise)
            },
        );
        all.value = self.value.abs();
        all
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::select(self.value.le(other.value), self, other)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(other.value.le(self.value), self, other)
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let magnitude = Vector::<S, Jet<T, N>>::abs(self);
        let (zero, one) = (splat::<S, T>(self.simd, T::ZERO), splat::<S, T>(self.simd, T::ONE));
        magnitude.chain(magnitude.value.copysign(sign.value), one.copysign(sign.value), zero)
    }
    #[inline(always)]
    fn round(self) -> Self {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        Self { simd: self.simd, value: self.value.round(), slopes: [zero; N], second: zero }
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        self.value.lt(other.value)
    }
    #[inline(always)]
    fn le(self, other: Self) -> Self::Mask {
        self.value.le(other.value)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        self.value.eq(other.value)
    }
    #[inline(always)]
    fn first(simd: S, count: usize) -> Self::Mask {
        T::Vector::<S>::first(simd, count)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        yes.parts(
            no,
            #[inline(always)]
            |yes, no| T::Vector::<S>::select(mask, yes, no),
        )
    }

    #[inline(always)]
    fn reduce_sum(self) -> Jet<T, N> {
        let mut sum = Jet::constant(self.value.reduce_sum());
        for n in 0..N {
            sum.slopes[n] = self.slopes[n].reduce_sum();
        }
        sum.second = self.second.reduce_sum();
        sum
    }
    #[inline(always)]
    fn reduce_max(self) -> Jet<T, N> {
        let mut largest = Vector::<S, Jet<T, N>>::lane(self, 0);
        for lane in 1..Self::LANES {
            largest = Scalar::max(largest, Vector::<S, Jet<T, N>>::lane(self, lane));
        }
        largest
    }
    #[inline(always)]
    fn lane(self, index: usize) -> Jet<T, N> {
        let mut number = Jet::constant(self.value.lane(index));
        for n in 0..N {
            number.slopes[n] = self.slopes[n].lane(index);
        }
        number.second = self.second.lane(index);
        number
    }
    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a.zip_low(b),
        )
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a.zip_high(b),
        )
    }
    #[inline(always)]
    fn unzip_low(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a.unzip_low(b),
        )
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        self.parts(
            other,
            #[inline(always)]
            |a, b| a.unzip_high(b),
        )
    }
}
