//! Statistics of every channel over all rows, samples included.

use super::sums::{Columns, column_sums, count_of, inverse_deviation, splat};
use crate::kernels::blocks::{blocks, read, write};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, share};

/// `y = x · scale + shift`, channel by channel, with `scale = weight / √(variance + ε)` and
/// `shift = bias − mean · scale`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
#[inline(always)]
pub fn batch_evaluate<T: Real, S: Simd>(
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
/// If the slices do not fit each other; with constant sizes the check is optimized out.
#[inline(always)]
pub fn batch_forward<T: Real, S: Simd>(
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
                        let columns = Columns { rows, channels, count };
                        let spread = columns.squared_deviations::<T, S>(simd, from, center) / size;
                        write::<T, S>(spread, variance.add(channel), count);
                        let scale = read::<T, S>(simd, weight.add(channel), count)
                            * inverse_deviation::<T, S>(simd, spread, epsilon);
                        let bias = read::<T, S>(simd, bias.add(channel), count);
                        columns.normalize::<T, S>(simd, from, output.add(channel), [center, scale, bias]);
                    }
                },
            );
        },
    )
}

/// The derivative of [`batch_forward`], given its mean and variance.
///
/// With `x̂ = (x − mean) · r`, `r = 1 / √(variance + ε)` and means over the rows,
/// `∂x = weight · r · (∂y − mean(∂y) − x̂ · mean(∂y · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
#[inline(always)]
pub fn batch_backward<T: Real, S: Simd>(
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
                        let pointers = (input.add(channel), grad_output.add(channel), grad_input.add(channel));
                        Columns { rows, channels, count }.differentiate::<T, S>(
                            simd,
                            pointers,
                            [center, scale, slope, offset],
                        );
                    }
                },
            );
        },
    )
}
