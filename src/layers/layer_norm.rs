//! Layer normalization of Ba, Kiros and Hinton, *Layer Normalization* (2016), over the last axis:
//! `y = (x − mean) / √(variance + ε) · weight + bias`, with the mean and the biased variance of every row.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |
//! | `bias` | `[C]` | 0 | learned |

use core::marker::PhantomData;

use crate::hyperparameters::epsilon;
use crate::kernels::norm;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar, bits};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Normalizes every pixel, step or row over its channels: `X → X`, where `C` is the last axis of `X`.
///
/// `EPS` is [`bits`] of ε.
///
/// ```
/// use monomorph::layers::LayerNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: LayerNorm<[[f64; 3]; 2]> = monomorph::memory::zeroed();
/// norm.weight = [1.0, 2.0, 3.0];
/// check_gradients(&mut norm, &[[[1.0, 2.0, 4.0], [3.0, 5.0, 0.5]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct LayerNorm<X: Tensor<Element: Scalar>, const EPS: u64 = { bits(1e-5) }> {
    /// The factor that multiplies the normalized values.
    #[parameters(tensor, start = 1.0)]
    pub weight: X::Last,
    /// The offset that is added to them.
    #[parameters(tensor, start = 0.0)]
    pub bias: X::Last,
    shape: PhantomData<X>,
}

impl<T: Real, X: Tensor<Element = T>, const EPS: u64> Layer for LayerNorm<X, EPS> {
    type Input = X;
    type Output = X;
    /// The mean and `1 / √(variance + ε)` of every row.
    type Saved<const B: usize> = ([X::Rows; B], [X::Rows; B]);
    type Workspace<const B: usize> = ();
    const MACS: usize = 2 * X::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_forward::<T, S, true>(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    self.weight.numbers(),
                    self.bias.numbers(),
                    T::from_f64(const { epsilon(EPS) }),
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
        (mean, inverse): &mut Self::Saved<B>,
        _pass: &mut Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_forward::<T, S, true>(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    self.weight.numbers(),
                    self.bias.numbers(),
                    T::from_f64(const { epsilon(EPS) }),
                    Some([batch_slice_mut(mean), batch_slice_mut(inverse)]),
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
        (mean, inverse): &mut Self::Saved<B>,
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::row_backward::<T, S, true>(
                    simd,
                    batch_slice(input),
                    batch_slice(grad_output),
                    grad_input.map(|gradient| batch_slice_mut(gradient)),
                    self.weight.numbers(),
                    batch_slice(mean),
                    batch_slice(inverse),
                    gradient.weight.numbers_mut(),
                    gradient.bias.numbers_mut(),
                );
            },
        );
    }
}

step_by_step!(
    [T: Real, X: Tensor<Element = T>, const EPS: u64] LayerNorm<X, EPS>,
    |self, simd, x, y| norm::row_forward::<T, S, true>(
        simd,
        x,
        y,
        self.weight.numbers(),
        self.bias.numbers(),
        T::from_f64(const { epsilon(EPS) }),
        None,
    )
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{Passes, check, numbers, random};
    use crate::parameters::Parameters;
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};

    fn agrees<T: Real, X: Tensor<Element = T>, const C: usize, const B: usize>() {
        let layer = random::<LayerNorm<X>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) = (x.clone(), x.clone(), std::vec![0.0; <LayerNorm<X> as Parameters>::COUNT]);
        for row in 0..x.len() / C {
            let at = |c: usize| row * C + c;
            let mean_of = |f: &dyn Fn(usize) -> f64| (0..C).map(f).sum::<f64>() / C as f64;
            let mean = mean_of(&|c| x[at(c)]);
            let inverse = 1.0 / (mean_of(&|c| (x[at(c)] - mean).powi(2)) + 1e-5).sqrt();
            let normal = |c: usize| (x[at(c)] - mean) * inverse;
            let weight = |c: usize| layer.weight.numbers()[c].to_f64();
            let sum = mean_of(&|c| dy[at(c)] * weight(c));
            let product = mean_of(&|c| dy[at(c)] * weight(c) * normal(c));
            for c in 0..C {
                y[at(c)] = normal(c) * weight(c) + layer.bias.numbers()[c].to_f64();
                dx[at(c)] = inverse * (dy[at(c)] * weight(c) - sum - normal(c) * product);
                gradient[c] += dy[at(c)] * normal(c);
                gradient[C + c] += dy[at(c)];
            }
        }
        check::<X, LayerNorm<X>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
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
        let input = golden::random::<[[[f64; 3]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<LayerNorm<[[[f64; 3]; 2]; 3]>>(), &input, 1e-7).expect("the derivative");
        let input = golden::random::<[f64; 17], 3>(4);
        check_gradients(&mut *random::<LayerNorm<[f64; 17]>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn a_large_mean_does_not_drown_the_variance() {
        let layer = random::<LayerNorm<[f32; 18]>>();
        let input = [core::array::from_fn(|c| if c % 2 == 0 { 9999.0_f32 } else { 10001.0 }), [-1e6; 18]];
        for level in levels() {
            let y = Passes::run(level, &*layer, &input, &crate::memory::zeroed()).output;
            for c in 0..18 {
                let sign = if c % 2 == 0 { -1.0 } else { 1.0 };
                assert!((y[0][c] - (layer.bias[c] + sign * layer.weight[c])).abs() < 1e-4, "{y:?}");
                assert!(y[1][c] == layer.bias[c], "{y:?}");
            }
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<LayerNorm<[[f64; 24]; 5]>, 2>("layer_norm");
        golden::check_layer::<LayerNorm<[[f32; 24]; 5]>, 2>("layer_norm");
    }
}
