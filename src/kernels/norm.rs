//! Means, variances and what normalises with them.
//!
//! The last axis is the channels; everything before it, samples included, is `rows`. Batch and
//! group norms keep statistics of columns, a register of channels at a time; layer and RMS norms
//! keep statistics of rows. Variances take a second pass over the deviations from the mean: one
//! pass over the squares would cancel.

use super::pool::{blocks, read, write};
use crate::layer::lanes;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector, share};

/// How many rows are added up before the sum is added to the total. Rounding errors then grow
/// with `CHUNK + rows / CHUNK` instead of `rows`.
const CHUNK: usize = 64;

#[inline(always)]
fn splat<T: Scalar, S: Simd>(simd: S, value: T) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, value)
}

#[inline(always)]
fn add<T: Scalar, S: Simd, const N: usize>(mut a: [T::Vector<S>; N], b: [T::Vector<S>; N]) -> [T::Vector<S>; N] {
    let mut index = 0;
    while index < N {
        a[index] = a[index] + b[index];
        index += 1;
    }
    a
}

/// A count as a number. Sums are divided by it, not multiplied by its reciprocal, so that the mean
/// of equal numbers is that number.
#[inline(always)]
fn count_of<T: Scalar>(n: usize) -> T {
    T::from_f64(n as f64)
}

/// `1 / √(variance + ε)`.
#[inline(always)]
fn inverse_deviation<T: Scalar, S: Simd>(simd: S, variance: T::Vector<S>, epsilon: T) -> T::Vector<S> {
    splat::<T, S>(simd, T::ONE) / (variance + splat::<T, S>(simd, epsilon)).sqrt()
}

/// `N` sums over `rows` rows: `f(row, sums)` adds the summands of a row. Four sums run at once, so
/// that no addition waits for the one before.
#[inline(always)]
fn column_sums<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    rows: usize,
    f: impl Fn(usize, [T::Vector<S>; N]) -> [T::Vector<S>; N],
) -> [T::Vector<S>; N] {
    let zeros = [splat::<T, S>(simd, T::ZERO); N];
    let mut total = zeros;
    let mut row = 0;
    while row < rows {
        let end = if rows - row < CHUNK { rows } else { row + CHUNK };
        let (mut a, mut b, mut c, mut d) = (zeros, zeros, zeros, zeros);
        while row + 4 <= end {
            a = f(row, a);
            b = f(row + 1, b);
            c = f(row + 2, c);
            d = f(row + 3, d);
            row += 4;
        }
        while row < end {
            a = f(row, a);
            row += 1;
        }
        let sum = add::<T, S, N>(add::<T, S, N>(a, b), add::<T, S, N>(c, d));
        total = add::<T, S, N>(total, sum);
    }
    total
}

/// `N` sums over `len` consecutive numbers: `f(offset, count, sums)` adds the summands of the
/// `count` numbers at `offset`.
#[inline(always)]
fn row_sums<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    len: usize,
    mut f: impl FnMut(usize, usize, [T::Vector<S>; N]) -> [T::Vector<S>; N],
) -> [T; N] {
    let lanes = lanes::<S, T>();
    let zeros = [splat::<T, S>(simd, T::ZERO); N];
    let (mut a, mut b, mut c, mut d) = (zeros, zeros, zeros, zeros);
    let mut offset = 0;
    while offset + 4 * lanes <= len {
        a = f(offset, lanes, a);
        b = f(offset + lanes, lanes, b);
        c = f(offset + 2 * lanes, lanes, c);
        d = f(offset + 3 * lanes, lanes, d);
        offset += 4 * lanes;
    }
    while offset + lanes <= len {
        a = f(offset, lanes, a);
        offset += lanes;
    }
    if offset < len {
        b = f(offset, len - offset, b);
    }
    let sums = add::<T, S, N>(add::<T, S, N>(a, b), add::<T, S, N>(c, d));
    let mut reduced = [T::ZERO; N];
    let mut index = 0;
    while index < N {
        reduced[index] = sums[index].reduce_sum();
        index += 1;
    }
    reduced
}

