//! Rotary positions of Su et al., *RoFormer* (2021): at position `t`, pair `i` of the `D` numbers of a head is turned
//! by the angle `t · base^(−2i/D)`, so that the product of a query and a key depends on their distance alone.

use crate::scalar::{Scalar, bits};
use crate::tensor::Tensor;

/// How queries and keys are turned by their position.
pub trait Rotation: 'static {
    /// Whether they are at all.
    const TURNS: bool;
    /// Whether a pair is `(i, i + D/2)`, not `(2i, 2i + 1)`.
    const HALF: bool;
    /// The base of the angles.
    const BASE: f64;
    /// The cosines and sines of a head's pairs, in as many numbers as an `X` has or none.
    type Turn<X: Tensor>: Tensor<Element = f64>;
}

/// Queries and keys are not rotated; a marker that is never built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unrotated;

impl Rotation for Unrotated {
    const TURNS: bool = false;
    const HALF: bool = false;
    const BASE: f64 = 1.0;
    type Turn<X: Tensor> = [f64; 0];
}

/// Pairs are `(i, i + D/2)` if `HALF`, as in GPT-NeoX and Hugging Face's Llama, and otherwise `(2i, 2i + 1)`, as in the
/// paper and Meta's Llama; a marker that is never built. `BASE` is [`bits`] of the base.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary<const HALF: bool, const BASE: u64 = { bits(10_000.0) }>;

impl<const HALF: bool, const BASE: u64> Rotation for Rotary<HALF, BASE> {
    const TURNS: bool = true;
    const HALF: bool = HALF;
    const BASE: f64 = f64::from_bits(BASE);
    type Turn<X: Tensor> = X::With<f64>;
}

/// The maximum number of pairs of a head.
pub(crate) const MOST_PAIRS: usize = 128;

/// The cosine and the sine of the angle between two positions for each pair of a head of `size` numbers.
pub(crate) const fn turns<const MOST: usize>(base: f64, size: usize) -> [[f64; 2]; MOST] {
    assert!(base > 0.0, "positions: the base is not positive");
    assert!(size.is_multiple_of(2), "positions: each has pairs of numbers");
    assert!(size / 2 <= MOST, "positions: a head has at most 256 numbers, and a sequence 1024 features");
    let (mut turns, power) = ([[1.0, 0.0]; MOST], ln(base));
    let mut pair = 0;
    while pair < size / 2 {
        turns[pair] = circle(exp(-2.0 * pair as f64 / size as f64 * power));
        pair += 1;
    }
    turns
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

/// The cosine and the sine of an angle from 0 to a few turns: those of an eighth by their series, doubled thrice.
const fn circle(angle: f64) -> [f64; 2] {
    let small = angle / 8.0;
    // versine = 1 − cos keeps the digits that 1 would take.
    let (mut term, mut versine, mut sine, mut n) = (1.0, 0.0, 0.0, 0.0);
    while n < 24.0 {
        term *= small / (n + 1.0);
        sine += term;
        term *= -small / (n + 2.0);
        versine -= term;
        n += 2.0;
    }
    let mut times = 0;
    while times < 3 {
        (versine, sine) = (2.0 * sine * sine, 2.0 * sine * (1.0 - versine));
        times += 1;
    }
    [1.0 - versine, sine]
}

/// Cosines and sines that advance from position to position.
#[derive(Clone, Copy)]
pub(crate) struct Turning<'a> {
    /// By how much each pair turns in one step.
    pub(crate) turns: &'a [[f64; 2]],
}

impl Turning<'_> {
    /// Position 0.
    #[inline(always)]
    pub(crate) fn reset(self, at: &mut [[f64; 2]]) {
        at.fill([1.0, 0.0]);
    }

    /// The next position, or the one before.
    ///
    /// In double precision, so that the error after a million steps is still below that of a single.
    #[inline(always)]
    pub(crate) fn advance(self, at: &mut [[f64; 2]], back: bool) {
        for ([cosine, sine], [c, s]) in at.iter_mut().zip(self.turns) {
            let s = if back { -s } else { *s };
            (*cosine, *sine) = (*cosine * c - *sine * s, *sine * c + *cosine * s);
        }
    }
}

