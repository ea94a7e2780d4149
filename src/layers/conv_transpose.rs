//! Transposed convolution: every input pixel adds a weighted kernel to the output, Zeiler and others, *Deconvolutional
//! networks* (2010).
//!
//! `y[h·SH + i·DH − TOP, w·SW + j·DW − LEFT, o] += x[h, w, c] · W[i, j, o, c]`, beginning with `y = b`, for the
//! channels `c` and `o` of a group; what falls outside the output is left out.
//!
//! | tensor | shape in two dimensions | in one |
//! | --- | --- | --- |
//! | `x` | `[H, W, C]` | `[L, C]` |
//! | `weight` (W) | `[KH, KW, OG, C]`, OG = OC / groups | `[K, OG, C]` |
//! | `bias` (b) | `[OC]`, or `[0]`: none | the same |
//! | `y` | `[OH, OW, OC]` | `[OL, OC]` |
//!
//! `OH = (H − 1) · SH − padding + DH · (KH − 1) + 1 + output_padding`, PyTorch's formula, where padding is the sum of both
//! sides; with `padding = same` it is `H · SH`. The layout of the weight is TensorFlow's; PyTorch's is `[C, OG, KH, KW]`.
//!
//! It is a convolution from `y` to `x` run backward: its forward pass is the gradient of that convolution's input, and
//! the gradient of its input is that convolution's forward pass.

use core::marker::PhantomData;

use crate::activation::{Activation, Identity};
use crate::kernels::conv::{self, Convolution, Geometry};
use crate::kernels::elementwise::{add_assign, map, zip};
use crate::kernels::window::Windows;
use crate::layer::{Layer, Pass, Reads, as_evaluate_then, outline_layer};
use crate::layers::Window;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A transposed convolution of an `X` with a weight `W` to a `Y`, whose kernel moves over the output as `P` says;
/// [`ConvTranspose1d`] and [`ConvTranspose2d`] are aliases of it.
///
/// The weight's second-last axis is the output channels that each input channel reaches, those of one group. The bias
/// `B` is `[T; OC]`, or `[T; 0]` for none.
#[derive(Clone, Debug, Parameters)]
#[repr(C)]
pub struct ConvTranspose<X, W, Y, P, B = <Y as Tensor>::Last> {
    /// W: for each tap and output channel of a group, `C` numbers.
    #[parameters(tensor)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The input, the output, and how the kernel moves.
    pub shapes: PhantomData<(X, Y, P)>,
}

/// A two-dimensional transposed convolution, `[H, W, C] -> [OH, OW, OC]`.
///
/// ```
/// use monomorph::prelude::*;
///
/// // Every pixel becomes a block of 2 × 2.
/// network! { Grow: [1, 2, 1] -> [2, 4, 1] { ConvTranspose2d(1, kernel = 2, stride = 2) } }
/// let mut net = Grow::zeroed();
/// net.conv1.weight = [[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]];
/// assert_eq!(net.evaluate(&[[[1.0], [10.0]]]), [[[1.0], [2.0], [10.0], [20.0]], [[3.0], [4.0], [30.0], [40.0]]]);
/// ```
pub type ConvTranspose2d<X, W, Y, P, B = <Y as Tensor>::Last> = ConvTranspose<X, W, Y, P, B>;

/// A one-dimensional transposed convolution, `[L, C] -> [OL, OC]`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Blur: [3, 1] -> [5, 1] { ConvTranspose1d(1, kernel = 3) } }
/// let mut net = Blur::zeroed();
/// net.conv1.weight = [[[0.25]], [[0.5]], [[0.25]]];
/// assert_eq!(net.evaluate(&[[4.0], [0.0], [8.0]]), [[1.0], [2.0], [3.0], [4.0], [2.0]]);
/// ```
pub type ConvTranspose1d<X, W, Y, P, B = <Y as Tensor>::Last> = ConvTranspose<X, W, Y, P, B>;

/// The convolution from `Y` to `X`.
impl<X: Tensor, W: Tensor, Y: Tensor, P: Window, B: 'static> Convolution for ConvTranspose<X, W, Y, P, B> {
    const WINDOWS: Windows = Windows::new(Y::SHAPE, X::SHAPE, P::KERNEL, P::STRIDE, P::BEFORE, P::DILATION);
    const GROUP_CHANNELS: usize = W::SHAPE[W::SHAPE.len() - 2];
    const OUTPUTS: usize = X::CHANNELS;
}

