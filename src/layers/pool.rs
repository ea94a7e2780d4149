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
//!
//! `OH = ⌊(H + padding − extent) / SH⌋ + 1` with `extent = DH · (KH − 1) + 1`, likewise `OW` and `OL`.
//! Padding never wins a maximum and never counts in an average, as in ONNX and TensorFlow. A
//! window may not lie in the padding alone.
//!
//! Evaluated, a `MaxPool2d(2)` of an even image is a part of the convolution right before it (or before its activation): only maxima
//! take memory, not the pixels.
//!
//! All are one layer, [`Pool`], of a reduction and of the windows that it reduces.

use core::marker::PhantomData;

use crate::kernels::pool::{self, Windows};
use crate::layer::{Layer, forward_evaluates, outline_layer};
use crate::layers::{Window1, Window2};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The reduction `R` of the windows `G`; write one of its names, such as [`MaxPool2d`].
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct Pool<R, G>(PhantomData<(R, G)>);

/// What becomes of a window: [`Max`] or [`Mean`].
pub trait Reduction: 'static {
    /// `y`, of all windows of a batch.
    fn reduce<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], y: &mut [T]);
    /// `∂L/∂x` from `x` and `∂L/∂y`.
    fn derive<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], grad_y: &[T], grad_x: &mut [T]);
}

/// The largest value; the gradient goes to the first of the largest.
#[derive(Clone, Copy, Debug)]
pub struct Max;

impl Reduction for Max {
    #[inline(always)]
    fn reduce<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], y: &mut [T]) {
        pool::max(simd, windows, batch, x, y);
    }

    #[inline(always)]
    fn derive<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], grad_y: &[T], grad_x: &mut [T]) {
        pool::max_backward(simd, windows, batch, x, grad_y, grad_x);
    }
}

/// The mean; every value of the window takes an equal part of the gradient.
#[derive(Clone, Copy, Debug)]
pub struct Mean;

impl Reduction for Mean {
    #[inline(always)]
    fn reduce<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, x: &[T], y: &mut [T]) {
        pool::average(simd, windows, batch, x, y);
    }

    #[inline(always)]
    fn derive<T: Scalar, S: Simd>(simd: S, windows: &Windows, batch: usize, _x: &[T], grad_y: &[T], grad_x: &mut [T]) {
        pool::average_backward(simd, windows, batch, grad_y, grad_x);
    }
}

/// The windows of a pool, and the shapes that they make.
pub trait Geometry<T: Scalar>: 'static {
    /// What is pooled.
    type Input: Tensor<T>;
    /// A number for every window and channel.
    type Output: Tensor<T>;
    /// The windows; a sequence is an image of height 1.
    const WINDOWS: Windows;
}

/// Windows of `KH`×`KW` over `[H, W, C]` that slide as [`Window2`] says.
#[derive(Clone, Copy, Debug)]
pub struct OverImage<
    const H: usize,
    const W: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    P,
>(PhantomData<P>);

impl<
    T: Scalar,
    const H: usize,
    const W: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    P: Window2,
> Geometry<T> for OverImage<H, W, C, OH, OW, KH, KW, P>
{
    type Input = [[[T; C]; W]; H];
    type Output = [[[T; C]; OW]; OH];
    const WINDOWS: Windows = Windows::new([H, W], [OH, OW], C, [KH, KW], P::STRIDE, P::BEFORE, P::DILATION);
}

/// Windows of `K` over `[L, C]` that slide as [`Window1`] says.
#[derive(Clone, Copy, Debug)]
pub struct OverSequence<const L: usize, const C: usize, const OL: usize, const K: usize, P>(PhantomData<P>);

impl<T: Scalar, const L: usize, const C: usize, const OL: usize, const K: usize, P: Window1> Geometry<T>
    for OverSequence<L, C, OL, K, P>
{
    type Input = [[T; C]; L];
    type Output = [[T; C]; OL];
    const WINDOWS: Windows = Windows::new([1, L], [1, OL], C, [1, K], [1, P::STRIDE], [0, P::BEFORE], [1, P::DILATION]);
}

