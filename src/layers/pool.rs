//! Pools: one number for a window that slides over every channel, or for the whole channel.
//!
//! | layer | shapes | `y` |
//! | --- | --- | --- |
//! | [`MaxPool2d`] | `[H, W, C] → [OH, OW, C]` | `y[i][j][c] = max x[i·SH + k·DH − TOP][j·SW + l·DW − LEFT][c]` over the `k < KH`, `l < KW` inside the image |
//! | [`AvgPool2d`] | the same | the mean over the same set |
//! | [`GlobalMaxPool2d`] | `[H, W, C] → [C]` | `y[c] = max x[·][·][c]` |
//! | [`GlobalAvgPool2d`] | the same | `y[c] = mean x[·][·][c]` |
//! | [`MaxPool1d`] | `[L, C] → [OL, C]` | `y[i][c] = max x[i·S + k·D − LEFT][c]` over the `k < K` inside the sequence |
//! | [`AvgPool1d`] | the same | the mean over the same set |
//! | [`GlobalMaxPool1d`] | `[L, C] → [C]` | `y[c] = max x[·][c]` |
//! | [`GlobalAvgPool1d`] | the same | `y[c] = mean x[·][c]` |
//! | [`LpPool2d`], [`LpPool1d`] | those of `MaxPool` | `(Σ (abs x)^p)^(1/p)` over the same set |
//! | [`AdaptiveAvgPool2d`], [`AdaptiveMaxPool2d`], `1d` | the same | over `⌊i · H / OH⌋ .. ⌈(i + 1) · H / OH⌉` and the same columns |
//!
//! `OH = ⌊(H + padding − extent) / SH⌋ + 1` with `extent = DH · (KH − 1) + 1`, likewise `OW` and `OL`; with `ceil_mode` it is rounded up, if the
//! last window begins before the padding behind the image, as in PyTorch.
//! Padding never wins a maximum and never counts in an average, as in ONNX and TensorFlow, unless `count_include_pad = true`
//! says so, PyTorch's default. A window may not lie in the padding alone.
//!
//! At inference, a `MaxPool2d(2)` of an image with even sizes is fused into the convolution right before it (or before
//! its activation): only the maxima take memory, not the pixels.
//!
//! All are one layer, [`Pool`], parameterized by a reduction and the windows that it reduces.

use core::marker::PhantomData;

use crate::kernels::pool::{self, Divisor};
use crate::kernels::window::Windows;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::layers::{Adaptive, Whole, Window};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Reduces the windows of an `X`, which slide as `P` says, by `R` to a `Y`; use one of its aliases, such as
/// [`MaxPool2d`].
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Pool<R, X, Y, P>(PhantomData<(R, X, Y, P)>);

/// How a window of numbers `T` is reduced: [`Max`], [`Mean`], [`MeanWithPadding`], [`Sum`] or [`Lp`].
pub trait Reduction<T: Scalar>: 'static {
    /// `y`, of all windows of a batch.
    fn reduce<S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], y: &mut [T]);
    /// `∂L/∂x` from `x` and `∂L/∂y`.
    fn derive<S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], grad_y: &[T], grad_x: &mut [T]);
}

macro_rules! reduction {
    (
        $(#[$doc:meta])*
        $name:ident $(<const $constant:ident: u64>)?: $bound:ident,
        $reduce:ident, $derive:ident($($argument:expr)?) $(, $x:ident)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name $(<const $constant: u64>)?;

        impl<T: $bound $(, const $constant: u64)?> Reduction<T> for $name $(<$constant>)? {
            #[inline(always)]
            fn reduce<S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], y: &mut [T]) {
                pool::$reduce(simd, windows, $($argument,)? batch, x, y);
            }

            #[inline(always)]
            fn derive<S: Simd>(simd: S, windows: &Windows, batch: usize, _x: &[T], grad_y: &[T], grad_x: &mut [T]) {
                pool::$derive(simd, windows, $($argument,)? batch, $({ let $x = _x; $x },)? grad_y, grad_x);
            }
        }
    };
}
reduction! {
    /// The largest value; the gradient goes to the first of the largest.
    Max: Scalar, max, max_backward(), x
}
reduction! {
    /// The mean; every value of the window takes an equal part of the gradient.
    Mean: Scalar, average, average_backward(Divisor::Inputs)
}
reduction! {
    /// The mean of the window with its padding, which counts as zeros.
    MeanWithPadding: Scalar, average, average_backward(Divisor::Taps)
}
reduction! {
    /// The sum.
    Sum: Scalar, average, average_backward(Divisor::One)
}
reduction! {
    /// The norm `(Σ |x|^p)^(1/p)`; `P` is the [`bits`](crate::scalar::bits) of p, at least 1.
    Lp<const P: u64>: Real, norm, norm_backward(f64::from_bits(P)), x
}

