//! Windows that slide over channels-last pixels: the maximum, the average, and their derivatives.
//!
//! The channels of a pixel are consecutive, so the maximum of a window is the maximum of a few registers, and lanes are
//! not combined, unless there is a single channel. One-dimensional pools are two-dimensional ones of height 1.

use super::blocks::{blocks, larger, read, write};
use super::reduce;
use super::window::Windows;
use crate::scalar::{Scalar, Vector};
use crate::simd::{Simd, share};

mod norm;

pub use norm::{norm, norm_backward};

impl Windows {
    const fn extent(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// The taps `from..to` of window `at` that lie inside the input.
    #[inline(always)]
    const fn taps(&self, axis: usize, at: usize) -> (usize, usize) {
        if self.adaptive {
            let end = ((at + 1) * self.input[axis]).div_ceil(self.output[axis]);
            return (0, end - self.origin(axis, at));
        }
        self.axis(axis).taps(at)
    }

    /// Where window `at` begins, without padding.
    #[inline(always)]
    const fn origin(&self, axis: usize, at: usize) -> usize {
        if self.adaptive { at * self.input[axis] / self.output[axis] } else { at * self.stride[axis] }
    }

    /// Whether window `at` lies entirely inside the input.
    #[inline(always)]
    const fn is_whole(&self, axis: usize, at: usize) -> bool {
        let origin = at * self.stride[axis];
        !self.adaptive
            && origin >= self.before[axis]
            && origin + self.extent(axis) <= self.input[axis] + self.before[axis]
    }

    /// Whether all windows lie inside the input.
    const fn are_whole(&self) -> bool {
        self.is_whole(0, 0)
            && self.is_whole(1, 0)
            && self.is_whole(0, self.output[0] - 1)
            && self.is_whole(1, self.output[1] - 1)
    }

    /// Whether no input lies in two windows.
    const fn are_disjoint(&self) -> bool {
        !self.adaptive
            && (self.output[0] == 1 || self.stride[0] >= self.extent(0))
            && (self.output[1] == 1 || self.stride[1] >= self.extent(1))
    }

    /// Whether the windows tile the input: every input lies in exactly one.
    const fn tile(&self) -> bool {
        let mut axis = 0;
        while axis < 2 {
            let dense = self.kernel[axis] == self.extent(axis) && self.before[axis] == 0;
            let gapless = self.output[axis] == 1 || self.stride[axis] == self.kernel[axis];
            if self.adaptive || !dense || !gapless || self.output[axis] * self.kernel[axis] != self.input[axis] {
                return false;
            }
            axis += 1;
        }
        true
    }

    /// Whether there is one window, the whole input.
    const fn is_global(&self) -> bool {
        self.tile() && self.output[0] == 1 && self.output[1] == 1
    }

    const fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    const fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }
}

/// The taps of one window that lie inside the input, as offsets into one sample.
#[derive(Clone, Copy)]
struct Taps {
    rows: (usize, usize),
    columns: (usize, usize),
    /// Where the window would begin without padding, in pixels.
    origin: [usize; 2],
}

impl Taps {
    #[inline(always)]
    const fn count(&self) -> usize {
        (self.rows.1 - self.rows.0) * (self.columns.1 - self.columns.0)
    }

    /// Calls `f` with the offset of every tap's first channel, in row-major order.
    #[inline(always)]
    fn each(&self, windows: &Windows, mut f: impl FnMut(usize)) {
        let mut row = self.rows.0;
        while row < self.rows.1 {
            let y = self.origin[0] + row * windows.dilation[0] - windows.before[0];
            let mut column = self.columns.0;
            while column < self.columns.1 {
                let x = self.origin[1] + column * windows.dilation[1] - windows.before[1];
                f((y * windows.input[1] + x) * windows.channels);
                column += 1;
            }
            row += 1;
        }
    }
}

/// Calls `f(input, output, taps)` for every window of the batch: the offset of its sample in the
/// input, its offset in the output, and its taps.
#[inline(always)]
fn each_window(windows: &Windows, batch: usize, f: impl Fn(usize, usize, Taps)) {
    let mut sample = 0;
    let mut output = 0;
    while sample < batch {
        let input = sample * windows.input_len();
        let mut row = 0;
        while row < windows.output[0] {
            let mut column = 0;
            while column < windows.output[1] {
                let origin = [windows.origin(0, row), windows.origin(1, column)];
                // Whole windows have constant bounds, so that the loop over taps unrolls.
                if windows.are_whole() || (windows.is_whole(0, row) && windows.is_whole(1, column)) {
                    f(input, output, Taps { rows: (0, windows.kernel[0]), columns: (0, windows.kernel[1]), origin });
                } else {
                    f(input, output, Taps { rows: windows.taps(0, row), columns: windows.taps(1, column), origin });
                }
                output += windows.channels;
                column += 1;
            }
            row += 1;
        }
        sample += 1;
    }
}