/// 1 in the first `count` lanes and 0 in the others.
#[inline(always)]
fn first<T: Scalar, S: Simd>(simd: S, count: usize) -> T::Vector<S> {
    const MOST: usize = 64;
    const { assert!(lanes::<S, T>() <= MOST) };
    let ones = [T::ONE; MOST];
    // SAFETY: callers pass at most `LANES` numbers, which is at most `MOST`; `min` proves it.
    unsafe { T::Vector::<S>::load_partial(simd, ones.as_ptr(), count.min(lanes::<S, T>())) }
}

/// `y = x · scale + shift`, channel by channel, with `scale = weight / √(variance + ε)` and
/// `shift = bias − mean · scale`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn batch_evaluate<T: Scalar, S: Simd>(
    simd: S,
    input: &[T],
    output: &mut [T],
    weight: &[T],
    bias: &[T],
    mean: &[T],
    variance: &[T],
    epsilon: T,
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && bias.len() == channels && mean.len() == channels && variance.len() == channels);
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && output.len() == rows * channels);
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            let (weight, bias, mean, variance) = (weight.as_ptr(), bias.as_ptr(), mean.as_ptr(), variance.as_ptr());
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: `channel + count <= channels`, which all four are long; rows are below
                    // `rows`, and both tensors are `rows · channels` long.
                    unsafe {
                        let variance = read::<T, S>(simd, variance.add(channel), count);
                        let scale = read::<T, S>(simd, weight.add(channel), count)
                            * inverse_deviation::<T, S>(simd, variance, epsilon);
                        let mean = read::<T, S>(simd, mean.add(channel), count);
                        let shift = read::<T, S>(simd, bias.add(channel), count) - mean * scale;
                        let mut row = 0;
                        while row < rows {
                            let at = row * channels + channel;
                            let x = read::<T, S>(simd, input.add(at), count);
                            write::<T, S>(x.mul_add(scale, shift), output.add(at), count);
                            row += 1;
                        }
                    }
                },
            );
        },
    )
}

/// Mean and biased variance of every channel, and `y = (x − mean) / √(variance + ε) · weight + bias`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn batch_forward<T: Scalar, S: Simd>(
    simd: S,
    input: &[T],
    output: &mut [T],
    weight: &[T],
    bias: &[T],
    epsilon: T,
    mean: &mut [T],
    variance: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && bias.len() == channels && mean.len() == channels && variance.len() == channels);
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && output.len() == rows * channels);
            let (input, output, weight, bias) = (input.as_ptr(), output.as_mut_ptr(), weight.as_ptr(), bias.as_ptr());
            let (mean, variance) = (mean.as_mut_ptr(), variance.as_mut_ptr());
            let size = splat::<T, S>(simd, count_of(rows));
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: `channel + count <= channels`, which all four are long; rows are below
                    // `rows`, and both tensors are `rows · channels` long.
                    unsafe {
                        let from = input.add(channel);
                        let [sum] = column_sums::<T, S, 1>(
                            simd,
                            rows,
                            #[inline(always)]
                            |row, [sum]| [sum + read::<T, S>(simd, from.add(row * channels), count)],
                        );
                        let center = sum / size;
                        write::<T, S>(center, mean.add(channel), count);
                        let [sum] = column_sums::<T, S, 1>(
                            simd,
                            rows,
                            #[inline(always)]
                            |row, [sum]| {
                                let deviation = read::<T, S>(simd, from.add(row * channels), count) - center;
                                [deviation.mul_add(deviation, sum)]
                            },
                        );
                        let spread = sum / size;
                        write::<T, S>(spread, variance.add(channel), count);
                        let scale = read::<T, S>(simd, weight.add(channel), count)
                            * inverse_deviation::<T, S>(simd, spread, epsilon);
                        let bias = read::<T, S>(simd, bias.add(channel), count);
                        let mut row = 0;
                        while row < rows {
                            let at = row * channels + channel;
                            let deviation = read::<T, S>(simd, input.add(at), count) - center;
                            write::<T, S>(deviation.mul_add(scale, bias), output.add(at), count);
                            row += 1;
                        }
                    }
                },
            );
        },
    )
}

