//! Convolution: every output pixel is a weighted sum of a window of the input.
//!
//! `y[h, w, o] = b[o] + Σ x[h·SH + i·DH − TOP, w·SW + j·DW − LEFT, c] · W[i, j, c, o]`
//! over the taps `i, j` and the channels `c` of the group of `o`; outside the input, x is 0.
//!
//! | tensor | shape in two dimensions | in one |
//! | --- | --- | --- |
//! | `x` | `[H, W, C]` | `[L, C]` |
//! | `weight` (W) | `[KH, KW, CG, OC]`, CG = C / groups | `[K, CG, OC]` |
//! | `bias` (b) | `[OC]`, or `[0]`: none | the same |
//! | `y` | `[OH, OW, OC]` | `[OL, OC]` |
//!
//! Output channel `o` belongs to group `o / (OC / groups)`, and group `g` reads the input channels
//! `g·CG .. (g + 1)·CG`. As in every deep-learning framework it is a cross-correlation: the kernel is not flipped.
//! Layouts are those of TensorFlow and JAX (`NHWC`, `HWIO`).
//!
//! A sequence is an image of a single row. With `LEFT = D·(K − 1)` and `OL = L` the convolution is causal: no output
//! depends on a later input.

use core::marker::PhantomData;

use crate::activation::Activation;
use crate::kernels::conv::{self, Convolution, Geometry};
use crate::kernels::window::Windows;
use crate::layer::{Layer, Pass, Reads, as_evaluate_then, outline_layer};
use crate::layers::Window;
use crate::layers::batch_norm::foldable;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// A convolution of an `X` with a weight `W` to a `Y`, whose window slides as `P` says; [`Conv1d`] and [`Conv2d`] are
/// aliases of it.
///
/// The weight's third-last axis is the input channels that each output channel sees: all of them for an ordinary
/// convolution, 1 for a depthwise one. The bias `B` is `[T; OC]`, or `[T; 0]` for none.
#[derive(Clone, Debug, Parameters)]
#[repr(C)]
pub struct Conv<X, W, Y, P, B = <Y as Tensor>::Last> {
    /// W: for each tap and input channel of a group, `OC` numbers.
    #[parameters(packed)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The input, the output, and how the window slides.
    pub shapes: PhantomData<(X, Y, P)>,
}

/// A two-dimensional convolution, `[H, W, C] -> [OH, OW, OC]`.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::{Conv2d, Window2d};
///
/// // The sum over windows of 2×2 of a 3×3 image with one channel.
/// type Sum = Conv2d<[[[f32; 1]; 3]; 3], [[[[f32; 1]; 1]; 2]; 2], [[[f32; 1]; 2]; 2], Window2d<2, 2>>;
/// let mut sum: Sum = monomorph::memory::zeroed();
/// sum.weight = [[[[1.0]]; 2]; 2];
///
/// let image = [[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]], [[7.0], [8.0], [9.0]]];
/// assert_eq!(evaluate(&sum, &[image]), [[[[12.0], [16.0]], [[24.0], [28.0]]]]);
/// ```
pub type Conv2d<X, W, Y, P, B = <Y as Tensor>::Last> = Conv<X, W, Y, P, B>;

/// A one-dimensional convolution, `[L, C] -> [OL, OC]`.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::{Conv1d, Window1d};
/// use std::marker::PhantomData;
///
/// // The difference to the number before.
/// type Difference = Conv1d<[[f32; 1]; 4], [[[f32; 1]; 1]; 2], [[f32; 1]; 4], Window1d<2, 1, 1>, [f32; 0]>;
/// let difference: Difference = Conv1d { weight: [[[-1.0]], [[1.0]]], bias: [], shapes: PhantomData };
///
/// let y = evaluate(&difference, &[[[5.0], [7.0], [6.0], [9.0]]]);
/// assert_eq!(y, [[[5.0], [2.0], [-1.0], [3.0]]]);
/// ```
pub type Conv1d<X, W, Y, P, B = <Y as Tensor>::Last> = Conv<X, W, Y, P, B>;