/// One window, all of `[H, W, C]`.
#[derive(Clone, Copy, Debug)]
pub struct WholeImage<const H: usize, const W: usize, const C: usize>;

impl<T: Scalar, const H: usize, const W: usize, const C: usize> Geometry<T> for WholeImage<H, W, C> {
    type Input = [[[T; C]; W]; H];
    type Output = [T; C];
    const WINDOWS: Windows = Windows::new([H, W], [1, 1], C, [H, W], [1, 1], [0, 0], [1, 1]);
}

/// One window, all of `[L, C]`.
#[derive(Clone, Copy, Debug)]
pub struct WholeSequence<const L: usize, const C: usize>;

impl<T: Scalar, const L: usize, const C: usize> Geometry<T> for WholeSequence<L, C> {
    type Input = [[T; C]; L];
    type Output = [T; C];
    const WINDOWS: Windows = Windows::new([1, L], [1, 1], C, [1, L], [1, 1], [0, 0], [1, 1]);
}

impl<T: Scalar, R: Reduction, G: Geometry<T>> Layer<T> for Pool<R, G> {
    type Input = G::Input;
    type Output = G::Output;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[G::Input; B],
        output: &mut [G::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || R::reduce(simd, &G::WINDOWS, B, batch_slice::<T, _>(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[G::Input; B],
        _output: &[G::Output; B],
        _saved: &mut (),
        grad_output: &mut [G::Output; B],
        grad_input: Option<&mut [G::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, grad_y) = (batch_slice::<T, _>(input), batch_slice(grad_output));
                R::derive(simd, &G::WINDOWS, B, x, grad_y, batch_slice_mut(grad_input));
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
/// let mut pool: MaxPool2d<4, 6, 1, 2, 3, 2, 2, Window2d<2, 2, 0, 0, 1, 1>> = monomorph::memory::zeroed();
/// let image = core::array::from_fn(|y| core::array::from_fn(|x| [(3 * y + x * x) as f64]));
/// check_gradients(&mut pool, &[image], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type MaxPool2d<
    const H: usize,
    const W: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    P,
> = Pool<Max, OverImage<H, W, C, OH, OW, KH, KW, P>>;

/// The largest value of every window: `[L, C] → [OL, C]`, channel by channel.
///
/// Padding never wins. A NaN in a window is its maximum. The gradient goes to the first maximum of
/// the window (PyTorch's convention).
///
/// ```
/// use monomorph::layers::{MaxPool1d, Window1d};
/// use monomorph::testing::check_gradients;
/// // Windows of 3, 2 apart: [7, 1] -> [3, 1].
/// let mut pool: MaxPool1d<7, 1, 3, 3, Window1d<2, 0, 1>> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0], [5.0], [3.0], [2.0], [6.0], [4.0], [0.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type MaxPool1d<const L: usize, const C: usize, const OL: usize, const K: usize, P> =
    Pool<Max, OverSequence<L, C, OL, K, P>>;

/// The largest value of every channel: `[H, W, C] → [C]`; NaN where the channel has one.
///
/// The gradient goes to the first maximum in row-major order.
///
/// ```
/// use monomorph::layers::GlobalMaxPool2d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalMaxPool2d<1, 3, 2> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalMaxPool2d<const H: usize, const W: usize, const C: usize> = Pool<Max, WholeImage<H, W, C>>;

/// The largest value of every channel: `[L, C] → [C]`; NaN where the channel has one.
///
/// The gradient goes to the first maximum.
///
/// ```
/// use monomorph::layers::GlobalMaxPool1d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalMaxPool1d<3, 2> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalMaxPool1d<const L: usize, const C: usize> = Pool<Max, WholeSequence<L, C>>;

/// The mean of every window over the inputs in it, without padding: `[H, W, C] → [OH, OW, C]`.
///
/// ```
/// use monomorph::layers::{AvgPool2d, Window2d};
/// use monomorph::testing::check_gradients;
/// // 3×3 windows, 2 apart, with a border of 1: [5, 5, 1] -> [3, 3, 1].
/// let mut pool: AvgPool2d<5, 5, 1, 3, 3, 3, 3, Window2d<2, 2, 1, 1, 1, 1>> = monomorph::memory::zeroed();
/// let image = core::array::from_fn(|y| core::array::from_fn(|x| [(3 * y + x * x) as f64]));
/// check_gradients(&mut pool, &[image], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type AvgPool2d<
    const H: usize,
    const W: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    P,
> = Pool<Mean, OverImage<H, W, C, OH, OW, KH, KW, P>>;

/// The mean of every window over the inputs in it, without padding: `[L, C] → [OL, C]`.
///
/// ```
/// use monomorph::layers::{AvgPool1d, Window1d};
/// use monomorph::testing::check_gradients;
/// // Windows of 3, 2 apart, with a border of 1: [5, 1] -> [3, 1].
/// let mut pool: AvgPool1d<5, 1, 3, 3, Window1d<2, 1, 1>> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0], [5.0], [3.0], [2.0], [6.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type AvgPool1d<const L: usize, const C: usize, const OL: usize, const K: usize, P> =
    Pool<Mean, OverSequence<L, C, OL, K, P>>;

/// The mean of every channel: `[H, W, C] → [C]`.
///
/// ```
/// use monomorph::layers::GlobalAvgPool2d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalAvgPool2d<1, 3, 2> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalAvgPool2d<const H: usize, const W: usize, const C: usize> = Pool<Mean, WholeImage<H, W, C>>;

/// The mean of every channel: `[L, C] → [C]`.
///
/// ```
/// use monomorph::layers::GlobalAvgPool1d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalAvgPool1d<3, 2> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type GlobalAvgPool1d<const L: usize, const C: usize> = Pool<Mean, WholeSequence<L, C>>;

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::Passes;
    use crate::layers::{Window1d, Window2d};
    use crate::memory::{boxed, zeroed};
    use crate::noise::Noise;
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};
    use std::format;
    use std::vec::Vec;

    type Dense1 = Window2d<1, 1, 0, 0, 1, 1>;
    type Half = Window2d<2, 2, 0, 0, 1, 1>;

    /// The maximum or the mean of every window, and the gradient of its input; by the definition.
    fn naive<const B: usize, T: Scalar, X: crate::Tensor<T>, P: Window2>(
        maximum: bool,
        kernel: [usize; 2],
        output: [usize; 2],
        input: &[X; B],
        grad_output: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let [h, w, channels] = X::SHAPE else { panic!("not an image") };
        let x: Vec<f64> = batch_slice::<T, X>(input).iter().map(|x| x.to_f64()).collect();
        let mut y = Vec::new();
        let mut dx = std::vec![0.0; x.len()];
        for b in 0..B {
            for (i, j) in (0..output[0]).flat_map(|i| (0..output[1]).map(move |j| (i, j))) {
                for c in 0..*channels {
                    let mut taps = Vec::new();
                    for (k, l) in (0..kernel[0]).flat_map(|k| (0..kernel[1]).map(move |l| (k, l))) {
                        let row = (i * P::STRIDE[0] + k * P::DILATION[0]).wrapping_sub(P::BEFORE[0]);
                        let column = (j * P::STRIDE[1] + l * P::DILATION[1]).wrapping_sub(P::BEFORE[1]);
                        if row < *h && column < *w {
                            taps.push(((b * h + row) * w + column) * channels + c);
                        }
                    }
                    let dy = grad_output[y.len()];
                    if maximum {
                        let first = taps.iter().copied().reduce(|best, tap| if x[tap] > x[best] { tap } else { best });
                        let first = first.expect("a window with a tap");
                        y.push(x[first]);
                        dx[first] += dy;
                    } else {
                        y.push(taps.iter().map(|tap| x[*tap]).sum::<f64>() / taps.len() as f64);
                        taps.iter().for_each(|tap| dx[*tap] += dy / taps.len() as f64);
                    }
                }
            }
        }
        (y, dx)
    }

    /// Values with many ties, so that the order in which maxima are taken shows.
    fn ties<T: Scalar, X: crate::Tensor<T>, const B: usize>(seed: u64) -> std::boxed::Box<[X; B]> {
        let mut noise = Noise::new(seed);
        let mut batch: std::boxed::Box<[X; B]> = boxed();
        batch_slice_mut::<T, _>(&mut batch[..]).fill_with(|| T::from_f64(noise.below(5) as f64 - 4.0));
        batch
    }

    fn agrees<T: Scalar, L: Layer<T>, P: Window2, const B: usize>(
        layer: &L,
        maximum: bool,
        kernel: [usize; 2],
        output: [usize; 2],
    ) {
        let tolerance = if size_of::<T>() == 8 { 1e-12 } else { 2e-6 };
        let grad_output = golden::random::<T, L::Output, B>(3);
        let dy: Vec<f64> = batch_slice::<T, _>(&grad_output[..]).iter().map(|x| x.to_f64()).collect();
        for input in [golden::random::<T, L::Input, B>(2), ties::<T, L::Input, B>(2)] {
            let (y, dx) = naive::<B, T, L::Input, P>(maximum, kernel, output, &input, &dy);
            for level in levels() {
                let what =
                    |part: &str| format!("{}, maximum {maximum}, at {level:?}: {part}", std::any::type_name::<L>());
                let passes = Passes::<T, L, B>::run(level, layer, &input, &grad_output);
                golden::assert_close::<T>(&what("evaluate"), batch_slice(&passes.evaluated[..]), &y, tolerance);
                golden::assert_close::<T>(&what("forward"), batch_slice(&passes.output[..]), &y, tolerance);
                golden::assert_close::<T>(&what("dx"), batch_slice(&passes.grad_input[..]), &dx, tolerance);
            }
        }
    }

    macro_rules! agree {
        ($([$h:literal, $w:literal, $c:literal] -> [$oh:literal, $ow:literal], $kh:literal x $kw:literal, $window:ty;)*) => { $(
            let max: MaxPool2d<$h, $w, $c, $oh, $ow, $kh, $kw, $window> = zeroed();
            agrees::<f32, _, $window, 2>(&max, true, [$kh, $kw], [$oh, $ow]);
            let mean: AvgPool2d<$h, $w, $c, $oh, $ow, $kh, $kw, $window> = zeroed();
            agrees::<f64, _, $window, 2>(&mean, false, [$kh, $kw], [$oh, $ow]);
        )* };
    }

    #[test]
    fn windows_agree_with_their_definition() {
        agree! {
            [4, 4, 1] -> [2, 2], 2 x 2, Half;
            [6, 8, 17] -> [3, 4], 2 x 2, Half;
            [4, 4, 64] -> [2, 2], 2 x 2, Half;
            // The last row and column are left out.
            [5, 7, 3] -> [2, 3], 2 x 2, Half;
            // Fewer windows than there is room for.
            [6, 6, 2] -> [2, 3], 2 x 2, Half;
            // Overlapping, padded.
            [9, 9, 15] -> [5, 5], 3 x 3, Window2d<2, 2, 1, 1, 1, 1>;
            [5, 4, 100] -> [5, 4], 3 x 3, Window2d<1, 1, 1, 1, 1, 1>;
            // Padding behind only.
            [5, 5, 2] -> [3, 3], 2 x 2, Half;
            // Gaps between windows, and a kernel of one.
            [7, 8, 5] -> [3, 3], 2 x 1, Window2d<3, 3, 1, 0, 1, 1>;
            [3, 3, 4] -> [2, 2], 1 x 1, Half;
            // Dilated.
            [9, 6, 17] -> [5, 3], 3 x 2, Window2d<2, 2, 2, 1, 2, 3>;
            // The whole image, and wider than it.
            [3, 5, 18] -> [1, 1], 3 x 5, Dense1;
            [2, 2, 3] -> [1, 1], 4 x 4, Window2d<1, 1, 1, 1, 1, 1>;
        }
    }

    #[test]
    fn global_pools_agree_with_their_definition() {
        fn global<const H: usize, const W: usize, const C: usize>() {
            agrees::<f32, GlobalMaxPool2d<H, W, C>, Dense1, 2>(&zeroed(), true, [H, W], [1, 1]);
            agrees::<f64, GlobalAvgPool2d<H, W, C>, Dense1, 2>(&zeroed(), false, [H, W], [1, 1]);
        }
        global::<1, 1, 1>();
        global::<2, 3, 2>();
        global::<5, 7, 16>();
        global::<3, 3, 33>();
        global::<4, 2, 100>();
    }

    #[test]
    fn finite_differences_agree() {
        fn check<L: Layer<f64>>() {
            let mut layer: std::boxed::Box<L> = boxed();
            check_gradients::<L, 2>(&mut layer, &golden::random::<f64, _, 2>(4), 1e-8)
                .unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<L>()));
        }
        check::<MaxPool2d<6, 4, 3, 3, 2, 2, 2, Half>>();
        check::<AvgPool2d<5, 5, 3, 2, 2, 2, 2, Half>>();
        check::<MaxPool2d<7, 6, 3, 3, 4, 3, 2, Window2d<2, 1, 2, 1, 2, 3>>>();
        check::<AvgPool2d<7, 6, 3, 3, 4, 3, 2, Window2d<2, 1, 2, 1, 2, 3>>>();
        check::<GlobalMaxPool2d<3, 5, 3>>();
        check::<GlobalAvgPool2d<3, 5, 3>>();
    }

