//! Statistics of groups of channels in one sample.

use super::sums::{Columns, column_sums, count_of, inverse_deviation, row_sums, splat};
use crate::kernels::blocks::{blocks, read, write};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::{Simd, share};

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
        // SAFETY: the group lies within the `len` numbers that the caller guarantees to be valid.
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

/// Normalizes one sample in groups of channels: `y = (x − mean) · r · weight + bias` with `r = 1 / √(variance + ε)`
/// over the rows and the channels of a group. For every channel, the statistics of its group are written to `mean` and
/// `inverse`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
#[inline(always)]
pub fn group_forward<T: Real, S: Simd>(
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
                        let columns = Columns { rows, channels, count };
                        let sum = columns.squared_deviations::<T, S>(simd, input.add(channel), center);
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
                        let (from, to) = (input.add(channel), output.add(channel));
                        Columns { rows, channels, count }.normalize::<T, S>(simd, from, to, [center, scale, bias]);
                    }
                },
            );
        },
    )
}

/// The derivative of [`group_forward`] for one sample, given its `mean` and `inverse`.
///
/// With `x̂ = (x − mean) · r`, `g = ∂y · weight` and means over the group,
/// `∂x = r · (g − mean(g) − x̂ · mean(g · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`. `scratch`
/// is overwritten.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
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
                    // SAFETY: `channel + count <= channels`, the length of everything but the tensors; rows are below
                    // `rows`.
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
