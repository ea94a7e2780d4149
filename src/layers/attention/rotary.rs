//! Rotary positions of Su et al., *RoFormer* (2021): at position `t`, pair `i` of the `D` numbers of a head is turned
//! by the angle `t · base^(−2i/D)`, so that the product of a query and a key depends on their distance alone.

use core::f64::consts::TAU;

use crate::scalar::{Scalar, bits};

/// How queries and keys are turned by their position.
pub trait Rotation: 'static {
    /// Whether they are at all.
    const TURNS: bool;
    /// Whether a pair is `(i, i + D/2)`, not `(2i, 2i + 1)`.
    const HALF: bool;
    /// The base of the angles.
    const BASE: f64;
}

/// Queries and keys are not rotated; a marker that is never built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unrotated;

impl Rotation for Unrotated {
    const TURNS: bool = false;
    const HALF: bool = false;
    const BASE: f64 = 1.0;
}

/// Pairs are `(i, i + D/2)` if `HALF`, as in GPT-NeoX and Hugging Face's Llama, and otherwise `(2i, 2i + 1)`, as in the
/// paper and Meta's Llama; a marker that is never built. `BASE` is [`bits`] of the base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary<const HALF: bool, const BASE: u64 = { bits(10_000.0) }>;

impl<const HALF: bool, const BASE: u64> Rotation for Rotary<HALF, BASE> {
    const TURNS: bool = true;
    const HALF: bool = HALF;
    const BASE: f64 = f64::from_bits(BASE);
}

/// The maximum number of pairs of a head.
pub(crate) const MOST_PAIRS: usize = 128;

/// The angle between two positions for each pair of a head of `size` numbers, in parts of a turn: 2⁶⁴ are a whole one,
/// so multiples of it are exact however far a sequence goes.
pub(crate) const fn angles<const MOST: usize>(base: f64, size: usize) -> [u64; MOST] {
    assert!(base > 0.0, "positions: the base is not positive");
    assert!(size.is_multiple_of(2), "positions: each has pairs of numbers");
    assert!(size / 2 <= MOST, "positions: a head has at most 256 numbers, and a sequence 1024 features");
    let (mut angles, power) = ([0; MOST], ln(base));
    let mut pair = 0;
    while pair < size / 2 {
        let turns = exp(-2.0 * pair as f64 / size as f64 * power) / TAU;
        angles[pair] = ((turns - turns as u64 as f64) * 18_446_744_073_709_551_616.0) as u64;
        pair += 1;
    }
    angles
}

/// `eˣ`: a power of two times that of what is left, by its series.
const fn exp(x: f64) -> f64 {
    let (mut left, mut factor) = (x, 1.0);
    while left < 0.0 {
        left += core::f64::consts::LN_2;
        factor *= 0.5;
    }
    while left > 0.7 {
        left -= core::f64::consts::LN_2;
        factor *= 2.0;
    }
    let (mut term, mut sum, mut n) = (1.0, 0.0, 0.0);
    while n < 20.0 {
        sum += term;
        n += 1.0;
        term *= left / n;
    }
    sum * factor
}

/// `ln x`: the power of two apart, then `2 artanh((m − 1)/(m + 1))` by its series.
const fn ln(x: f64) -> f64 {
    let (mut mantissa, mut power) = (x, 0.0);
    while mantissa > 1.5 {
        mantissa *= 0.5;
        power += 1.0;
    }
    while mantissa < 0.75 {
        mantissa *= 2.0;
        power -= 1.0;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut term, mut sum, mut n) = (ratio, 0.0, 1.0);
    while n < 40.0 {
        sum += term / n;
        term *= ratio * ratio;
        n += 2.0;
    }
    2.0 * sum + power * core::f64::consts::LN_2
}

/// `c₀ + x (c₁ + x (c₂ + ..))`.
macro_rules! polynomial {
    ($x:ident, $last:expr) => { T::from_f64($last) };
    ($x:ident, $first:expr, $($rest:expr),+) => { polynomial!($x, $($rest),+).mul_add($x, T::from_f64($first)) };
}

