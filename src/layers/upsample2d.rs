//! Upsampling of images, or any other change of their size: nearest neighbor, bilinear, bicubic.
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | `[H, W, C]` |
//! | output `y` | `[OH, OW, C]`, such as `[H·FH, W·FW, C]` |
//!
//! `y[i][j][c] = Σ w(i, k) · w(j, l) · x[k][l][c]`, where a few numbers `w` along each axis add up to 1:
//!
//! | [`Interpolation`] | `w` |
//! | --- | --- |
//! | [`Nearest`] | 1 for `k = ⌊i · H / OH⌋` |
//! | [`Linear`] | `1 − abs d` for the two nearest `k` |
//! | [`Cubic`] | Keys, *Cubic convolution interpolation for digital image processing* (1981), with a = −¾, for the four nearest `k` |
//!
//! The distance is `d = (i + ½) · H / OH − ½ − k`, and indices beyond the border are those of the border, as in PyTorch's
//! `Upsample` with `align_corners = False`.

use core::marker::PhantomData;

use crate::kernels::elementwise::{add_assign, map_to, zip};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Changes the size of an image by an [`Interpolation`] `M`.
///
/// In a network write `Upsample2d(2)`, `Upsample2d((2, 3))` or `Upsample2d(size = (7, 5))`, and `mode = nearest` (the
/// default), `bilinear` or `bicubic`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Zoom: [1, 2, 1] -> [2, 4, 1] { Upsample2d(2) } }
/// assert_eq!(Zoom::zeroed().evaluate(&[[[1.0], [2.0]]]), [[[1.0], [1.0], [2.0], [2.0]]; 2]);
///
/// network! { Smooth: [1, 2, 1] -> [1, 4, 1] { Upsample2d((1, 2), mode = bilinear) } }
/// assert_eq!(Smooth::zeroed().evaluate(&[[[1.0], [2.0]]]), [[[1.0], [1.25], [1.75], [2.0]]]);
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Upsample2d<X, Y, M = Nearest>(PhantomData<(X, Y, M)>);

/// Which numbers of the input a number of the output is computed from: [`Nearest`], [`Linear`] or [`Cubic`].
pub trait Interpolation: 'static {
    /// How many there are along an axis.
    const TAPS: usize;
    /// The first of them for `index` of `to` outputs, which may lie before the input, and how far behind its left
    /// neighbor the output lies, from 0 to below 1.
    #[inline(always)]
    fn place(index: usize, from: usize, to: usize) -> (isize, f64) {
        let (numerator, denominator) = ((2 * index + 1) as isize * from as isize - to as isize, 2 * to as isize);
        let neighbor = numerator.div_euclid(denominator);
        let offset = numerator.rem_euclid(denominator) as f64 / denominator as f64;
        (neighbor + 1 - (Self::TAPS / 2) as isize, offset)
    }
    /// The weight of one of them.
    fn weight(tap: usize, offset: f64) -> f64;
}

/// The nearest number.
#[derive(Clone, Copy, Debug)]
pub struct Nearest;

impl Interpolation for Nearest {
    const TAPS: usize = 1;
    #[inline(always)]
    fn place(index: usize, from: usize, to: usize) -> (isize, f64) {
        ((index * from / to) as isize, 0.0)
    }
    #[inline(always)]
    fn weight(_tap: usize, _offset: f64) -> f64 {
        1.0
    }
}

/// Linear interpolation between two numbers.
#[derive(Clone, Copy, Debug)]
pub struct Linear;

impl Interpolation for Linear {
    const TAPS: usize = 2;
    #[inline(always)]
    fn weight(tap: usize, offset: f64) -> f64 {
        if tap == 0 { 1.0 - offset } else { offset }
    }
}

/// Cubic interpolation between four numbers.
#[derive(Clone, Copy, Debug)]
pub struct Cubic;

impl Interpolation for Cubic {
    const TAPS: usize = 4;
    #[inline(always)]
    fn weight(tap: usize, offset: f64) -> f64 {
        const A: f64 = -0.75;
        let d = if tap < 2 { offset + 1.0 - tap as f64 } else { tap as f64 - 1.0 - offset };
        if d <= 1.0 { ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0 } else { ((d - 5.0) * d + 8.0) * d * A - 4.0 * A }
    }
}

