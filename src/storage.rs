//! How weights are stored: in the number type of the network, or packed in fewer bits.
//!
//! | format | bits | value | relative error | range |
//! | --- | --- | --- | --- | --- |
//! | [`Bf16`] | 16 | the upper half of an `f32` | ≤ 2⁻⁸ | as `f32` |
//! | [`F16`] | 16 | IEEE 754 `binary16` | ≤ 2⁻¹¹, from 6.1e-5 on | to 65,504 |
//! | `i8` | 8 | `scale · q`, with one scale per output channel | ≤ `scale / 2` absolute | −127 … 127 |
//!
//! A weight that the format cannot hold is stored so that it shows, as NaN, which the outputs are then: one that was not
//! finite already, and one beyond the range. A channel in `i8` that has such a weight gets a scale of NaN.
//!
//! Computation stays in the network's own number type: weights are widened as they are loaded into registers, so a
//! network takes half or a quarter of the memory and of the time to read it.

use crate::fpu;
use crate::plain::{Element, Plain};
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

pub use crate::scalar::Storage;

/// A 16-bit number with the exponent of an `f32` and 8 bits of precision; the field holds its bits.
///
/// ```
/// use monomorph::storage::{Bf16, Storage};
/// assert_eq!(Bf16::nearest(1.0 + 1.0 / 128.0), Bf16(0x3f81));
/// assert_eq!(Storage::<f32>::widen(Bf16(0x3f81)), 1.007_812_5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// An IEEE 754 `binary16` number: 5 bits of exponent, 11 of precision; the field holds its bits.
///
/// ```
/// use monomorph::storage::{F16, Storage};
/// assert_eq!(F16::nearest(-2.0), F16(0xc000));
/// assert_eq!(Storage::<f32>::widen(F16(0x0001)), 2.0_f32.powi(-24));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Plain)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(transparent)]
pub struct F16(pub u16);

impl Element for Bf16 {}
impl Element for F16 {}

impl Bf16 {
    /// Not a number.
    pub const NAN: Self = Self(0x7fc0);