/// The derivative of [`batch_forward`], whose mean and variance it takes.
///
/// With `x̂ = (x − mean) · r`, `r = 1 / √(variance + ε)` and means over the rows,
/// `∂x = weight · r · (∂y − mean(∂y) − x̂ · mean(∂y · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn batch_backward<T: Scalar, S: Simd>(
    simd: S,
    input: &[T],
    grad_output: &[T],
    grad_input: Option<&mut [T]>,
    weight: &[T],
    epsilon: T,
    mean: &[T],
    variance: &[T],
    grad_weight: &mut [T],
    grad_bias: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && mean.len() == channels && variance.len() == channels);
            assert!(grad_weight.len() == channels && grad_bias.len() == channels);
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && grad_output.len() == rows * channels);
            let grad_input = grad_input.map(|gradient| {
                assert!(gradient.len() == rows * channels);
                gradient.as_mut_ptr()
            });
            let (input, grad_output, weight) = (input.as_ptr(), grad_output.as_ptr(), weight.as_ptr());
            let (mean, variance) = (mean.as_ptr(), variance.as_ptr());
            let (grad_weight, grad_bias) = (grad_weight.as_mut_ptr(), grad_bias.as_mut_ptr());
            let size = splat::<T, S>(simd, count_of(rows));
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: `channel + count <= channels`, which all five are long; rows are below
                    // `rows`, and all tensors are `rows · channels` long.
                    unsafe {
                        let center = read::<T, S>(simd, mean.add(channel), count);
                        let spread = read::<T, S>(simd, variance.add(channel), count);
                        let inverse = inverse_deviation::<T, S>(simd, spread, epsilon);
                        let [sum, product] = column_sums::<T, S, 2>(
                            simd,
                            rows,
                            #[inline(always)]
                            |row, [sum, product]| {
                                let at = row * channels + channel;
                                let dy = read::<T, S>(simd, grad_output.add(at), count);
                                let deviation = read::<T, S>(simd, input.add(at), count) - center;
                                [sum + dy, dy.mul_add(deviation, product)]
                            },
                        );
                        let product = product * inverse;
                        let to = grad_bias.add(channel);
                        write::<T, S>(read::<T, S>(simd, to, count) + sum, to, count);
                        let to = grad_weight.add(channel);
                        write::<T, S>(read::<T, S>(simd, to, count) + product, to, count);

                        let Some(grad_input) = grad_input else { return };
                        let scale = read::<T, S>(simd, weight.add(channel), count) * inverse;
                        let offset = -(scale * (sum / size));
                        let slope = -(scale * inverse * (product / size));
                        let mut row = 0;
                        while row < rows {
                            let at = row * channels + channel;
                            let dy = read::<T, S>(simd, grad_output.add(at), count);
                            let deviation = read::<T, S>(simd, input.add(at), count) - center;
                            let dx = dy.mul_add(scale, deviation.mul_add(slope, offset));
                            write::<T, S>(dx, grad_input.add(at), count);
                            row += 1;
                        }
                    }
                },
            );
        },
    )
}