impl<X, W, Y, P, B> Convolution for Conv<X, W, Y, P, B>
where
    X: Tensor,
    W: Weight,
    Y: Tensor,
    P: Window,
    B: 'static,
{
    const WINDOWS: Windows = Windows::new(X::SHAPE, Y::SHAPE, P::KERNEL, P::STRIDE, P::BEFORE, P::DILATION);
    const GROUP_CHANNELS: usize = W::SHAPE[W::SHAPE.len() - 2];
    const OUTPUTS: usize = Y::CHANNELS;
}

impl<T: Scalar, X, W, Y, P, B> Conv<X, W, Y, P, B>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    P: Window,
    B: Tensor<Element = T>,
{
    const SHAPE: () = {
        assert!(X::SHAPE.len() == Y::SHAPE.len(), "convolution: input and output differ in rank");
        let kernel = match *W::SHAPE {
            [width, _, outputs] if X::SHAPE.len() == 2 => [1, width, outputs],
            [height, width, _, outputs] if X::SHAPE.len() == 3 => [height, width, outputs],
            _ => panic!("convolution: the weight is [KH, KW, CG, OC], or [K, CG, OC] for a sequence"),
        };
        assert!(
            kernel[0] == P::KERNEL[0] && kernel[1] == P::KERNEL[1] && kernel[2] == Y::CHANNELS,
            "convolution: the weight is not of the window and the output channels"
        );
        assert!(B::LEN == Y::CHANNELS || B::LEN == 0, "convolution: the bias has a number a channel, or none");
        Geometry::<Self>::VALID
    };

    /// [`evaluate_then`](Layer::evaluate_then), but only the maximum of every 2 × 2 pixels is kept: `M` is
    /// `[OH/2, OW/2, OC]`.
    #[doc(hidden)]
    #[inline(always)]
    pub fn evaluate_pooled<S: Simd, const N: usize, A: Activation<T>, M: Tensor<Element = T>>(
        &self,
        simd: S,
        input: &[X; N],
        output: &mut [M; N],
    ) {
        self.evaluate_kept::<S, N, A, M, true>(simd, input, output);
    }

    #[inline(always)]
    fn evaluate_kept<S: Simd, const N: usize, A: Activation<T>, M: Tensor<Element = T>, const POOLED: bool>(
        &self,
        simd: S,
        input: &[X; N],
        output: &mut [M; N],
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, N, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, scale, bias) = (self.weight.packed(), self.weight.scale(), self.bias.numbers());
                // In here, where the compiler knows how long they are.
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                conv::forward::<T, W::Format, S, A, Self, POOLED>(simd, x, weight, scale, bias, y);
            },
        );
    }
}

foldable!(Conv<X, W, Y, P, B>);

impl<T: Scalar, X, W, Y, P, Bias> Layer for Conv<X, W, Y, P, Bias>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
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
        self.evaluate_kept::<S, B, A, Y, false>(simd, input, output);
    }

    /// `∂x[p, c] = Σ ∂y[q, o]·W[i, c, o]` over the windows `q` that read `p` with a tap `i`;
    /// `∂W[i, c, o] += Σ x[p, c]·∂y[q, o]` over the pixels; `∂b += Σ ∂y`.
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
        const { assert!(!W::PACKED, "Conv: a packed weight is not trained; train the layer that it is packed from") };
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, bias) = (gradient.weight.trained_mut(), gradient.bias.numbers_mut());
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                conv::backward_parameters::<T, S, Self>(simd, x, grad_y, weight, bias);
            },
        );
        if let Some(grad_input) = grad_input {
            outline_layer::<Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let (grad_y, grad_x) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                    conv::backward_input::<T, S, Self>(simd, grad_y, self.weight.trained(), grad_x);
                },
            );
        }
    }
}

mod steps;

pub use steps::*;

#[cfg(all(test, feature = "safetensors", feature = "std"))]
pub(super) mod tests;