#[inline(always)]
fn lowest<T: Scalar, S: Simd>(simd: S) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, T::from_f64(f64::NEG_INFINITY))
}

/// By what the sum of a window is divided.
#[derive(Clone, Copy)]
pub enum Divisor {
    /// How many inputs it holds.
    Inputs,
    /// How many taps it has, including those on padding.
    Taps,
    /// By nothing.
    One,
}

/// The factor that is one divided by the divisor.
#[inline(always)]
fn reciprocal<T: Scalar>(windows: &Windows, divisor: Divisor, inputs: usize) -> T {
    T::from_f64(match divisor {
        Divisor::Inputs => 1.0 / inputs as f64,
        Divisor::Taps => 1.0 / (windows.kernel[0] * windows.kernel[1]) as f64,
        Divisor::One => 1.0,
    })
}

/// The maximum of every window; NaN if the window contains one.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn max<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, input: &[T], output: &mut [T]) {
    share(
        simd,
        #[inline(always)]
        || {
            if windows.is_global() {
                return fold::<T, S>(
                    simd,
                    windows,
                    batch,
                    input,
                    output,
                    lowest::<T, S>(simd),
                    #[inline(always)]
                    |a, b| larger::<T, S>(a, b),
                    #[inline(always)]
                    |maximum| maximum,
                );
            }
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
                            let mut maximum = lowest::<T, S>(simd);
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: a tap lies inside its sample, and `channel + count` is at
                                    // most the number of channels.
                                    let x = unsafe { read::<T, S>(simd, input.add(sample + tap + channel), count) };
                                    maximum = larger::<T, S>(maximum, x);
                                },
                            );
                            // SAFETY: likewise for the pixel `at` of the output.
                            unsafe { write::<T, S>(maximum, output.add(at + channel), count) };
                        },
                    );
                },
            );
        },
    )
}

/// Sends the gradient of every maximum to the first input that attains it, in row-major order.
///
/// The maxima are found again instead of being saved: the taps have to be read in any case.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn max_backward<T: Scalar, S: Simd>(
    simd: S,
    windows: &Windows,
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
            if !windows.tile() {
                grad_input.fill(T::ZERO);
            }
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
                            let mut maximum = lowest::<T, S>(simd);
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`.
                                    let x = unsafe { read::<T, S>(simd, input.add(sample + tap + channel), count) };
                                    maximum = maximum.max(x);
                                },
                            );
                            // SAFETY: as in `max`, where the same location is written.
                            let mut rest = unsafe { read::<T, S>(simd, grad_output.add(at + channel), count) };
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`; the gradient is as long as the input.
                                    unsafe {
                                        let x = read::<T, S>(simd, input.add(sample + tap + channel), count);
                                        let to = grad_input.add(sample + tap + channel);
                                        let hit = x.eq(maximum);
                                        let mut part = T::Vector::<S>::select(hit, rest, zero);
                                        // Only the first match gets it.
                                        rest = T::Vector::<S>::select(hit, zero, rest);
                                        if !windows.are_disjoint() {
                                            part = part + read::<T, S>(simd, to, count);
                                        }
                                        write::<T, S>(part, to, count);
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

/// The sum of every window over the inputs in it, divided.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn average<T: Scalar, S: Simd>(
    simd: S,
    windows: &Windows,
    divisor: Divisor,
    batch: usize,
    input: &[T],
    output: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let share = reciprocal(windows, divisor, windows.input[0] * windows.input[1]);
            if windows.is_global() && windows.channels == 1 {
                for (x, y) in input.chunks_exact(windows.input_len()).zip(output) {
                    *y = reduce::sum(simd, x) * share;
                }
                return;
            }
            let share = T::Vector::<S>::splat(simd, share);
            if windows.is_global() {
                return fold::<T, S>(
                    simd,
                    windows,
                    batch,
                    input,
                    output,
                    T::Vector::<S>::splat(simd, T::ZERO),
                    #[inline(always)]
                    |a, b| a + b,
                    #[inline(always)]
                    |sum| sum * share,
                );
            }
            assert!(input.len() == batch * windows.input_len() && output.len() == batch * windows.output_len());
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            each_window(
                windows,
                batch,
                #[inline(always)]
                |sample, at, taps| {
                    let scale = T::Vector::<S>::splat(simd, reciprocal(windows, divisor, taps.count()));
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
                                    sum = sum + unsafe { read::<T, S>(simd, input.add(sample + tap + channel), count) };
                                },
                            );
                            // SAFETY: as in `max`.
                            unsafe { write::<T, S>(sum * scale, output.add(at + channel), count) };
                        },
                    );
                },
            );
        },
    )
}

