//! The `p`-norm of windows, and its derivative.

use super::{Windows, blocks, each_window, read, write};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, share};

/// `x^exponent` for numbers that are not negative.
#[inline(always)]
fn power<T: Real, S: Simd>(simd: S, x: T::Vector<S>, exponent: f64) -> T::Vector<S> {
    if exponent == 0.0 {
        T::Vector::<S>::splat(simd, T::ONE)
    } else if exponent == 1.0 {
        x
    } else if exponent == 2.0 {
        x * x
    } else if exponent == 0.5 {
        T::sqrt_lanes(simd, x)
    } else {
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        let power = T::exp_lanes(simd, T::ln_lanes(simd, x) * T::Vector::<S>::splat(simd, T::from_f64(exponent)));
        T::Vector::<S>::select(x.eq(zero), zero, power)
    }
}

/// The `p`-norm of every window, `(Σ |x|^p)^(1/p)`, over the inputs in it.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn norm<T: Real, S: Simd>(simd: S, windows: &Windows, p: f64, batch: usize, input: &[T], output: &mut [T]) {
    share(
        simd,
        #[inline(always)]
        || {
            assert!(input.len() == batch * windows.input_len() && output.len() == batch * windows.output_len());
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            each_window(
                windows,
                batch,
                #[inline(always)]
                |sample, at, taps| {
                    blocks::<T, S>(
                        windows.channels,
                        #[inline(always)]
                        |channel, count| {
                            let mut sum = T::Vector::<S>::splat(simd, T::ZERO);
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`.
                                    let x = unsafe { read::<T, S>(simd, input.add(sample + tap + channel), count) };
                                    sum = sum + power::<T, S>(simd, x.abs(), p);
                                },
                            );
                            // SAFETY: as in `max`.
                            unsafe {
                                write::<T, S>(power::<T, S>(simd, sum, 1.0 / p), output.add(at + channel), count)
                            };
                        },
                    );
                },
            );
        },
    )
}

/// The derivative of [`norm`]: `∂L/∂y · (|x| / y)^(p − 1)` with the sign of `x`; 0 where `x` is 0. The norms are computed
/// again.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn norm_backward<T: Real, S: Simd>(
    simd: S,
    windows: &Windows,
    p: f64,
    batch: usize,
    input: &[T],
    grad_output: &[T],
    grad_input: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            assert!(input.len() == batch * windows.input_len() && grad_output.len() == batch * windows.output_len());
            assert!(grad_input.len() == input.len());
            grad_input.fill(T::ZERO);
            let (input, grad_output, grad_input) = (input.as_ptr(), grad_output.as_ptr(), grad_input.as_mut_ptr());
            each_window(
                windows,
                batch,
                #[inline(always)]
                |sample, at, taps| {
                    blocks::<T, S>(
                        windows.channels,
                        #[inline(always)]
                        |channel, count| {
                            let zero = T::Vector::<S>::splat(simd, T::ZERO);
                            let mut sum = zero;
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`.
                                    let x = unsafe { read::<T, S>(simd, input.add(sample + tap + channel), count) };
                                    sum = sum + power::<T, S>(simd, x.abs(), p);
                                },
                            );
                            let norm = power::<T, S>(simd, sum, 1.0 / p);
                            // SAFETY: as in `max`, where the same location is written.
                            let gradient = unsafe { read::<T, S>(simd, grad_output.add(at + channel), count) };
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`; the gradient is as long as the input.
                                    unsafe {
                                        let x = read::<T, S>(simd, input.add(sample + tap + channel), count);
                                        let part = power::<T, S>(simd, x.abs() / norm, p - 1.0).copysign(x) * gradient;
                                        let part = T::Vector::<S>::select(x.eq(zero), zero, part);
                                        let to = grad_input.add(sample + tap + channel);
                                        write::<T, S>(part + read::<T, S>(simd, to, count), to, count);
                                    }
                                },
                            );
                        },
                    );
                },
            );
        },
    )
}
