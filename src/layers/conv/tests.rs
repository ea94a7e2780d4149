//! Convolutions of images; of sequences, in `line`.

pub(in crate::layers) mod line;

use super::*;
use crate::layers::{Identity, Tanh, Window2d};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::scalar::Real;
use crate::simd::{Task, dispatch, levels};
use crate::testing::check_gradients;
use crate::testing::golden::{assert_close, check_layer, random};
use std::boxed::Box;
use std::{format, vec};

/// A two-dimensional convolution by its sizes.
pub(in crate::layers) type Case<
    T,
    const H: usize,
    const WIDTH: usize,
    const C: usize,
    const OH: usize,
    const OW: usize,
    const OC: usize,
    const KH: usize,
    const KW: usize,
    const CG: usize,
    const BIAS: usize,
    const SH: usize,
    const SW: usize,
    const TOP: usize,
    const LEFT: usize,
    const DH: usize,
    const DW: usize,
> = Conv2d<
    [[[T; C]; WIDTH]; H],
    [[[[T; OC]; CG]; KW]; KH],
    [[[T; OC]; OW]; OH],
    Window2d<KH, KW, SH, SW, TOP, LEFT, DH, DW>,
    [T; BIAS],
>;

struct Backward<'a, X, L: Layer, const B: usize> {
    layer: &'a L,
    x: &'a [X; B],
    y: &'a mut [L::Output; B],
    grad_y: &'a mut [L::Output; B],
    grad_x: &'a mut [X; B],
    gradient: &'a mut L,
}

impl<X: Tensor, L, const B: usize> Task for Backward<'_, X, L, B>
where
    L: Layer<Input = X, Workspace<B> = (), Saved<B> = ()>,
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let pass = Pass::new(Noise::new(1), L::Scalar::ONE);
        self.layer.evaluate(simd, self.x, self.y, &mut ());
        self.layer.backward(simd, self.x, self.y, &mut (), self.grad_y, Some(self.grad_x), self.gradient, &pass);
    }
}

/// Everything in plain loops and `f64`; the first `weights` parameters are the weight.
fn check<T: Real, X: Tensor<Element = T>, L, const B: usize>()
where
    L: Layer<Scalar = T, Input = X, Workspace<B> = (), Saved<B> = ()> + Convolution,
{
    let [h, w] = L::INPUT;
    let [oh, ow] = L::OUTPUT;
    let [kh, kw] = L::KERNEL;
    let (c, cg, oc) = (L::CHANNELS, L::GROUP_CHANNELS, L::OUTPUTS);
    let weights = kh * kw * cg * oc;

    let mut layer: Box<L> = boxed();
    let mut noise = Noise::new(1);
    layer.as_mut_slice().fill_with(|| T::from_f64(noise.uniform() * 2.0 - 1.0));
    let (x, grad_y) = (random::<X, B>(3), random::<L::Output, B>(4));
    let p = layer.as_slice();
    let (xs, dys) = (batch_slice(&x[..]), batch_slice(&grad_y[..]));

    let mut y = vec![0.0; dys.len()];
    let mut grad_x = vec![0.0; xs.len()];
    let mut gradient = vec![1.0; L::COUNT];
    for (pixel, outputs) in y.chunks_exact_mut(oc).enumerate() {
        let (b, row, column) = (pixel / ow / oh, pixel / ow % oh, pixel % ow);
        for (o, y) in outputs.iter_mut().enumerate() {
            let dy = dys[pixel * oc + o].to_f64();
            if L::COUNT > weights {
                *y = p[weights + o].to_f64();
                gradient[weights + o] += dy;
            }
            for tap in 0..kh * kw * cg {
                let (i, j, channel) = (tap / cg / kw, tap / cg % kw, tap % cg);
                let at_row = (row * L::STRIDE[0] + i * L::DILATION[0]).wrapping_sub(L::BEFORE[0]);
                let at_column = (column * L::STRIDE[1] + j * L::DILATION[1]).wrapping_sub(L::BEFORE[1]);
                if at_row < h && at_column < w {
                    let channel = o / (oc / (c / cg)) * cg + channel;
                    let at = ((b * h + at_row) * w + at_column) * c + channel;
                    *y += xs[at].to_f64() * p[tap * oc + o].to_f64();
                    grad_x[at] += dy * p[tap * oc + o].to_f64();
                    gradient[tap * oc + o] += dy * xs[at].to_f64();
                }
            }
        }
    }

    let tolerance = 200.0 * T::EPSILON.to_f64();
    for level in levels() {
        let mut actual: Box<L> = boxed();
        actual.as_mut_slice().fill(T::ONE);
        // Every number must be written, not added to.
        let (mut outputs, mut inputs) = (random::<L::Output, B>(6), random::<X, B>(7));
        let mut dy = random::<L::Output, B>(4);
        let pass = Backward {
            layer: &*layer,
            x: &x,
            y: &mut outputs,
            grad_y: &mut dy,
            grad_x: &mut inputs,
            gradient: &mut *actual,
        };
        dispatch(level, pass);
        let what = |part| format!("{} at {level:?}: {part}", core::any::type_name::<L>());
        assert_close(&what("y"), batch_slice(&outputs[..]), &y, tolerance);
        assert_close(&what("∂x"), batch_slice(&inputs[..]), &grad_x, tolerance);
        assert_close(&what("∂W"), actual.as_slice(), &gradient, tolerance);
    }
}

