//! Statistics of every row over its channels: layer and RMS norms.

use super::sums::{count_of, first, inverse_deviation, row_sums, splat};
use crate::kernels::blocks::{blocks, read, write};
use crate::scalar::{Real, Scalar, Vector, lanes};
use crate::simd::{Simd, share};

/// Normalizes every row: `y = (x − mean) · r · weight + bias` with `r = 1 / √(variance + ε)` over the row; or, unless
/// `CENTER`, `y = x · r · weight` with `r = 1 / √(mean(x²) + ε)`, without biases and means. The mean and `r` of every
/// row are written to `saved`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
#[inline(always)]
pub fn row_forward<T: Real, S: Simd, const CENTER: bool>(
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
                // SAFETY: `row < rows`, blocks end at `channels`, the tensors are `rows · channels` long, and where
                // they are used, the biases are `channels` and the means `rows` long.
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

/// `x − center`, or `x` if there is no mean.
#[inline(always)]
fn from_center<T: Scalar, S: Simd, const CENTER: bool>(x: T::Vector<S>, center: T::Vector<S>) -> T::Vector<S> {
    if CENTER { x - center } else { x }
}

/// The derivative of [`row_forward`], given its means and `r`.
///
/// With `x̂ = (x − mean) · r`, `g = ∂y · weight` and means over the row,
/// `∂x = r · (g − mean(g) − x̂ · mean(g · x̂))`, `∂weight += Σ ∂y · x̂`, `∂bias += Σ ∂y`. Unless `CENTER`,
/// `x̂ = x · r` and `∂x = r · (g − x̂ · mean(g · x̂))`.
///
/// # Panics
/// If the slices do not fit each other; with constant sizes the check is optimized out.
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
            // The sums for the last, partial register of the parameters' gradients: a load right after a masked store
            // of the same numbers would have to wait for it.
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
                    // The parameters' gradients are computed here, too, because the row is being read anyway.
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
