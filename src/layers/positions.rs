//! Learned positions: a vector for each step of a sequence is added to it, as in BERT and GPT-2.
//!
//! `y[t] = x[t] + W[t]`, `∂L/∂W[t] = Σ ∂L/∂y[t]` over the batch
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x`, `y` | `[STEPS, FEATURES]` | |
//! | `weight` (W) | `[STEPS, FEATURES]` | normal, standard deviation 0.02, as in GPT-2 |

use crate::kernels::elementwise::{add_assign, zip_to};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Adds a vector for each step of an `X`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Places: [2, 3] -> [2, 3] { Positions } }
/// let mut net = Places::zeroed();
/// net.positions1.weight[1] = [1.0, 2.0, 3.0];
/// assert_eq!(net.evaluate(&[[0.5; 3]; 2]), [[0.5, 0.5, 0.5], [1.5, 2.5, 3.5]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Positions<X: Tensor<Element: Scalar>> {
    /// W: a row for each step.
    #[parameters(tensor, normal = 0.02)]
    pub weight: X,
}

impl<T: Scalar, X: Tensor<Element = T>> Layer for Positions<X> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        const { assert!(X::SHAPE.len() == 2 && X::LEN > 0, "Positions takes a sequence `[STEPS, FEATURES]`") };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (x, y) in input.iter().zip(output) {
                    zip_to(
                        simd,
                        x.numbers(),
                        self.weight.numbers(),
                        y.numbers_mut(),
                        #[inline(always)]
                        |x, w| x + w,
                    );
                }
            },
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
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
                for grad_y in &*grad_output {
                    add_assign(simd, gradient.weight.numbers_mut(), grad_y.numbers());
                }
                if let Some(grad_input) = grad_input {
                    batch_slice_mut(grad_input).copy_from_slice(batch_slice(grad_output));
                }
            },
        );
    }
}

/// The number of the next step.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(C)]
pub struct Place(usize);

/// Steps beyond the declared sequence have its last position.
impl<T: Scalar, X: Tensor<Element = T>> Streaming for Positions<X> {
    type State = Place;
    type StepInput = X::Item;
    type StepOutput = X::Item;

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, place: &mut Place, input: &X::Item, output: &mut X::Item) {
        let weight = self.weight.numbers().chunks_exact(X::CHANNELS).nth(place.0).unwrap_or(&[]);
        place.0 = (place.0 + 1).min(X::LEN / X::CHANNELS - 1);
        zip_to(
            simd,
            input.numbers(),
            weight,
            output.numbers_mut(),
            #[inline(always)]
            |x, w| x + w,
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec::Vec;

    fn agrees<T: Scalar, X: Tensor<Element = T>, const B: usize>() {
        let layer = random::<Positions<X>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let weight = |at: usize| layer.weight.numbers()[at % X::LEN].to_f64();
        let y: Vec<f64> = x.iter().enumerate().map(|(at, x)| x + weight(at)).collect();
        let gradient: Vec<f64> = (0..X::LEN).map(|at| dy.iter().skip(at).step_by(X::LEN).sum()).collect();
        check::<X, Positions<X>, B>(&layer, &input, &grad_output, [&y, &y, &dy, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[f32; 17]; 3], 2>();
        agrees::<f64, [[f64; 1]; 1], 3>();
        agrees::<f32, [[f32; 33]; 17], 1>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 5]; 3], 2>(4);
        check_gradients(&mut *random::<Positions<[[f64; 5]; 3]>>(), &input, 1e-7).unwrap();
    }
}