struct Pooled<'a, T, X, Y> {
    x: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
    kept: &'a mut [T],
    layer: core::marker::PhantomData<(X, Y)>,
}

impl<T: Real, L: Convolution, A: Activation<T>> Task for Pooled<'_, T, L, A> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        conv::forward::<T, T, S, A, L, false>(simd, self.x, self.weight, &[], self.bias, self.y);
        conv::forward::<T, T, S, A, L, true>(simd, self.x, self.weight, &[], self.bias, self.kept);
    }
}

/// The maxima are those of the pixels, NaN where one of them is NaN.
fn check_pooled<T: Real, X: Tensor<Element = T>, L, A: Activation<T>>()
where
    L: Layer<Scalar = T, Input = X> + Convolution,
{
    let [rows, columns] = L::OUTPUT;
    let channels = L::OUTPUTS;
    let mut layer: Box<L> = boxed();
    let mut noise = Noise::new(1);
    layer.as_mut_slice().fill_with(|| T::from_f64(noise.uniform() * 2.0 - 1.0));
    let (weight, bias) = layer.as_slice().split_at(L::KERNEL[0] * L::KERNEL[1] * L::GROUP_CHANNELS * channels);
    let mut x = random::<X, 2>(3);
    batch_slice_mut(&mut x[..])[7] = T::from_f64(f64::NAN);
    let x = batch_slice(&x[..]);
    for level in levels() {
        let mut y = vec![T::ZERO; 2 * rows * columns * channels];
        let mut kept = vec![T::ONE; y.len() / 4];
        let layer = core::marker::PhantomData::<(L, A)>;
        dispatch(level, Pooled { x, weight, bias, y: &mut y, kept: &mut kept, layer });
        let mut nans = 0;
        for (at, kept) in kept.iter().enumerate() {
            let (pixel, channel) = (at / channels, at % channels);
            let (row, column) = (2 * (pixel / (columns / 2)), 2 * (pixel % (columns / 2)));
            let of = |i: usize, j: usize| y[((row + i) * columns + column + j) * channels + channel].to_f64();
            let pixels = [of(0, 0), of(0, 1), of(1, 0), of(1, 1)];
            let what = || format!("{} at {level:?}: {at}: {pixels:?}", core::any::type_name::<L>());
            if pixels.iter().any(|pixel| pixel.is_nan()) {
                assert!(kept.to_f64().is_nan(), "{}", what());
                nans += 1;
            } else {
                let maximum = pixels.into_iter().fold(f64::NEG_INFINITY, f64::max);
                assert!((kept.to_f64() - maximum).abs() < 100.0 * T::EPSILON.to_f64(), "{} {kept:?}", what());
            }
        }
        assert!(nans > 0 && nans < kept.len(), "{nans}");
    }
}

