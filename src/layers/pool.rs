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
//! At inference, a `MaxPool2d(2)` of an image with even sizes is fused into the convolution right before it (or before
//! its activation): only the maxima take memory, not the pixels.
//!
//! All are one layer, [`Pool`], parameterized by a reduction and the windows that it reduces.

use core::marker::PhantomData;

use crate::kernels::pool;
use crate::kernels::window::Windows;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::layers::{Whole, Window};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Reduces the windows of an `X`, which slide as `P` says, by `R` to a `Y`; use one of its aliases, such as
/// [`MaxPool2d`].
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Pool<R, X, Y, P>(PhantomData<(R, X, Y, P)>);

/// How a window is reduced: [`Max`] or [`Mean`].
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

impl<R: Reduction, X: Tensor, Y: Tensor, P: Window> Pool<R, X, Y, P> {
    const WINDOWS: Windows = {
        assert!(Y::CHANNELS == X::CHANNELS, "pool: input and output differ in channels");
        Windows::new(X::SHAPE, Y::SHAPE, P::KERNEL, P::STRIDE, P::BEFORE, P::DILATION).checked()
    };
}

impl<T: Scalar, R: Reduction, X: Tensor<Element = T>, Y: Tensor<Element = T>, P: Window> Layer for Pool<R, X, Y, P> {
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

    type Half = Window2d<2, 2, 2, 2>;
    type Image<T, const H: usize, const W: usize, const C: usize> = [[[T; C]; W]; H];
    type Sequence<T, const L: usize, const C: usize> = [[T; C]; L];

    /// The maximum or the mean of every window, and the gradient of its input, computed by definition.
    fn naive<const B: usize, T: Scalar, X: Tensor<Element = T>, P: Window>(
        maximum: bool,
        output: [usize; 2],
        input: &[X; B],
        grad_output: &[f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let [h, w, channels] = X::SHAPE else { panic!("not an image") };
        let kernel = P::KERNEL;
        let x: Vec<f64> = batch_slice(input).iter().map(|x| x.to_f64()).collect();
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

    /// Values with many ties, so that the order in which maxima are taken matters.
    fn ties<T: Scalar, X: Tensor<Element = T>, const B: usize>(seed: u64) -> std::boxed::Box<[X; B]> {
        let mut noise = Noise::new(seed);
        let mut batch: std::boxed::Box<[X; B]> = boxed();
        batch_slice_mut(&mut batch[..]).fill_with(|| T::from_f64(noise.below(5) as f64 - 4.0));
        batch
    }

    fn agrees<T: Scalar, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X>, P: Window, const B: usize>(
        layer: &L,
        maximum: bool,
        output: [usize; 2],
    ) {
        let tolerance = if size_of::<T>() == 8 { 1e-12 } else { 2e-6 };
        let grad_output = golden::random::<L::Output, B>(3);
        let dy: Vec<f64> = batch_slice(&grad_output[..]).iter().map(|x| x.to_f64()).collect();
        for input in [golden::random::<X, B>(2), ties::<T, X, B>(2)] {
            let (y, dx) = naive::<B, T, X, P>(maximum, output, &input, &dy);
            for level in levels() {
                let what =
                    |part: &str| format!("{}, maximum {maximum}, at {level:?}: {part}", std::any::type_name::<L>());
                let passes = Passes::run::<L, B>(level, layer, &input, &grad_output);
                golden::assert_close(&what("evaluate"), batch_slice(&passes.evaluated[..]), &y, tolerance);
                golden::assert_close(&what("forward"), batch_slice(&passes.output[..]), &y, tolerance);
                golden::assert_close(&what("dx"), batch_slice(&passes.grad_input[..]), &dx, tolerance);
            }
        }
    }

    macro_rules! agree {
        ($([$h:literal, $w:literal, $c:literal] -> [$oh:literal, $ow:literal], $window:ty;)*) => { $(
            let max: MaxPool2d<Image<f32, $h, $w, $c>, Image<f32, $oh, $ow, $c>, $window> = zeroed();
            agrees::<f32, _, _, $window, 2>(&max, true, [$oh, $ow]);
            let mean: AvgPool2d<Image<f64, $h, $w, $c>, Image<f64, $oh, $ow, $c>, $window> = zeroed();
            agrees::<f64, _, _, $window, 2>(&mean, false, [$oh, $ow]);
        )* };
    }

    #[test]
    fn windows_agree_with_their_definition() {
        agree! {
            [4, 4, 1] -> [2, 2], Half;
            [6, 8, 17] -> [3, 4], Half;
            [4, 4, 64] -> [2, 2], Half;
            // The last row and column are left out.
            [5, 7, 3] -> [2, 3], Half;
            // Fewer windows than would fit.
            [6, 6, 2] -> [2, 3], Half;
            // Overlapping, padded.
            [9, 9, 15] -> [5, 5], Window2d<3, 3, 2, 2, 1, 1>;
            [5, 4, 100] -> [5, 4], Window2d<3, 3, 1, 1, 1, 1>;
            // Padding only at the end.
            [5, 5, 2] -> [3, 3], Half;
            // Gaps between windows, and a kernel of one.
            [7, 8, 5] -> [3, 3], Window2d<2, 1, 3, 3, 1, 0>;
            [3, 3, 4] -> [2, 2], Window2d<1, 1, 2, 2>;
            // Dilated.
            [9, 6, 17] -> [5, 3], Window2d<3, 2, 2, 2, 2, 1, 2, 3>;
            // The whole image, and wider than it.
            [3, 5, 18] -> [1, 1], Window2d<3, 5>;
            [2, 2, 3] -> [1, 1], Window2d<4, 4, 1, 1, 1, 1>;
        }
    }

    #[test]
    fn global_pools_agree_with_their_definition() {
        fn global<const H: usize, const W: usize, const C: usize>() {
            let max: GlobalMaxPool2d<Image<f32, H, W, C>> = zeroed();
            agrees::<f32, _, _, Window2d<H, W>, 2>(&max, true, [1, 1]);
            let mean: GlobalAvgPool2d<Image<f64, H, W, C>> = zeroed();
            agrees::<f64, _, _, Window2d<H, W>, 2>(&mean, false, [1, 1]);
        }
        global::<1, 1, 1>();
        global::<2, 3, 2>();
        global::<5, 7, 16>();
        global::<3, 3, 33>();
        global::<4, 2, 100>();
    }

    fn check<X: Tensor<Element = f64>, L: Layer<Scalar = f64, Input = X>>() {
        let mut layer: std::boxed::Box<L> = boxed();
        check_gradients::<L, 2>(&mut layer, &golden::random::<X, 2>(4), 1e-8)
            .unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<L>()));
    }