/// Normalises every row: `y = (x − mean) · r · weight + bias` with `r = 1 / √(variance + ε)` over
/// the row; or, unless `CENTER`, `y = x · r · weight` with `r = 1 / √(mean(x²) + ε)`, and then there
/// are no biases and no means. `saved` gets mean and `r` of every row.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn row_forward<T: Scalar, S: Simd, const CENTER: bool>(
    simd: S,
    input: &[T],
    output: &mut [T],
    weight: &[T],
    bias: &[T],
    epsilon: T,
    saved: Option<[&mut [T]; 2]>,
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && bias.len() == if CENTER { channels } else { 0 });
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && output.len() == rows * channels);
            let (input, output, weight, bias) = (input.as_ptr(), output.as_mut_ptr(), weight.as_ptr(), bias.as_ptr());
            let size = count_of::<T>(channels);
            let saved = saved.map(|[mean, inverse]| {
                assert!(mean.len() == if CENTER { rows } else { 0 } && inverse.len() == rows);
                (mean.as_mut_ptr(), inverse.as_mut_ptr())
            });
            // Deviations from the mean must not count in the lanes beyond the last channel.
            let tail = first::<T, S>(simd, channels % lanes::<S, T>());
            let mut row = 0;
            while row < rows {
                // SAFETY: `row < rows`, blocks end at `channels`, the tensors are `rows · channels` long, and
                // so long as they are used the biases `channels` and the means `rows`.
                unsafe {
                    let (from, to) = (input.add(row * channels), output.add(row * channels));
                    let mean = if CENTER {
                        let [sum] = row_sums::<T, S, 1>(
                            simd,
                            channels,
                            #[inline(always)]
                            |at, count, [sum]| [sum + read::<T, S>(simd, from.add(at), count)],
                        );
                        sum / size
                    } else {
                        T::ZERO
                    };
                    let center = splat::<T, S>(simd, mean);
                    let tail_center = center * tail;
                    let [sum] = row_sums::<T, S, 1>(
                        simd,
                        channels,
                        #[inline(always)]
                        |at, count, [sum]| {
                            let center = if count == lanes::<S, T>() { center } else { tail_center };
                            let deviation =
                                from_center::<T, S, CENTER>(read::<T, S>(simd, from.add(at), count), center);
                            [deviation.mul_add(deviation, sum)]
                        },
                    );
                    let inverse = inverse_deviation::<T, S>(simd, splat::<T, S>(simd, sum / size), epsilon);
                    if let Some((means, inverses)) = saved {
                        if CENTER {
                            *means.add(row) = mean;
                        }
                        *inverses.add(row) = inverse.lane(0);
                    }
                    blocks::<T, S>(
                        channels,
                        #[inline(always)]
                        |at, count| {
                            let x = read::<T, S>(simd, from.add(at), count);
                            let normal = from_center::<T, S, CENTER>(x, center) * inverse;
                            let weight = read::<T, S>(simd, weight.add(at), count);
                            let y = if CENTER {
                                normal.mul_add(weight, read::<T, S>(simd, bias.add(at), count))
                            } else {
                                normal * weight
                            };
                            write::<T, S>(y, to.add(at), count);
                        },
                    );
                }
                row += 1;
            }
        },
    )
}

/// `x − center`, or `x` where there is no mean.
#[inline(always)]
fn from_center<T: Scalar, S: Simd, const CENTER: bool>(x: T::Vector<S>, center: T::Vector<S>) -> T::Vector<S> {
    if CENTER { x - center } else { x }
}