/// The cosine and the sine of an angle in parts of a turn.
///
/// Up to an eighth of a turn by their series, which for numbers of four bytes may be shorter.
#[inline(always)]
pub(crate) fn circle<T: Scalar>(angle: u64) -> [T; 2] {
    let quarters = angle.wrapping_add(1 << 61) >> 62;
    // In units of 2⁻⁵⁰ turns, in two parts that every floating-point number holds exactly. Through an `f32`, because a
    // processor with single precision only would otherwise compute in software.
    let left = angle.wrapping_sub(quarters << 62) as i64 >> 14;
    let part = |part: i32, unit: f64| T::from_f64(f64::from(part as f32)) * T::from_f64(unit);
    const UNIT: f64 = TAU / (1_u64 << 50) as f64;
    const PART: i64 = 1 << 24;
    let x = part((left / PART) as i32, UNIT * PART as f64) + part((left % PART) as i32, UNIT);
    let square = x * x;
    let (sine, cosine) = if size_of::<T>() == 4 {
        (
            polynomial!(square, 1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362_880.0),
            polynomial!(square, 1.0, -0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40_320.0, -1.0 / 3_628_800.0),
        )
    } else {
        (
            polynomial!(
                square,
                1.0,
                -1.0 / 6.0,
                1.0 / 120.0,
                -1.0 / 5040.0,
                1.0 / 362_880.0,
                -1.0 / 39_916_800.0,
                1.0 / 6_227_020_800.0,
                -1.0 / 1_307_674_368_000.0
            ),
            polynomial!(
                square,
                1.0,
                -0.5,
                1.0 / 24.0,
                -1.0 / 720.0,
                1.0 / 40_320.0,
                -1.0 / 3_628_800.0,
                1.0 / 479_001_600.0,
                -1.0 / 87_178_291_200.0,
                1.0 / 20_922_789_888_000.0
            ),
        )
    };
    let sine = x * sine;
    let (cosine, sine) = if quarters & 1 == 0 { (cosine, sine) } else { (sine, cosine) };
    [if (quarters + 1) & 2 == 0 { cosine } else { -cosine }, if quarters & 2 == 0 { sine } else { -sine }]
}

/// The cosines and the sines of a head's pairs at a position, apart so that loops over them exchange no lanes.
pub(crate) struct Turning<'a, T> {
    pub(crate) cosines: &'a mut [T],
    pub(crate) sines: &'a mut [T],
}

impl<T: Scalar> Turning<'_, T> {
    /// Those of a position, or of turning back from it.
    #[inline(always)]
    pub(crate) fn set(&mut self, angles: &[u64], position: u64, back: bool) {
        let position = if back { position.wrapping_neg() } else { position };
        for ((cosine, sine), angle) in self.cosines.iter_mut().zip(&mut *self.sines).zip(angles) {
            [*cosine, *sine] = circle(angle.wrapping_mul(position));
        }
    }

    /// Turns all heads, which have `size` numbers, of a row of queries or keys.
    #[inline(always)]
    pub(crate) fn turn<R: Rotation>(&self, row: &mut [T], size: usize) {
        let apply = |x: &mut T, y: &mut T, c: T, s: T| (*x, *y) = (*x * c - *y * s, *y * c + *x * s);
        for head in row.chunks_exact_mut(size.max(1)) {
            let angles = self.cosines.iter().zip(&*self.sines);
            if R::HALF {
                let Some((first, second)) = head.split_at_mut_checked(size / 2) else { continue };
                first.iter_mut().zip(second).zip(angles).for_each(|((x, y), (c, s))| apply(x, y, *c, *s));
            } else {
                head.as_chunks_mut().0.iter_mut().zip(angles).for_each(|([x, y], (c, s))| apply(x, y, *c, *s));
            }
        }
    }
}

/// Turns the rows of queries and of keys, which are `widths` long, from position 0 on; or turns them back.
#[inline(always)]
pub(crate) fn turn_rows<T: Scalar, R: Rotation>(
    [queries, keys]: [&mut [T]; 2],
    widths: [usize; 2],
    size: usize,
    angles: &[u64],
    back: bool,
) {
    let (mut cosines, mut sines) = ([T::ZERO; MOST_PAIRS], [T::ZERO; MOST_PAIRS]);
    let mut turning = Turning { cosines: &mut cosines, sines: &mut sines };
    let (mut queries, mut keys) = (queries.chunks_exact_mut(widths[0].max(1)), keys.chunks_exact_mut(widths[1].max(1)));
    for position in 0.. {
        let rows = [queries.next(), keys.next()];
        if rows.iter().all(Option::is_none) {
            return;
        }
        turning.set(angles, position, back);
        rows.into_iter().flatten().for_each(|row| turning.turn::<R>(row, size));
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn angles_are_exact() {
        for (base, size) in [(10_000.0, 8), (10_000.0, 128), (500_000.0, 64), (3.0, 2), (1e6, 256)] {
            let all = angles::<MOST_PAIRS>(base, size);
            for (pair, part) in all[..size / 2].iter().enumerate() {
                let angle = f64::powf(base, -2.0 * pair as f64 / size as f64);
                for position in [0, 1, 2, 3, 17, 1000, 1_000_000] {
                    let (exact, part) = (position as f64 * angle, part.wrapping_mul(position));
                    // Rounding of the angle for each position, and of the functions.
                    let error = position as f64 * (4e-15 * angle + 4e-19) + 1e-14;
                    let [cosine, sine] = circle::<f64>(part);
                    assert!((cosine - exact.cos()).abs() < error && (sine - exact.sin()).abs() < error, "{exact}");
                    let [c, s] = circle::<f32>(part);
                    assert!(
                        (f64::from(c) - cosine).abs() < 1.2e-7 && (f64::from(s) - sine).abs() < 1.2e-7,
                        "{exact} as f32"
                    );
                }
            }
        }
    }
}
