//! Every pool compared with its definition, at every level.

use super::*;
use crate::layers::passes::{self, Passes};
use crate::layers::{Window1d, Window2d};
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::simd::levels;
use crate::testing::{check_gradients, golden};
use std::format;
use std::vec;
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
    let mut dx = vec![0.0; x.len()];
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
            let what = |part: &str| format!("{}, maximum {maximum}, at {level:?}: {part}", std::any::type_name::<L>());
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
    type Overhanging<T> = MaxPool2d<Image<T, 6, 8, 3>, Image<T, 3, 4, 3>, Window2d<3, 3, 2, 2>>;
    golden::check_layer::<Overhanging<f64>, 1>("pool2d_max_ceil");
    golden::check_layer::<Overhanging<f32>, 1>("pool2d_max_ceil");
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

/// Windows by their bounds, and what is computed from the numbers in them and their derivatives.
fn windows_agree<T: Scalar, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X>, const B: usize>(
    bounds: impl Fn(usize, usize) -> (usize, usize),
    reduce: impl Fn(&[f64]) -> (f64, Vec<f64>),
) where
    L::Output: Tensor<Element = T>,
{
    let ([h, w, c], [oh, ow, _]) = (X::SHAPE, L::Output::SHAPE) else { panic!("not images") };
    let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<L::Output, B>(3));
    let (x, dy) = (passes::numbers(&input[..]), passes::numbers(&grad_output[..]));
    let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
    for at in 0..dy.len() {
        let (b, i, j, channel) = (at / (oh * ow * c), at / (ow * c) % oh, at / c % ow, at % c);
        let (rows, columns) = (bounds(0, i), bounds(1, j));
        let taps: Vec<usize> = (rows.0..rows.1)
            .flat_map(|row| (columns.0..columns.1).map(move |column| ((b * h + row) * w + column) * c + channel))
            .collect();
        let (value, slopes) = reduce(&taps.iter().map(|tap| x[*tap]).collect::<Vec<_>>());
        y[at] = value;
        taps.iter().zip(slopes).for_each(|(tap, slope)| dx[*tap] += dy[at] * slope);
    }
    passes::check::<X, L, B>(&zeroed_box::<L>(), &input, &grad_output, [&y, &y, &dx, &[]]);
}

fn zeroed_box<L: Layer>() -> std::boxed::Box<L> {
    boxed()
}

fn mean(x: &[f64], count: usize) -> (f64, Vec<f64>) {
    (x.iter().sum::<f64>() / count as f64, vec![1.0 / count as f64; x.len()])
}

#[test]
fn adaptive_windows() {
    fn bounds(input: [usize; 2], output: [usize; 2]) -> impl Fn(usize, usize) -> (usize, usize) {
        move |axis, at| (at * input[axis] / output[axis], ((at + 1) * input[axis]).div_ceil(output[axis]))
    }
    type Avg<T> = AdaptiveAvgPool2d<Image<T, 7, 5, 17>, Image<T, 3, 2, 17>>;
    windows_agree::<f32, _, Avg<f32>, 2>(bounds([7, 5], [3, 2]), |x| mean(x, x.len()));
    type More = AdaptiveAvgPool2d<Image<f64, 2, 3, 2>, Image<f64, 4, 3, 2>>;
    windows_agree::<f64, _, More, 2>(bounds([2, 3], [4, 3]), |x| mean(x, x.len()));
    type Largest = AdaptiveMaxPool2d<Image<f64, 5, 8, 3>, Image<f64, 2, 5, 3>>;
    windows_agree::<f64, _, Largest, 1>(bounds([5, 8], [2, 5]), |x| {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (max, x.iter().map(|x| f64::from(u8::from(*x == max))).collect())
    });
    golden::check_layer::<AdaptiveAvgPool2d<Image<f64, 7, 5, 3>, Image<f64, 3, 2, 3>>, 2>("pool2d_adaptive_avg_3x2");
    golden::check_layer::<AdaptiveAvgPool2d<Image<f32, 7, 5, 3>, Image<f32, 3, 2, 3>>, 2>("pool2d_adaptive_avg_3x2");
    check::<_, AdaptiveAvgPool2d<Image<f64, 7, 5, 3>, Image<f64, 3, 2, 3>>>();
}

#[test]
fn padding_that_counts() {
    type Padded<T> = Pool<MeanWithPadding, Image<T, 7, 7, 5>, Image<T, 4, 4, 5>, Window2d<3, 3, 2, 2, 1, 1>>;
    let bounds = |_, at: usize| ((2 * at).max(1) - 1, (2 * at + 2).min(7));
    windows_agree::<f32, _, Padded<f32>, 2>(bounds, |x| mean(x, 9));
    golden::check_layer::<Padded<f64>, 1>("pool2d_avg_count_pad");
    golden::check_layer::<Padded<f32>, 1>("pool2d_avg_count_pad");
    check::<_, Padded<f64>>();
}

#[test]
fn norms() {
    const ONE: u64 = crate::scalar::bits(1.0);
    const TWO: u64 = crate::scalar::bits(2.0);
    const THREE: u64 = crate::scalar::bits(3.0);
    fn norm(p: f64) -> impl Fn(&[f64]) -> (f64, Vec<f64>) {
        move |x| {
            let norm = x.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
            (norm, x.iter().map(|x| (x.abs() / norm).powf(p - 1.0).copysign(*x)).collect())
        }
    }
    type Net<T, const P: u64> = LpPool2d<Image<T, 4, 6, 17>, Image<T, 2, 3, 17>, Half, P>;
    let halves = |_, at: usize| (2 * at, 2 * at + 2);
    windows_agree::<f32, _, Net<f32, ONE>, 2>(halves, norm(1.0));
    windows_agree::<f32, _, Net<f32, TWO>, 2>(halves, norm(2.0));
    windows_agree::<f64, _, Net<f64, THREE>, 2>(halves, norm(3.0));
    // A window of zeros has no gradient.
    let zero = boxed::<[Image<f64, 4, 6, 17>; 1]>();
    let ones = core::array::from_fn(|_| core::array::from_fn(|_| [1.0; 17]));
    for level in levels() {
        let passes = Passes::run::<Net<f64, THREE>, 1>(level, &zeroed(), &zero, &[ones]);
        assert!(batch_slice(&passes.grad_input[..]).iter().all(|dx| *dx == 0.0));
    }
    golden::check_layer::<LpPool2d<Image<f64, 4, 6, 3>, Image<f64, 2, 3, 3>, Half, TWO>, 1>("pool2d_lp2");
    golden::check_layer::<LpPool2d<Image<f32, 4, 6, 3>, Image<f32, 2, 3, 3>, Half, TWO>, 1>("pool2d_lp2");
    check::<_, LpPool2d<Image<f64, 4, 6, 3>, Image<f64, 2, 3, 3>, Half, THREE>>();
}

#[test]
fn reference_values_of_other_windows() {
    type Dilated<T> = MaxPool2d<Image<T, 6, 5, 4>, Image<T, 4, 3, 4>, Window2d<2, 2, 1, 1, 0, 0, 2, 2>>;
    golden::check_layer::<Dilated<f64>, 2>("pool2d_max_dilated");
    golden::check_layer::<Dilated<f32>, 2>("pool2d_max_dilated");
}