/// The derivative of [`row_forward`], whose means and `r` it takes.
///
/// With `x̂ = (x − mean) · r`, `g = ∂y · weight` and means over the row,
/// `∂x = r · (g − mean(g) − x̂ · mean(g · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`. Unless `CENTER`,
/// `x̂ = x · r` and `∂x = r · (g − x̂ · mean(g · x̂))`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn row_backward<T: Scalar, S: Simd, const CENTER: bool>(
    simd: S,
    input: &[T],
    grad_output: &[T],
    grad_input: Option<&mut [T]>,
    weight: &[T],
    mean: &[T],
    inverse: &[T],
    grad_weight: &mut [T],
    grad_bias: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && grad_weight.len() == channels);
            assert!(grad_bias.len() == if CENTER { channels } else { 0 });
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && grad_output.len() == rows * channels);
            assert!(mean.len() == if CENTER { rows } else { 0 } && inverse.len() == rows);
            let grad_input = grad_input.map(|gradient| {
                assert!(gradient.len() == rows * channels);
                gradient.as_mut_ptr()
            });
            let (input, grad_output, weight) = (input.as_ptr(), grad_output.as_ptr(), weight.as_ptr());
            let (mean, inverse) = (mean.as_ptr(), inverse.as_ptr());
            let (grad_weight, grad_bias) = (grad_weight.as_mut_ptr(), grad_bias.as_mut_ptr());
            let size = count_of::<T>(channels);
            // What the last, short register of the parameters' gradients gets: a load right after a masked
            // store of the same numbers would have to wait for it.
            let mut tail_weight = splat::<T, S>(simd, T::ZERO);
            let mut tail_bias = tail_weight;
            let mut row = 0;
            while row < rows {
                // SAFETY: `row < rows`, blocks end at `channels`, the tensors are `rows · channels` long,
                // the parameters `channels`, the statistics `rows`; without `CENTER` biases and means are
                // not used.
                unsafe {
                    let (x, dy) = (input.add(row * channels), grad_output.add(row * channels));
                    let center = splat::<T, S>(simd, if CENTER { *mean.add(row) } else { T::ZERO });
                    let inverse = splat::<T, S>(simd, *inverse.add(row));
                    // The parameters' gradients are taken along, because the row is being read anyway.
                    let [sum, product] = row_sums::<T, S, 2>(
                        simd,
                        channels,
                        #[inline(always)]
                        |at, count, [sum, product]| {
                            let x = read::<T, S>(simd, x.add(at), count);
                            let normal = from_center::<T, S, CENTER>(x, center) * inverse;
                            let dy = read::<T, S>(simd, dy.add(at), count);
                            if count == lanes::<S, T>() {
                                if CENTER {
                                    let to = grad_bias.add(at);
                                    (T::Vector::<S>::load(simd, to) + dy).store(to);
                                }
                                let to = grad_weight.add(at);
                                dy.mul_add(normal, T::Vector::<S>::load(simd, to)).store(to);
                            } else {
                                tail_bias = tail_bias + dy;
                                tail_weight = dy.mul_add(normal, tail_weight);
                            }
                            // Lanes beyond the last channel are 0 in `dy`.
                            let g = dy * read::<T, S>(simd, weight.add(at), count);
                            [if CENTER { sum + g } else { sum }, g.mul_add(normal, product)]
                        },
                    );
                    if let Some(grad_input) = grad_input {
                        let to = grad_input.add(row * channels);
                        let offset = -(inverse * splat::<T, S>(simd, sum / size));
                        let slope = -(inverse * inverse * splat::<T, S>(simd, product / size));
                        blocks::<T, S>(
                            channels,
                            #[inline(always)]
                            |at, count| {
                                let x = read::<T, S>(simd, x.add(at), count);
                                let g =
                                    read::<T, S>(simd, dy.add(at), count) * read::<T, S>(simd, weight.add(at), count);
                                let rest = if CENTER { (x - center).mul_add(slope, offset) } else { x * slope };
                                write::<T, S>(g.mul_add(inverse, rest), to.add(at), count);
                            },
                        );
                    }
                }
                row += 1;
            }
            let count = channels % lanes::<S, T>();
            if count > 0 {
                // SAFETY: the `count` numbers before the end of the parameters.
                unsafe {
                    if CENTER {
                        let to = grad_bias.add(channels - count);
                        write::<T, S>(read::<T, S>(simd, to, count) + tail_bias, to, count);
                    }
                    let to = grad_weight.add(channels - count);
                    write::<T, S>(read::<T, S>(simd, to, count) + tail_weight, to, count);
                }
            }
        },
    )
}

/// Replaces every group of `len / groups` numbers by copies of `f` of their sum.
///
/// # Safety
/// `values` must be valid for reading and writing `len` numbers, and `groups` must divide `len`.
#[inline(always)]
unsafe fn share_in_groups<T: Scalar, S: Simd>(
    simd: S,
    values: *mut T,
    len: usize,
    groups: usize,
    f: impl Fn(T::Vector<S>) -> T::Vector<S>,
) {
    let size = len / groups;
    let mut group = 0;
    while group < groups {
        // SAFETY: the group lies in the `len` numbers that the caller vouches for.
        unsafe {
            let values = values.add(group * size);
            let [sum] = row_sums::<T, S, 1>(
                simd,
                size,
                #[inline(always)]
                |at, count, [sum]| [sum + read::<T, S>(simd, values.add(at), count)],
            );
            let shared = f(splat::<T, S>(simd, sum));
            blocks::<T, S>(
                size,
                #[inline(always)]
                |at, count| write::<T, S>(shared, values.add(at), count),
            );
        }
        group += 1;
    }
}

