//! A learned factor and offset: `y = x · weight + bias`, number by number. Touvron and others, *ResMLP* (2021), have both
//! for each channel; a factor alone is their *LayerScale*, an offset for each number a learned position embedding.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]`, that of the input, or `[0]`: none | 1 | learned |
//! | `bias` | the same | 0 | learned |
//!
//! `∂L/∂x = ∂L/∂y · weight`, `∂L/∂weight = Σ ∂L/∂y · x` and `∂L/∂bias = Σ ∂L/∂y`, over all numbers that share them.

use core::marker::PhantomData;

use crate::kernels::elementwise::{add_assign, zip_to, zip3, zip3_to};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Multiplies by a learned factor and adds a learned offset: `X → X`. `W` and `B` have a number for each channel, one
/// for each number of `X`, or none.
///
/// In a network write `Affine`, `Affine(weight = false)`, `Affine(bias = false)`; `Affine(per = number)` has a factor
/// and an offset for each number instead of each channel.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Places: [2, 3] -> [2, 3] { Affine(weight = false, per = number) } }
/// let mut net = Places::zeroed();
/// net.affine1.bias = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// assert_eq!(net.evaluate(&[[0.5; 3]; 2]), [[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]]);
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Affine<X, W, B> {
    /// The factor.
    #[parameters(tensor, start = 1.0)]
    pub weight: W,
    /// The offset.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, B: Tensor<Element = T>> Affine<X, W, B> {
    /// After how many numbers the factors and offsets repeat.
    const PERIOD: usize = {
        let period = if W::LEN > 0 { W::LEN } else { B::LEN };
        assert!(period == X::LEN || period == X::CHANNELS, "Affine: a number for each channel or each number of X");
        assert!(period > 0 && (B::LEN == 0 || B::LEN == period), "Affine: the weight and the bias differ in shape");
        period
    };

    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, x: &[T], y: &mut [T]) {
        let (weight, bias) = (self.weight.numbers(), self.bias.numbers());
        let period = const { Self::PERIOD };
        for (x, y) in x.chunks_exact(period).zip(y.chunks_exact_mut(period)) {
            if const { W::LEN == 0 } {
                zip_to(
                    simd,
                    x,
                    bias,
                    y,
                    #[inline(always)]
                    |x, bias| x + bias,
                );
            } else if const { B::LEN == 0 } {
                zip_to(
                    simd,
                    x,
                    weight,
                    y,
                    #[inline(always)]
                    |x, weight| x * weight,
                );
            } else {
                zip3_to(
                    simd,
                    x,
                    weight,
                    bias,
                    y,
                    #[inline(always)]
                    |x, weight, bias| x.mul_add(weight, bias),
                );
            }
        }
    }
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, Bias: Tensor<Element = T>> Layer
    for Affine<X, W, Bias>
{
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = if W::LEN > 0 { X::LEN } else { 0 };
    const BACKWARD_READS: Reads = Reads { input: W::LEN > 0, output: false };

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.apply(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let period = const { Self::PERIOD };
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                for (x, grad_y) in x.chunks_exact(period).zip(grad_y.chunks_exact(period)) {
                    if const { W::LEN > 0 } {
                        zip3(
                            simd,
                            gradient.weight.numbers_mut(),
                            grad_y,
                            x,
                            #[inline(always)]
                            |sum, gradient, x| gradient.mul_add(x, sum),
                        );
                    }
                    if const { Bias::LEN > 0 } {
                        add_assign(simd, gradient.bias.numbers_mut(), grad_y);
                    }
                }
                let Some(grad_input) = grad_input else { return };
                let grad_x = batch_slice_mut(grad_input);
                if const { W::LEN == 0 } {
                    return grad_x.copy_from_slice(grad_y);
                }
                for (grad_y, grad_x) in grad_y.chunks_exact(period).zip(grad_x.chunks_exact_mut(period)) {
                    zip_to(
                        simd,
                        grad_y,
                        self.weight.numbers(),
                        grad_x,
                        #[inline(always)]
                        |gradient, weight| gradient * weight,
                    );
                }
            },
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, B: Tensor<Element = T>] Affine<X, W, B>,
    |self, simd, x, y| {
        const { assert!(Self::PERIOD == X::CHANNELS, "Affine: steps share what is for each channel, not each number") };
        self.apply(simd, x, y)
    }
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Scalar, X, W, Bias, const B: usize>()
    where
        X: Tensor<Element = T>,
        W: Tensor<Element = T>,
        Bias: Tensor<Element = T>,
    {
        let layer = random::<Affine<X, W, Bias>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) = (x.clone(), dy.clone(), vec![0.0; W::LEN + Bias::LEN]);
        for at in 0..x.len() {
            if W::LEN > 0 {
                let weight = layer.weight.numbers()[at % W::LEN].to_f64();
                (y[at], dx[at]) = (x[at] * weight, dy[at] * weight);
                gradient[at % W::LEN] += dy[at] * x[at];
            }
            if Bias::LEN > 0 {
                y[at] += layer.bias.numbers()[at % Bias::LEN].to_f64();
                gradient[W::LEN + at % Bias::LEN] += dy[at];
            }
        }
        check::<X, Affine<X, W, Bias>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], [f32; 17], [f32; 17], 2>();
        agrees::<f64, [[f64; 3]; 5], [f64; 3], [f64; 0], 3>();
        agrees::<f64, [[f64; 3]; 5], [f64; 0], [[f64; 3]; 5], 3>();
        agrees::<f32, [[f32; 9]; 3], [[f32; 9]; 3], [[f32; 9]; 3], 2>();
        agrees::<f64, [f64; 1], [f64; 1], [f64; 1], 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<Affine<[[f64; 9]; 2], [f64; 9], [f64; 9]>>(), &input, 1e-7).unwrap();
    }
}
