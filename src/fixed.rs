//! Fixed point: integers in the place of decimal numbers, for processors without floating-point unit.
//!
//! A number of [`Fixed<F>`](Fixed) is a whole number of 16 bits times `2⁻ᶠ`:
//!
//! | `F` | range | last place |
//! | --- | --- | --- |
//! | 15 ([`Q15`]) | −1 to 0.99997 | 0.00003 |
//! | 12 | −8 to 7.9998 | 0.0002 |
//! | 10 | −32 to 31.999 | 0.001 |
//! | 7 | −256 to 255.99 | 0.008 |
//!
//! What is too large becomes the largest number of its sign. Products of two numbers are exact, and sums of products are
//! kept with twice the digits behind the point (`2⁻²ᶠ`, in 32 bits, up to `2³¹⁻²ᶠ`, which they do not exceed either); a
//! layer rounds each result once, half a last place up. One multiplication and one addition of integers are what a
//! Cortex-M0 takes a few cycles for; in floating point it calls functions.
//!
//! # Scaling
//! All numbers of a network have the same `F`. Weights and activations must lie in the range, and the sums of a layer in
//! that of sums; the inputs are best scaled to a few units, too. So `F` is 15 minus the number of bits before the point of
//! the largest number that occurs, and `convert` says which weights do not fit. Where a single layer has large outputs, its
//! weights and bias can be divided by a constant after training, if only `Relu` or nothing follows and the next layer's
//! weights are multiplied by it.
//!
//! Fixed point evaluates. It has no functions such as `exp`, and no gradients: what a step adds to a weight is less than
//! its last place. A network is trained in `f32` and then [converted](convert).
//!
//! A number takes four bytes, like all numbers of networks, two of which are zeros.

use core::cmp::Ordering;
use core::fmt::{Display, Formatter, Result};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::bytes::Bits;
use crate::parameters::Parameters;
use crate::plain::{Element, Plain};
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// A fixed-point number with `F` of its 16 bits behind the point, from 1 to 15.
///
/// ```
/// use monomorph::fixed::{Fixed, convert};
/// use monomorph::prelude::*;
/// use monomorph::Scalar;
///
/// network! { pub Net<T: Scalar>: [2] -> [1] { Dense(8), Relu, Dense(1) } }
///
/// let mut net = Net::<f32>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut small = Net::<Fixed<12>>::zeroed();
/// let report = convert(&net, &mut small);
/// assert_eq!(report.saturated, 0);
///
/// let y = net.evaluate(&[0.5, -0.25])[0];
/// let [fixed] = small.evaluate(&[0.5, -0.25].map(Fixed::from_f64));
/// assert!((f64::from(y) - fixed.to_f64()).abs() < 0.002);
/// ```
#[derive(Clone, Copy, Debug, Default, Plain)]
#[repr(C)]
pub struct Fixed<const F: u32> {
    bits: i16,
    unused: u16,
}

/// Between −1 and 1.
pub type Q15 = Fixed<15>;

/// A whole number of 32 bits, within 16.
#[inline(always)]
const fn narrow(wide: i32) -> i16 {
    if wide > i16::MAX as i32 {
        i16::MAX
    } else if wide < i16::MIN as i32 {
        i16::MIN
    } else {
        wide as i16
    }
}

impl<const F: u32> Fixed<F> {
    const VALID: () = assert!(1 <= F && F <= 15, "`Fixed<F>` has 1 to 15 bits behind the point");

    /// `bits · 2⁻ᶠ`.
    ///
    /// ```
    /// use monomorph::Scalar;
    /// use monomorph::fixed::Q15;
    /// assert_eq!(Q15::from_bits(0x4000).to_f64(), 0.5);
    /// ```
    #[inline(always)]
    pub const fn from_bits(bits: i16) -> Self {
        let () = Self::VALID;
        Self { bits, unused: 0 }
    }

    /// The number times `2ᶠ`.
    #[inline(always)]
    pub const fn to_bits(self) -> i16 {
        self.bits
    }

    #[inline(always)]
    fn sum(self) -> Sums<F> {
        Sums(i32::from(self.bits) << F)
    }
}

/// The number alone.
impl<const F: u32> PartialEq for Fixed<F> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<const F: u32> PartialOrd for Fixed<F> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.bits.partial_cmp(&other.bits)
    }
}

impl<const F: u32> Display for Fixed<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(&self.to_f64(), f)
    }
}

impl<const F: u32> Element for Fixed<F> {}
// SAFETY: an `i16` and a `u16` have no invalid patterns; safetensors files have no format of this name.
unsafe impl<const F: u32> Bits for Fixed<F> {}

/// A register of one number that is a sum of products: with `2F` bits behind the point.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Sums<const F: u32>(i32);