/// Spreads the gradient of every average over the inputs of its window.
///
/// # Panics
/// If a slice is not `batch` samples long.
#[inline(always)]
pub fn average_backward<T: Scalar, S: Simd>(
    simd: S,
    windows: &Windows,
    divisor: Divisor,
    batch: usize,
    grad_output: &[T],
    grad_input: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            assert!(
                grad_input.len() == batch * windows.input_len() && grad_output.len() == batch * windows.output_len()
            );
            if windows.is_global() && windows.channels == 1 {
                let share: T = reciprocal(windows, divisor, windows.input_len());
                for (to, gradient) in grad_input.chunks_exact_mut(windows.input_len()).zip(grad_output) {
                    to.fill(*gradient * share);
                }
                return;
            }
            if !windows.tile() {
                grad_input.fill(T::ZERO);
            }
            let (grad_output, grad_input) = (grad_output.as_ptr(), grad_input.as_mut_ptr());
            each_window(
                windows,
                batch,
                #[inline(always)]
                |sample, at, taps| {
                    let scale = T::Vector::<S>::splat(simd, reciprocal(windows, divisor, taps.count()));
                    blocks::<T, S>(
                        windows.channels,
                        #[inline(always)]
                        |channel, count| {
                            // SAFETY: as in `max`.
                            let part = scale * unsafe { read::<T, S>(simd, grad_output.add(at + channel), count) };
                            taps.each(
                                windows,
                                #[inline(always)]
                                |tap| {
                                    // SAFETY: as in `max`; the gradient is as long as the input.
                                    unsafe {
                                        let to = grad_input.add(sample + tap + channel);
                                        if windows.are_disjoint() {
                                            write::<T, S>(part, to, count);
                                        } else {
                                            write::<T, S>(part + read::<T, S>(simd, to, count), to, count);
                                        }
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

/// Folds all pixels of every sample into one, several at a time so that no addition waits for the previous one.
#[inline(always)]
fn fold<T: Scalar, S: Simd>(
    simd: S,
    windows: &Windows,
    batch: usize,
    input: &[T],
    output: &mut [T],
    start: T::Vector<S>,
    join: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
    finish: impl Fn(T::Vector<S>) -> T::Vector<S>,
) {
    let (channels, pixels) = (windows.channels, windows.input[0] * windows.input[1]);
    assert!(output.len() == batch * channels && input.len() == batch * pixels * channels);
    let (input, output) = (input.as_ptr(), output.as_mut_ptr());
    let mut sample = 0;
    while sample < batch {
        blocks::<T, S>(
            channels,
            #[inline(always)]
            |channel, count| {
                let (mut a, mut b, mut c, mut d) = (start, start, start, start);
                // SAFETY: `index` below is less than `pixels`, `sample` less than `batch`, and
                // `channel + count` at most `channels`.
                unsafe {
                    let mut from = input.add(sample * pixels * channels + channel);
                    let mut index = 0;
                    while index + 4 <= pixels {
                        a = join(a, read::<T, S>(simd, from, count));
                        b = join(b, read::<T, S>(simd, from.add(channels), count));
                        c = join(c, read::<T, S>(simd, from.add(2 * channels), count));
                        d = join(d, read::<T, S>(simd, from.add(3 * channels), count));
                        from = from.wrapping_add(4 * channels);
                        index += 4;
                    }
                    while index < pixels {
                        a = join(a, read::<T, S>(simd, from, count));
                        from = from.wrapping_add(channels);
                        index += 1;
                    }
                }
                let all = finish(join(join(a, b), join(c, d)));
                // SAFETY: `channel + count <= channels`, and `sample < batch`.
                unsafe { write::<T, S>(all, output.add(sample * channels + channel), count) };
            },
        );
        sample += 1;
    }
}
