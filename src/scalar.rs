//! Numbers: the traits for the number type of a network, its registers and the formats in which it is stored.

use core::fmt::Display;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use fearless_simd::Simd;

use crate::plain::{Element, Plain};

/// A number type that networks can use: `f32`, `f64`, a [`Dual`](crate::Dual) number, an [`Interval`](crate::Interval), a
/// [`Fixed`](crate::fixed::Fixed)-point number, or a number type of your own.
///
/// Kernels are written over [`Scalar::Vector`], so a new number type is one implementation of this trait, not a new set
/// of kernels. Functions such as the exponential are in [`Real`].
///
/// # A number type of your own
/// Wider fixed point, logarithms, numbers that count operations: a network can be evaluated with any type that implements
///
/// 1. `Clone`, `Copy`, `Debug`, `Default` (0), `PartialEq` and [`Plain`], which can all be derived, and [`Element`],
///    which is empty;
/// 2. `PartialOrd`, `Display`, and the operators `+ - * /`, `+= -= *= /=` and unary `-`;
/// 3. this trait, with `type Vector<S: Simd> = Single<Self>;`: a [register of one lane](crate::simd::Single), which
///    computes with these operators;
/// 4. [`Real`], if it has functions. Their register versions are `x.map(Self::exp)` and so on.
///
/// `tests/suite/numbers.rs` has a complete example with functions; `src/fixed.rs` is one without, with a register of its
/// own. A type that is made of `f32` or `f64` may have a [`Vector`] made of theirs: `src/dual/lanes.rs` is one.
///
/// - Its size is a multiple of four bytes, and 0 is all zero bytes. The layout of networks and their memory relies on
///   this.
/// - Kernels begin maxima with `from_f64(−∞)` and fill unused lanes with 0. A type without infinities returns its
///   smallest number; values that are too large should saturate, because sums that wrap around are useless.
/// - Means over `n` summands divide by `from_f64(n)` or multiply by `from_f64(1 / n)`.
///
/// A network generic over `T` requires numbers with functions by default. `network! { pub Net<T: Scalar>: .. }` accepts
/// any number type, and can only have layers that need no functions, such as `Dense`, `Conv2d`, `MaxPool2d`, `Relu` and
/// `HardSwish`. It can be packed, too: with `#[packed(Small: i8)]`, weights take 8 bits while sums are in fixed point,
/// so that a network evaluates with integers only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number type that a network can be made of or trained with",
    label = "not a number type of networks",
    note = "use `f32` or `f64`; a type of your own implements `monomorph::Scalar`"
)]
pub trait Scalar:
    Element
    + PartialOrd
    + Display
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + SubAssign
    + Mul<Output = Self>
    + MulAssign
    + Div<Output = Self>
    + DivAssign
    + Neg<Output = Self>
{
    /// The register that holds several of these numbers at the SIMD level `S`.
    type Vector<S: Simd>: Vector<S, Self>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The type's name in weights files: `F32`, `F64`; any other name for a type that these files do not support.
    const NAME: &'static str;

    /// The nearest number to `value`.
    fn from_f64(value: f64) -> Self;
    /// A small integer, such as a weight that is packed as `i8`. In fixed point a shift is faster than
    /// [`from_f64`](Self::from_f64).
    #[inline(always)]
    fn from_i8(value: i8) -> Self {
        Self::from_f64(value.into())
    }
    /// This number as `f64`.
    fn to_f64(self) -> f64;
    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// `|self|`.
    fn abs(self) -> Self {
        if self < Self::ZERO { -self } else { self }
    }
    /// The larger of the two; NaN where `other` is NaN.
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    /// The smaller of the two; NaN where `other` is NaN.
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
    /// `self · b + c`. A type whose products have more digits than it can keep should round once, not twice.
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }
    /// The sign of `sign` on the magnitude of `self`.
    fn copysign(self, sign: Self) -> Self {
        if sign < Self::ZERO { -self.abs() } else { self.abs() }
    }
    /// The nearest integer, ties to even.
    fn round(self) -> Self {
        Self::from_f64(libm::rint(self.to_f64()))
    }
    /// An elementwise function that rises or falls between its `turns`, which are in ascending order, or of which that is
    /// not known.
    ///
    /// Numbers that stand for many, such as [`Interval`](crate::Interval), compute it at their ends and at the turns between
    /// them. For all others it is `f(x)`.
    #[inline(always)]
    fn piecewise<S: Simd>(
        simd: S,
        x: Self::Vector<S>,
        turns: Option<&[f64]>,
        f: impl Fn(Self::Vector<S>) -> Self::Vector<S>,
    ) -> Self::Vector<S> {
        let _ = (simd, turns);
        f(x)
    }
    /// `gradient · f′(x)` of an elementwise function, of which `slope(x, y)` is the derivative, given `y = f(x)`.
    #[inline(always)]
    fn back<S: Simd>(
        simd: S,
        gradient: Self::Vector<S>,
        x: Self::Vector<S>,
        y: Self::Vector<S>,
        slope: impl Fn(Self::Vector<S>, Self::Vector<S>) -> Self::Vector<S>,
    ) -> Self::Vector<S> {
        let _ = simd;
        gradient * slope(x, y)
    }
}

