//! RMS normalisation of Zhang and Sennrich, *Root Mean Square Layer Normalization* (2019), over the
//! last axis: `y = x / √(mean(x²) + ε) · weight`.
//!
//! | tensor | shape | start | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |

use core::marker::PhantomData;

use crate::kernels::norm;
use crate::layer::{Layer, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Scalar, bits};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Scales every pixel, step or row by the root mean square of its channels: `X → X`, `C` being the last axis of `X`.
///
/// `EPS` is [`bits`] of ε.
///
/// ```
/// use monomorph::layers::RmsNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: RmsNorm<f64, [[f64; 3]; 2], 3> = monomorph::memory::zeroed();
/// norm.weight = [1.0, 2.0, 3.0];
/// check_gradients(&mut norm, &[[[1.0, 2.0, 4.0], [3.0, 5.0, 0.5]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct RmsNorm<T, X, const C: usize, const EPS: u64 = { bits(1e-6) }> {
    /// What the scaled values are multiplied by.
    #[parameters(start = 1.0)]
    pub weight: [T; C],
    shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<T>, const C: usize, const EPS: u64> Layer<T> for RmsNorm<T, X, C, EPS> {
    type Input = X;
    type Output = X;
    /// `1 / √(mean(x²) + ε)` of every row.
    type Saved<const B: usize> = [X::Rows; B];
    type Workspace<const B: usize> = ();
    const MACS: usize = 2 * X::LEN;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        const { assert!(X::CHANNELS == C, "RmsNorm: C is not the last axis of its input") };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_forward::<T, S, false>(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    &self.weight,
                    &[],
                    T::from_f64(f64::from_bits(EPS)),
                    None,
                );
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        inverse: &mut Self::Saved<B>,
        _noise: &mut Noise,
    ) {
        const { assert!(X::CHANNELS == C, "RmsNorm: C is not the last axis of its input") };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_forward::<T, S, false>(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    &self.weight,
                    &[],
                    T::from_f64(f64::from_bits(EPS)),
                    Some([&mut [], batch_slice_mut(inverse)]),
                );
            },
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[X; B],
        inverse: &mut Self::Saved<B>,
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_backward::<T, S, false>(
                    simd,
                    batch_slice(input),
                    batch_slice(grad_output),
                    grad_input.map(|gradient| batch_slice_mut(gradient)),
                    &self.weight,
                    &[],
                    batch_slice(inverse),
                    &mut gradient.weight,
                    &mut [],
                );
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::parameters::Parameters;
    use crate::testing::{check_gradients, golden};

    fn agrees<T: Scalar, X: Tensor<T>, const C: usize, const B: usize>() {
        let layer = random::<T, RmsNorm<T, X, C>>();
        let (input, grad_output) = (golden::random::<T, X, B>(2), golden::random::<T, X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) =
            (x.clone(), x.clone(), std::vec![0.0; <RmsNorm<T, X, C> as Parameters<T>>::COUNT]);
        for row in 0..x.len() / C {
            let at = |c: usize| row * C + c;
            let mean_of = |f: &dyn Fn(usize) -> f64| (0..C).map(f).sum::<f64>() / C as f64;
            let inverse = 1.0 / (mean_of(&|c| x[at(c)].powi(2)) + 1e-6).sqrt();
            let normal = |c: usize| x[at(c)] * inverse;
            let weight = |c: usize| layer.weight[c].to_f64();
            let product = mean_of(&|c| dy[at(c)] * weight(c) * normal(c));
            for c in 0..C {
                y[at(c)] = normal(c) * weight(c);
                dx[at(c)] = inverse * (dy[at(c)] * weight(c) - normal(c) * product);
                gradient[c] += dy[at(c)] * normal(c);
            }
        }
        check::<T, RmsNorm<T, X, C>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], 17, 2>();
        agrees::<f64, [[f64; 3]; 5], 3, 3>();
        agrees::<f32, [[f32; 2]; 3], 2, 2>();
        agrees::<f64, [[f64; 16]; 2], 16, 1>();
        agrees::<f32, [f32; 100], 100, 5>();
        agrees::<f64, [f64; 33], 33, 2>();
        agrees::<f32, [[f32; 64]; 2], 64, 1>();
        agrees::<f64, [[f64; 1]; 2], 1, 1>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<f64, [[[f64; 3]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<f64, RmsNorm<f64, [[[f64; 3]; 2]; 3], 3>>(), &input, 1e-7)
            .expect("the derivative");
        let input = golden::random::<f64, [f64; 17], 3>(4);
        check_gradients(&mut *random::<f64, RmsNorm<f64, [f64; 17], 17>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<f64, RmsNorm<f64, [[f64; 24]; 5], 24>, 2>("rms_norm");
        golden::check_layer::<f32, RmsNorm<f32, [[f32; 24]; 5], 24>, 2>("rms_norm");
    }
}
