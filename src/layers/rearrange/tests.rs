//! Every layer compared with its definition, at every level.

use super::*;
use crate::layers::passes::check as check_passes;
use crate::layers::passes::numbers;
use crate::memory::zeroed;
use crate::scalar::bits;
use crate::testing::{check_gradients, golden};
use std::vec;
use std::vec::Vec;

type Image<T, const H: usize, const W: usize, const C: usize> = [[[T; C]; W]; H];

/// Compares a layer with a function from an index of the output to one of the input, if it has any.
fn agrees<T: Scalar, X: Tensor<Element = T>, M: Map, Y: Tensor<Element = T>, const B: usize>(
    source: impl Fn(usize, usize, usize) -> Option<[usize; 3]>,
) {
    let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<Y, B>(3));
    let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
    let ([_, w, c], [_, ow, oc]) = (three(X::SHAPE), three(Y::SHAPE));
    let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
    for at in 0..dy.len() {
        let (sample, at) = (at / Y::LEN, at % Y::LEN);
        match source(at / (ow * oc), at / oc % ow, at % oc) {
            Some([i, j, k]) => {
                let from = sample * X::LEN + (i * w + j) * c + k;
                dx[from] += dy[y.len()];
                y.push(x[from]);
            }
            None => y.push(M::OUTSIDE),
        }
    }
    check_passes::<X, Rearrange<M, X, Y>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dx, &[]]);
}

#[test]
fn padding() {
    let inside = |at: usize, before: usize, size: usize| at.checked_sub(before).filter(|at| *at < size);
    type Minus = Constant<{ bits(-0.5) }>;
    agrees::<f32, Image<f32, 3, 4, 5>, Padded<2, 1, Minus>, Image<f32, 6, 8, 5>, 2>(|i, j, c| {
        Some([inside(i, 2, 3)?, inside(j, 1, 4)?, c])
    });
    agrees::<f64, [[f64; 17]; 3], Padded<0, 2, Constant<0>>, [[f64; 17]; 5], 1>(|_, j, c| {
        Some([0, inside(j, 2, 3)?, c])
    });
    // From their tables: two before and two after three numbers.
    let table = |places: [usize; 7]| move |_: usize, j: usize, c: usize| Some([0, places[j], c]);
    agrees::<f64, [[f64; 3]; 3], Padded<0, 2, Reflect>, [[f64; 3]; 7], 2>(table([2, 1, 0, 1, 2, 1, 0]));
    agrees::<f64, [[f64; 3]; 3], Padded<0, 2, Edge>, [[f64; 3]; 7], 2>(table([0, 0, 0, 1, 2, 2, 2]));
    agrees::<f64, [[f64; 3]; 3], Padded<0, 2, Wrap>, [[f64; 3]; 7], 2>(table([1, 2, 0, 1, 2, 0, 1]));
    // In both directions.
    let (rows, columns) = ([1, 0, 1, 2, 1], [1, 0, 1, 0]);
    agrees::<f32, Image<f32, 3, 2, 33>, Padded<1, 1, Reflect>, Image<f32, 5, 4, 33>, 1>(|i, j, c| {
        Some([rows[i], columns[j], c])
    });
}

#[test]
fn blocks() {
    agrees::<f64, Image<f64, 2, 3, 12>, ToSpace<2, true>, Image<f64, 4, 6, 3>, 2>(|i, j, c| {
        Some([i / 2, j / 2, c * 4 + i % 2 * 2 + j % 2])
    });
    agrees::<f32, Image<f32, 2, 1, 18>, ToSpace<3, false>, Image<f32, 6, 3, 2>, 2>(|i, j, c| {
        Some([i / 3, j / 3, (i % 3 * 3 + j % 3) * 2 + c])
    });
    agrees::<f64, Image<f64, 4, 6, 3>, ToDepth<2, true>, Image<f64, 2, 3, 12>, 2>(|i, j, c| {
        Some([i * 2 + c % 4 / 2, j * 2 + c % 2, c / 4])
    });
    agrees::<f32, Image<f32, 4, 6, 5>, ToDepth<2, false>, Image<f32, 2, 3, 20>, 1>(|i, j, c| {
        Some([i * 2 + c / 10, j * 2 + c / 5 % 2, c % 5])
    });
}