    /// The nearest number to `value`, ties to even.
    pub fn nearest(value: f64) -> Self {
        let bits = odd(value);
        if bits & 0x7fff_ffff > 0x7f80_0000 {
            return Self((bits >> 16) as u16 | 0x40);
        }
        Self(((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16)
    }

    /// The same number.
    #[inline(always)]
    pub const fn to_f32(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }
}

impl F16 {
    /// Not a number.
    pub const NAN: Self = Self(0x7e00);

    /// The nearest number to `value`, ties to even; infinite from 65,520 on.
    pub fn nearest(value: f64) -> Self {
        /// 2¹⁶ and 2⁻¹⁴ as bits of `f32`.
        const OVERFLOW: u32 = 0x4780_0000;
        const NORMAL: u32 = 0x3880_0000;
        let bits = odd(value);
        let (sign, magnitude) = ((bits >> 16) as u16 & 0x8000, bits & 0x7fff_ffff);
        Self(
            sign | match magnitude {
                0x7f80_0001.. => 0x7e00,
                OVERFLOW.. => 0x7c00,
                NORMAL.. => ((magnitude + 0xfff + ((magnitude >> 13) & 1) - fpu::F16_BIAS) >> 13) as u16,
                // The last place of ½ is 2⁻²⁴, as for these numbers, so the sum is rounded to it.
                _ => ((f32::from_bits(magnitude) + 0.5).to_bits() - 0.5_f32.to_bits()) as u16,
            },
        )
    }

    /// The same number.
    #[inline(always)]
    pub const fn to_f32(self) -> f32 {
        fpu::widen_in_software(self.0)
    }

    /// The same number, by one instruction where there is one.
    #[inline(always)]
    fn widened(self) -> f32 {
        fpu::widen(self.0)
    }
}

/// The bits of an `f32` near `value` that rounds to any shorter format just as `value` does: if it is not exact, the
/// one of the two neighbors whose last bit is set (round to odd).
fn odd(value: f64) -> u32 {
    let nearest = value as f32;
    let exact = nearest as f64;
    if value.is_nan() || exact == value {
        return nearest.to_bits();
    }
    (nearest.to_bits() - u32::from(exact.abs() > value.abs())) | 1
}

// SAFETY: it is `T`.
unsafe impl<T: Scalar> Storage<T> for T {
    type Scale<X: Plain + Send + Sync> = [X; 0];
    const SCALED: bool = false;
    const NAME: &'static str = T::NAME;

    #[inline(always)]
    fn widen(self) -> T {
        self
    }
    fn store(weights: &[T], _channels: usize, to: &mut [T], _scale: &mut [T]) {
        to.copy_from_slice(weights);
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, from: *const T) -> T::Vector<S> {
        // SAFETY: the caller guarantees exactly this.
        unsafe { T::Vector::<S>::load(simd, from) }
    }
    #[inline(always)]
    unsafe fn load_partial<S: Simd>(simd: S, from: *const T, count: usize) -> T::Vector<S> {
        // SAFETY: the caller guarantees exactly this.
        unsafe { T::Vector::<S>::load_partial(simd, from, count) }
    }
}

macro_rules! half {
    ($half:ident, $name:literal, $widen:expr) => {
        // SAFETY: every 16-bit pattern is a valid number.
        unsafe impl<T: Scalar> Storage<T> for $half {
            type Scale<X: Plain + Send + Sync> = [X; 0];
            const SCALED: bool = false;
            const NAME: &'static str = $name;

            #[inline(always)]
            fn widen(self) -> T {
                T::from_f64($widen(self).into())
            }
            fn store(weights: &[T], _channels: usize, to: &mut [Self], _scale: &mut [T]) {
                for (to, weight) in to.iter_mut().zip(weights) {
                    let nearest = Self::nearest(weight.to_f64());
                    // An infinite weight would not show behind a ReLU or a sigmoid.
                    *to = if nearest.to_f32().is_finite() { nearest } else { Self::NAN };
                }
            }
        }
    };
}
half!(Bf16, "bf16", Bf16::to_f32);
half!(F16, "f16", F16::widened);

/// Symmetric, with one scale per output channel: `scale = max |w| / 127`, `q = round(w / scale)`, ties to even. A
/// channel of zeros has scale 1.
///
/// R. Krishnamoorthi, *Quantizing deep convolutional networks for efficient inference: A whitepaper*, arXiv:1806.08342
/// (2018), sections 2.2 and 3.1; −128 is not used, as in TensorFlow Lite's 8-bit specification.
// SAFETY: every byte is a valid number.
unsafe impl<T: Scalar> Storage<T> for i8 {
    type Scale<X: Plain + Send + Sync> = [X; 1];
    const SCALED: bool = true;
    const NAME: &'static str = "i8";

    #[inline(always)]
    fn widen(self) -> T {
        T::from_i8(self)
    }
    fn store(weights: &[T], channels: usize, to: &mut [Self], scale: &mut [T]) {
        scale.fill(T::ZERO);
        for row in weights.chunks_exact(channels) {
            for (largest, weight) in scale.iter_mut().zip(row) {
                let size = weight.abs();
                // NaN compares with nothing, so that it stays once it is there.
                if !size.is_finite() || size > *largest {
                    *largest = if size.is_finite() { size } else { T::from_f64(f64::NAN) };
                }
            }
        }
        for scale in scale.iter_mut() {
            *scale = T::from_f64(scale.to_f64() / 127.0);
            // A weight so small that a 127th of it is 0 is packed as 0, too.
            if *scale == T::ZERO {
                *scale = T::ONE;
            }
        }
        for (to, row) in to.chunks_exact_mut(channels).zip(weights.chunks_exact(channels)) {
            for ((to, weight), scale) in to.iter_mut().zip(row).zip(&*scale) {
                *to = libm::rint(weight.to_f64() / scale.to_f64()).clamp(-127.0, 127.0) as i8;
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::simd::{Task, dispatch, levels};
    use std::vec::Vec;

    /// The value by definition of the format, in `f64`: `exponent` bits of exponent, then the fraction.
    fn defined(bits: u16, exponent: u32) -> f64 {
        let width = 15 - exponent;
        let (sign, fraction) = (if bits >> 15 == 1 { -1.0 } else { 1.0 }, f64::from(bits & ((1 << width) - 1)));
        let (e, bias) = (i32::from(bits << 1 >> (width + 1)), (1 << (exponent - 1)) - 1);
        let last = 2.0_f64.powi(-(width as i32));
        sign * match e {
            0 => fraction * last * 2.0_f64.powi(1 - bias),
            e if e == (1 << exponent) - 1 => {
                if fraction == 0.0 {
                    f64::INFINITY
                } else {
                    f64::NAN
                }
            }
            e => (1.0 + fraction * last) * 2.0_f64.powi(e - bias),
        }
    }

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    struct Widen<'a, T, W>(&'a [W], &'a mut [T], usize);

    impl<T: Scalar, W: Storage<T>> Task for Widen<'_, T, W> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            let lanes = <T::Vector<S> as Vector<S, T>>::LANES;
            for (from, to) in self.0.chunks(self.2.min(lanes)).zip(self.1.chunks_mut(self.2.min(lanes))) {
                let (from, count) = (from.as_ptr(), from.len());
                // SAFETY: there are `count` numbers.
                let vector =
                    unsafe { if count == lanes { W::load(simd, from) } else { W::load_partial(simd, from, count) } };
                for lane in count..lanes {
                    assert!(vector.lane(lane) == T::ZERO, "lane {lane} is not part of {count}");
                }
                for (lane, to) in to.iter_mut().enumerate() {
                    *to = vector.lane(lane);
                }
            }
        }
    }

    /// Every pattern, at every level, in registers filled with each count of numbers.
    fn check<T: Scalar, W: Storage<T>>(all: &[W], expected: impl Fn(usize) -> f64) {
        for (index, number) in all.iter().enumerate() {
            let widened = number.widen().to_f64();
            assert!(same(widened, expected(index)), "{number:?} is {widened:e}, not {:e}", expected(index));
        }
        for level in levels() {
            for count in 1..=16 {
                let mut wide: Vec<T> = std::vec![T::ONE; all.len()];
                dispatch(level, Widen(all, &mut wide, count));
                for (index, number) in wide.iter().enumerate() {
                    assert!(
                        same(number.to_f64(), expected(index)),
                        "{:?} is {:e} at {level:?} by {count}, not {:e}",
                        all[index],
                        number.to_f64(),
                        expected(index)
                    );
                }
            }
        }
    }

    #[test]
    fn all_patterns_are_widened_exactly() {
        let all: Vec<Bf16> = (0..=u16::MAX).map(Bf16).collect();
        check::<f32, _>(&all, |index| defined(index as u16, 8));
        check::<f64, _>(&all, |index| defined(index as u16, 8));
        let all: Vec<F16> = (0..=u16::MAX).map(F16).collect();
        check::<f32, _>(&all, |index| defined(index as u16, 5));
        check::<f64, _>(&all, |index| defined(index as u16, 5));
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        check::<f32, _>(&all, |index| index as f64 - 128.0);
        check::<f64, _>(&all, |index| index as f64 - 128.0);
    }

    /// Every number rounds to itself, a value between two numbers to the nearer one, and the midpoint to the one whose
    /// last bit is 0.
    fn rounds(nearest: impl Fn(f64) -> u16, exponent: u32) {
        let infinity = ((1_u16 << exponent) - 1) << (15 - exponent);
        for bits in 0..infinity {
            for sign in [0, 0x8000] {
                let (value, next) = (defined(bits | sign, exponent), defined((bits + 1) | sign, exponent));
                // Where the next number would be if the range continued.
                let next =
                    if next.is_infinite() { value + (value - defined((bits - 1) | sign, exponent)) } else { next };
                let (middle, little) = ((value + next) / 2.0, (next - value) * 1e-9);
                assert_eq!(nearest(value), bits | sign, "{value:e}");
                assert_eq!(nearest(middle - little), bits | sign, "below the middle after {value:e}");
                assert_eq!(nearest(middle + little), (bits + 1) | sign, "above the middle after {value:e}");
                assert_eq!(nearest(middle), (bits + (bits & 1)) | sign, "in the middle after {value:e}");
            }
        }
        assert_eq!(nearest(f64::INFINITY), infinity);
        assert_eq!(nearest(f64::NEG_INFINITY), infinity | 0x8000);
        assert_eq!(nearest(f64::MAX), infinity);
        assert_eq!(nearest(f64::MIN_POSITIVE), 0);
        assert!(defined(nearest(f64::NAN), exponent).is_nan());
    }

    #[test]
    fn values_are_rounded_to_the_nearest() {
        rounds(|value| Bf16::nearest(value).0, 8);
        rounds(|value| F16::nearest(value).0, 5);
    }

    #[test]
    fn channels_have_scales() {
        let weights = [1.0_f32, 0.0, -3.0, 1e-45, -2.5, 0.0, 1.0, 0.0];
        let (mut stored, mut scale) = ([1_i8; 8], [0.0; 4]);
        <i8 as Storage<f32>>::store(&weights, 4, &mut stored, &mut scale);
        assert_eq!(scale, [2.5 / 127.0, 1.0, 3.0 / 127.0, 1.0]);
        assert_eq!(stored, [51, 0, -127, 0, -127, 0, 42, 0]);
    }

    #[test]
    fn what_is_not_finite_shows() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..3 {
                let mut weights = [1.0, 2.0, 1e3, 4.0, -1.0, 6.0];
                weights[2 * at] = wrong;
                let (mut stored, mut scale) = ([1_i8; 6], [0.0; 2]);
                <i8 as Storage<f32>>::store(&weights, 2, &mut stored, &mut scale);
                assert!(scale[0].is_nan() && scale[1] == 6.0 / 127.0, "{scale:?}");
            }
            shows::<F16>(wrong);
            shows::<Bf16>(wrong);
        }
        // Beyond the range of the format.
        shows::<F16>(-70e3);
        shows::<Bf16>(f32::MAX);
        let mut stored = [F16(0); 2];
        F16::store(&[65504.0_f32, -65519.0], 1, &mut stored, &mut []);
        assert_eq!(stored, [F16(0x7bff), F16(0xfbff)]);
    }

    fn shows<W: Storage<f32>>(wrong: f32) {
        let mut stored = [W::default(); 2];
        W::store(&[1.0, wrong], 1, &mut stored, &mut []);
        assert!(stored[0].widen() == 1.0 && stored[1].widen().is_nan(), "{wrong} as {stored:?}");
    }
}