impl<const F: u32> Sums<F> {
    /// With half as many bits behind the point, rounded half up.
    #[inline(always)]
    fn rounded(self) -> Fixed<F> {
        // In this form it does not overflow, and leaves no instruction of a number that was just loaded.
        Fixed::from_bits(narrow((self.0 >> F) + ((self.0 >> (F - 1)) & 1)))
    }
}

impl<const F: u32> Neg for Sums<F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident, |$a:ident, $b:ident| $sum:expr;)*) => { $(
        impl<const F: u32> $trait for Sums<F> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                Self($sum)
            }
        }

        impl<const F: u32> $trait for Fixed<F> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                $trait::$method(self.sum(), other.sum()).rounded()
            }
        }

        impl<const F: u32> $assign for Fixed<F> {
            #[inline(always)]
            fn $assign_method(&mut self, other: Self) {
                *self = $trait::$method(*self, other);
            }
        }
    )* };
}
operator! {
    Add add AddAssign add_assign, |a, b| a.0.saturating_add(b.0);
    Sub sub SubAssign sub_assign, |a, b| a.0.saturating_sub(b.0);
    // At most 2³⁰.
    Mul mul MulAssign mul_assign, |a, b| i32::from(a.rounded().bits) * i32::from(b.rounded().bits);
    Div div DivAssign div_assign, |a, b| match b.0 {
        0 => if a.0 < 0 { i32::MIN } else { i32::MAX },
        b => ((i64::from(a.0) << (2 * F)) / i64::from(b)).clamp(i32::MIN.into(), i32::MAX.into()) as i32,
    };
}

impl<const F: u32> Neg for Fixed<F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self::from_bits(self.bits.saturating_neg())
    }
}

impl<S: Simd, const F: u32> Vector<S, Fixed<F>> for Sums<F> {
    const LANES: usize = 1;
    type Mask = bool;

    #[inline(always)]
    fn splat(_simd: S, value: Fixed<F>) -> Self {
        value.sum()
    }
    #[inline(always)]
    unsafe fn load(_simd: S, from: *const Fixed<F>) -> Self {
        // SAFETY: the caller guarantees that one number is valid.
        unsafe { *from }.sum()
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut Fixed<F>) {
        // SAFETY: the caller guarantees that one number is valid.
        unsafe { *to = self.rounded() };
    }
    #[inline(always)]
    unsafe fn load_partial(_simd: S, from: *const Fixed<F>, count: usize) -> Self {
        // SAFETY: the caller guarantees that `count` numbers are valid.
        if count == 0 { Self(0) } else { unsafe { *from }.sum() }
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut Fixed<F>, count: usize) {
        if count > 0 {
            // SAFETY: the caller guarantees that `count` numbers are valid.
            unsafe { *to = self.rounded() };
        }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.saturating_abs())
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
        let magnitude = self.0.saturating_abs();
        Self(if sign.0 < 0 { -magnitude } else { magnitude })
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.rounded().round().sum()
    }

    #[inline(always)]
    fn lt(self, other: Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn le(self, other: Self) -> bool {
        self.0 <= other.0
    }
    #[inline(always)]
    fn eq(self, other: Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn first(_simd: S, count: usize) -> bool {
        count > 0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }

    #[inline(always)]
    fn reduce_sum(self) -> Fixed<F> {
        self.rounded()
    }
    #[inline(always)]
    fn reduce_max(self) -> Fixed<F> {
        self.rounded()
    }
    #[inline(always)]
    fn lane(self, index: usize) -> Fixed<F> {
        debug_assert!(index == 0, "there is one lane");
        self.rounded()
    }
    // As those of `Single`.
    #[inline(always)]
    fn zip_low(self, _other: Self) -> Self {
        self
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        other
    }
    #[inline(always)]
    fn unzip_low(self, _other: Self) -> Self {
        self
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        other
    }
}

impl<const F: u32> Scalar for Fixed<F> {
    type Vector<S: Simd> = Sums<F>;
    const ZERO: Self = Self::from_bits(0);
    /// 1, or with 15 bits behind the point the number before it.
    const ONE: Self = Self::from_bits(narrow(1 << F));
    const NAME: &'static str = [
        "fixed0", "fixed1", "fixed2", "fixed3", "fixed4", "fixed5", "fixed6", "fixed7", "fixed8", "fixed9", "fixed10",
        "fixed11", "fixed12", "fixed13", "fixed14", "fixed15",
    ][F as usize];

    /// The nearest number; 0 for NaN.
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        // The conversion saturates.
        Self::from_bits(libm::rint(value * f64::from(1_u32 << F)) as i16)
    }
    #[inline(always)]
    fn from_i8(value: i8) -> Self {
        Self::from_bits(narrow(i32::from(value) << F))
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.bits) / f64::from(1_u32 << F)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        true
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        (self.sum() * b.sum() + c.sum()).rounded()
    }
}

