//! The parametric rectifier of He, Zhang, Ren and Sun, *Delving Deep into Rectifiers* (2015): `y = max(x, 0) +
//! slope · min(x, 0)`, where the slope is learned.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `slope` | `[1]`, or `[C]`: one a channel | 0.25 | learned |
//!
//! `∂L/∂x = ∂L/∂y` for `x > 0`, else `slope · ∂L/∂y`; `∂L/∂slope = Σ ∂L/∂y · min(x, 0)`, as in PyTorch.

use core::marker::PhantomData;

use crate::kernels::{elementwise, reduce};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Multiplies what is negative by a learned slope: `X → X`. `W` is `[T; 1]`, a slope that all share, or `[T; C]`, one for
/// each channel.
///
/// In a network write `PRelu`, or `PRelu(per_channel = true)`.
///
/// ```
/// use monomorph::layers::PRelu;
/// use monomorph::testing::check_gradients;
/// let mut layer: PRelu<[[f64; 3]; 2], [f64; 3]> = monomorph::memory::zeroed();
/// layer.slope = [0.25, 0.1, -0.5];
/// check_gradients(&mut layer, &[[[0.5, -1.0, 2.0], [-0.1, 0.2, -0.3]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct PRelu<X, W> {
    /// The factor of negative numbers.
    #[parameters(tensor, start = 0.25)]
    pub slope: W,
    /// The input and the output.
    pub shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>> PRelu<X, W> {
    /// Whether all numbers share one slope.
    const SHARED: bool = {
        assert!(X::CHANNELS > 0 && (W::LEN == 1 || W::LEN == X::CHANNELS), "PRelu: a slope, or one for each channel");
        W::LEN == 1
    };

    /// Calls `f` for each register of `x` and `other`: with the slopes there.
    #[inline(always)]
    fn each<S: Simd>(
        &self,
        simd: S,
        x: &[T],
        other: &[T],
        out: &mut [T],
        f: impl Fn(T::Vector<S>, T::Vector<S>, T::Vector<S>) -> T::Vector<S> + Copy,
    ) {
        if const { Self::SHARED } {
            let slope = T::Vector::<S>::splat(simd, self.slope.numbers()[0]);
            return elementwise::zip_to(
                simd,
                x,
                other,
                out,
                #[inline(always)]
                |x, other| f(x, other, slope),
            );
        }
        let rows = x.chunks_exact(X::CHANNELS).zip(other.chunks_exact(X::CHANNELS));
        for ((x, other), out) in rows.zip(out.chunks_exact_mut(X::CHANNELS)) {
            elementwise::zip3_to(simd, x, other, self.slope.numbers(), out, f);
        }
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, x: &[T], y: &mut [T]) {
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        self.each(
            simd,
            x,
            x,
            y,
            #[inline(always)]
            |x, _, slope| T::Vector::<S>::select(zero.lt(x), x, slope * x),
        );
    }
}

impl<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>> Layer for PRelu<X, W> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

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
                let (x, grad_output) = (batch_slice(input), batch_slice(grad_output));
                let zero = T::Vector::<S>::splat(simd, T::ZERO);
                let grad_slope = gradient.slope.numbers_mut();
                if const { Self::SHARED } {
                    grad_slope[0] += reduce::dot_with(
                        simd,
                        grad_output,
                        x,
                        #[inline(always)]
                        |x| zero.min(x),
                    );
                } else {
                    for (x, grad_output) in x.chunks_exact(X::CHANNELS).zip(grad_output.chunks_exact(X::CHANNELS)) {
                        elementwise::zip3(
                            simd,
                            grad_slope,
                            grad_output,
                            x,
                            #[inline(always)]
                            |sum, gradient, x| gradient.mul_add(zero.min(x), sum),
                        );
                    }
                }
                let Some(grad_input) = grad_input else { return };
                self.each(
                    simd,
                    x,
                    grad_output,
                    batch_slice_mut(grad_input),
                    #[inline(always)]
                    |x, gradient, slope| T::Vector::<S>::select(zero.lt(x), gradient, slope * gradient),
                );
            },
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>] PRelu<X, W>,
    |self, simd, x, y| self.apply(simd, x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Scalar, X: Tensor<Element = T>, W: Tensor<Element = T>, const B: usize>() {
        let layer = random::<PRelu<X, W>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) = (x.clone(), x.clone(), vec![0.0; W::LEN]);
        for at in 0..x.len() {
            let slope = layer.slope.numbers()[at % W::LEN].to_f64();
            let factor = if x[at] > 0.0 { 1.0 } else { slope };
            (y[at], dx[at]) = (factor * x[at], factor * dy[at]);
            gradient[at % W::LEN] += dy[at] * x[at].min(0.0);
        }
        check::<X, PRelu<X, W>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], [f32; 17], 2>();
        agrees::<f64, [[f64; 3]; 5], [f64; 3], 3>();
        agrees::<f64, [[f64; 3]; 5], [f64; 1], 3>();
        agrees::<f32, [f32; 100], [f32; 1], 1>();
        agrees::<f64, [f64; 1], [f64; 1], 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<PRelu<[[f64; 9]; 2], [f64; 9]>>(), &input, 1e-7).expect("the derivative");
        check_gradients(&mut *random::<PRelu<[[f64; 9]; 2], [f64; 1]>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<PRelu<[[[f64; 6]; 4]; 3], [f64; 6]>, 2>("act_prelu");
        golden::check_layer::<PRelu<[[[f32; 6]; 4]; 3], [f32; 6]>, 2>("act_prelu");
    }
}