    #[test]
    fn nan_is_the_maximum_wherever_it_is() {
        for (place, level) in (0..4).flat_map(|place| levels().map(move |level| (place, level))) {
            let mut image = [[[[1.0_f32; 19]; 2]; 2]];
            image[0][place / 2][place % 2][17] = f32::NAN;
            let window: MaxPool2d<2, 2, 19, 1, 1, 2, 2, Dense1> = zeroed();
            let y = Passes::run(level, &window, &image, &zeroed()).output[0][0][0];
            assert!(y[17].is_nan() && y[16] == 1.0, "{place} at {level:?}");
            let window: MaxPool2d<2, 2, 19, 1, 1, 3, 3, Window2d<1, 1, 1, 1, 1, 1>> = zeroed();
            let y = Passes::run(level, &window, &image, &zeroed()).output[0][0][0];
            assert!(y[17].is_nan() && y[16] == 1.0, "{place} at {level:?}");
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<f64, MaxPool2d<6, 8, 5, 3, 4, 2, 2, Half>, 2>("pool2d_max2");
        golden::check_layer::<f32, MaxPool2d<6, 8, 5, 3, 4, 2, 2, Half>, 2>("pool2d_max2");
        type Padded = MaxPool2d<9, 9, 4, 5, 5, 3, 3, Window2d<2, 2, 1, 1, 1, 1>>;
        golden::check_layer::<f64, Padded, 1>("pool2d_max3_s2_pad1");
        golden::check_layer::<f32, Padded, 1>("pool2d_max3_s2_pad1");
        golden::check_layer::<f64, AvgPool2d<6, 6, 3, 3, 3, 2, 2, Half>, 2>("pool2d_avg2");
        golden::check_layer::<f32, AvgPool2d<6, 6, 3, 3, 3, 2, 2, Half>, 2>("pool2d_avg2");
        golden::check_layer::<f64, GlobalAvgPool2d<5, 7, 18>, 2>("pool2d_global_avg");
        golden::check_layer::<f32, GlobalAvgPool2d<5, 7, 18>, 2>("pool2d_global_avg");
        golden::check_layer::<f64, GlobalMaxPool2d<5, 7, 18>, 2>("pool2d_global_max");
        golden::check_layer::<f32, GlobalMaxPool2d<5, 7, 18>, 2>("pool2d_global_max");
    }
    /// A pool over a sequence is a pool over an image of height 1.
    fn same<T: Scalar, One: Layer<T>, Two: Layer<T>, const B: usize>(one: &One, two: &Two) {
        let (x, dy) = (golden::random::<T, One::Input, B>(2), golden::random::<T, One::Output, B>(3));
        let (x2, dy2) = (golden::random::<T, Two::Input, B>(2), golden::random::<T, Two::Output, B>(3));
        for level in levels() {
            let a = Passes::run(level, one, &x, &dy);
            let b = Passes::run(level, two, &x2, &dy2);
            assert!(batch_slice::<T, _>(&a.evaluated[..]) == batch_slice::<T, _>(&b.evaluated[..]), "{level:?}");
            assert!(batch_slice::<T, _>(&a.output[..]) == batch_slice::<T, _>(&b.output[..]), "{level:?}");
            assert!(batch_slice::<T, _>(&a.grad_input[..]) == batch_slice::<T, _>(&b.grad_input[..]), "{level:?}");
        }
    }

    #[test]
    fn a_sequence_is_an_image_of_height_1() {
        type Window = Window1d<2, 1, 2>;
        type Image = Window2d<1, 2, 0, 1, 1, 2>;
        same::<f32, MaxPool1d<11, 17, 5, 3, Window>, MaxPool2d<1, 11, 17, 1, 5, 1, 3, Image>, 2>(&zeroed(), &zeroed());
        same::<f64, AvgPool1d<11, 17, 5, 3, Window>, AvgPool2d<1, 11, 17, 1, 5, 1, 3, Image>, 2>(&zeroed(), &zeroed());
        same::<f32, GlobalMaxPool1d<9, 3>, GlobalMaxPool2d<1, 9, 3>, 2>(&zeroed(), &zeroed());
        same::<f64, GlobalAvgPool1d<9, 3>, GlobalAvgPool2d<1, 9, 3>, 2>(&zeroed(), &zeroed());
    }

    #[test]
    fn values_of_a_sequence() {
        let sequence = [[[1.0], [5.0], [3.0], [4.0], [6.0_f32]]];
        let level = crate::simd::level();
        // Windows of 3, 2 apart, one step of padding at both ends.
        let max: MaxPool1d<5, 1, 3, 3, Window1d<2, 1, 1>> = zeroed();
        assert_eq!(Passes::run(level, &max, &sequence, &zeroed()).evaluated[0], [[5.0], [5.0], [6.0]]);
        let mean: AvgPool1d<5, 1, 3, 3, Window1d<2, 1, 1>> = zeroed();
        assert_eq!(Passes::run(level, &mean, &sequence, &zeroed()).evaluated[0], [[3.0], [4.0], [5.0]]);
        let max: GlobalMaxPool1d<5, 1> = zeroed();
        assert_eq!(Passes::run(level, &max, &sequence, &zeroed()).evaluated[0], [6.0]);
        let mean: GlobalAvgPool1d<5, 1> = zeroed();
        assert_eq!(Passes::run(level, &mean, &sequence, &zeroed()).evaluated[0], [3.8]);
    }

    #[test]
    fn finite_differences_agree_on_sequences() {
        fn check<L: Layer<f64>>() {
            let mut layer: std::boxed::Box<L> = boxed();
            check_gradients::<L, 2>(&mut layer, &golden::random::<f64, _, 2>(4), 1e-8)
                .unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<L>()));
        }
        check::<MaxPool1d<11, 3, 5, 3, Window1d<2, 1, 2>>>();
        check::<AvgPool1d<11, 3, 5, 3, Window1d<2, 1, 2>>>();
        check::<MaxPool1d<8, 3, 4, 2, Window1d<2, 0, 1>>>();
        check::<GlobalMaxPool1d<7, 3>>();
        check::<GlobalAvgPool1d<7, 3>>();
    }
}
