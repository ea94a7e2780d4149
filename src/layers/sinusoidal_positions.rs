//! The positions of Vaswani et al., *Attention is all you need* (2017): sines and cosines of the step, whose
//! wavelengths grow from feature to feature, are added to a sequence.
//!
//! `y[t][2i] = x[t][2i] + sin(t·base^(−2i/FEATURES))`, `y[t][2i + 1] = x[t][2i + 1] + cos(t·base^(−2i/FEATURES))`
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x`, `y` | `[STEPS, FEATURES]`, an even number of features |

use core::marker::PhantomData;

use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::layers::attention::rotary::{angles, circle};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, bits};
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Adds sines and cosines of the step to an `X`. `BASE` is [`bits`] of the base.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Places: [2, 4] -> [2, 4] { SinusoidalPositions } }
/// let y = Places::zeroed().evaluate(&[[0.0; 4]; 2]);
/// assert_eq!(y[0], [0.0, 1.0, 0.0, 1.0]);
/// assert!((y[1][2] - 0.01_f32.sin()).abs() < 1e-8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct SinusoidalPositions<X, const BASE: u64 = { bits(10_000.0) }>(PhantomData<X>);

impl<T: Scalar, X: Tensor<Element = T>, const BASE: u64> SinusoidalPositions<X, BASE> {
    /// By how much each pair turns from step to step.
    const ANGLES: [u64; 512] = {
        assert!(X::SHAPE.len() == 2 && X::LEN > 0, "SinusoidalPositions takes a sequence `[STEPS, FEATURES]`");
        angles(f64::from_bits(BASE), X::CHANNELS)
    };

    const fn angles() -> &'static [u64] {
        const { Self::ANGLES.split_at(X::CHANNELS / 2).0 }
    }
}

/// Adds the sine and the cosine to a pair of features.
#[inline(always)]
fn add<T: Scalar>(pair: &mut [T; 2], [cosine, sine]: [T; 2]) {
    pair[0] += sine;
    pair[1] += cosine;
}

impl<T: Scalar, X: Tensor<Element = T>, const BASE: u64> Layer for SinusoidalPositions<X, BASE> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let y = batch_slice_mut(output);
                y.copy_from_slice(batch_slice(input));
                for step in 0..X::LEN / X::CHANNELS {
                    for (index, angle) in Self::angles().iter().enumerate() {
                        let at = circle(angle.wrapping_mul(step as u64));
                        // The same for all samples.
                        for sample in y.chunks_exact_mut(X::LEN) {
                            let place = step * X::CHANNELS / 2 + index;
                            if let Some(pair) = sample.as_chunks_mut().0.get_mut(place) {
                                add(pair, at);
                            }
                        }
                    }
                }
            },
        );
    }

    forward_evaluates!();

    /// `∂L/∂x = ∂L/∂y`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        _simd: S,
        _input: &[X; B],
        _output: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        if let Some(grad_input) = grad_input {
            batch_slice_mut(grad_input).copy_from_slice(batch_slice(grad_output));
        }
    }
}

/// Positions go on beyond the declared sequence. The state is the number of the next step.
impl<T: Scalar, X: Tensor<Element = T>, const BASE: u64> Streaming for SinusoidalPositions<X, BASE> {
    type State = u64;
    type StepInput = X::Item;
    type StepOutput = X::Item;

    #[inline(always)]
    fn step<S: Simd>(&self, _: S, step: &mut u64, input: &X::Item, output: &mut X::Item) {
        output.numbers_mut().copy_from_slice(input.numbers());
        for (pair, angle) in output.numbers_mut().as_chunks_mut().0.iter_mut().zip(Self::angles()) {
            add(pair, circle(angle.wrapping_mul(*step)));
        }
        *step = step.wrapping_add(1);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers};
    use crate::memory::zeroed;
    use crate::testing::golden;
    use crate::testing::golden::Case;
    use std::vec::Vec;

    fn agrees<T: Scalar, X: Tensor<Element = T>, const B: usize>(table: impl Fn(usize, usize) -> f64) {
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let y: Vec<f64> =
            x.iter().enumerate().map(|(at, x)| x + table(at % X::LEN / X::CHANNELS, at % X::CHANNELS)).collect();
        check::<X, SinusoidalPositions<X>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dy, &[]]);
    }

    #[test]
    fn agrees_with_pytorch() {
        let table = Case::open("att_sinusoidal_positions").numbers("table");
        agrees::<f64, [[f64; 10]; 7], 2>(|step, feature| table[step * 10 + feature]);
        agrees::<f32, [[f32; 10]; 7], 2>(|step, feature| table[step * 10 + feature]);
    }

    #[test]
    fn long_sequences_agree_with_the_definition() {
        agrees::<f64, [[f64; 34]; 700], 1>(|step, feature| {
            let angle = step as f64 * f64::powf(10_000.0, -((feature / 2) as f64) / 17.0);
            if feature % 2 == 0 { angle.sin() } else { angle.cos() }
        });
    }
}
