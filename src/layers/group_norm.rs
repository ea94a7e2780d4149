//! Group normalization of Wu and He, *Group Normalization* (2018), channels last:
//! `y = (x − mean[g]) / √(variance[g] + ε) · weight[c] + bias[c]`, `g = ⌊c · GROUPS / C⌋`.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |
//! | `bias` | `[C]` | 0 | learned |
//!
//! Mean and biased variance are taken per sample, over all axes but the last and over the `C / GROUPS` consecutive
//! channels of a group. One group is layer normalization over the whole sample; `C` groups are instance normalization.

use core::marker::PhantomData;

use crate::hyperparameters::epsilon;
use crate::kernels::norm;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar, bits};
use crate::shapes;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// Normalizes groups of channels of every sample: `X → X`, where `C` is the last axis of `X` and a multiple of
/// `GROUPS`.
///
/// `EPS` is [`bits`] of ε.
///
/// ```
/// use monomorph::layers::GroupNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: GroupNorm<[[f64; 4]; 2], 2> = monomorph::memory::zeroed();
/// norm.weight = [1.0, 2.0, 3.0, 4.0];
/// check_gradients(&mut norm, &[[[1.0, 2.0, 4.0, 0.1], [3.0, 5.0, 0.5, 2.5]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct GroupNorm<X: Tensor<Element: Scalar>, const GROUPS: usize, const EPS: u64 = { bits(1e-5) }> {
    /// The factor that multiplies the normalized values.
    #[parameters(tensor, start = 1.0)]
    pub weight: X::Last,
    /// The offset that is added to them.
    #[parameters(tensor, start = 0.0)]
    pub bias: X::Last,
    shape: PhantomData<X>,
}

impl<T: Real, X: Tensor<Element = T>, const GROUPS: usize, const EPS: u64> GroupNorm<X, GROUPS, EPS> {
    const SHAPE: () = {
        assert!(shapes::divide(X::CHANNELS, GROUPS).is_ok(), "GroupNorm: GROUPS does not divide the channels");
    };
}

impl<T: Real, X: Tensor<Element = T>, const GROUPS: usize, const EPS: u64> Layer for GroupNorm<X, GROUPS, EPS> {
    type Input = X;
    type Output = X;
    /// For every sample and channel, the mean and `1 / √(variance + ε)` of its group; and space for the sums of
    /// `backward`.
    type Saved<const B: usize> = ([[X::Last; 2]; B], [X::Last; 2]);
    type Workspace<const B: usize> = [X::Last; 2];
    const MACS: usize = 2 * X::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        [mean, inverse]: &mut [X::Last; 2],
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    norm::group_forward(
                        simd,
                        GROUPS,
                        input[sample].numbers(),
                        output[sample].numbers_mut(),
                        self.weight.numbers(),
                        self.bias.numbers(),
                        T::from_f64(const { epsilon(EPS) }),
                        mean.numbers_mut(),
                        inverse.numbers_mut(),
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
        _pass: &mut Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    let [mean, inverse] = &mut statistics[sample];
                    norm::group_forward(
                        simd,
                        GROUPS,
                        input[sample].numbers(),
                        output[sample].numbers_mut(),
                        self.weight.numbers(),
                        self.bias.numbers(),
                        T::from_f64(const { epsilon(EPS) }),
                        mean.numbers_mut(),
                        inverse.numbers_mut(),
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
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for sample in 0..B {
                    let [mean, inverse] = &statistics[sample];
                    norm::group_backward(
                        simd,
                        GROUPS,
                        input[sample].numbers(),
                        grad_output[sample].numbers(),
                        grad_input.as_mut().map(|gradient| gradient[sample].numbers_mut()),
                        self.weight.numbers(),
                        mean.numbers(),
                        inverse.numbers(),
                        [sums.numbers_mut(), products.numbers_mut()],
                        gradient.weight.numbers_mut(),
                        gradient.bias.numbers_mut(),
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

    fn agrees<T: Real, X: Tensor<Element = T>, const C: usize, const GROUPS: usize, const B: usize>() {
        let layer = random::<GroupNorm<X, GROUPS>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
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
            let weight = |at: usize| layer.weight.numbers()[at % C].to_f64();
            let sum = mean_of(&|at| dy[at] * weight(at));
            let product = mean_of(&|at| dy[at] * weight(at) * normal(at));
            for at in members.iter().copied() {
                y[at] = normal(at) * weight(at) + layer.bias.numbers()[at % C].to_f64();
                dx[at] = inverse * (dy[at] * weight(at) - sum - normal(at) * product);
                gradient[at % C] += dy[at] * normal(at);
                gradient[C + at % C] += dy[at];
            }
        }
        check::<X, GroupNorm<X, GROUPS>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 6]; 2]; 3], 6, 3, 2>();
        agrees::<f64, [[f64; 6]; 5], 6, 2, 3>();
        // One group, and one for every channel.
        agrees::<f32, [[f32; 17]; 3], 17, 1, 2>();
        agrees::<f64, [[f64; 17]; 3], 17, 17, 2>();
        // Groups wider than a register, and more rows than are summed at once.
        agrees::<f32, [[f32; 66]; 5], 66, 2, 1>();
        agrees::<f64, [[f64; 4]; 131], 4, 2, 1>();
        agrees::<f32, [f32; 100], 100, 4, 2>();
        agrees::<f64, [f64; 1], 1, 1, 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[[f64; 6]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<GroupNorm<[[[f64; 6]; 2]; 3], 3>>(), &input, 1e-7).expect("the derivative");
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<GroupNorm<[[f64; 9]; 2], 3>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn agrees_with_pytorch() {
        // A group for each channel is instance normalization.
        golden::check_layer::<GroupNorm<[[[f64; 5]; 5]; 4], 5>, 2>("instance_norm");
        golden::check_layer::<GroupNorm<[[[f32; 5]; 5]; 4], 5>, 2>("instance_norm");
        golden::check_layer::<GroupNorm<[[[f64; 6]; 5]; 4], 3>, 2>("group_norm");
        golden::check_layer::<GroupNorm<[[[f32; 6]; 5]; 4], 3>, 2>("group_norm");
    }
}