#[test]
fn parts_and_axes() {
    agrees::<f64, [[f64; 3]; 9], Part<1, 2, 3>, [[f64; 3]; 3], 2>(|_, j, c| Some([0, 2 + 3 * j, c]));
    agrees::<f32, Image<f32, 2, 3, 17>, Part<0, 4, 1>, Image<f32, 2, 3, 5>, 2>(|i, j, c| Some([i, j, c + 4]));
    agrees::<f32, Image<f32, 5, 3, 17>, Part<2, 1, 2>, Image<f32, 2, 3, 17>, 2>(|i, j, c| Some([1 + 2 * i, j, c]));
    agrees::<f64, [[f64; 3]; 9], Axes<0, 2, 1>, [[f64; 9]; 3], 2>(|_, j, c| Some([0, c, j]));
    agrees::<f32, Image<f32, 2, 3, 17>, Axes<2, 0, 1>, Image<f32, 17, 2, 3>, 1>(|i, j, c| Some([j, c, i]));
    agrees::<f32, Image<f32, 2, 3, 17>, Axes<1, 0, 2>, Image<f32, 3, 2, 17>, 2>(|i, j, c| Some([j, i, c]));
    agrees::<f64, [f64; 5], Copies, Image<f64, 2, 3, 5>, 2>(|_, _, c| Some([0, 0, c]));
    agrees::<f64, Image<f64, 2, 3, 1>, Copies, Image<f64, 2, 3, 9>, 2>(|i, j, _| Some([i, j, 0]));
    agrees::<f64, Image<f64, 1, 3, 2>, Copies, Image<f64, 4, 3, 2>, 2>(|_, j, c| Some([0, j, c]));
}

#[test]
fn finite_differences_agree() {
    fn check<M: Map, X: Tensor<Element = f64>, Y: Tensor<Element = f64>>() {
        check_gradients(&mut zeroed::<Rearrange<M, X, Y>>(), &*golden::random::<X, 2>(4), 1e-7).unwrap();
    }
    check::<Padded<1, 2, Reflect>, Image<f64, 2, 3, 3>, Image<f64, 4, 7, 3>>();
    check::<Padded<1, 2, Constant<{ bits(2.0) }>>, Image<f64, 2, 3, 3>, Image<f64, 4, 7, 3>>();
    check::<ToSpace<2, true>, Image<f64, 2, 3, 4>, Image<f64, 4, 6, 1>>();
    check::<Copies, [f64; 3], Image<f64, 2, 3, 3>>();
    check::<Axes<1, 2, 0>, Image<f64, 2, 3, 4>, Image<f64, 3, 4, 2>>();
}

#[test]
fn agrees_with_pytorch() {
    golden::check_layer::<PixelShuffle<Image<f64, 3, 4, 8>, Image<f64, 6, 8, 2>, 2>, 1>("pixel_shuffle");
    golden::check_layer::<PixelShuffle<Image<f32, 3, 4, 8>, Image<f32, 6, 8, 2>, 2>, 1>("pixel_shuffle");
}

#[test]
fn opposite_orders() {
    agrees::<f32, Image<f32, 3, 4, 5>, Opposite<2>, Image<f32, 3, 4, 5>, 2>(|i, j, c| Some([2 - i, j, c]));
    agrees::<f64, [[f64; 17]; 3], Opposite<1>, [[f64; 17]; 3], 2>(|_, j, c| Some([0, 2 - j, c]));
    agrees::<f32, [[f32; 5]; 3], Opposite<0>, [[f32; 5]; 3], 1>(|_, j, c| Some([0, j, 4 - c]));
    let mut flip: Flip<[[f64; 2]; 5], 1> = zeroed();
    check_gradients(&mut flip, &*golden::random::<[[f64; 2]; 5], 2>(4), 1e-7).unwrap();
}