/// The memory for cosines and sines, as pairs.
#[inline(always)]
pub(crate) fn pairs<X: Tensor<Element = f64>>(numbers: &mut X) -> &mut [[f64; 2]] {
    numbers.numbers_mut().as_chunks_mut().0
}

/// Turns all heads of a row of queries and one of keys by the angles `at`.
#[inline(always)]
pub(crate) fn turn<T: Scalar, R: Rotation>(rows: [&mut [T]; 2], size: usize, at: &[[f64; 2]]) {
    // Separate, so that loops over them need no exchange of lanes.
    let (mut cosines, mut sines) = ([T::ZERO; MOST_PAIRS], [T::ZERO; MOST_PAIRS]);
    for ((cosine, sine), [c, s]) in cosines.iter_mut().zip(&mut sines).zip(at) {
        (*cosine, *sine) = (T::from_f64(*c), T::from_f64(*s));
    }
    let apply = |x: &mut T, y: &mut T, c: T, s: T| (*x, *y) = (*x * c - *y * s, *y * c + *x * s);
    for head in rows.into_iter().flat_map(|row| row.chunks_exact_mut(size.max(1))) {
        let angles = cosines.iter().zip(&sines);
        if R::HALF {
            let Some((first, second)) = head.split_at_mut_checked(size / 2) else { continue };
            first.iter_mut().zip(second).zip(angles).for_each(|((x, y), (c, s))| apply(x, y, *c, *s));
        } else {
            head.as_chunks_mut().0.iter_mut().zip(angles).for_each(|([x, y], (c, s))| apply(x, y, *c, *s));
        }
    }
}

/// Turns the rows of queries and of keys, which are `widths` long, from position 0 on; or turns them back.
#[inline(always)]
pub(crate) fn turn_rows<T: Scalar, R: Rotation>(
    [queries, keys]: [&mut [T]; 2],
    widths: [usize; 2],
    size: usize,
    turns: &[[f64; 2]],
    back: bool,
) {
    let mut at = [[1.0, 0.0]; MOST_PAIRS];
    let (at, _) = at.split_at_mut(turns.len().min(MOST_PAIRS));
    let turning = Turning { turns };
    let (mut queries, mut keys) = (queries.chunks_exact_mut(widths[0].max(1)), keys.chunks_exact_mut(widths[1].max(1)));
    loop {
        let rows = [queries.next(), keys.next()];
        if rows.iter().all(Option::is_none) {
            return;
        }
        turn::<T, R>(rows.map(Option::unwrap_or_default), size, at);
        turning.advance(at, back);
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn angles_are_exact() {
        for (base, size) in [(10_000.0, 8), (10_000.0, 128), (500_000.0, 64), (3.0, 2), (1e6, 256)] {
            let all = turns::<MOST_PAIRS>(base, size);
            for (pair, [cosine, sine]) in all[..size / 2].iter().enumerate() {
                let angle = f64::powf(base, -2.0 * pair as f64 / size as f64);
                assert!(
                    (cosine - angle.cos()).abs() < 4e-15 * angle * angle + 2e-16,
                    "{base}, {size}, {pair}: {cosine} {}",
                    angle.cos()
                );
                assert!((sine - angle.sin()).abs() < 4e-15 * angle, "{base}, {size}, {pair}");
            }
        }
    }

    #[test]
    fn a_million_steps_later_they_still_are() {
        let all = turns::<4>(10_000.0, 8);
        let mut at = [[1.0, 0.0]; 4];
        let positions = Turning { turns: &all };
        (0..1_000_000).for_each(|_| positions.advance(&mut at, false));
        for (pair, [cosine, sine]) in at.iter().enumerate() {
            let angle = 1e6 * f64::powf(10_000.0, -(pair as f64) / 4.0);
            assert!((cosine - angle.cos()).abs() < 2e-9 && (sine - angle.sin()).abs() < 2e-9, "{pair}");
        }
    }
}