macro_rules! pooled {
    ($($name:ident: $type:ty, $activation:ident, [$($size:literal),*] [$($slide:literal),*];)*) => { $(
        #[test]
        fn $name() {
            check_pooled::<$type, _, Case<$type, $($size,)* $($slide),*>, $activation>();
        }
    )* };
}
pooled! {
    pooled_grey: f32, Identity, [8, 36, 1, 8, 36, 6, 5, 5, 1, 6] [1, 1, 2, 2, 1, 1];
    pooled_grey_odd: f32, Tanh, [6, 34, 1, 6, 34, 3, 3, 3, 1, 3] [1, 1, 1, 1, 1, 1];
    pooled_grey_wide: f32, Identity, [5, 72, 1, 4, 70, 17, 2, 3, 1, 0] [1, 1, 0, 0, 1, 1];
    pooled_grey_double: f64, Identity, [4, 20, 1, 4, 18, 2, 3, 3, 1, 2] [1, 1, 1, 0, 1, 1];
    pooled: f64, Identity, [9, 11, 5, 8, 10, 17, 2, 2, 5, 17] [1, 1, 0, 0, 1, 1];
    pooled_padded: f32, Identity, [8, 8, 3, 8, 8, 33, 3, 3, 3, 0] [1, 1, 1, 1, 1, 1];
    pooled_strided: f32, Tanh, [9, 13, 4, 4, 6, 7, 3, 3, 4, 7] [2, 2, 0, 0, 1, 1];
    pooled_depthwise: f32, Identity, [6, 6, 18, 6, 6, 18, 3, 3, 1, 18] [1, 1, 1, 1, 1, 1];
    pooled_groups: f64, Identity, [6, 6, 4, 6, 6, 6, 3, 3, 2, 6] [1, 1, 1, 1, 1, 1];
    pooled_padding_around: f32, Identity, [2, 2, 1, 10, 10, 1, 3, 3, 1, 1] [1, 1, 5, 5, 1, 1];
    pooled_padding_alone: f32, Identity, [2, 2, 1, 6, 6, 1, 3, 3, 1, 1] [1, 1, 4, 4, 1, 1];
}