    #[test]
    fn finite_differences_agree() {
        type Dilated = Window2d<3, 2, 2, 1, 2, 1, 2, 3>;
        check::<_, MaxPool2d<Image<f64, 6, 4, 3>, Image<f64, 3, 2, 3>, Half>>();
        check::<_, AvgPool2d<Image<f64, 5, 5, 3>, Image<f64, 2, 2, 3>, Half>>();
        check::<_, MaxPool2d<Image<f64, 7, 6, 3>, Image<f64, 3, 4, 3>, Dilated>>();
        check::<_, AvgPool2d<Image<f64, 7, 6, 3>, Image<f64, 3, 4, 3>, Dilated>>();
        check::<_, GlobalMaxPool2d<Image<f64, 3, 5, 3>>>();
        check::<_, GlobalAvgPool2d<Image<f64, 3, 5, 3>>>();
    }

    #[test]
    fn nan_is_the_maximum_wherever_it_is() {
        for (place, level) in (0..4).flat_map(|place| levels().map(move |level| (place, level))) {
            let mut image = [[[[1.0_f32; 19]; 2]; 2]];
            image[0][place / 2][place % 2][17] = f32::NAN;
            let window: MaxPool2d<Image<f32, 2, 2, 19>, Image<f32, 1, 1, 19>, Window2d<2, 2>> = zeroed();
            let y = Passes::run(level, &window, &image, &zeroed()).output[0][0][0];
            assert!(y[17].is_nan() && y[16] == 1.0, "{place} at {level:?}");
            let window: MaxPool2d<Image<f32, 2, 2, 19>, Image<f32, 1, 1, 19>, Window2d<3, 3, 1, 1, 1, 1>> = zeroed();
            let y = Passes::run(level, &window, &image, &zeroed()).output[0][0][0];
            assert!(y[17].is_nan() && y[16] == 1.0, "{place} at {level:?}");
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        type Max<T> = MaxPool2d<Image<T, 6, 8, 5>, Image<T, 3, 4, 5>, Half>;
        golden::check_layer::<Max<f64>, 2>("pool2d_max2");
        golden::check_layer::<Max<f32>, 2>("pool2d_max2");
        type Padded<T> = MaxPool2d<Image<T, 9, 9, 4>, Image<T, 5, 5, 4>, Window2d<3, 3, 2, 2, 1, 1>>;
        golden::check_layer::<Padded<f64>, 1>("pool2d_max3_s2_pad1");
        golden::check_layer::<Padded<f32>, 1>("pool2d_max3_s2_pad1");
        type Avg<T> = AvgPool2d<Image<T, 6, 6, 3>, Image<T, 3, 3, 3>, Half>;
        golden::check_layer::<Avg<f64>, 2>("pool2d_avg2");
        golden::check_layer::<Avg<f32>, 2>("pool2d_avg2");
        golden::check_layer::<GlobalAvgPool2d<Image<f64, 5, 7, 18>>, 2>("pool2d_global_avg");
        golden::check_layer::<GlobalAvgPool2d<Image<f32, 5, 7, 18>>, 2>("pool2d_global_avg");
        golden::check_layer::<GlobalMaxPool2d<Image<f64, 5, 7, 18>>, 2>("pool2d_global_max");
        golden::check_layer::<GlobalMaxPool2d<Image<f32, 5, 7, 18>>, 2>("pool2d_global_max");
    }

    /// A pool over a sequence is a pool over an image of height 1.
    fn same<T: Scalar, One, Two, X1, X2, const B: usize>(one: &One, two: &Two)
    where
        X1: Tensor<Element = T>,
        X2: Tensor<Element = T>,
        One: Layer<Scalar = T, Input = X1>,
        Two: Layer<Scalar = T, Input = X2>,
    {
        let (x, dy) = (golden::random::<X1, B>(2), golden::random::<One::Output, B>(3));
        let (x2, dy2) = (golden::random::<X2, B>(2), golden::random::<Two::Output, B>(3));
        for level in levels() {
            let a = Passes::run(level, one, &x, &dy);
            let b = Passes::run(level, two, &x2, &dy2);
            assert!(batch_slice(&a.evaluated[..]) == batch_slice(&b.evaluated[..]), "{level:?}");
            assert!(batch_slice(&a.output[..]) == batch_slice(&b.output[..]), "{level:?}");
            assert!(batch_slice(&a.grad_input[..]) == batch_slice(&b.grad_input[..]), "{level:?}");
        }
    }

    #[test]
    fn a_sequence_is_an_image_of_height_1() {
        type Along = Window1d<3, 2, 1, 2>;
        type Across = Window2d<1, 3, 1, 2, 0, 1, 1, 2>;
        type MaxLine = MaxPool1d<Sequence<f32, 11, 17>, Sequence<f32, 5, 17>, Along>;
        type MaxRow = MaxPool2d<Image<f32, 1, 11, 17>, Image<f32, 1, 5, 17>, Across>;
        same::<f32, MaxLine, MaxRow, _, _, 2>(&zeroed(), &zeroed());
        type AvgLine = AvgPool1d<Sequence<f64, 11, 17>, Sequence<f64, 5, 17>, Along>;
        type AvgRow = AvgPool2d<Image<f64, 1, 11, 17>, Image<f64, 1, 5, 17>, Across>;
        same::<f64, AvgLine, AvgRow, _, _, 2>(&zeroed(), &zeroed());
        type GlobalMax<X> = (GlobalMaxPool1d<X>, GlobalMaxPool2d<[X; 1]>);
        let (line, row): GlobalMax<Sequence<f32, 9, 3>> = zeroed();
        same::<f32, _, _, _, _, 2>(&line, &row);
        type GlobalAvg<X> = (GlobalAvgPool1d<X>, GlobalAvgPool2d<[X; 1]>);
        let (line, row): GlobalAvg<Sequence<f64, 9, 3>> = zeroed();
        same::<f64, _, _, _, _, 2>(&line, &row);
    }

    #[test]
    fn values_of_a_sequence() {
        let sequence = [[[1.0], [5.0], [3.0], [4.0], [6.0_f32]]];
        let level = crate::simd::level();
        // Windows of 3, 2 apart, one step of padding at both ends.
        let max: MaxPool1d<Sequence<f32, 5, 1>, Sequence<f32, 3, 1>, Window1d<3, 2, 1>> = zeroed();
        assert_eq!(Passes::run(level, &max, &sequence, &zeroed()).evaluated[0], [[5.0], [5.0], [6.0]]);
        let mean: AvgPool1d<Sequence<f32, 5, 1>, Sequence<f32, 3, 1>, Window1d<3, 2, 1>> = zeroed();
        assert_eq!(Passes::run(level, &mean, &sequence, &zeroed()).evaluated[0], [[3.0], [4.0], [5.0]]);
        let max: GlobalMaxPool1d<Sequence<f32, 5, 1>> = zeroed();
        assert_eq!(Passes::run(level, &max, &sequence, &zeroed()).evaluated[0], [6.0]);
        let mean: GlobalAvgPool1d<Sequence<f32, 5, 1>> = zeroed();
        assert_eq!(Passes::run(level, &mean, &sequence, &zeroed()).evaluated[0], [3.8]);
    }

    #[test]
    fn finite_differences_agree_on_sequences() {
        check::<_, MaxPool1d<Sequence<f64, 11, 3>, Sequence<f64, 5, 3>, Window1d<3, 2, 1, 2>>>();
        check::<_, AvgPool1d<Sequence<f64, 11, 3>, Sequence<f64, 5, 3>, Window1d<3, 2, 1, 2>>>();
        check::<_, MaxPool1d<Sequence<f64, 8, 3>, Sequence<f64, 4, 3>, Window1d<2, 2>>>();
        check::<_, GlobalMaxPool1d<Sequence<f64, 7, 3>>>();
        check::<_, GlobalAvgPool1d<Sequence<f64, 7, 3>>>();
    }
}
