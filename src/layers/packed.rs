//! Layers whose weights are packed in fewer bits.

use std::boxed::Box;
use std::vec::Vec;
use std::{format, vec};

use super::conv::tests::Case;
use super::conv::tests::line::Line;
use super::dense::tests::Sized;
use crate::kernels::conv::Convolution;
use crate::layer::Layer;
use crate::layers::{Conv, Dense, Identity, Relu, Window};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::{Pack, Parameters};
use crate::scalar::{Real, Scalar, Storage};
use crate::simd::{Simd, Task, dispatch, levels};
use crate::storage::{Bf16, F16};
use crate::tensor::{Tensor, batch_slice};
use crate::testing::golden::{assert_close, random};
use crate::weight::{Packed, Weight};

/// A layer with one weight, which can be packed in the format `F`.
trait Packs<F: Storage<Self::Scalar>>: Layer + Pack<F, Packed = Self::Small> {
    type Weight: Tensor<Element = Self::Scalar>;
    type Small: Layer<Scalar = Self::Scalar, Input = Self::Input, Output = Self::Output>;

    fn weight(&self) -> &Self::Weight;
    fn bias(&self) -> &[Self::Scalar];
    fn weight_of(small: &Self::Small) -> &Packed<Self::Weight, F>;
    fn bias_of(small: &Self::Small) -> &[Self::Scalar];
}

macro_rules! packs {
    ($layer:ident<$($parameter:ident),*>, [$($bound:tt)*]) => {
        impl<T: Scalar, X, W, Y, B, $($bound)* F: Storage<T>> Packs<F> for $layer<$($parameter),*>
        where
            X: Tensor<Element = T>,
            W: Tensor<Element = T>,
            Y: Tensor<Element = T>,
            B: Tensor<Element = T>,
            Self: Layer<Scalar = T, Input = X, Output = Y>
                + Pack<F, Packed = packs!(@small $layer<$($parameter),*>, F)>,
            packs!(@small $layer<$($parameter),*>, F): Layer<Scalar = T, Input = X, Output = Y>,
        {
            type Weight = W;
            type Small = packs!(@small $layer<$($parameter),*>, F);

            fn weight(&self) -> &W {
                &self.weight
            }
            fn bias(&self) -> &[T] {
                self.bias.numbers()
            }
            fn weight_of(small: &Self::Small) -> &Packed<W, F> {
                &small.weight
            }
            fn bias_of(small: &Self::Small) -> &[T] {
                small.bias.numbers()
            }
        }
    };
    (@small $layer:ident<$x:ident, $weight:ident $(, $other:ident)*>, $format:ident) => {
        $layer<$x, Packed<$weight, $format> $(, $other)*>
    };
}
packs!(Dense<X, W, Y, B>, []);
packs!(Conv<X, W, Y, P, B>, [P: Window,]);

struct Evaluate<'a, L: Layer, X, const B: usize> {
    layer: &'a L,
    x: &'a [X; B],
    y: &'a mut [L::Output; B],
}

impl<T: Real, X: Tensor<Element = T>, L, const B: usize> Task for Evaluate<'_, L, X, B>
where
    L: Layer<Scalar = T, Input = X, Workspace<B> = ()>,
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.layer.evaluate_then::<S, B, Relu>(simd, self.x, self.y, &mut ());
    }
}

/// A layer whose parameters lie between −1 and 1, and the same layer packed.
fn layer<F: Storage<L::Scalar>, L: Packs<F>>() -> (Box<L>, Box<L::Small>) {
    let mut layer: Box<L> = boxed();
    let mut noise = Noise::new(1);
    layer.as_mut_slice().fill_with(|| L::Scalar::from_f64(noise.uniform() * 2.0 - 1.0));
    let mut small: Box<L::Small> = boxed();
    layer.pack(&mut small);
    (layer, small)
}