/// The index nearest to `at` of an axis.
#[inline(always)]
fn nearest(at: isize, size: usize) -> usize {
    at.clamp(0, size as isize - 1) as usize
}

impl<X: Tensor, Y: Tensor, M: Interpolation> Upsample2d<X, Y, M> {
    /// Rows and columns of the input and of the output.
    const SIZES: [[usize; 2]; 2] = {
        let (&[h, w, c], &[oh, ow, channels]) = (X::SHAPE, Y::SHAPE) else { panic!("Upsample2d: not images") };
        assert!(X::LEN > 0 && Y::LEN > 0 && c == channels, "Upsample2d: a size is 0, or the channels differ");
        [[h, w], [oh, ow]]
    };

    /// Calls `f` for every pixel of the output, in order, with each pixel of the input that it is computed from: the
    /// offset of its channels, its weight, and whether it is the first one.
    #[inline(always)]
    fn each(mut f: impl FnMut(usize, usize, f64, bool)) {
        let [[h, w], [oh, ow]] = const { Self::SIZES };
        for i in 0..oh {
            let (row, down) = M::place(i, h, oh);
            for j in 0..ow {
                let (column, across) = M::place(j, w, ow);
                for tap_row in 0..M::TAPS {
                    for tap in 0..M::TAPS {
                        let from = nearest(row + tap_row as isize, h) * w + nearest(column + tap as isize, w);
                        let weight = M::weight(tap_row, down) * M::weight(tap, across);
                        f((i * ow + j) * Y::CHANNELS, from * X::CHANNELS, weight, tap_row + tap == 0);
                    }
                }
            }
        }
    }
}

