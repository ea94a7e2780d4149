//! Dense layers that map each row of a sequence, or each pixel of an image.

use super::Sized;
use crate::layers::Dense;
use crate::layers::passes::{Passes, check, numbers, random};
use crate::memory::{boxed, zeroed};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar};
use crate::simd::levels;
use crate::tensor::Tensor;
use crate::testing::{check_gradients, golden};
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

/// A dense layer of the rows of a sequence, by its sizes.
type Rows<T, const STEPS: usize, const IN: usize, const OUT: usize, const BIAS: usize = OUT> =
    Dense<[[T; IN]; STEPS], [[T; OUT]; IN], [[T; OUT]; STEPS], [T; BIAS]>;

/// All passes agree with plain loops in `f64`.
fn agrees<T: Scalar, X, W, Y, Bias, const B: usize>(layer: &Dense<X, W, Y, Bias>)
where
    X: Tensor<Element = T>,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    let (x, grad_y) = (golden::random::<X, B>(2), golden::random::<Y, B>(3));
    let (inputs, outputs) = (X::CHANNELS, Y::CHANNELS);
    let (xs, dys) = (numbers(&x[..]), numbers(&grad_y[..]));
    let parameters: Vec<f64> = layer.as_slice().iter().map(|number| number.to_f64()).collect();
    let (weight, bias) = parameters.split_at(inputs * outputs);
    let (mut y, mut dx, mut gradient) = (vec![0.0; dys.len()], vec![0.0; xs.len()], vec![0.0; parameters.len()]);
    for (row, o) in (0..xs.len() / inputs).flat_map(|row| (0..outputs).map(move |o| (row, o))) {
        let at = row * outputs + o;
        if !bias.is_empty() {
            y[at] = bias[o];
            gradient[weight.len() + o] += dys[at];
        }
        for i in 0..inputs {
            y[at] += xs[row * inputs + i] * weight[i * outputs + o];
            dx[row * inputs + i] += dys[at] * weight[i * outputs + o];
            gradient[i * outputs + o] += dys[at] * xs[row * inputs + i];
        }
    }
    check::<X, _, B>(layer, &x, &grad_y, [&y, &y, &dx, &gradient]);
}

#[test]
fn agrees_with_the_definition() {
    fn both<const STEPS: usize, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize>() {
        agrees::<f32, _, _, _, _, B>(&*random::<Rows<f32, STEPS, IN, OUT, BIAS>>());
        agrees::<f64, _, _, _, _, B>(&*random::<Rows<f64, STEPS, IN, OUT, BIAS>>());
    }
    both::<1, 1, 1, 1, 1>();
    both::<5, 3, 2, 2, 1>();
    both::<3, 17, 15, 0, 3>();
    both::<7, 15, 33, 33, 2>();
    both::<13, 31, 1, 1, 1>();
    both::<2, 1, 65, 0, 4>();
    both::<17, 64, 16, 16, 1>();
    both::<1, 139, 100, 100, 1>();
    // So many rows that parts of the weight are turned around, with several panels and depths.
    both::<33, 70, 130, 130, 1>();
    both::<17, 65, 64, 0, 2>();
    both::<40, 9, 200, 200, 1>();
}

#[test]
fn axes_before_the_last_are_all_the_same() {
    type Pixels<T> = Dense<[[[T; 5]; 3]; 7], [[T; 18]; 5], [[[T; 18]; 3]; 7], [T; 18]>;
    agrees::<f32, _, _, _, _, 2>(&*random::<Pixels<f32>>());
    agrees::<f64, _, _, _, _, 1>(&*random::<Pixels<f64>>());
    // As many rows, along other axes.
    type Folded<T> = Dense<[[T; 5]; 6], [[T; 9]; 5], [[[T; 9]; 2]; 3], [T; 0]>;
    agrees::<f32, _, _, _, _, 1>(&*random::<Folded<f32>>());
    agrees::<f64, _, _, _, _, 3>(&*random::<Folded<f64>>());
}