/// At every level the result is the same as `reference` computes from the packed weights, widened one by one.
fn check<T: Real, X: Tensor<Element = T>, L, F: Storage<T>, const B: usize>(
    reference: impl Fn(&[f64], &[f64], &[f64]) -> Vec<f64>,
) where
    L: Packs<F, Scalar = T, Input = X, Small: Layer<Workspace<B> = ()>>,
{
    let (layer, small) = layer::<F, L>();
    let packed = L::weight_of(&small);
    let channels = L::Weight::CHANNELS;
    let scale = packed.scale();
    assert_eq!(scale.len(), if F::SCALED { channels } else { 0 });
    let scale = |index: usize| if F::SCALED { scale[index % channels].to_f64() } else { 1.0 };
    let widened: Vec<f64> = packed.packed().iter().enumerate().map(|(i, w)| w.widen().to_f64() * scale(i)).collect();
    // The error that packing may introduce: half a unit in the last place.
    assert_eq!(widened.len(), L::Weight::LEN);
    for (index, (weight, packed)) in layer.weight().numbers().iter().zip(&widened).enumerate() {
        let weight = weight.to_f64();
        let bound = match F::NAME {
            "bf16" => weight.abs() / 256.0,
            "f16" => (weight.abs() / 2048.0).max(2.0_f64.powi(-25)),
            _ => 0.500_001 * scale(index),
        };
        assert!((weight - packed).abs() <= bound, "{weight} as {} is {packed}", F::NAME);
    }
    // Everything that is not a weight stays unchanged. Nothing of it is trained.
    assert!(layer.bias() == L::bias_of(&small));
    assert!(L::Small::ENTRIES.is_empty() && small.as_slice().is_empty());

    let x: Box<[X; B]> = random(3);
    let numbers = |numbers: &[T]| numbers.iter().map(|number| number.to_f64()).collect::<Vec<f64>>();
    let bias = numbers(layer.bias());
    let expected: Vec<f64> = batch_slice(&x[..])
        .chunks_exact(X::LEN)
        .flat_map(|x| reference(&numbers(x), &widened, &bias))
        .map(|y| y.max(0.0))
        .collect();
    for level in levels() {
        // Every number must be written, not added to.
        let mut y: Box<[L::Output; B]> = random(4);
        dispatch(level, Evaluate { layer: &*small, x: &x, y: &mut y });
        let what = format!("{} as {} at {level:?}", core::any::type_name::<L>(), F::NAME);
        assert_close(&what, batch_slice(&y[..]), &expected, 200.0 * T::EPSILON.to_f64());
    }
}

/// `x·W + b` of each row of `x`.
fn product(inputs: usize, outputs: usize) -> impl Fn(&[f64], &[f64], &[f64]) -> Vec<f64> {
    move |x, w, b| {
        let of = |x: &[f64], o: usize| (0..inputs).map(|i| x[i] * w[i * outputs + o]).sum::<f64>();
        let bias = |o: usize| if b.is_empty() { 0.0 } else { b[o] };
        x.chunks_exact(inputs).flat_map(|x| (0..outputs).map(move |o| of(x, o) + bias(o))).collect()
    }
}

fn dense<const IN: usize, const OUT: usize, const BIAS: usize, const B: usize>() {
    check::<f32, _, Sized<f32, IN, OUT, BIAS>, Bf16, B>(product(IN, OUT));
    check::<f32, _, Sized<f32, IN, OUT, BIAS>, F16, B>(product(IN, OUT));
    check::<f32, _, Sized<f32, IN, OUT, BIAS>, i8, B>(product(IN, OUT));
    check::<f64, _, Sized<f64, IN, OUT, BIAS>, F16, B>(product(IN, OUT));
    check::<f64, _, Sized<f64, IN, OUT, BIAS>, i8, B>(product(IN, OUT));
    check::<f32, _, Sized<f32, IN, OUT, BIAS>, f32, B>(product(IN, OUT));
}

fn convolution<G: Convolution>(x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let ([height, width], [rows, columns], [kh, kw]) = (G::INPUT, G::OUTPUT, G::KERNEL);
    let (c, cg, oc) = (G::CHANNELS, G::GROUP_CHANNELS, G::OUTPUTS);
    let mut y = vec![0.0; rows * columns * oc];
    for (index, y) in y.iter_mut().enumerate() {
        let (row, column, o) = (index / oc / columns, index / oc % columns, index % oc);
        *y = if b.is_empty() { 0.0 } else { b[o] };
        for tap in 0..kh * kw * cg {
            let (i, j, channel) = (tap / cg / kw, tap / cg % kw, tap % cg);
            let at_row = (row * G::STRIDE[0] + i * G::DILATION[0]).wrapping_sub(G::BEFORE[0]);
            let at_column = (column * G::STRIDE[1] + j * G::DILATION[1]).wrapping_sub(G::BEFORE[1]);
            if at_row < height && at_column < width {
                let channel = o / (oc / (c / cg)) * cg + channel;
                *y += x[(at_row * width + at_column) * c + channel] * w[tap * oc + o];
            }
        }
    }
    y
}

macro_rules! dense {
    ($($name:ident: $in:literal -> $out:literal, $bias:literal, $batch:literal;)*) => { $(
        #[test]
        fn $name() {
            dense::<$in, $out, $bias, $batch>();
        }
    )* };
}
dense! {
    one_output: 1 -> 1, 1, 1;
    inner_product: 161 -> 1, 1, 3;
    inner_product_without_bias: 35 -> 1, 0, 1;
    narrow_two: 19 -> 2, 2, 1;
    narrow_four: 37 -> 4, 0, 1;
    narrow_eight: 9 -> 8, 8, 1;
    seven: 13 -> 7, 7, 1;
    ten: 84 -> 10, 10, 1;
    fifteen: 15 -> 15, 15, 3;
    sixteen: 16 -> 16, 16, 1;
    seventeen: 17 -> 17, 0, 8;
    thirty_three: 33 -> 33, 33, 1;
    panels: 31 -> 128, 128, 13;
    wide: 5 -> 161, 161, 2;
    streamed: 499 -> 100, 100, 1;
    streamed_by_rows: 201 -> 323, 323, 1;
}