// Half of them in each type, because every size generates its own machine code at three levels.
macro_rules! sizes {
    ($($name:ident: $batch:literal, $type:ty, [$($size:literal),*] [$($slide:literal),*];)*) => { $(
        #[test]
        fn $name() {
            check::<$type, _, Case<$type, $($size,)* $($slide),*>, $batch>();
        }
    )* };
}
// H, W, C, OH, OW, OC, KH, KW, CG, BIAS.
sizes! {
    one: 1, f32, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] [1, 1, 0, 0, 1, 1];
    grey_padded: 3, f32, [9, 15, 1, 9, 15, 6, 5, 5, 1, 6] [1, 1, 2, 2, 1, 1];
    grey_wide: 3, f32, [5, 37, 1, 3, 37, 4, 3, 3, 1, 4] [1, 1, 0, 1, 1, 1];
    grey_narrow: 1, f32, [6, 9, 1, 3, 5, 3, 2, 3, 1, 0] [2, 1, 0, 0, 1, 2];
    grey_one: 1, f64, [7, 33, 1, 6, 31, 1, 3, 3, 1, 1] [1, 1, 1, 0, 1, 1];
    grey_tall: 1, f64, [12, 14, 1, 8, 10, 2, 5, 5, 1, 2] [1, 1, 0, 0, 1, 1];
    grey_line: 2, f32, [1, 70, 1, 1, 72, 2, 1, 3, 1, 2] [1, 1, 0, 2, 1, 1];
    grey_pointwise: 3, f32, [5, 9, 1, 5, 9, 2, 1, 1, 1, 2] [1, 1, 0, 0, 1, 1];
    grey_uneven: 1, f64, [9, 16, 1, 7, 16, 17, 3, 4, 1, 0] [1, 1, 0, 1, 1, 1];
    colour_strided: 3, f64, [17, 15, 3, 9, 8, 16, 3, 3, 3, 16] [2, 2, 1, 1, 1, 1];
    narrow: 7, f64, [2, 2, 2, 2, 2, 3, 3, 3, 2, 3] [1, 1, 1, 1, 1, 1];
    all_border: 1, f32, [3, 2, 2, 3, 2, 15, 7, 7, 2, 15] [1, 1, 3, 3, 1, 1];
    wide: 1, f32, [4, 33, 16, 4, 33, 33, 3, 3, 16, 33] [1, 1, 1, 1, 1, 1];
    deep: 1, f64, [4, 4, 64, 4, 4, 100, 3, 3, 64, 100] [1, 1, 1, 1, 1, 1];
    pointwise: 8, f32, [3, 5, 17, 3, 5, 33, 1, 1, 17, 33] [1, 1, 0, 0, 1, 1];
    pointwise_strided: 1, f64, [7, 7, 15, 4, 4, 16, 1, 1, 15, 16] [2, 2, 0, 0, 1, 1];
    dilated: 6, f32, [11, 12, 3, 7, 9, 5, 3, 3, 3, 5] [1, 1, 0, 1, 2, 2];
    dilated_strided: 1, f64, [11, 13, 2, 5, 5, 5, 3, 3, 2, 5] [2, 3, 1, 2, 2, 3];
    padding_around: 3, f32, [4, 4, 2, 8, 8, 2, 1, 1, 2, 2] [1, 1, 2, 2, 1, 1];
    grey_padding_around: 1, f32, [4, 20, 1, 10, 26, 2, 3, 3, 1, 2] [1, 1, 4, 4, 1, 1];
    strided_padding_around: 2, f64, [3, 3, 3, 6, 6, 17, 1, 1, 3, 0] [2, 2, 4, 4, 1, 1];
    dilated_padding_around: 1, f64, [1, 1, 2, 2, 2, 3, 2, 2, 2, 3] [1, 1, 2, 2, 3, 3];
    groups_padding_around: 1, f64, [3, 3, 4, 8, 9, 6, 2, 1, 2, 6] [1, 1, 3, 3, 1, 1];
    depthwise_padding_around: 1, f32, [3, 4, 5, 11, 12, 5, 3, 3, 1, 5] [1, 1, 5, 5, 1, 1];
    far_padding: 1, f32, [4, 5, 2, 8, 9, 3, 2, 2, 2, 3] [1, 1, 4, 4, 1, 1];
    rows_left_over: 1, f32, [10, 10, 2, 3, 3, 3, 3, 3, 2, 3] [3, 3, 0, 0, 1, 1];
    two_groups: 3, f64, [6, 7, 34, 6, 7, 66, 3, 3, 17, 66] [1, 1, 1, 1, 1, 1];
    groups_strided: 5, f32, [7, 7, 6, 4, 4, 12, 3, 3, 2, 12] [2, 2, 1, 1, 1, 1];
    depthwise: 3, f32, [8, 9, 20, 8, 9, 20, 3, 3, 1, 20] [1, 1, 1, 1, 1, 1];
    depthwise_strided: 1, f64, [9, 9, 33, 5, 5, 33, 5, 3, 1, 33] [2, 2, 2, 1, 1, 1];
    depthwise_dilated: 1, f64, [9, 9, 5, 9, 9, 5, 3, 3, 1, 0] [1, 1, 2, 2, 2, 2];
    depthwise_wide: 2, f32, [5, 19, 17, 3, 10, 17, 3, 3, 1, 17] [2, 2, 1, 1, 1, 1];
    depthwise_apart: 1, f64, [3, 23, 4, 3, 5, 4, 3, 2, 1, 4] [1, 5, 1, 0, 1, 1];
    depthwise_in_turns: 1, f64, [1, 31, 5, 1, 12, 5, 1, 5, 1, 0] [1, 2, 0, 2, 1, 3];
    depthwise_with_gaps: 1, f32, [2, 30, 3, 2, 7, 3, 1, 4, 1, 3] [1, 4, 0, 1, 1, 2];
    depthwise_multiplied: 1, f32, [5, 5, 4, 5, 5, 8, 3, 3, 1, 8] [1, 1, 1, 1, 1, 1];
}

