//! The gated linear unit of Dauphin, Fan, Auli and Grangier, *Language modeling with gated convolutional networks*
//! (2017): half of the channels gate the other half.
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | `[.., 2C]`, any rank |
//! | output `y` | `[.., C]` |
//!
//! `y[c] = f(x[c]) · σ(x[C + c])`, over the channels, where `f(x) = x`, as PyTorch's `GLU`, or `tanh x`: the gate of
//! van den Oord and others, *WaveNet* (2016).
//! `∂L/∂x[c] = ∂L/∂y[c] · f′(x[c]) · σ` and `∂L/∂x[C + c] = ∂L/∂y[c] · f(x[c]) · σ (1 − σ)`.

use core::marker::PhantomData;

use crate::activation::{Activation, Identity};
use crate::kernels::elementwise;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Vector};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Multiplies a function `A` of the first half of the channels of an `X` by the sigmoid of the second: `X → Y`.
///
/// In a network write `Glu`, or `Glu(activation = tanh)`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Gate: [2, 4] -> [2, 2] { Glu } }
/// assert_eq!(Gate::zeroed().evaluate(&[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 99.0]]), [[0.5, 1.0], [1.5, 4.0]]);
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Glu<X, Y, A = Identity>(PhantomData<(X, Y, A)>);

impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, A: Activation<T>> Glu<X, Y, A> {
    /// The channels of the output.
    const HALF: usize = {
        assert!(
            Y::CHANNELS > 0 && X::CHANNELS == 2 * Y::CHANNELS && X::LEN == 2 * Y::LEN,
            "Glu: X is two Y side by side"
        );
        Y::CHANNELS
    };

    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: &[T], y: &mut [T]) {
        let half = const { Self::HALF };
        for (x, y) in x.chunks_exact(2 * half).zip(y.chunks_exact_mut(half)) {
            let (x, gate) = x.split_at(half);
            elementwise::zip_to(
                simd,
                x,
                gate,
                y,
                #[inline(always)]
                |x, gate| A::apply(simd, x) * T::sigmoid_lanes(simd, gate),
            );
        }
    }
}

impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, A: Activation<T>> Layer for Glu<X, Y, A> {
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || Self::apply(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        (): &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let half = const { Self::HALF };
                let one = T::Vector::<S>::splat(simd, T::ONE);
                let rows = batch_slice(input).chunks_exact(2 * half).zip(batch_slice(grad_output).chunks_exact(half));
                let targets = batch_slice_mut(grad_input).chunks_exact_mut(2 * half);
                for ((x, grad_output), grad_input) in rows.zip(targets) {
                    let ((x, gate), (grad_x, grad_gate)) = (x.split_at(half), grad_input.split_at_mut(half));
                    elementwise::update(
                        simd,
                        half,
                        [grad_x, grad_gate],
                        [x, gate, grad_output],
                        #[inline(always)]
                        |_, [x, gate, gradient]| {
                            let (y, gate) = (A::apply(simd, x), T::sigmoid_lanes(simd, gate));
                            let through = gradient * gate;
                            [through * A::derivative(simd, x, y), through * y * (one - gate)]
                        },
                    );
                }
            },
        );
    }
}

step_by_step!(
    [T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, A: Activation<T>] Glu<X, Y, A> => Y,
    |self, simd, x, y| Self::apply(simd, x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers};
    use crate::memory::zeroed;
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, A: Activation<T>, const B: usize>(
        f: fn(f64) -> [f64; 2],
    ) {
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<Y, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx) = (dy.clone(), vec![0.0; x.len()]);
        for at in 0..dy.len() {
            let first = at / Y::CHANNELS * X::CHANNELS + at % Y::CHANNELS;
            let gate = 1.0 / (1.0 + (-x[first + Y::CHANNELS]).exp());
            let [value, derivative] = f(x[first]);
            y[at] = value * gate;
            dx[first] = dy[at] * derivative * gate;
            dx[first + Y::CHANNELS] = dy[at] * value * gate * (1.0 - gate);
        }
        check::<X, Glu<X, Y, A>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dx, &[]]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[f32; 34]; 3], [[f32; 17]; 3], Identity, 2>(|x| [x, 1.0]);
        agrees::<f64, [[[f64; 6]; 2]; 3], [[[f64; 3]; 2]; 3], Identity, 2>(|x| [x, 1.0]);
        agrees::<f64, [f64; 2], [f64; 1], Identity, 3>(|x| [x, 1.0]);
        agrees::<f32, [f32; 66], [f32; 33], Identity, 1>(|x| [x, 1.0]);
    }

    #[test]
    fn the_first_half_can_be_a_tanh() {
        use crate::layers::Tanh;
        let tanh = |x: f64| [x.tanh(), 1.0 - x.tanh() * x.tanh()];
        agrees::<f32, [[f32; 34]; 3], [[f32; 17]; 3], Tanh, 2>(tanh);
        agrees::<f64, [f64; 6], [f64; 3], Tanh, 3>(tanh);
        let mut layer: Glu<[[f64; 10]; 3], [[f64; 5]; 3], Tanh> = zeroed();
        check_gradients(&mut layer, &*golden::random::<[[f64; 10]; 3], 2>(4), 1e-7).unwrap();
    }

    #[test]
    fn finite_differences_agree() {
        let mut layer: Glu<[[f64; 10]; 3], [[f64; 5]; 3]> = zeroed();
        check_gradients(&mut layer, &*golden::random::<[[f64; 10]; 3], 2>(4), 1e-7).unwrap();
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<Glu<[f64; 10], [f64; 5]>, 3>("act_glu");
        golden::check_layer::<Glu<[f32; 10], [f32; 5]>, 3>("act_glu");
    }
}