/// A sequence gives bit for bit what a batch of its steps gives, and what each of its steps gives alone.
fn steps<T: Real, const STEPS: usize, const IN: usize, const OUT: usize, const BIAS: usize, const ALL: usize>() {
    let rows = random::<Rows<T, STEPS, IN, OUT, BIAS>>();
    let mut single: Box<Sized<T, IN, OUT, BIAS>> = boxed();
    single.as_mut_slice().copy_from_slice(rows.as_slice());
    let (x, grad_y) = (golden::random::<[[T; IN]; STEPS], 2>(2), golden::random::<[[T; OUT]; STEPS], 2>(3));
    let (xs, grad_ys): (&[[T; IN]], &[[T; OUT]]) = (x.as_flattened(), grad_y.as_flattened());
    let (all_x, all_y) = (xs.try_into().expect("all steps"), grad_ys.try_into().expect("all steps"));
    let tolerance = 200.0 * T::EPSILON.to_f64();
    for level in levels() {
        let whole = Passes::run::<_, 2>(level, &*rows, &x, &grad_y);
        let batch = Passes::run::<_, ALL>(level, &*single, all_x, all_y);
        assert!(whole.evaluated.as_flattened() == &batch.evaluated[..], "{level:?}");
        assert!(whole.output.as_flattened() == &batch.output[..], "{level:?}");
        assert!(whole.grad_input.as_flattened() == &batch.grad_input[..], "{level:?}");
        assert!(whole.gradient.as_slice() == batch.gradient.as_slice(), "{level:?}");

        let mut gradient = vec![0.0; single.as_slice().len()];
        for step in 0..ALL {
            let alone = Passes::run::<_, 1>(level, &*single, &[xs[step]], &[grad_ys[step]]);
            let close = |part: &str, whole: &[T], alone: &[T]| {
                golden::assert_close(part, whole, &numbers(alone), tolerance);
            };
            close("evaluate", &whole.evaluated.as_flattened()[step], &alone.evaluated[0]);
            close("forward", &whole.output.as_flattened()[step], &alone.output[0]);
            close("dx", &whole.grad_input.as_flattened()[step], &alone.grad_input[0]);
            for (sum, number) in gradient.iter_mut().zip(alone.gradient.as_slice()) {
                *sum += number.to_f64();
            }
        }
        golden::assert_close("gradient", whole.gradient.as_slice(), &gradient, tolerance);
    }
}

#[test]
fn each_step_is_mapped_on_its_own() {
    steps::<f32, 1, 3, 5, 5, 2>();
    steps::<f64, 3, 2, 7, 0, 6>();
    steps::<f32, 5, 17, 33, 33, 10>();
    steps::<f64, 9, 15, 16, 16, 18>();
    steps::<f32, 2, 100, 65, 0, 4>();
}

#[test]
fn gradients_agree_with_finite_differences() {
    check_gradients(&mut *random::<Rows<f64, 5, 7, 3>>(), &golden::random::<[[f64; 7]; 5], 2>(4), 1e-7).unwrap();
    check_gradients(&mut *random::<Rows<f64, 3, 2, 19, 0>>(), &golden::random::<[[f64; 2]; 3], 3>(4), 1e-7).unwrap();
    type Pixels = Dense<[[[f64; 3]; 2]; 3], [[f64; 5]; 3], [[[f64; 5]; 2]; 3], [f64; 5]>;
    check_gradients(&mut *random::<Pixels>(), &golden::random::<[[[f64; 3]; 2]; 3], 2>(4), 1e-7).unwrap();
}

#[test]
fn the_rows_share_one_weight() {
    type Layer = Rows<f64, 4, 3, 2>;
    assert_eq!(Layer::COUNT, 3 * 2 + 2);
    assert_eq!(<Layer as crate::Layer>::MACS, 4 * 3 * 2);
    let mut layer: Layer = zeroed();
    layer.weight = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    layer.bias = [7.0, 8.0];
    layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
    assert_eq!(layer.weight, [[2.0, -2.0], [6.0, -4.0], [10.0, -6.0]]);
    assert_eq!(layer.bias, [14.5, -7.75]);
}
