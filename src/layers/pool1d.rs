//! Pools over sequences: `[L, C] → [OL, C]`, and `[C]` for the global ones.
//!
//! | layer | `y[i][c]` |
//! | --- | --- |
//! | [`MaxPool1d`] | `max x[i·S + k·D − LEFT][c]` over the `k < K` inside the sequence |
//! | [`AvgPool1d`] | the mean over the same set |
//! | [`GlobalMaxPool1d`] | `y[c] = max x[·][c]` |
//! | [`GlobalAvgPool1d`] | `y[c] = mean x[·][c]` |
//!
//! `OL = ⌊(L + padding − extent) / S⌋ + 1` with `extent = D · (K − 1) + 1`.
//! Padding never wins a maximum and never counts in an average, as in ONNX and TensorFlow. A
//! window may not lie in the padding alone.

use core::marker::PhantomData;

use crate::kernels::pool::{self, Windows};
use crate::layer::{Layer, outline_layer};
use crate::layers::Window1;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{batch_slice, batch_slice_mut};

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
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct MaxPool1d<const L: usize, const C: usize, const OL: usize, const K: usize, P>(PhantomData<P>);

impl<const L: usize, const C: usize, const OL: usize, const K: usize, P: Window1> MaxPool1d<L, C, OL, K, P> {
    const WINDOWS: Windows = Windows::new([1, L], [1, OL], C, [1, K], [1, P::STRIDE], [0, P::BEFORE], [1, P::DILATION]);
}

impl<T: Scalar, const L: usize, const C: usize, const OL: usize, const K: usize, P: Window1> Layer<T>
    for MaxPool1d<L, C, OL, K, P>
{
    type Input = [[T; C]; L];
    type Output = [[T; C]; OL];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || pool::max(simd, &Self::WINDOWS, B, batch_slice::<T, _>(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _saved: &mut (),
        _noise: &mut Noise,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                pool::max_backward(
                    simd,
                    &Self::WINDOWS,
                    B,
                    batch_slice(input),
                    batch_slice(grad_output),
                    batch_slice_mut(grad_input),
                );
            },
        );
    }
}

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
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct AvgPool1d<const L: usize, const C: usize, const OL: usize, const K: usize, P>(PhantomData<P>);

impl<const L: usize, const C: usize, const OL: usize, const K: usize, P: Window1> AvgPool1d<L, C, OL, K, P> {
    const WINDOWS: Windows = Windows::new([1, L], [1, OL], C, [1, K], [1, P::STRIDE], [0, P::BEFORE], [1, P::DILATION]);
}

impl<T: Scalar, const L: usize, const C: usize, const OL: usize, const K: usize, P: Window1> Layer<T>
    for AvgPool1d<L, C, OL, K, P>
{
    type Input = [[T; C]; L];
    type Output = [[T; C]; OL];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || pool::average(simd, &Self::WINDOWS, B, batch_slice::<T, _>(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _saved: &mut (),
        _noise: &mut Noise,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                pool::average_backward(
                    simd,
                    &Self::WINDOWS,
                    B,
                    batch_slice::<T, _>(grad_output),
                    batch_slice_mut(grad_input),
                );
            },
        );
    }
}

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
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct GlobalMaxPool1d<const L: usize, const C: usize>;

impl<const L: usize, const C: usize> GlobalMaxPool1d<L, C> {
    /// One window, the whole input.
    const WINDOWS: Windows = Windows::new([1, L], [1, 1], C, [1, L], [1, 1], [0, 0], [1, 1]);
}

impl<T: Scalar, const L: usize, const C: usize> Layer<T> for GlobalMaxPool1d<L, C> {
    type Input = [[T; C]; L];
    type Output = [T; C];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || pool::max(simd, &Self::WINDOWS, B, batch_slice::<T, _>(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _saved: &mut (),
        _noise: &mut Noise,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                pool::max_backward(
                    simd,
                    &Self::WINDOWS,
                    B,
                    batch_slice(input),
                    batch_slice(grad_output),
                    batch_slice_mut(grad_input),
                );
            },
        );
    }
}

/// The mean of every channel: `[L, C] → [C]`.
///
/// ```
/// use monomorph::layers::GlobalAvgPool1d;
/// use monomorph::testing::check_gradients;
/// let mut pool: GlobalAvgPool1d<3, 2> = monomorph::memory::zeroed();
/// check_gradients(&mut pool, &[[[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct GlobalAvgPool1d<const L: usize, const C: usize>;

impl<const L: usize, const C: usize> GlobalAvgPool1d<L, C> {
    /// One window, the whole input.
    const WINDOWS: Windows = Windows::new([1, L], [1, 1], C, [1, L], [1, 1], [0, 0], [1, 1]);
}

impl<T: Scalar, const L: usize, const C: usize> Layer<T> for GlobalAvgPool1d<L, C> {
    type Input = [[T; C]; L];
    type Output = [T; C];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || pool::average(simd, &Self::WINDOWS, B, batch_slice::<T, _>(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _saved: &mut (),
        _noise: &mut Noise,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                pool::average_backward(
                    simd,
                    &Self::WINDOWS,
                    B,
                    batch_slice::<T, _>(grad_output),
                    batch_slice_mut(grad_input),
                );
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::Passes;
    use crate::layers::{AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d, Window1d, Window2d};
    use crate::memory::{boxed, zeroed};
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};

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
    fn values() {
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
    fn finite_differences_agree() {
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
