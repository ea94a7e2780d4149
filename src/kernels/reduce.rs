//! Reductions.
//!
//! Sums use several accumulators, so that additions need not wait for each other. The order of summation, and therefore
//! the last bits, depends on the number of lanes.

use super::elementwise;
use crate::scalar::{Real, Scalar, Vector, lanes};
use crate::simd::{Simd, share};

/// Independent accumulators: enough to cover the latency of an addition.
const WAYS: usize = 4;

/// `Σ x`.
#[inline(always)]
pub fn sum<T: Scalar, S: Simd>(simd: S, x: &[T]) -> T {
    sum_of(
        simd,
        x,
        #[inline(always)]
        |x| x,
    )
}

/// `Σ x²`.
#[inline(always)]
pub fn sum_of_squares<T: Scalar, S: Simd>(simd: S, x: &[T]) -> T {
    dot(simd, x, x)
}

/// `Σ f(x)`.
#[inline(always)]
pub fn sum_of<T: Scalar, S: Simd>(simd: S, x: &[T], f: impl Fn(T::Vector<S>) -> T::Vector<S>) -> T {
    share(
        simd,
        #[inline(always)]
        || {
            // SAFETY: `x` has that many numbers.
            unsafe {
                fold(
                    simd,
                    x.len(),
                    [x.as_ptr()],
                    T::ZERO,
                    #[inline(always)]
                    |sum, [x]| sum + f(x),
                    #[inline(always)]
                    |a, b| a + b,
                )
            }
            .reduce_sum()
        },
    )
}

/// `Σ x·y`, as far as the shorter slice goes.
#[inline(always)]
pub fn dot<T: Scalar, S: Simd>(simd: S, x: &[T], y: &[T]) -> T {
    dot_with(
        simd,
        x,
        y,
        #[inline(always)]
        |y| y,
    )
}

/// `Σ x·f(y)`, as far as the shorter slice goes.
#[inline(always)]
pub fn dot_with<T: Scalar, S: Simd>(simd: S, x: &[T], y: &[T], f: impl Fn(T::Vector<S>) -> T::Vector<S>) -> T {
    share(
        simd,
        #[inline(always)]
        || {
            // SAFETY: neither slice is shorter than that.
            unsafe {
                fold(
                    simd,
                    x.len().min(y.len()),
                    [x.as_ptr(), y.as_ptr()],
                    T::ZERO,
                    #[inline(always)]
                    |sum, [x, y]| x.mul_add(f(y), sum),
                    #[inline(always)]
                    |a, b| a + b,
                )
            }
            .reduce_sum()
        },
    )
}

/// The largest number; −∞ if there is none. NaN may or may not be propagated.
#[inline(always)]
pub fn max<T: Scalar, S: Simd>(simd: S, x: &[T]) -> T {
    share(
        simd,
        #[inline(always)]
        || {
            // SAFETY: `x` has that many numbers.
            unsafe {
                fold(
                    simd,
                    x.len(),
                    [x.as_ptr()],
                    T::from_f64(f64::NEG_INFINITY),
                    #[inline(always)]
                    |max, [x]| max.max(x),
                    #[inline(always)]
                    |a, b| a.max(b),
                )
            }
            .reduce_max()
        },
    )
}

/// `m = max x` and `Σ e^(x − m)`, whose logarithm plus `m` is `ln Σ eˣ` without overflow.
#[inline(always)]
pub fn max_and_sum_exp<T: Real, S: Simd>(simd: S, x: &[T]) -> (T, T) {
    let max = max(simd, x);
    let shift = T::Vector::<S>::splat(simd, max);
    let sum = sum_of(
        simd,
        x,
        #[inline(always)]
        |x| T::exp_lanes(simd, x - shift),
    );
    (max, sum)
}

/// [`max_and_sum_exp`] that keeps the powers: `out ← e^(x − m)`.
#[inline(always)]
pub fn max_and_powers<T: Real, S: Simd>(simd: S, x: &[T], out: &mut [T]) -> (T, T) {
    let max = max(simd, x);
    let shift = T::Vector::<S>::splat(simd, max);
    elementwise::map_to(
        simd,
        x,
        out,
        #[inline(always)]
        |x| T::exp_lanes(simd, x - shift),
    );
    (max, sum(simd, out))
}

/// `out ← eˣ / Σ eˣ`, without overflow.
#[inline(always)]
pub fn softmax<T: Real, S: Simd>(simd: S, x: &[T], out: &mut [T]) {
    share(
        simd,
        #[inline(always)]
        || {
            let lanes = lanes::<S, T>();
            let len = x.len().min(out.len());
            if len <= lanes {
                // The whole row stays in one register.
                let (row, zero) = (T::Vector::<S>::first(simd, len), T::Vector::<S>::splat(simd, T::ZERO));
                // SAFETY: both slices have `len <= lanes` numbers.
                unsafe {
                    let x = T::Vector::<S>::load_partial(simd, x.as_ptr(), len);
                    let low = T::Vector::<S>::splat(simd, T::from_f64(f64::NEG_INFINITY));
                    let max = T::Vector::<S>::select(row, x, low).reduce_max();
                    let power = T::exp_lanes(simd, x - T::Vector::<S>::splat(simd, max));
                    let power = T::Vector::<S>::select(row, power, zero);
                    let sum = T::Vector::<S>::splat(simd, power.reduce_sum());
                    (power / sum).store_partial(out.as_mut_ptr(), len);
                }
                return;
            }
            let out = &mut out[..len];
            let (_, total) = max_and_powers(simd, &x[..len], out);
            elementwise::scale(simd, out, T::ONE / total);
        },
    )
}

