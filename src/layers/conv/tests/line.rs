//! Convolutions of sequences.

use crate::layer::{Layer, Pass};
use crate::layers::{Conv1d, Window1d};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::simd::{Simd, Task, dispatch, levels};
use crate::tensor::{reshape, reshape_mut};
use crate::testing::check_gradients;
use crate::testing::golden::{check_layer, random};
use core::marker::PhantomData;
use std::boxed::Box;

/// A one-dimensional convolution by its sizes.
pub(in crate::layers) type Line<
    T,
    const L: usize,
    const C: usize,
    const OL: usize,
    const OC: usize,
    const K: usize,
    const CG: usize,
    const BIAS: usize,
    const S: usize,
    const LEFT: usize,
    const D: usize,
> = Conv1d<[[T; C]; L], [[[T; OC]; CG]; K], [[T; OC]; OL], Window1d<K, S, LEFT, D>, [T; BIAS]>;

type Causal<T> = Line<T, 20, 2, 20, 16, 3, 2, 16, 1, 8, 4>;

#[test]
fn agrees_with_pytorch() {
    check_layer::<Line<f64, 12, 3, 10, 5, 3, 3, 5, 1, 0, 1>, 2>("conv1d_basic");
    check_layer::<Line<f32, 12, 3, 10, 5, 3, 3, 5, 1, 0, 1>, 2>("conv1d_basic");
    check_layer::<Causal<f64>, 1>("conv1d_causal_dil4");
    check_layer::<Causal<f32>, 1>("conv1d_causal_dil4");
    check_layer::<Line<f64, 15, 4, 8, 8, 3, 4, 8, 2, 1, 1>, 1>("conv1d_stride2_pad1");
    check_layer::<Line<f32, 15, 4, 8, 8, 3, 4, 8, 2, 1, 1>, 1>("conv1d_stride2_pad1");
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut layer: Box<Line<f64, 9, 3, 5, 5, 4, 3, 5, 2, 2, 1>> = boxed();
    layer.weight = *random::<_, 4>(1);
    check_gradients(&mut *layer, &random::<[[f64; 3]; 9], 2>(3), 1e-7).unwrap();
    let mut layer: Box<Line<f64, 7, 5, 7, 5, 3, 1, 0, 1, 4, 2>> = boxed();
    layer.weight = *random::<_, 3>(1);
    check_gradients(&mut *layer, &random::<[[f64; 5]; 7], 2>(3), 1e-7).unwrap();
}

type Sequence = Line<f32, 17, 3, 9, 33, 5, 3, 33, 2, 2, 1>;
type Image = super::Case<f32, 1, 17, 3, 1, 9, 33, 1, 5, 3, 33, 1, 2, 0, 2, 1, 1>;

struct Both<'a>(&'a Sequence, &'a Image);

impl Task for Both<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let x = random::<[[f32; 3]; 17], 3>(3);
        let image = reshape::<_, [[[f32; 3]; 17]; 1], 3>(&x);
        let mut grad_y = random::<[[f32; 33]; 9], 3>(4);
        let (mut y, mut expected) = (boxed::<[[[f32; 33]; 9]; 3]>(), boxed::<[[[[f32; 33]; 9]; 1]; 3]>());
        let (mut grad_x, mut expected_x) = (boxed::<[[[f32; 3]; 17]; 3]>(), boxed::<[[[[f32; 3]; 17]; 1]; 3]>());
        let pass = Pass::new(Noise::new(1), 1.0);
        let (mut gradient, mut expected_gradient) = (boxed::<Sequence>(), boxed::<Image>());
        self.0.evaluate(simd, &x, &mut y, &mut ());
        self.0.backward(simd, &x, &y, &mut (), &mut grad_y, Some(&mut grad_x), &mut gradient, &pass);
        self.1.evaluate(simd, image, &mut expected, &mut ());
        let grad_y = reshape_mut::<_, [[[f32; 33]; 9]; 1], 3>(&mut grad_y);
        self.1.backward(simd, image, &expected, &mut (), grad_y, Some(&mut expected_x), &mut expected_gradient, &pass);
        assert_eq!(y.as_flattened(), expected.as_flattened().as_flattened());
        assert_eq!(grad_x.as_flattened(), expected_x.as_flattened().as_flattened());
        assert_eq!(gradient.as_slice(), expected_gradient.as_slice());
    }
}

#[test]
fn is_a_convolution_of_an_image_with_one_row() {
    let (mut line, mut image) = (boxed::<Sequence>(), boxed::<Image>());
    line.weight = *random::<_, 5>(1);
    line.bias = random::<_, 1>(2)[0];
    image.as_mut_slice().copy_from_slice(line.as_slice());
    for level in levels() {
        dispatch(level, Both(&line, &image));
    }
}

#[test]
fn folding_scales_and_shifts() {
    let mut layer: Line<f64, 2, 1, 1, 2, 2, 1, 2, 1, 0, 1> =
        Conv1d { weight: [[[1.0, 2.0]], [[3.0, 4.0]]], bias: [5.0, 6.0], shapes: PhantomData };
    layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
    assert_eq!((layer.weight, layer.bias), ([[[2.0, -2.0]], [[6.0, -4.0]]], [10.5, -5.75]));
}
