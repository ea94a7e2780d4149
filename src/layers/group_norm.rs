//! Group normalisation of Wu and He, *Group Normalization* (2018), channels last:
//! `y = (x − mean[g]) / √(variance[g] + ε) · weight[c] + bias[c]`, `g = ⌊c · GROUPS / C⌋`.
//!
//! | tensor | shape | start | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |
//! | `bias` | `[C]` | 0 | learned |
//!
//! Mean and biased variance are those of a sample over all axes but the last and over the
//! `C / GROUPS` consecutive channels of a group. One group is layer normalisation over the whole
//! sample; `C` groups are instance normalisation.

use core::marker::PhantomData;

use crate::kernels::norm;
use crate::layer::{Layer, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Scalar, bits};
use crate::shapes;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Normalises groups of channels of every sample: `X → X`, `C` being the last axis of `X`, which
/// `GROUPS` divides.
///
/// `EPS` is [`bits`] of ε.
///
/// ```
/// use monomorph::layers::GroupNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: GroupNorm<f64, [[f64; 4]; 2], 4, 2> = monomorph::memory::zeroed();
/// norm.weight = [1.0, 2.0, 3.0, 4.0];
/// check_gradients(&mut norm, &[[[1.0, 2.0, 4.0, 0.1], [3.0, 5.0, 0.5, 2.5]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct GroupNorm<T, X, const C: usize, const GROUPS: usize, const EPS: u64 = { bits(1e-5) }> {
    /// What the normalised values are multiplied by.
    #[parameters(start = 1.0)]
    pub weight: [T; C],
    /// What is added to them.
    #[parameters(start = 0.0)]
    pub bias: [T; C],
    shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<T>, const C: usize, const GROUPS: usize, const EPS: u64> GroupNorm<T, X, C, GROUPS, EPS> {
    const SHAPE: () = {
        assert!(X::CHANNELS == C, "GroupNorm: C is not the last axis of its input");
        assert!(shapes::divide(C, GROUPS).is_ok(), "GroupNorm: GROUPS does not divide C");
    };
}

impl<T: Scalar, X: Tensor<T>, const C: usize, const GROUPS: usize, const EPS: u64> Layer<T>
    for GroupNorm<T, X, C, GROUPS, EPS>
{
    type Input = X;
    type Output = X;
    /// For every sample and channel the mean and `1 / √(variance + ε)` of its group; and room for
    /// the sums of `backward`.
    type Saved<const B: usize> = ([[[T; C]; 2]; B], [[T; C]; 2]);
    type Workspace<const B: usize> = [[T; C]; 2];
    const MACS: usize = 2 * X::LEN;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        [mean, inverse]: &mut [[T; C]; 2],
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    norm::group_forward(
                        simd,
                        GROUPS,
                        input[sample].as_slice(),
                        output[sample].as_mut_slice(),
                        &self.weight,
                        &self.bias,
                        T::from_f64(f64::from_bits(EPS)),
                        mean,
                        inverse,
                    );
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        (statistics, _): &mut Self::Saved<B>,
        _noise: &mut Noise,
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    let [mean, inverse] = &mut statistics[sample];
                    norm::group_forward(
                        simd,
                        GROUPS,
                        input[sample].as_slice(),
                        output[sample].as_mut_slice(),
                        &self.weight,
                        &self.bias,
                        T::from_f64(f64::from_bits(EPS)),
                        mean,
                        inverse,
                    );
                }
            },
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[X; B],
        (statistics, [sums, products]): &mut Self::Saved<B>,
        grad_output: &mut [X; B],
        mut grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    let [mean, inverse] = &statistics[sample];
                    norm::group_backward(
                        simd,
                        GROUPS,
                        input[sample].as_slice(),
                        grad_output[sample].as_slice(),
                        grad_input.as_mut().map(|gradient| gradient[sample].as_mut_slice()),
                        &self.weight,
                        mean,
                        inverse,
                        [&mut sums[..], &mut products[..]],
                        &mut gradient.weight,
                        &mut gradient.bias,
                    );
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec::Vec;

    fn agrees<T: Scalar, X: Tensor<T>, const C: usize, const GROUPS: usize, const B: usize>() {
        let layer = random::<T, GroupNorm<T, X, C, GROUPS>>();
        let (input, grad_output) = (golden::random::<T, X, B>(2), golden::random::<T, X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx, mut gradient) = (x.clone(), x.clone(), std::vec![0.0; 2 * C]);
        for (sample, group) in (0..B).flat_map(|sample| (0..GROUPS).map(move |group| (sample, group))) {
            // The indices of the group's numbers in the batch.
            let members: Vec<usize> =
                (sample * X::LEN..(sample + 1) * X::LEN).filter(|at| at % C / (C / GROUPS) == group).collect();
            let mean_of =
                |f: &dyn Fn(usize) -> f64| members.iter().map(|at| f(*at)).sum::<f64>() / members.len() as f64;
            let mean = mean_of(&|at| x[at]);
            let inverse = 1.0 / (mean_of(&|at| (x[at] - mean).powi(2)) + 1e-5).sqrt();
            let normal = |at: usize| (x[at] - mean) * inverse;
            let weight = |at: usize| layer.weight[at % C].to_f64();
            let sum = mean_of(&|at| dy[at] * weight(at));
            let product = mean_of(&|at| dy[at] * weight(at) * normal(at));
            for at in members.iter().copied() {
                y[at] = normal(at) * weight(at) + layer.bias[at % C].to_f64();
                dx[at] = inverse * (dy[at] * weight(at) - sum - normal(at) * product);
                gradient[at % C] += dy[at] * normal(at);
                gradient[C + at % C] += dy[at];
            }
        }
        check::<T, GroupNorm<T, X, C, GROUPS>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 6]; 2]; 3], 6, 3, 2>();
        agrees::<f64, [[f64; 6]; 5], 6, 2, 3>();
        // One group, and one for every channel.
        agrees::<f32, [[f32; 17]; 3], 17, 1, 2>();
        agrees::<f64, [[f64; 17]; 3], 17, 17, 2>();
        // Groups wider than a register, and more rows than are added up at once.
        agrees::<f32, [[f32; 66]; 5], 66, 2, 1>();
        agrees::<f64, [[f64; 4]; 131], 4, 2, 1>();
        agrees::<f32, [f32; 100], 100, 4, 2>();
        agrees::<f64, [f64; 1], 1, 1, 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<f64, [[[f64; 6]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<f64, GroupNorm<f64, [[[f64; 6]; 2]; 3], 6, 3>>(), &input, 1e-7)
            .expect("the derivative");
        let input = golden::random::<f64, [[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<f64, GroupNorm<f64, [[f64; 9]; 2], 9, 3>>(), &input, 1e-7)
            .expect("the derivative");
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<f64, GroupNorm<f64, [[[f64; 6]; 5]; 4], 6, 3>, 2>("group_norm");
        golden::check_layer::<f32, GroupNorm<f32, [[[f32; 6]; 5]; 4], 6, 3>, 2>("group_norm");
    }
}
