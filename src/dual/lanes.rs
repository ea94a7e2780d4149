//! Registers of dual numbers: a register of values, and one for each derivative.

use core::ops::{Add, Div, Mul, Neg, Sub};

use super::Dual;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// A register of [`Dual`] numbers: one of their values and `N` of their derivatives, each a register of `T`.
///
/// In memory the parts of a number are adjacent. A load takes them apart, and a store puts them together again: with one
/// derivative by two shuffles, with several lane by lane. Since `T` may be a dual number itself, so may its registers.
#[derive(Debug)]
pub struct DualLanes<S: Simd, T: Scalar, const N: usize> {
    simd: S,
    pub(super) value: T::Vector<S>,
    derivatives: [T::Vector<S>; N],
}

impl<S: Simd, T: Scalar, const N: usize> Clone for DualLanes<S, T, N> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd, T: Scalar, const N: usize> Copy for DualLanes<S, T, N> {}

/// `T` as it is in each lane.
#[inline(always)]
pub(super) fn splat<S: Simd, T: Scalar>(simd: S, value: T) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, value)
}

// Arrays of registers are filled by loops, because `array::map` is a function that may not be inlined.
impl<S: Simd, T: Scalar, const N: usize> DualLanes<S, T, N> {
    const LANES: usize = <T::Vector<S> as Vector<S, T>>::LANES;

    /// `f(self)`, given the values and the slopes of `f` there.
    #[inline(always)]
    pub(super) fn chain(self, value: T::Vector<S>, slope: T::Vector<S>) -> Self {
        self.with(
            value,
            #[inline(always)]
            |derivative| slope * derivative,
        )
    }

    /// [`chain`](Self::chain) where slopes may be infinite: a derivative of 0 remains 0.
    #[inline(always)]
    pub(super) fn steep(self, value: T::Vector<S>, slope: T::Vector<S>) -> Self {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        let finite = (slope * zero).eq(zero);
        self.with(
            value,
            #[inline(always)]
            |derivative| {
                let product = derivative * slope;
                let of_zero = T::Vector::<S>::select(finite, product, zero);
                T::Vector::<S>::select(derivative.eq(zero), of_zero, product)
            },
        )
    }

    /// Replaces the values, and the derivatives by `f` of them.
    #[inline(always)]
    fn with(mut self, value: T::Vector<S>, f: impl Fn(T::Vector<S>) -> T::Vector<S>) -> Self {
        self.value = value;
        for n in 0..N {
            self.derivatives[n] = f(self.derivatives[n]);
        }
        self
    }

    /// Replaces the values, and the derivatives by `f` of them and of the other's.
    #[inline(always)]
    fn join(
        mut self,
        other: Self,
        value: T::Vector<S>,
        f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
    ) -> Self {
        self.value = value;
        for n in 0..N {
            self.derivatives[n] = f(self.derivatives[n], other.derivatives[n]);
        }
        self
    }

    /// Combines all parts with those of `other`.
    #[inline(always)]
    fn parts(self, other: Self, f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>) -> Self {
        self.join(other, f(self.value, other.value), f)
    }

    #[inline(always)]
    fn over(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        self.join(
            other,
            quotient,
            #[inline(always)]
            |a, b| (a - quotient * b) / other.value,
        )
    }

    /// Part `part` of the first `count` numbers; 0 in the other lanes.
    ///
    /// # Safety
    /// `count <= LANES` numbers must be readable.
    #[inline(always)]
    unsafe fn gather(simd: S, from: *const Dual<T, N>, count: usize, part: usize) -> T::Vector<S> {
        const { assert!(Self::LANES <= 16) };
        let mut lanes = [T::ZERO; 16];
        for lane in 0..count {
            // SAFETY: `lane < count` numbers are readable, each of which is `N + 1` adjacent `T`.
            lanes[lane] = unsafe { *from.add(lane).cast::<T>().add(part) };
        }
        // SAFETY: a register has at most sixteen lanes.
        unsafe { T::Vector::<S>::load(simd, lanes.as_ptr()) }
    }

    /// Writes part `part` of the first `count` numbers.
    ///
    /// # Safety
    /// `count <= LANES` numbers must be writable.
    #[inline(always)]
    unsafe fn scatter(lanes: T::Vector<S>, to: *mut Dual<T, N>, count: usize, part: usize) {
        let mut buffer = [T::ZERO; 16];
        // SAFETY: a register has at most sixteen lanes; the others as in `gather`.
        unsafe {
            lanes.store(buffer.as_mut_ptr());
            for lane in 0..count {
                *to.add(lane).cast::<T>().add(part) = buffer[lane];
            }
        }
    }
}

