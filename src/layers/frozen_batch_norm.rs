//! Batch normalization whose statistics, weight and bias are fixed: `y = x · scale + shift`, channels last, with
//! `scale = weight / √(running_var + ε)` and `shift = bias − running_mean · scale`.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | state |
//! | `bias` | `[C]` | 0 | state |
//! | `running_mean` | `[C]` | 0 | state |
//! | `running_var` | `[C]` | 1 | state |
//!
//! Its tensors are those of [`BatchNorm`](crate::layers::BatchNorm), so that the same files can be loaded; training leaves
//! them as they are. `∂L/∂x = ∂L/∂y · scale`. Torchvision's `FrozenBatchNorm2d`, for fine-tuning with small batches.

use core::marker::PhantomData;

use crate::kernels::elementwise::zip_to;
use crate::kernels::norm;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar, bits};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Normalizes every channel by fixed statistics: `X → X`, where `C` is the last axis of `X`. In a network write
/// `BatchNorm(frozen = true)`.
///
/// `EPS` is [`bits`] of ε.
///
/// ```
/// use monomorph::layers::FrozenBatchNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: FrozenBatchNorm<[[f64; 2]; 1]> = monomorph::memory::zeroed();
/// (norm.weight, norm.running_var) = ([1.0, 2.0], [4.0, 1.0]);
/// check_gradients(&mut norm, &[[[1.0, 2.0]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct FrozenBatchNorm<X: Tensor<Element: Scalar>, const EPS: u64 = { bits(1e-5) }> {
    /// The factor that multiplies the normalized values.
    #[parameters(tensor, start = 1.0, state)]
    pub weight: X::Last,
    /// The offset that is added to them.
    #[parameters(tensor, start = 0.0, state)]
    pub bias: X::Last,
    /// The mean.
    #[parameters(tensor, start = 0.0, state)]
    pub running_mean: X::Last,
    /// The variance.
    #[parameters(tensor, start = 1.0, state)]
    pub running_var: X::Last,
    shape: PhantomData<X>,
}

impl<T: Real, X: Tensor<Element = T>, const EPS: u64> FrozenBatchNorm<X, EPS> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, x: &[T], y: &mut [T]) {
        norm::batch_evaluate(
            simd,
            x,
            y,
            self.weight.numbers(),
            self.bias.numbers(),
            self.running_mean.numbers(),
            self.running_var.numbers(),
            T::from_f64(f64::from_bits(EPS)),
        );
    }
}

impl<T: Real, X: Tensor<Element = T>, const EPS: u64> Layer for FrozenBatchNorm<X, EPS> {
    type Input = X;
    type Output = X;
    /// The scale.
    type Saved<const B: usize> = X::Last;
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.apply(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        scale: &mut X::Last,
        _pass: &mut Pass<T>,
    ) {
        let parameters = self.weight.numbers().iter().zip(self.running_var.numbers());
        for (scale, (weight, variance)) in scale.numbers_mut().iter_mut().zip(parameters) {
            *scale = *weight / (*variance + T::from_f64(f64::from_bits(EPS))).sqrt();
        }
        self.evaluate(simd, input, output, &mut ());
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
        _output: &[X; B],
        scale: &mut X::Last,
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let rows = batch_slice(grad_output).chunks_exact(X::CHANNELS);
                for (gradient, to) in rows.zip(batch_slice_mut(grad_input).chunks_exact_mut(X::CHANNELS)) {
                    zip_to(
                        simd,
                        gradient,
                        scale.numbers(),
                        to,
                        #[inline(always)]
                        |gradient, scale| gradient * scale,
                    );
                }
            },
        );
    }
}

step_by_step!(
    [T: Real, X: Tensor<Element = T>, const EPS: u64] FrozenBatchNorm<X, EPS>,
    |self, simd, x, y| self.apply(simd, x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Real, X: Tensor<Element = T>, const B: usize>() {
        let layer = random::<FrozenBatchNorm<X>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx) = (x.clone(), dy.clone());
        for at in 0..x.len() {
            let of = |tensor: &X::Last| tensor.numbers()[at % X::CHANNELS].to_f64();
            let scale = of(&layer.weight) / (of(&layer.running_var) + 1e-5).sqrt();
            y[at] = (x[at] - of(&layer.running_mean)) * scale + of(&layer.bias);
            dx[at] = dy[at] * scale;
        }
        let none = vec![0.0; 4 * X::CHANNELS];
        check::<X, FrozenBatchNorm<X>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &none]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], 2>();
        agrees::<f64, [[f64; 3]; 5], 3>();
        agrees::<f32, [f32; 100], 1>();
        agrees::<f64, [f64; 1], 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<FrozenBatchNorm<[[f64; 9]; 2]>>(), &input, 1e-7).unwrap();
    }
}