impl<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, M: Interpolation> Layer for Upsample2d<X, Y, M> {
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = if M::TAPS == 1 { 0 } else { Y::LEN * M::TAPS * M::TAPS };
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    let (x, y) = (input[sample].numbers(), output[sample].numbers_mut());
                    Self::each(
                        #[inline(always)]
                        |at, from, weight, first| {
                            let pixels = (x.get(from..from + X::CHANNELS), y.get_mut(at..at + X::CHANNELS));
                            let (Some(x), Some(y)) = pixels else { return };
                            if const { M::TAPS == 1 } {
                                return y.copy_from_slice(x);
                            }
                            let weight = T::Vector::<S>::splat(simd, T::from_f64(weight));
                            if first {
                                map_to(
                                    simd,
                                    x,
                                    y,
                                    #[inline(always)]
                                    |x| x * weight,
                                );
                            } else {
                                zip(
                                    simd,
                                    y,
                                    x,
                                    #[inline(always)]
                                    |y, x| x.mul_add(weight, y),
                                );
                            }
                        },
                    );
                }
            },
        );
    }

    forward_evaluates!();

    /// `∂x[k][l] = Σ w(i, k) · w(j, l) · ∂y[i][j]`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                batch_slice_mut(grad_input).fill(T::ZERO);
                let samples = batch_slice_mut(grad_input).chunks_exact_mut(X::LEN);
                for (grad_x, grad_y) in samples.zip(batch_slice(grad_output).chunks_exact(Y::LEN)) {
                    Self::each(
                        #[inline(always)]
                        |at, from, weight, _| {
                            let pixels = (grad_x.get_mut(from..from + X::CHANNELS), grad_y.get(at..at + X::CHANNELS));
                            let (Some(to), Some(gradient)) = pixels else { return };
                            if const { M::TAPS == 1 } {
                                return add_assign(simd, to, gradient);
                            }
                            let weight = T::Vector::<S>::splat(simd, T::from_f64(weight));
                            zip(
                                simd,
                                to,
                                gradient,
                                #[inline(always)]
                                |to, gradient| gradient.mul_add(weight, to),
                            );
                        },
                    );
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers};
    use crate::memory::zeroed;
    use crate::testing::{check_gradients, golden};
    use std::vec;

    type Image<T, const H: usize, const W: usize, const C: usize> = [[[T; C]; W]; H];

    /// The weight of `source` for an output that lies at `center`, by the formulas.
    fn weight(taps: usize, center: f64, source: usize, size: usize) -> f64 {
        let kernel = |d: f64| match taps {
            2 => (1.0 - d).max(0.0),
            _ if d <= 1.0 => 1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0,
            _ if d < 2.0 => -0.75 * d.powi(3) + 3.75 * d.powi(2) - 6.0 * d + 3.0,
            _ => 0.0,
        };
        // What lies beyond the border is the number at the border.
        let all = -3..size as isize + 3;
        all.filter(|at| at.clamp(&0, &(size as isize - 1)) == &(source as isize))
            .map(|at| kernel((center - at as f64).abs()))
            .sum()
    }

    fn agrees<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, M: Interpolation, const B: usize>() {
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<Y, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let [[h, w], [oh, ow]] = Upsample2d::<X, Y, M>::SIZES;
        let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
        let along = |at: usize, source: usize, from: usize, to: usize| match M::TAPS {
            1 => f64::from(u8::from(at * from / to == source)),
            taps => weight(taps, (at as f64 + 0.5) * from as f64 / to as f64 - 0.5, source, from),
        };
        for at in 0..dy.len() {
            let (b, at_pixel, c) = (at / Y::LEN, at % Y::LEN / Y::CHANNELS, at % Y::CHANNELS);
            for source in 0..h * w {
                let weight = along(at_pixel / ow, source / w, h, oh) * along(at_pixel % ow, source % w, w, ow);
                let from = b * X::LEN + source * Y::CHANNELS + c;
                y[at] += weight * x[from];
                dx[from] += weight * dy[at];
            }
        }
        check::<X, Upsample2d<X, Y, M>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dx, &[]]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, Image<f32, 2, 3, 17>, Image<f32, 4, 9, 17>, Nearest, 2>();
        agrees::<f64, Image<f64, 5, 3, 2>, Image<f64, 7, 2, 2>, Nearest, 1>();
        agrees::<f64, Image<f64, 2, 3, 5>, Image<f64, 4, 9, 5>, Linear, 2>();
        agrees::<f32, Image<f32, 4, 3, 17>, Image<f32, 7, 2, 17>, Linear, 1>();
        agrees::<f64, Image<f64, 4, 3, 3>, Image<f64, 8, 6, 3>, Cubic, 2>();
        agrees::<f32, Image<f32, 5, 1, 9>, Image<f32, 7, 4, 9>, Cubic, 1>();
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<Upsample2d<Image<f64, 4, 3, 6>, Image<f64, 8, 6, 6>>, 1>("pool2d_upsample2_nearest");
        golden::check_layer::<Upsample2d<Image<f32, 4, 3, 6>, Image<f32, 8, 6, 6>>, 1>("pool2d_upsample2_nearest");
        golden::check_layer::<Upsample2d<Image<f64, 3, 4, 5>, Image<f64, 6, 8, 5>, Linear>, 1>("upsample_bilinear");
        golden::check_layer::<Upsample2d<Image<f32, 3, 4, 5>, Image<f32, 6, 8, 5>, Linear>, 1>("upsample_bilinear");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        fn gradients<X: Tensor<Element = f64>, Y: Tensor<Element = f64>, M: Interpolation>() {
            check_gradients(&mut zeroed::<Upsample2d<X, Y, M>>(), &*golden::random::<X, 2>(1), 1e-7).unwrap();
        }
        gradients::<Image<f64, 3, 2, 17>, Image<f64, 3, 6, 17>, Nearest>();
        gradients::<Image<f64, 2, 1, 1>, Image<f64, 6, 5, 1>, Nearest>();
        gradients::<Image<f64, 3, 2, 3>, Image<f64, 6, 5, 3>, Linear>();
        gradients::<Image<f64, 3, 2, 3>, Image<f64, 6, 5, 3>, Cubic>();
    }
}