#[test]
fn agrees_with_pytorch() {
    macro_rules! cases {
        ($($case:literal: $batch:literal, [$($size:literal),*] [$($slide:literal),*];)*) => { $(
            check_layer::<Case<f64, $($size,)* $($slide),*>, $batch>($case);
            check_layer::<Case<f32, $($size,)* $($slide),*>, $batch>($case);
        )* };
    }
    cases! {
        "conv2d_basic": 2, [7, 6, 3, 5, 4, 4, 3, 3, 3, 4] [1, 1, 0, 0, 1, 1];
        "conv2d_depthwise": 2, [8, 8, 20, 8, 8, 20, 3, 3, 1, 20] [1, 1, 1, 1, 1, 1];
        "conv2d_depthwise_s2": 1, [9, 9, 8, 5, 5, 8, 3, 3, 1, 8] [2, 2, 1, 1, 1, 1];
        "conv2d_dilation2": 1, [9, 9, 2, 5, 5, 5, 3, 3, 2, 5] [1, 1, 0, 0, 2, 2];
        "conv2d_groups2": 2, [6, 6, 4, 6, 6, 6, 3, 3, 2, 6] [1, 1, 1, 1, 1, 1];
        "conv2d_pointwise": 2, [5, 5, 16, 5, 5, 33, 1, 1, 16, 33] [1, 1, 0, 0, 1, 1];
        "conv2d_rect_5x3_pad2_1": 1, [9, 7, 2, 9, 7, 6, 5, 3, 2, 6] [1, 1, 2, 1, 1, 1];
        "conv2d_stride2_pad1": 2, [8, 9, 3, 4, 5, 16, 3, 3, 3, 16] [2, 2, 1, 1, 1, 1];
        "conv2d_wide": 1, [10, 10, 17, 10, 10, 48, 3, 3, 17, 48] [1, 1, 1, 1, 1, 1];
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    type Strided = Case<f64, 5, 7, 3, 3, 4, 2, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1>;
    let mut layer: Box<Strided> = boxed();
    layer.weight = *random::<_, 3>(1);
    check_gradients(&mut *layer, &random::<[[[f64; 3]; 7]; 5], 2>(3), 1e-7).unwrap();
    type Depthwise = Case<f64, 5, 4, 3, 5, 4, 3, 3, 3, 1, 0, 1, 1, 1, 1, 1, 1>;
    let mut layer: Box<Depthwise> = boxed();
    layer.weight = *random::<_, 3>(1);
    check_gradients(&mut *layer, &random::<[[[f64; 3]; 4]; 5], 2>(3), 1e-7).unwrap();
}

#[test]
fn folding_scales_and_shifts() {
    let mut layer: Case<f64, 2, 1, 1, 1, 1, 2, 2, 1, 1, 2, 1, 1, 0, 0, 1, 1> =
        Conv2d { weight: [[[[1.0, 2.0]]], [[[3.0, 4.0]]]], bias: [5.0, 6.0], shapes: PhantomData };
    layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
    assert_eq!(layer.weight, [[[[2.0, -2.0]]], [[[6.0, -4.0]]]]);
    assert_eq!(layer.bias, [10.5, -5.75]);
}