impl<R, X: Tensor, Y: Tensor, P: Window> Pool<R, X, Y, P> {
    const WINDOWS: Windows = {
        assert!(Y::CHANNELS == X::CHANNELS, "pool: input and output differ in channels");
        let windows = Windows::new(X::SHAPE, Y::SHAPE, P::KERNEL, P::STRIDE, P::BEFORE, P::DILATION);
        Windows { adaptive: P::ADAPTIVE, ..windows }.checked()
    };
}

impl<T, R, X, Y, P> Layer for Pool<R, X, Y, P>
where
    T: Scalar,
    R: Reduction<T>,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    P: Window,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || R::reduce(simd, const { &Self::WINDOWS }, B, batch_slice(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
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
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                R::derive(simd, const { &Self::WINDOWS }, B, x, grad_y, batch_slice_mut(grad_input));
            },
        );
    }
}

/// The largest value of every window: `[H, W, C] → [OH, OW, C]`, channel by channel.
///
/// Padding never wins. A NaN in a window is its maximum. The gradient goes to the first maximum of
/// the window in row-major order (PyTorch's convention).
///
/// ```
/// use monomorph::layers::{MaxPool2d, Window2d};
/// use monomorph::testing::check_gradients;
/// // 2×2 windows, 2 apart: [4, 6, 1] -> [2, 3, 1].
/// type Pool = MaxPool2d<[[[f64; 1]; 6]; 4], [[[f64; 1]; 3]; 2], Window2d<2, 2, 2, 2>>;
/// let mut pool: Pool = monomorph::memory::zeroed();
/// let image = core::array::from_fn(|y| core::array::from_fn(|x| [(3 * y + x * x) as f64]));
/// check_gradients(&mut pool, &[image], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type MaxPool2d<X, Y, P> = Pool<Max, X, Y, P>;

/// The largest value of every window: `[L, C] → [OL, C]`, channel by channel.
///
/// Padding never wins. A NaN in a window is its maximum. The gradient goes to the first maximum of
/// the window (PyTorch's convention).
///
/// ```
/// use monomorph::layers::{MaxPool1d, Window1d};
/// use monomorph::testing::check_gradients;
/// // Windows of 3, 2 apart: [7, 1] -> [3, 1].
/// let mut pool: MaxPool1d<[[f64; 1]; 7], [[f64; 1]; 3], Window1d<3, 2>> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0], [5.0], [3.0], [2.0], [6.0], [4.0], [0.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type MaxPool1d<X, Y, P> = Pool<Max, X, Y, P>;

/// The largest value of every channel: `[H, W, C] → [C]`; NaN where the channel has one.
///
/// The gradient goes to the first maximum in row-major order.
///
/// ```
/// use monomorph::layers::GlobalMaxPool2d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalMaxPool2d<[[[f64; 2]; 3]; 1]> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalMaxPool2d<X> = Pool<Max, X, <X as Tensor>::Last, Whole<X>>;

/// The largest value of every channel: `[L, C] → [C]`; NaN where the channel has one.
///
/// The gradient goes to the first maximum.
///
/// ```
/// use monomorph::layers::GlobalMaxPool1d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalMaxPool1d<[[f64; 2]; 3]> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalMaxPool1d<X> = Pool<Max, X, <X as Tensor>::Last, Whole<X>>;