/// Folds all numbers into one register: `step` adds the next numbers, `join` combines two partial results; `start` must
/// be neutral for both.
///
/// # Safety
/// Each of `inputs` must be valid for reading `len` numbers.
#[inline(always)]
unsafe fn fold<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    len: usize,
    inputs: [*const T; N],
    start: T,
    step: impl Fn(T::Vector<S>, [T::Vector<S>; N]) -> T::Vector<S>,
    join: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) -> T::Vector<S> {
    let lanes = lanes::<S, T>();
    let mut results = [T::Vector::<S>::splat(simd, start); WAYS];
    let mut x = [T::Vector::<S>::splat(simd, T::ZERO); N];
    let mut index = 0;
    while index + WAYS * lanes <= len {
        for way in 0..WAYS {
            for input in 0..N {
                // SAFETY: `index + (way + 1) * lanes <= len`.
                x[input] = unsafe { T::Vector::<S>::load(simd, inputs[input].add(index + way * lanes)) };
            }
            results[way] = step(results[way], x);
        }
        index += WAYS * lanes;
    }
    while index + lanes <= len {
        for input in 0..N {
            // SAFETY: `index + lanes <= len`.
            x[input] = unsafe { T::Vector::<S>::load(simd, inputs[input].add(index)) };
        }
        results[0] = step(results[0], x);
        index += lanes;
    }
    let left = len - index;
    if left > 0 {
        for input in 0..N {
            // SAFETY: `index + left == len`, and `left < lanes`.
            x[input] = unsafe { T::Vector::<S>::load_partial(simd, inputs[input].add(index), left) };
        }
        let row = T::Vector::<S>::first(simd, left);
        results[1] = T::Vector::<S>::select(row, step(results[1], x), results[1]);
    }
    join(join(results[0], results[1]), join(results[2], results[3]))
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use crate::simd::{Task, dispatch, levels};
    use std::vec;
    use std::vec::Vec;

    struct All<'a, T>(&'a [T], &'a [T], &'a mut [T]);

    impl<T: Real> Task for All<'_, T> {
        type Output = [T; 7];
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> [T; 7] {
            let Self(x, y, out) = self;
            let (top, sum_exp) = max_and_sum_exp(simd, x);
            softmax(simd, x, out);
            let cubes = sum_of(
                simd,
                x,
                #[inline(always)]
                |x| x * x * x,
            );
            [sum(simd, x), sum_of_squares(simd, x), dot(simd, x, y), max(simd, x), top, sum_exp, cubes]
        }
    }

    fn check<T: Real>(tolerance: f64) {
        let mut noise = Noise::new(2);
        for len in (0..40).chain([63, 64, 65, 100, 127, 1000]) {
            let mut random = || (0..len).map(|_| T::from_f64(noise.uniform() * 2.0 - 1.3)).collect::<Vec<T>>();
            let (x, y) = (random(), random());
            let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
            let (a, b) = (wide(&x), wide(&y));
            let top = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum_exp: f64 = a.iter().map(|x| (x - top).exp()).sum();
            let expected = [
                a.iter().sum(),
                a.iter().map(|x| x * x).sum(),
                a.iter().zip(&b).map(|(x, y)| x * y).sum(),
                top,
                top,
                sum_exp,
                a.iter().map(|x| x * x * x).sum(),
            ];
            for level in levels() {
                let mut out = vec![T::ZERO; len];
                let actual = dispatch(level, All(&x, &y, &mut out));
                for (what, (actual, expected)) in actual.into_iter().zip(expected).enumerate() {
                    let equal = actual.to_f64() == expected;
                    let close = (actual.to_f64() - expected).abs() <= tolerance * (1.0 + len as f64);
                    assert!(equal || close, "{level:?}, {what}, {len} numbers: {actual} is not {expected}");
                }
                for (out, x) in out.iter().zip(&a) {
                    let expected = (x - top).exp() / sum_exp;
                    let close = (out.to_f64() - expected).abs() <= tolerance;
                    assert!(close, "{level:?}, softmax, {len} numbers: {out} is not {expected}");
                }
            }
        }
    }

    #[test]
    fn agree_with_scalars_at_every_length() {
        check::<f32>(2e-7);
        check::<f64>(1e-15);
    }

    #[test]
    fn the_largest_may_be_anywhere() {
        for len in 1..70 {
            for at in 0..len {
                let mut x = vec![-5.0_f32; len];
                x[at] = -1.0;
                for level in levels() {
                    let [.., top, _, _] = dispatch(level, All(&x, &x, &mut vec![0.0; len]));
                    assert_eq!(top, -1.0, "{level:?}: {at} of {len}");
                }
            }
        }
    }
}