/// A number with square roots, exponentials and logarithms: `f32`, `f64`, or a [`Dual`](crate::Dual) number of these.
///
/// Layers, losses and optimizers that need such functions require this trait; all others require
/// [`Scalar`]. The functions of registers are methods of the number and not of [`Vector`], because Rust
/// cannot express a bound on `Self::Vector<S>` for all levels `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no functions such as exp and tanh",
    label = "not a number type with functions",
    note = "use `f32` or `f64`; a network whose layers need no functions says so: `Net<T: monomorph::Scalar>`",
    note = "training needs them, too: train in `f32` or `f64`, and convert the network then"
)]
pub trait Real: Scalar {
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;

    /// `√self`.
    fn sqrt(self) -> Self;
    /// `e^self`.
    fn exp(self) -> Self;
    /// `ln self`.
    fn ln(self) -> Self;
    /// `self^exponent`.
    fn powf(self, exponent: Self) -> Self;

    /// `√x`, lane by lane, like all functions of registers.
    fn sqrt_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `eˣ`.
    fn exp_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `eˣ − 1`, exact near 0.
    fn exp_m1_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `ln x`.
    fn ln_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `tanh x`.
    fn tanh_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `1 / (1 + e⁻ˣ)`.
    fn sigmoid_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `ln(1 + eˣ)`.
    fn softplus_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// The error function, `2/√π ∫₀ˣ e^(−t²) dt`.
    fn erf_lanes<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
}

/// A register of `LANES` numbers.
///
/// Everything is lane by lane unless stated otherwise. Loads and stores take pointers because kernels walk strided
/// tensors; see each method for its requirements.
pub trait Vector<S: Simd, T: Scalar>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// How many numbers the register holds: 1, 2, 4, 8 or 16.
    const LANES: usize;
    /// The result of a comparison: a Boolean per lane.
    type Mask: Copy;

    /// All lanes `value`.
    fn splat(simd: S, value: T) -> Self;
    /// Reads `LANES` consecutive numbers.
    ///
    /// # Safety
    /// `from` must be valid for reading `LANES` numbers; no alignment beyond `T`'s is needed.
    unsafe fn load(simd: S, from: *const T) -> Self;
    /// Writes `LANES` consecutive numbers.
    ///
    /// # Safety
    /// `to` must be valid for writing `LANES` numbers; no alignment beyond `T`'s is needed.
    unsafe fn store(self, to: *mut T);
    /// Reads the first `count <= LANES` lanes and zeroes the others.
    ///
    /// # Safety
    /// `from` must be valid for reading `count` numbers, and `count <= LANES`.
    unsafe fn load_partial(simd: S, from: *const T, count: usize) -> Self;
    /// Writes the first `count <= LANES` lanes.
    ///
    /// # Safety
    /// `to` must be valid for writing `count` numbers, and `count <= LANES`.
    unsafe fn store_partial(self, to: *mut T, count: usize);
    /// Reads `count <= LANES` numbers that are packed in fewer bits, widens them into the first lanes, and zeroes the
    /// others.
    ///
    /// # Safety
    /// `from` must be valid for reading `count` numbers, and `count <= LANES`.
    #[inline(always)]
    unsafe fn load_packed<W: Storage<T>>(simd: S, from: *const W, count: usize) -> Self {
        const { assert!(Self::LANES <= 64) };
        let mut wide = [T::ZERO; 64];
        for (index, wide) in wide.iter_mut().enumerate().take(count) {
            // SAFETY: `index < count` numbers are readable.
            *wide = unsafe { *from.add(index) }.widen();
        }
        // SAFETY: the array has at least as many numbers as the register.
        unsafe { Self::load(simd, wide.as_ptr()) }
    }

    /// `self · b + c`, rounded once where the hardware can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `|self|`.
    fn abs(self) -> Self;
    /// The smaller of the two; NaN where `other` is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; NaN where `other` is NaN.
    fn max(self, other: Self) -> Self;
    /// The larger of the two; NaN where either is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self::select(self.eq(self), self.max(other), self)
    }
    /// The sign of `sign` on the magnitude of `self`.
    fn copysign(self, sign: Self) -> Self;
    /// The nearest integer, ties to even.
    fn round(self) -> Self;

    /// `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// A mask that holds in the first `count <= LANES` lanes.
    fn first(simd: S, count: usize) -> Self::Mask;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The sum of all lanes.
    fn reduce_sum(self) -> T;
    /// The largest of all lanes.
    fn reduce_max(self) -> T;
    /// One lane.
    fn lane(self, index: usize) -> T;
    /// The lower lanes of both, alternating: `self₀, other₀, self₁, other₁ …`
    fn zip_low(self, other: Self) -> Self;
    /// The upper lanes of both, alternating.
    fn zip_high(self, other: Self) -> Self;
    /// The even lanes of both: `self₀, self₂ … other₀, other₂ …`
    fn unzip_low(self, other: Self) -> Self;
    /// The odd lanes of both.
    fn unzip_high(self, other: Self) -> Self;
}