/// How a conversion to fixed point went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conversion {
    /// How many parameters are out of range, and became the largest number of their sign.
    pub saturated: usize,
    /// The largest magnitude of a parameter.
    pub largest: f64,
    /// The largest difference of a parameter from what became of it: half of the last place, if none is out of range.
    pub error: f64,
}

/// Rounds the parameters of a network to fixed point.
///
/// The outputs differ by more than the weights, so the accuracy of the result is to be measured on data.
///
/// # Panics
/// If the two are not of the same declaration, and so have different numbers of parameters.
pub fn convert<N: Parameters, M: Parameters<Scalar = Fixed<F>>, const F: u32>(
    network: &N,
    fixed: &mut M,
) -> Conversion {
    const { assert!(N::COUNT == M::COUNT, "`convert` takes a network and the same network in fixed point") };
    let mut conversion = Conversion::default();
    for (to, from) in fixed.as_mut_slice().iter_mut().zip(network.as_slice()) {
        let exact = from.to_f64();
        *to = Fixed::from_f64(exact);
        let error = libm::fabs(to.to_f64() - exact);
        conversion.saturated += usize::from(error > 1.0 / f64::from(1_u32 << F));
        conversion.error = libm::fmax(conversion.error, error);
        conversion.largest = libm::fmax(conversion.largest, libm::fabs(exact));
    }
    conversion
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::noise::Noise;

    type Q12 = Fixed<12>;

    #[test]
    fn operations_round_to_the_nearest_number_and_saturate() {
        let mut noise = Noise::new(1);
        for _ in 0..100_000 {
            let [a, b, c] = [0; 3].map(|_| Q12::from_bits(noise.next_u64() as i16));
            let (x, y, z) = (a.to_f64(), b.to_f64(), c.to_f64());
            let check = |what: &str, found: Q12, exact: f64| {
                // Sums of products saturate beyond 2³¹⁻²⁴, far beyond what is stored.
                let near = Q12::from_f64(exact.clamp(-100.0, 100.0));
                let off = i32::from(found.bits) - i32::from(near.bits);
                assert!(off.abs() <= 1, "{what} of {a}, {b}, {c} is {found}, not {exact}");
                let error = (found.to_f64() - exact).abs();
                assert!(error <= 0.5001 / 4096.0 || exact.abs() > 7.99, "{what} of {a}, {b}, {c} is off by {error}");
            };
            check("sum", a + b, x + y);
            check("difference", a - b, x - y);
            check("product", a * b, x * y);
            check("mul_add", a.mul_add(b, c), x * y + z);
            if y != 0.0 && (x / y).abs() < 8.0 {
                let quotient = (a / b).to_f64();
                assert!((quotient - x / y).abs() < 0.6 / 4096.0, "{a} / {b} is {quotient}");
            }
            check("negative", -a, -x);
        }
    }

    #[test]
    fn the_ends_of_the_range_are_its_ends() {
        assert_eq!(Q15::ONE.to_f64(), 32767.0 / 32768.0);
        assert_eq!((Q12::from_f64(1e9).to_bits(), Q12::from_f64(f64::NEG_INFINITY).to_bits()), (i16::MAX, i16::MIN));
        assert_eq!(Q12::from_f64(f64::NAN), Q12::ZERO);
        assert_eq!(-Q12::from_bits(i16::MIN), Q12::from_bits(i16::MAX));
        let largest = Q12::from_bits(i16::MAX);
        assert_eq!((largest + largest, largest * largest), (largest, largest));
        assert_eq!((-largest - largest).to_bits(), i16::MIN);
        assert_eq!((largest / Q12::ZERO, (-largest / Q12::ZERO).to_bits()), (largest, i16::MIN));
        assert_eq!((Q12::from_i8(3).to_f64(), Q12::from_i8(-9).to_bits()), (3.0, i16::MIN));
        assert_eq!((Q12::from_f64(2.5).round().to_f64(), Q12::from_f64(-0.75).abs().to_f64()), (2.0, 0.75));
        assert!(Q12::from_f64(-0.5) < Q12::ZERO && Q12::ZERO.is_finite());
        assert_eq!(std::format!("{}", Q12::from_f64(0.25)), "0.25");
    }

    /// A long sum is rounded once, and stays at the largest number where it is too large.
    #[test]
    fn sums_keep_their_digits() {
        let (small, half) = (Q12::from_f64(1.0 / 4096.0).sum(), Q12::from_f64(0.5).sum());
        let many = (0..100).fold(Sums(0), |sum, _| small * half + sum);
        assert_eq!(many.rounded().to_bits(), 50);
        let largest = Q12::from_bits(i16::MAX).sum();
        let too_many = (0..100).fold(Sums(0), |sum, _| largest * largest + sum);
        assert_eq!((too_many.0, too_many.rounded().to_bits()), (i32::MAX, i16::MAX));
        assert_eq!((-too_many + -too_many + -largest).0, i32::MIN);
    }
}
