//! Dense layers of vectors; of the rows of sequences and images, in `rows`.

mod rows;

use super::*;
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::scalar::Real;
use crate::simd::{Task, dispatch, levels};
use crate::testing::check_gradients;
use crate::testing::golden::{assert_close, check_layer, random};
use std::boxed::Box;
use std::vec::Vec;
use std::{format, vec};

/// A dense layer by its sizes.
pub(in crate::layers) type Sized<T, const IN: usize, const OUT: usize, const BIAS: usize = OUT> =
    Dense<[T; IN], [[T; OUT]; IN], [T; OUT], [T; BIAS]>;

struct Backward<'a, T: Real, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize> {
    layer: &'a Sized<T, IN, OUT, BIAS>,
    x: &'a [[T; IN]; B],
    y: &'a mut [[T; OUT]; B],
    grad_y: &'a mut [[T; OUT]; B],
    grad_x: &'a mut [[T; IN]; B],
    gradient: &'a mut Sized<T, IN, OUT, BIAS>,
}

impl<T: Real, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize> Task
    for Backward<'_, T, IN, OUT, BIAS, B>
{
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let pass = Pass::new(Noise::new(1), T::ONE);
        self.layer.evaluate(simd, self.x, self.y, &mut ());
        self.layer.backward(simd, self.x, self.y, &mut (), self.grad_y, Some(self.grad_x), self.gradient, &pass);
    }
}

/// Everything in plain loops and `f64`.
fn check<T: Real, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize>() {
    let layer: Box<[Sized<T, IN, OUT, BIAS>; 1]> = {
        let mut layer: Box<[Sized<T, IN, OUT, BIAS>; 1]> = boxed();
        layer[0].weight = *random::<[T; OUT], IN>(1);
        layer[0].bias = random::<[T; BIAS], 1>(2)[0];
        layer
    };
    let (x, grad_y) = (random::<[T; IN], B>(3), random::<[T; OUT], B>(4));
    let before = random::<[T; OUT], IN>(5);

    let bias = |o: usize| if BIAS == 0 { 0.0 } else { layer[0].bias[o].to_f64() };
    let weight = |i: usize, o: usize| layer[0].weight[i][o].to_f64();
    let mut y = vec![0.0; B * OUT];
    let mut grad_x = vec![0.0; B * IN];
    let mut grad_weight: Vec<f64> = before.as_flattened().iter().map(|g| g.to_f64()).collect();
    let mut grad_bias = vec![1.0; BIAS];
    for b in 0..B {
        for o in 0..OUT {
            let dy = grad_y[b][o].to_f64();
            y[b * OUT + o] = bias(o);
            for i in 0..IN {
                y[b * OUT + o] += x[b][i].to_f64() * weight(i, o);
                grad_x[b * IN + i] += dy * weight(i, o);
                grad_weight[i * OUT + o] += dy * x[b][i].to_f64();
            }
            if BIAS > 0 {
                grad_bias[o] += dy;
            }
        }
    }

    let tolerance = 200.0 * T::EPSILON.to_f64();
    for level in levels() {
        let mut gradient: Box<[Sized<T, IN, OUT, BIAS>; 1]> = boxed();
        gradient[0].weight = *before;
        gradient[0].bias = [T::ONE; BIAS];
        // Every number must be written, not added to.
        let mut outputs: Box<[[T; OUT]; B]> = random(6);
        let mut inputs: Box<[[T; IN]; B]> = random(7);
        let pass = Backward {
            layer: &layer[0],
            x: &x,
            y: &mut outputs,
            grad_y: &mut grad_y.clone(),
            grad_x: &mut inputs,
            gradient: &mut gradient[0],
        };
        dispatch(level, pass);
        let what = |part| format!("{IN} -> {OUT} × {B} in {} at {level:?}: {part}", T::NAME);
        assert_close(&what("y"), outputs.as_flattened(), &y, tolerance);
        assert_close(&what("∂x"), inputs.as_flattened(), &grad_x, tolerance);
        assert_close(&what("∂W"), gradient[0].weight.as_flattened(), &grad_weight, tolerance);
        assert_close(&what("∂b"), &gradient[0].bias, &grad_bias, tolerance);
    }
}

macro_rules! sizes {
    ($($name:ident: $in:literal -> $out:literal, $bias:literal, $batch:literal;)*) => { $(
        #[test]
        fn $name() {
            check::<f32, $in, $out, $bias, $batch>();
            check::<f64, $in, $out, $bias, $batch>();
        }
    )* };
}
sizes! {
    one: 1 -> 1, 1, 1;
    two_three: 2 -> 3, 3, 1;
    three_two_batch: 3 -> 2, 0, 3;
    fifteen: 15 -> 16, 16, 1;
    sixteen: 16 -> 17, 17, 3;
    seventeen: 17 -> 15, 15, 8;
    thirty_three: 33 -> 64, 64, 1;
    sixty_four: 64 -> 33, 33, 8;
    hundred: 100 -> 100, 100, 3;
    streamed: 139 -> 100, 100, 1;
    streamed_panel: 101 -> 128, 0, 1;
    streamed_by_rows: 97 -> 323, 323, 1;
    streamed_in_thirds: 22 -> 1000, 0, 1;
    streamed_row: 1 -> 13_000, 13_000, 1;
    wide: 5 -> 161, 161, 8;
    narrow: 161 -> 1, 1, 17;
    panel_and_one: 7 -> 65, 0, 8;
    two_panels: 31 -> 128, 128, 13;
}

#[test]
fn agrees_with_pytorch() {
    check_layer::<Sized<f64, 3, 4>, 1>("dense_1x3x4");
    check_layer::<Sized<f32, 3, 4>, 1>("dense_1x3x4");
    check_layer::<Sized<f64, 64, 48>, 3>("dense_3x64x48");
    check_layer::<Sized<f32, 64, 48>, 3>("dense_3x64x48");
    check_layer::<Sized<f64, 17, 10>, 5>("dense_5x17x10");
    check_layer::<Sized<f32, 17, 10>, 5>("dense_5x17x10");
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut layer: Sized<f64, 7, 5> = zeroed();
    layer.weight = *random::<[f64; 5], 7>(1);
    layer.bias = random::<[f64; 5], 1>(2)[0];
    check_gradients(&mut layer, &random::<[f64; 7], 3>(3), 1e-7).unwrap();
    let mut layer: Sized<f64, 19, 3, 0> = zeroed();
    layer.weight = *random::<[f64; 3], 19>(1);
    check_gradients(&mut layer, &random::<[f64; 19], 2>(3), 1e-7).unwrap();
}

#[test]
fn folding_scales_and_shifts() {
    let mut layer: Sized<f64, 3, 2> =
        Dense { weight: [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], bias: [7.0, 8.0], shapes: PhantomData };
    layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
    assert_eq!(layer.weight, [[2.0, -2.0], [6.0, -4.0], [10.0, -6.0]]);
    assert_eq!(layer.bias, [14.5, -7.75]);
}