/// A format in which weights are stored, in a network of numbers `T`.
///
/// `T` itself is one; the others are in [`storage`](crate::storage). Only this crate implements the trait.
///
/// # Safety
/// If all byte patterns are valid values of `T`, then all patterns of `size_of::<Self>()` bytes are valid values of
/// `Self`.
pub unsafe trait Storage<T: Scalar>: Element {
    /// The scales of the output channels of a weight: `X`, or nothing.
    type Scale<X: Plain + Send + Sync>: Plain + AsRef<[X]> + AsMut<[X]> + Send + Sync;
    /// Whether the format has scales.
    const SCALED: bool;
    /// Its name in `#[packed(..)]`.
    const NAME: &'static str;

    /// The stored number; for `i8`, without its scale.
    fn widen(self) -> T;

    /// Stores `weights`, given as rows of `channels` numbers, and their scales if there are any.
    fn store(weights: &[T], channels: usize, to: &mut [Self], scale: &mut [T]);

    /// Reads as many numbers as a register has lanes.
    ///
    /// # Safety
    /// As [`Vector::load`].
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const Self) -> T::Vector<S> {
        // SAFETY: the caller guarantees exactly this.
        unsafe { T::Vector::<S>::load_packed(simd, from, <T::Vector<S> as Vector<S, T>>::LANES) }
    }

    /// Reads the first `count` numbers and zeroes the other lanes.
    ///
    /// # Safety
    /// As [`Vector::load_partial`].
    #[inline(always)]
    unsafe fn load_partial<S: Simd>(simd: S, from: *const Self, count: usize) -> T::Vector<S> {
        // SAFETY: the caller guarantees exactly this.
        unsafe { T::Vector::<S>::load_packed(simd, from, count) }
    }
}

/// The lanes of `T`'s register at level `S`.
pub(crate) const fn lanes<S: Simd, T: Scalar>() -> usize {
    const { assert!(matches!(<T::Vector<S> as Vector<S, T>>::LANES, 1 | 2 | 4 | 8 | 16)) };
    <T::Vector<S> as Vector<S, T>>::LANES
}

/// Encodes a hyperparameter for a const generic parameter: its bits.
///
/// Stable Rust has no floating-point const generics, so layers such as [`LeakyRelu`](crate::layers::LeakyRelu) take the
/// bits of an `f64`.
///
/// ```
/// use monomorph::layers::LeakyRelu;
/// use monomorph::scalar::bits;
/// type Gentle = LeakyRelu<{ bits(0.3) }>;
/// ```
pub const fn bits(value: f64) -> u64 {
    value.to_bits()
}