/// The mean of every window over the inputs in it, without padding: `[H, W, C] → [OH, OW, C]`.
///
/// ```
/// use monomorph::layers::{AvgPool2d, Window2d};
/// use monomorph::testing::check_gradients;
/// // 3×3 windows, 2 apart, with a border of 1: [5, 5, 1] -> [3, 3, 1].
/// type Pool = AvgPool2d<[[[f64; 1]; 5]; 5], [[[f64; 1]; 3]; 3], Window2d<3, 3, 2, 2, 1, 1>>;
/// let mut pool: Pool = monomorph::memory::zeroed();
/// let image = core::array::from_fn(|y| core::array::from_fn(|x| [(3 * y + x * x) as f64]));
/// check_gradients(&mut pool, &[image], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type AvgPool2d<X, Y, P> = Pool<Mean, X, Y, P>;

/// The mean of every window over the inputs in it, without padding: `[L, C] → [OL, C]`.
///
/// ```
/// use monomorph::layers::{AvgPool1d, Window1d};
/// use monomorph::testing::check_gradients;
/// // Windows of 3, 2 apart, with a border of 1: [5, 1] -> [3, 1].
/// let mut pool: AvgPool1d<[[f64; 1]; 5], [[f64; 1]; 3], Window1d<3, 2, 1>> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0], [5.0], [3.0], [2.0], [6.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type AvgPool1d<X, Y, P> = Pool<Mean, X, Y, P>;

/// The mean of every channel: `[H, W, C] → [C]`.
///
/// ```
/// use monomorph::layers::GlobalAvgPool2d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalAvgPool2d<[[[f64; 2]; 3]; 1]> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalAvgPool2d<X> = Pool<Mean, X, <X as Tensor>::Last, Whole<X>>;

/// The mean of every channel: `[L, C] → [C]`.
///
/// ```
/// use monomorph::layers::GlobalAvgPool1d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalAvgPool1d<[[f64; 2]; 3]> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalAvgPool1d<X> = Pool<Mean, X, <X as Tensor>::Last, Whole<X>>;

/// The norm of every window over the inputs in it, `(Σ |x|^p)^(1/p)`: `[H, W, C] → [OH, OW, C]`; `P` is the
/// [`bits`](crate::scalar::bits) of `p`.
///
/// In a network write `LpPool2d(2)`, whose `p` is 2, or `LpPool2d(2, p = 3)`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Length: [2, 2, 1] -> [1, 1, 1] { LpPool2d(2) } }
/// assert_eq!(Length::zeroed().evaluate(&[[[3.0], [0.0]], [[0.0], [-4.0]]]), [[[5.0]]]);
/// ```
pub type LpPool2d<X, Y, P, const EXPONENT: u64> = Pool<Lp<EXPONENT>, X, Y, P>;

/// The norm of every window over the inputs in it, `(Σ |x|^p)^(1/p)`: `[L, C] → [OL, C]`; see [`LpPool2d`].
pub type LpPool1d<X, Y, P, const EXPONENT: u64> = Pool<Lp<EXPONENT>, X, Y, P>;

/// The means of as many parts of an image as there are outputs, whatever its size: `[H, W, C] → [OH, OW, C]`, PyTorch's
/// windows.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Thirds: [1, 5, 1] -> [1, 3, 1] { AdaptiveAvgPool2d((1, 3)) } }
/// let y = Thirds::zeroed().evaluate(&[[[1.0], [2.0], [3.0], [4.0], [5.0]]]);
/// assert_eq!(y, [[[1.5], [3.0], [4.5]]]);
/// ```
pub type AdaptiveAvgPool2d<X, Y> = Pool<Mean, X, Y, Adaptive>;

/// The largest values of as many parts of an image as there are outputs: `[H, W, C] → [OH, OW, C]`.
pub type AdaptiveMaxPool2d<X, Y> = Pool<Max, X, Y, Adaptive>;

/// The means of as many parts of a sequence as there are outputs: `[L, C] → [OL, C]`.
pub type AdaptiveAvgPool1d<X, Y> = Pool<Mean, X, Y, Adaptive>;

/// The largest values of as many parts of a sequence as there are outputs: `[L, C] → [OL, C]`.
pub type AdaptiveMaxPool1d<X, Y> = Pool<Max, X, Y, Adaptive>;

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