#[test]
fn rows_of_a_sequence() {
    type Rows<T, const BIAS: usize> = Dense<[[T; 19]; 5], [[T; 21]; 19], [[T; 21]; 5], [T; BIAS]>;
    check::<f32, _, Rows<f32, 21>, Bf16, 3>(product(19, 21));
    check::<f32, _, Rows<f32, 0>, F16, 1>(product(19, 21));
    check::<f32, _, Rows<f32, 21>, i8, 1>(product(19, 21));
    check::<f64, _, Rows<f64, 0>, F16, 3>(product(19, 21));
    check::<f64, _, Rows<f64, 21>, i8, 1>(product(19, 21));
    check::<f32, _, Rows<f32, 21>, f32, 1>(product(19, 21));
}

macro_rules! conv {
    ($($name:ident: $batch:literal, $type:ty;)*) => { $(
        #[test]
        fn $name() {
            type Layer = $type;
            check::<f32, _, Layer, Bf16, $batch>(convolution::<Layer>);
            check::<f32, _, Layer, F16, $batch>(convolution::<Layer>);
            check::<f32, _, Layer, i8, $batch>(convolution::<Layer>);
        }
    )* };
}
// H, W, C, OH, OW, OC, KH, KW, CG, BIAS, SH, SW, TOP, LEFT, DH, DW; L, C, OL, OC, K, CG, BIAS, S, LEFT, D.
conv! {
    grey_padded: 3, Case<f32, 9, 15, 1, 9, 15, 6, 5, 5, 1, 6, 1, 1, 2, 2, 1, 1>;
    colour_strided: 1, Case<f32, 17, 15, 3, 9, 8, 16, 3, 3, 3, 16, 2, 2, 1, 1, 1, 1>;
    general: 1, Case<f32, 4, 19, 5, 4, 19, 33, 3, 3, 5, 0, 1, 1, 1, 1, 1, 1>;
    pointwise: 2, Case<f32, 3, 5, 17, 3, 5, 35, 1, 1, 17, 35, 1, 1, 0, 0, 1, 1>;
    dilated: 1, Case<f32, 11, 12, 3, 7, 9, 5, 3, 3, 3, 5, 1, 1, 0, 1, 2, 2>;
    groups: 1, Case<f32, 7, 7, 6, 4, 4, 12, 3, 3, 2, 12, 2, 2, 1, 1, 1, 1>;
    depthwise: 2, Case<f32, 8, 9, 20, 8, 9, 20, 3, 3, 1, 20, 1, 1, 1, 1, 1, 1>;
    depthwise_strided: 1, Case<f32, 9, 9, 33, 5, 5, 33, 5, 3, 1, 0, 2, 2, 2, 1, 1, 1>;
    one_dimension: 1, Line<f32, 23, 3, 12, 7, 5, 3, 7, 2, 2, 1>;
    one_dimension_depthwise: 1, Line<f32, 20, 18, 20, 18, 3, 1, 18, 1, 1, 1>;
}

type Image<const H: usize, const W: usize, const C: usize> = [[[f32; C]; W]; H];
type Padded = Case<f32, 6, 20, 3, 6, 20, 7, 3, 3, 3, 7, 1, 1, 1, 1, 1, 1>;

/// All pixels, and the 2 × 2 maxima that are kept.
struct Pooled<'a, F: Storage<f32>> {
    layer: &'a <Padded as Pack<F>>::Packed,
    x: &'a [Image<6, 20, 3>; 2],
    y: &'a mut [Image<6, 20, 7>; 2],
    kept: &'a mut [Image<3, 10, 7>; 2],
}

impl<F: Storage<f32>> Task for Pooled<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.layer.evaluate(simd, self.x, self.y, &mut ());
        self.layer.evaluate_pooled::<S, 2, Identity, _>(simd, self.x, self.kept);
    }
}

fn maxima<F: Storage<f32>>() {
    let (_, layer) = layer::<F, Padded>();
    let x = random::<Image<6, 20, 3>, 2>(3);
    for level in levels() {
        let (mut y, mut kept) = (random::<_, 2>(4), random::<_, 2>(5));
        dispatch(level, Pooled::<F> { layer: &layer, x: &x, y: &mut y, kept: &mut kept });
        for at in 0..kept.len() * 3 * 10 * 7 {
            let (sample, row, column, c) = (at / 210, at / 70 % 3, at / 7 % 10, at % 7);
            let of = |i: usize, j: usize| y[sample][2 * row + i][2 * column + j][c];
            let maximum = of(0, 0).max(of(0, 1)).max(of(1, 0)).max(of(1, 1));
            let kept = kept[sample][row][column][c];
            assert!((kept - maximum).abs() < 100.0 * f32::EPSILON, "{} at {level:?}: {kept}, {maximum}", F::NAME);
        }
    }
}

#[test]
fn maxima_are_those_of_the_pixels() {
    maxima::<Bf16>();
    maxima::<F16>();
    maxima::<i8>();
}