impl<T: Scalar, X, W, Y, P, B> ConvTranspose<X, W, Y, P, B>
where
    X: Tensor<Element = T>,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    P: Window,
    B: Tensor<Element = T>,
{
    const SHAPE: () = {
        assert!(X::SHAPE.len() == Y::SHAPE.len(), "transposed convolution: input and output differ in rank");
        let kernel = match *W::SHAPE {
            [width, _, inputs] if X::SHAPE.len() == 2 => [1, width, inputs],
            [height, width, _, inputs] if X::SHAPE.len() == 3 => [height, width, inputs],
            _ => panic!("transposed convolution: the weight is [KH, KW, OG, C], or [K, OG, C] for a sequence"),
        };
        assert!(
            kernel[0] == P::KERNEL[0] && kernel[1] == P::KERNEL[1] && kernel[2] == X::CHANNELS,
            "transposed convolution: the weight is not of the window and the input channels"
        );
        assert!(
            B::LEN == Y::CHANNELS || B::LEN == 0,
            "transposed convolution: the bias has a number for each channel, or none"
        );
        Geometry::<Self>::VALID
    };
}

impl<T: Scalar, X, W, Y, P, Bias> Layer for ConvTranspose<X, W, Y, P, Bias>
where
    X: Tensor<Element = T>,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    P: Window,
    Bias: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = Geometry::<Self>::MACS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    as_evaluate_then!();

    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        _workspace: &mut (),
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let y = batch_slice_mut(output);
                conv::backward_input::<T, S, Self>(simd, batch_slice(input), self.weight.numbers(), y);
                if const { Bias::LEN == 0 } {
                    return map(
                        simd,
                        y,
                        #[inline(always)]
                        |y| A::apply(simd, y),
                    );
                }
                for pixel in y.chunks_exact_mut(Y::CHANNELS) {
                    zip(
                        simd,
                        pixel,
                        self.bias.numbers(),
                        #[inline(always)]
                        |y, bias| A::apply(simd, y + bias),
                    );
                }
            },
        );
    }

    /// `∂x = ∂y ∗ W`; `∂W[i, o, c] += Σ ∂y[q, o]·x[p, c]` over the pixels `q` that a tap `i` of `p` reaches;
    /// `∂b += Σ ∂y`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                conv::backward_parameters::<T, S, Self>(simd, grad_y, x, gradient.weight.numbers_mut(), &mut []);
                if const { Bias::LEN > 0 } {
                    for pixel in grad_y.chunks_exact(Y::CHANNELS) {
                        add_assign(simd, gradient.bias.numbers_mut(), pixel);
                    }
                }
            },
        );
        if let Some(grad_input) = grad_input {
            outline_layer::<Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let (grad_y, grad_x) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                    let weight = self.weight.numbers();
                    conv::forward::<T, T, S, Identity, Self, false>(simd, grad_y, weight, &[], &[], grad_x);
                },
            );
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::layers::{Window1d, Window2d};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    type Image<T, const H: usize, const W: usize, const C: usize> = [[[T; C]; W]; H];

    /// Every pixel and tap in plain loops.
    fn agrees<T: Scalar, X: Tensor<Element = T>, L, const B: usize>()
    where
        L: Layer<Scalar = T, Input = X, Saved<B> = ()> + Convolution,
    {
        // The layer's input is the output of its convolution.
        let ([h, w], [oh, ow], [kh, kw]) = (L::OUTPUT, L::INPUT, L::KERNEL);
        let (c, oc, og) = (L::OUTPUTS, L::CHANNELS, L::GROUP_CHANNELS);
        let layer = random::<L>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<L::Output, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let p: vec::Vec<f64> = layer.as_slice().iter().map(|p| p.to_f64()).collect();
        let weights = kh * kw * og * c;
        let (mut y, mut dx, mut gradient) = (vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; p.len()]);
        for (at, y) in y.iter_mut().enumerate() {
            if p.len() > weights {
                *y = p[weights + at % oc];
                gradient[weights + at % oc] += dy[at];
            }
        }
        for at in 0..x.len() {
            let (b, row, column, channel) = (at / (h * w * c), at / (w * c) % h, at / c % w, at % c);
            for tap in 0..kh * kw * og {
                let (i, j, o) = (tap / og / kw, tap / og % kw, tap % og);
                let to_row = (row * L::STRIDE[0] + i * L::DILATION[0]).wrapping_sub(L::BEFORE[0]);
                let to_column = (column * L::STRIDE[1] + j * L::DILATION[1]).wrapping_sub(L::BEFORE[1]);
                if to_row < oh && to_column < ow {
                    let to = ((b * oh + to_row) * ow + to_column) * oc + channel / (c / (oc / og)) * og + o;
                    y[to] += x[at] * p[tap * c + channel];
                    dx[at] += dy[to] * p[tap * c + channel];
                    gradient[tap * c + channel] += x[at] * dy[to];
                }
            }
        }
        check::<X, L, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    macro_rules! agree {
        ($($t:ty: [$h:literal, $w:literal, $c:literal] -> [$oh:literal, $ow:literal, $oc:literal], $og:literal, $bias:literal, $window:ident<$kh:literal, $kw:literal $(, $rest:literal)*>;)*) => { $(
            agrees::<$t, _, ConvTranspose2d<
                Image<$t, $h, $w, $c>,
                [[[[$t; $c]; $og]; $kw]; $kh],
                Image<$t, $oh, $ow, $oc>,
                $window<$kh, $kw $(, $rest)*>,
                [$t; $bias],
            >, 2>();
        )* };
    }

    #[test]
    fn agrees_with_plain_loops() {
        agree! {
            f32: [4, 5, 3] -> [8, 10, 6], 6, 6, Window2d<3, 3, 2, 2, 1, 1>;
            f64: [4, 5, 17] -> [6, 7, 5], 5, 5, Window2d<3, 3>;
            f64: [3, 2, 2] -> [6, 4, 1], 1, 0, Window2d<2, 2, 2, 2>;
            // Gaps that no pixel reaches.
            f32: [3, 3, 4] -> [9, 8, 3], 3, 3, Window2d<2, 1, 3, 3>;
            // Dilated, with padding.
            f64: [4, 3, 2] -> [7, 8, 9], 9, 9, Window2d<3, 2, 1, 2, 1, 0, 3, 3>;
            // Groups, and a group for each channel.
            f64: [4, 5, 4] -> [7, 9, 6], 3, 6, Window2d<3, 3, 2, 2, 1, 1>;
            f32: [3, 4, 17] -> [6, 8, 17], 1, 17, Window2d<4, 4, 2, 2, 1, 1>;
            f64: [1, 1, 1] -> [1, 1, 1], 1, 1, Window2d<1, 1>;
            f32: [2, 2, 33] -> [5, 5, 16], 16, 16, Window2d<4, 4, 2, 2, 1, 1>;
        }
        type Line<T> = ConvTranspose1d<[[T; 3]; 6], [[[T; 3]; 5]; 4], [[T; 5]; 12], Window1d<4, 2, 1>>;
        agrees::<f32, _, Line<f32>, 3>();
    }

    #[test]
    fn finite_differences_agree() {
        type Grow = ConvTranspose2d<
            Image<f64, 3, 2, 4>,
            [[[[f64; 4]; 3]; 3]; 2],
            Image<f64, 6, 5, 6>,
            Window2d<2, 3, 2, 2, 0, 0>,
        >;
        let input = golden::random::<Image<f64, 3, 2, 4>, 2>(4);
        check_gradients(&mut *random::<Grow>(), &input, 1e-7).unwrap();
    }

    #[test]
    fn agrees_with_pytorch() {
        type Line<T> = ConvTranspose1d<[[T; 3]; 6], [[[T; 3]; 5]; 4], [[T; 5]; 12], Window1d<4, 2, 1>>;
        golden::check_layer::<Line<f64>, 2>("conv_transpose1d");
        golden::check_layer::<Line<f32>, 2>("conv_transpose1d");
        type Plane<T> =
            ConvTranspose2d<Image<T, 4, 5, 3>, [[[[T; 3]; 6]; 3]; 3], Image<T, 8, 10, 6>, Window2d<3, 3, 2, 2, 1, 1>>;
        golden::check_layer::<Plane<f64>, 2>("conv_transpose2d");
        golden::check_layer::<Plane<f32>, 2>("conv_transpose2d");
        type Groups<T> =
            ConvTranspose2d<Image<T, 4, 5, 4>, [[[[T; 4]; 3]; 3]; 3], Image<T, 7, 9, 6>, Window2d<3, 3, 2, 2, 1, 1>>;
        golden::check_layer::<Groups<f64>, 1>("conv_transpose2d_groups");
        golden::check_layer::<Groups<f32>, 1>("conv_transpose2d_groups");
    }
}
