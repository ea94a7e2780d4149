//! Softmax down the columns of `[rows, columns]`: along an axis that is not the last.
//!
//! Neighboring columns share a register, so lanes are never combined.

use super::blocks::{blocks, read, write};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, share};

/// How a shape lies around one of its axes: how many numbers the axes before it have, how many it has itself, and how
/// many the axes after it have.
///
/// # Panics
/// If there is no such axis, or if a size is 0. Meant for constants, where this is a compile error.
pub(crate) const fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    assert!(axis < shape.len(), "the shape has no such axis");
    let (mut parts, mut at) = ([1; 3], 0);
    while at < shape.len() {
        assert!(shape[at] > 0, "an axis is empty");
        parts[1 + (at > axis) as usize - (at < axis) as usize] *= shape[at];
        at += 1;
    }
    parts
}

/// `y = e^x / Σ e^x` for each column, or its logarithm if `LOG`.
///
/// # Panics
/// If a slice is not `rows` rows of equal length.
#[inline(always)]
pub fn softmax<T: Real, S: Simd, const LOG: bool>(simd: S, rows: usize, x: &[T], y: &mut [T]) {
    share(
        simd,
        #[inline(always)]
        || {
            let columns = x.len() / rows;
            assert!(x.len() == rows * columns && y.len() == x.len());
            let (x, y) = (x.as_ptr(), y.as_mut_ptr());
            blocks::<T, S>(
                columns,
                #[inline(always)]
                |column, count| {
                    let mut max = T::Vector::<S>::splat(simd, T::from_f64(f64::NEG_INFINITY));
                    let mut sum = T::Vector::<S>::splat(simd, T::ZERO);
                    // SAFETY: `row < rows` and `column + count <= columns`.
                    unsafe {
                        for row in 0..rows {
                            max = max.max(read::<T, S>(simd, x.add(row * columns + column), count));
                        }
                        for row in 0..rows {
                            let power =
                                T::exp_lanes(simd, read::<T, S>(simd, x.add(row * columns + column), count) - max);
                            sum = sum + power;
                            write::<T, S>(power, y.add(row * columns + column), count);
                        }
                        let ln = if LOG { T::ln_lanes(simd, sum) } else { sum };
                        for row in 0..rows {
                            let result = if LOG {
                                (read::<T, S>(simd, x.add(row * columns + column), count) - max) - ln
                            } else {
                                read::<T, S>(simd, y.add(row * columns + column), count) / sum
                            };
                            write::<T, S>(result, y.add(row * columns + column), count);
                        }
                    }
                },
            );
        },
    );
}

/// The derivative of [`softmax`], from its output.
///
/// # Panics
/// If a slice is not `rows` rows of equal length.
#[inline(always)]
pub fn softmax_backward<T: Real, S: Simd, const LOG: bool>(
    simd: S,
    rows: usize,
    y: &[T],
    grad_output: &[T],
    grad_input: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let columns = y.len() / rows;
            assert!(y.len() == rows * columns && grad_output.len() == y.len() && grad_input.len() == y.len());
            let (y, grad_output, grad_input) = (y.as_ptr(), grad_output.as_ptr(), grad_input.as_mut_ptr());
            blocks::<T, S>(
                columns,
                #[inline(always)]
                |column, count| {
                    let mut sum = T::Vector::<S>::splat(simd, T::ZERO);
                    // SAFETY: `row < rows` and `column + count <= columns`.
                    unsafe {
                        for row in 0..rows {
                            let gradient = read::<T, S>(simd, grad_output.add(row * columns + column), count);
                            sum = if LOG {
                                sum + gradient
                            } else {
                                gradient.mul_add(read::<T, S>(simd, y.add(row * columns + column), count), sum)
                            };
                        }
                        for row in 0..rows {
                            let y = read::<T, S>(simd, y.add(row * columns + column), count);
                            let gradient = read::<T, S>(simd, grad_output.add(row * columns + column), count);
                            let result =
                                if LOG { gradient - T::exp_lanes(simd, y) * sum } else { y * (gradient - sum) };
                            write::<T, S>(result, grad_input.add(row * columns + column), count);
                        }
                    }
                },
            );
        },
    );
}