impl<S: Simd, T: Scalar, const N: usize> Add for DualLanes<S, T, N> {
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

impl<S: Simd, T: Scalar, const N: usize> Sub for DualLanes<S, T, N> {
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

impl<S: Simd, T: Scalar, const N: usize> Mul for DualLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.join(
            other,
            self.value * other.value,
            #[inline(always)]
            |a, b| self.value.mul_add(b, other.value * a),
        )
    }
}

impl<S: Simd, T: Scalar, const N: usize> Div for DualLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.over(other)
    }
}

impl<S: Simd, T: Scalar, const N: usize> Neg for DualLanes<S, T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.with(
            -self.value,
            #[inline(always)]
            |derivative| -derivative,
        )
    }
}

impl<S: Simd, T: Scalar, const N: usize> Vector<S, Dual<T, N>> for DualLanes<S, T, N> {
    const LANES: usize = Self::LANES;
    type Mask = <T::Vector<S> as Vector<S, T>>::Mask;

    #[inline(always)]
    fn splat(simd: S, number: Dual<T, N>) -> Self {
        let value = splat::<S, T>(simd, number.value);
        let mut derivatives = [value; N];
        for n in 0..N {
            derivatives[n] = splat::<S, T>(simd, number.derivatives[n]);
        }
        Self { simd, value, derivatives }
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const Dual<T, N>) -> Self {
        if const { N == 1 } {
            let parts = from.cast::<T>();
            // SAFETY: `LANES` numbers of two parts are readable, which is two registers of parts.
            let (low, high) =
                unsafe { (T::Vector::<S>::load(simd, parts), T::Vector::<S>::load(simd, parts.add(Self::LANES))) };
            return Self { simd, value: low.unzip_low(high), derivatives: [low.unzip_high(high); N] };
        }
        // SAFETY: the caller guarantees exactly this.
        unsafe { Self::load_partial(simd, from, Self::LANES) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut Dual<T, N>) {
        if const { N == 1 } {
            let parts = to.cast::<T>();
            // SAFETY: `LANES` numbers of two parts are writable, which is two registers of parts.
            unsafe {
                self.value.zip_low(self.derivatives[0]).store(parts);
                self.value.zip_high(self.derivatives[0]).store(parts.add(Self::LANES));
            }
            return;
        }
        // SAFETY: the caller guarantees exactly this.
        unsafe { self.store_partial(to, Self::LANES) }
    }
    #[inline(always)]
    unsafe fn load_partial(simd: S, from: *const Dual<T, N>, count: usize) -> Self {
        if const { N == 1 } {
            let (parts, first) = (from.cast::<T>(), (2 * count).min(Self::LANES));
            // SAFETY: `2 · count` parts are readable. The first register has `first` of them, the second the others.
            let (low, high) = unsafe {
                let low = T::Vector::<S>::load_partial(simd, parts, first);
                (low, T::Vector::<S>::load_partial(simd, parts.add(first), 2 * count - first))
            };
            return Self { simd, value: low.unzip_low(high), derivatives: [low.unzip_high(high); N] };
        }
        // SAFETY: the caller guarantees exactly this; `0` and `n + 1` are parts of a number.
        unsafe {
            let value = Self::gather(simd, from, count, 0);
            let mut derivatives = [value; N];
            for n in 0..N {
                derivatives[n] = Self::gather(simd, from, count, n + 1);
            }
            Self { simd, value, derivatives }
        }
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut Dual<T, N>, count: usize) {
        if const { N == 1 } {
            let (parts, first) = (to.cast::<T>(), (2 * count).min(Self::LANES));
            // SAFETY: as in `load_partial`.
            unsafe {
                self.value.zip_low(self.derivatives[0]).store_partial(parts, first);
                self.value.zip_high(self.derivatives[0]).store_partial(parts.add(first), 2 * count - first);
            }
            return;
        }
        // SAFETY: as in `load_partial`.
        unsafe {
            Self::scatter(self.value, to, count, 0);
            for n in 0..N {
                Self::scatter(self.derivatives[n], to, count, n + 1);
            }
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, mut c: Self) -> Self {
        c.value = self.value.mul_add(b.value, c.value);
        for n in 0..N {
            let of_product = b.value.mul_add(self.derivatives[n], c.derivatives[n]);
            c.derivatives[n] = self.value.mul_add(b.derivatives[n], of_product);
        }
        c
    }
    #[inline(always)]
    fn abs(self) -> Self {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        let (positive, negative) = (zero.lt(self.value), self.value.lt(zero));
        self.with(
            self.value.abs(),
            #[inline(always)]
            |derivative| {
                let otherwise = T::Vector::<S>::select(negative, -derivative, zero);
                T::Vector::<S>::select(positive, derivative, otherwise)
            },
        )
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
        let magnitude = Vector::<S, Dual<T, N>>::abs(self);
        let one = splat::<S, T>(self.simd, T::ONE);
        magnitude.chain(magnitude.value.copysign(sign.value), one.copysign(sign.value))
    }
    #[inline(always)]
    fn round(self) -> Self {
        let zero = splat::<S, T>(self.simd, T::ZERO);
        self.with(
            self.value.round(),
            #[inline(always)]
            |_| zero,
        )
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
    fn reduce_sum(self) -> Dual<T, N> {
        let mut sum = Dual::constant(self.value.reduce_sum());
        for n in 0..N {
            sum.derivatives[n] = self.derivatives[n].reduce_sum();
        }
        sum
    }
    #[inline(always)]
    fn reduce_max(self) -> Dual<T, N> {
        let mut largest = Vector::<S, Dual<T, N>>::lane(self, 0);
        for lane in 1..Self::LANES {
            largest = Scalar::max(largest, Vector::<S, Dual<T, N>>::lane(self, lane));
        }
        largest
    }
    #[inline(always)]
    fn lane(self, index: usize) -> Dual<T, N> {
        let mut number = Dual::constant(self.value.lane(index));
        for n in 0..N {
            number.derivatives[n] = self.derivatives[n].lane(index);
        }
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

#[cfg(all(test, feature = "std"))]
pub(super) mod tests {
    use super::*;
    use crate::noise::Noise;
    use crate::plain::Plain;
    use crate::scalar::lanes;
    use crate::simd::{Task, dispatch, levels};

    /// Compares registers with numbers, lane by lane.
    struct Compare<T> {
        /// Three times as many numbers as a register has at most.
        numbers: [T; 48],
        same: fn(T, T) -> bool,
    }

    impl<T: Scalar> Task for Compare<T> {
        type Output = ();

        fn run<S: Simd>(&mut self, simd: S) {
            let lanes = lanes::<S, T>();
            let check = |what: &str, register: T::Vector<S>, expected: &dyn Fn(usize) -> T| {
                let mut stored = [T::from_f64(9.0); 17];
                // SAFETY: a register has at most 16 lanes.
                unsafe { register.store(stored.as_mut_ptr()) };
                for lane in 0..lanes {
                    let expected = expected(lane);
                    for found in [register.lane(lane), stored[lane]] {
                        assert!((self.same)(found, expected), "{what}, lane {lane}: {found} is not {expected}");
                    }
                }
                assert!((self.same)(stored[lanes], T::from_f64(9.0)), "{what} writes too much");
            };
            let (x, y, z) = (&self.numbers[..16], &self.numbers[16..32], &self.numbers[32..]);
            // SAFETY: a register has at most 16 lanes.
            let load = |from: &[T]| unsafe { T::Vector::<S>::load(simd, from.as_ptr()) };
            let (a, b, c) = (load(x), load(y), load(z));
            check("load", a, &|n| x[n]);
            check("splat", T::Vector::<S>::splat(simd, y[1]), &|_| y[1]);
            check("+", a + b, &|n| x[n] + y[n]);
            check("-", a - b, &|n| x[n] - y[n]);
            check("*", a * b, &|n| x[n] * y[n]);
            check("/", a / b, &|n| x[n] / y[n]);
            check("negation", -a, &|n| -x[n]);
            check("mul_add", a.mul_add(b, c), &|n| x[n].mul_add(y[n], z[n]));
            check("abs", a.abs(), &|n| x[n].abs());
            check("min", a.min(b), &|n| x[n].min(y[n]));
            check("max", a.max(b), &|n| x[n].max(y[n]));
            check("copysign", a.copysign(b), &|n| x[n].copysign(y[n]));
            check("round", a.round(), &|n| x[n].round());
            let select = |mask| T::Vector::<S>::select(mask, a, c);
            check("lt", select(a.lt(b)), &|n| if x[n] < y[n] { x[n] } else { z[n] });
            check("le", select(a.le(b)), &|n| if x[n] <= y[n] { x[n] } else { z[n] });
            check("eq", select(a.eq(a)), &|n| x[n]);
            let half = lanes / 2;
            if lanes > 1 {
                let of =
                    |from: &[T], other: &[T], n: usize| if n.is_multiple_of(2) { from[n / 2] } else { other[n / 2] };
                check("zip_low", a.zip_low(b), &|n| of(x, y, n));
                check("zip_high", a.zip_high(b), &|n| of(&x[half..], &y[half..], n));
                let pick = |n: usize, odd: usize| if n < half { x[2 * n + odd] } else { y[2 * (n - half) + odd] };
                check("unzip_low", a.unzip_low(b), &|n| pick(n, 0));
                check("unzip_high", a.unzip_high(b), &|n| pick(n, 1));
            }
            let sum = x[1..lanes].iter().fold(x[0], |sum, x| sum + *x);
            assert!((self.same)(a.reduce_sum(), sum), "sum: {} is not {sum}", a.reduce_sum());
            let largest = x[1..lanes].iter().fold(x[0], |largest, x| largest.max(*x));
            assert!((self.same)(a.reduce_max(), largest), "maximum");
            for count in 0..=lanes {
                check("first", select(T::Vector::<S>::first(simd, count)), &|n| if n < count { x[n] } else { z[n] });
                // SAFETY: `count` numbers are readable, and writable.
                unsafe {
                    let some = T::Vector::<S>::load_partial(simd, x.as_ptr(), count);
                    check("load_partial", some, &|n| if n < count { x[n] } else { T::ZERO });
                    let mut stored = [T::from_f64(9.0); 17];
                    a.store_partial(stored.as_mut_ptr(), count);
                    for (n, stored) in stored.into_iter().enumerate() {
                        let expected = if n < count { x[n] } else { T::from_f64(9.0) };
                        assert!((self.same)(stored, expected), "store_partial of {count}: {n}");
                    }
                    let bytes = [3_i8; 16];
                    let packed = T::Vector::<S>::load_packed(simd, bytes.as_ptr(), count);
                    check("load_packed", packed, &|n| T::from_f64(if n < count { 3.0 } else { 0.0 }));
                }
            }
        }
    }

    /// Numbers whose parts are all random, with a zero and a tie among them.
    pub(crate) fn compare<T: Scalar + Plain, U: Scalar>(same: fn(T, T) -> bool) {
        let mut noise = Noise::new(5);
        let mut numbers = [T::ZERO; 48];
        // SAFETY: a dual number consists of numbers of type `U`, which every test below gives.
        let parts: &mut [U] = unsafe {
            core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), 48 * (size_of::<T>() / size_of::<U>()))
        };
        parts.fill_with(|| U::from_f64(4.0 * noise.uniform() - 2.0));
        numbers[0] = T::ZERO;
        numbers[17] = numbers[1];
        for level in levels() {
            dispatch(level, Compare { numbers, same });
        }
    }

    fn near<T: Scalar>(a: T, b: T) -> bool {
        let (a, b, precision) = (a.to_f64(), b.to_f64(), if size_of::<T>() == 4 { 1e-4 } else { 1e-11 });
        (a - b).abs() <= precision * (1.0 + b.abs())
    }

    fn close<T: Scalar, const N: usize>(a: Dual<T, N>, b: Dual<T, N>) -> bool {
        near(a.value, b.value) && a.derivatives.iter().zip(b.derivatives).all(|(a, b)| near(*a, b))
    }

    #[test]
    fn registers_are_numbers_side_by_side() {
        compare::<Dual<f32, 1>, f32>(close);
        compare::<Dual<f64, 1>, f64>(close);
        compare::<Dual<f64, 0>, f64>(close);
        compare::<Dual<f32, 2>, f32>(close);
        compare::<Dual<f64, 3>, f64>(close);
        compare::<Dual<Dual<f64, 1>, 1>, f64>(|a, b| {
            close(a.value, b.value) && a.derivatives.iter().zip(b.derivatives).all(|(a, b)| close(*a, b))
        });
    }
}