/// Normalises one sample in groups of channels: `y = (x − mean) · r · weight + bias` with
/// `r = 1 / √(variance + ε)` over the rows and the channels of a group. `mean` and `inverse` are
/// written with the statistics of the group of every channel.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn group_forward<T: Scalar, S: Simd>(
    simd: S,
    groups: usize,
    input: &[T],
    output: &mut [T],
    weight: &[T],
    bias: &[T],
    epsilon: T,
    mean: &mut [T],
    inverse: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            assert!(channels > 0 && bias.len() == channels && mean.len() == channels && inverse.len() == channels);
            assert!(groups > 0 && channels.is_multiple_of(groups));
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && output.len() == rows * channels);
            let (input, output, weight, bias) = (input.as_ptr(), output.as_mut_ptr(), weight.as_ptr(), bias.as_ptr());
            let (mean, inverse) = (mean.as_mut_ptr(), inverse.as_mut_ptr());
            let size = splat::<T, S>(simd, count_of(rows * (channels / groups)));
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    let [sum] = column_sums::<T, S, 1>(
                        simd,
                        rows,
                        #[inline(always)]
                        // SAFETY: `channel + count <= channels`, and rows are below `rows`.
                        |row, [sum]| [sum + unsafe { read::<T, S>(simd, input.add(row * channels + channel), count) }],
                    );
                    // SAFETY: `channel + count <= channels`.
                    unsafe { write::<T, S>(sum, mean.add(channel), count) };
                },
            );
            // SAFETY: there are `channels` means, which `groups` divides.
            unsafe {
                share_in_groups::<T, S>(
                    simd,
                    mean,
                    channels,
                    groups,
                    #[inline(always)]
                    |sum| sum / size,
                );
            }
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: as above.
                    unsafe {
                        let center = read::<T, S>(simd, mean.add(channel), count);
                        let [sum] = column_sums::<T, S, 1>(
                            simd,
                            rows,
                            #[inline(always)]
                            |row, [sum]| {
                                let deviation = read::<T, S>(simd, input.add(row * channels + channel), count) - center;
                                [deviation.mul_add(deviation, sum)]
                            },
                        );
                        write::<T, S>(sum, inverse.add(channel), count);
                    }
                },
            );
            // SAFETY: as for the means.
            unsafe {
                share_in_groups::<T, S>(
                    simd,
                    inverse,
                    channels,
                    groups,
                    #[inline(always)]
                    |sum| inverse_deviation::<T, S>(simd, sum / size, epsilon),
                );
            }
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: as above.
                    unsafe {
                        let center = read::<T, S>(simd, mean.add(channel), count);
                        let scale = read::<T, S>(simd, weight.add(channel), count)
                            * read::<T, S>(simd, inverse.add(channel), count);
                        let bias = read::<T, S>(simd, bias.add(channel), count);
                        let mut row = 0;
                        while row < rows {
                            let at = row * channels + channel;
                            let deviation = read::<T, S>(simd, input.add(at), count) - center;
                            write::<T, S>(deviation.mul_add(scale, bias), output.add(at), count);
                            row += 1;
                        }
                    }
                },
            );
        },
    )
}

/// The derivative of [`group_forward`] for one sample, whose `mean` and `inverse` it takes.
///
/// With `x̂ = (x − mean) · r`, `g = ∂y · weight` and means over the group,
/// `∂x = r · (g − mean(g) − x̂ · mean(g · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`. `scratch`
/// is overwritten.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check folds away.
#[inline(always)]
pub fn group_backward<T: Scalar, S: Simd>(
    simd: S,
    groups: usize,
    input: &[T],
    grad_output: &[T],
    grad_input: Option<&mut [T]>,
    weight: &[T],
    mean: &[T],
    inverse: &[T],
    scratch: [&mut [T]; 2],
    grad_weight: &mut [T],
    grad_bias: &mut [T],
) {
    share(
        simd,
        #[inline(always)]
        || {
            let channels = weight.len();
            let [sums, products] = scratch;
            assert!(channels > 0 && mean.len() == channels && inverse.len() == channels);
            assert!(grad_weight.len() == channels && grad_bias.len() == channels);
            assert!(sums.len() == channels && products.len() == channels);
            assert!(groups > 0 && channels.is_multiple_of(groups));
            let rows = input.len() / channels;
            assert!(input.len() == rows * channels && grad_output.len() == rows * channels);
            let grad_input = grad_input.map(|gradient| {
                assert!(gradient.len() == rows * channels);
                gradient.as_mut_ptr()
            });
            let (input, grad_output, weight) = (input.as_ptr(), grad_output.as_ptr(), weight.as_ptr());
            let (mean, inverse, sums, products) =
                (mean.as_ptr(), inverse.as_ptr(), sums.as_mut_ptr(), products.as_mut_ptr());
            let (grad_weight, grad_bias) = (grad_weight.as_mut_ptr(), grad_bias.as_mut_ptr());
            let size = splat::<T, S>(simd, count_of(rows * (channels / groups)));
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: `channel + count <= channels`, which everything but the tensors is long;
                    // rows are below `rows`.
                    unsafe {
                        let center = read::<T, S>(simd, mean.add(channel), count);
                        let [sum, product] = column_sums::<T, S, 2>(
                            simd,
                            rows,
                            #[inline(always)]
                            |row, [sum, product]| {
                                let at = row * channels + channel;
                                let dy = read::<T, S>(simd, grad_output.add(at), count);
                                let deviation = read::<T, S>(simd, input.add(at), count) - center;
                                [sum + dy, dy.mul_add(deviation, product)]
                            },
                        );
                        let product = product * read::<T, S>(simd, inverse.add(channel), count);
                        let to = grad_bias.add(channel);
                        write::<T, S>(read::<T, S>(simd, to, count) + sum, to, count);
                        let to = grad_weight.add(channel);
                        write::<T, S>(read::<T, S>(simd, to, count) + product, to, count);
                        let weight = read::<T, S>(simd, weight.add(channel), count);
                        write::<T, S>(sum * weight, sums.add(channel), count);
                        write::<T, S>(product * weight, products.add(channel), count);
                    }
                },
            );
            let Some(grad_input) = grad_input else { return };
            // SAFETY: there are `channels` numbers in both, which `groups` divides.
            unsafe {
                for values in [sums, products] {
                    share_in_groups::<T, S>(
                        simd,
                        values,
                        channels,
                        groups,
                        #[inline(always)]
                        |sum| sum / size,
                    );
                }
            }
            blocks::<T, S>(
                channels,
                #[inline(always)]
                |channel, count| {
                    // SAFETY: as above.
                    unsafe {
                        let center = read::<T, S>(simd, mean.add(channel), count);
                        let inverse = read::<T, S>(simd, inverse.add(channel), count);
                        let scale = read::<T, S>(simd, weight.add(channel), count) * inverse;
                        let offset = -(inverse * read::<T, S>(simd, sums.add(channel), count));
                        let slope = -(inverse * inverse * read::<T, S>(simd, products.add(channel), count));
                        let mut row = 0;
                        while row < rows {
                            let at = row * channels + channel;
                            let dy = read::<T, S>(simd, grad_output.add(at), count);
                            let deviation = read::<T, S>(simd, input.add(at), count) - center;
                            let dx = dy.mul_add(scale, deviation.mul_add(slope, offset));
                            write::<T, S>(dx, grad_input.add(at), count);
                            row += 1;
                        }
                    }
                },
            );
        },
    )
}
