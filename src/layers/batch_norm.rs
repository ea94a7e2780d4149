//! Batch normalisation of Ioffe and Szegedy, *Batch Normalization* (2015), channels last:
//! `y = (x − mean[c]) / √(var[c] + ε) · weight[c] + bias[c]`.
//!
//! | tensor | shape | start | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |
//! | `bias` | `[C]` | 0 | learned |
//! | `running_mean` | `[C]` | 0 | state |
//! | `running_var` | `[C]` | 1 | state |
//!
//! `forward` takes mean and biased variance over the batch and all axes but the last; `evaluate`
//! takes the running statistics. Those move by `running ← running + momentum · (statistic − running)`,
//! with the unbiased variance (PyTorch's convention).

use core::marker::PhantomData;

use crate::kernels::norm;
use crate::layer::{Layer, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Scalar, bits};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Normalises every channel over the batch and over space: `X → X`, `C` being the last axis of `X`.
///
/// `EPS` and `MOMENTUM` are [`bits`] of numbers. The running statistics are state: `backward` adds
/// `momentum · (running − statistic)` to their gradient, which the trainer subtracts once a step.
/// Of a single value a channel, the variance for the running statistic is 0.
///
/// ```
/// use monomorph::layers::BatchNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: BatchNorm<f64, [[f64; 2]; 3], 2> = monomorph::memory::zeroed();
/// norm.weight = [1.0, 2.0];
/// check_gradients(&mut norm, &[[[1.0, 2.0], [3.0, 5.0], [2.0, 0.0]], [[0.5, 1.0], [0.1, 7.0], [4.0, 3.0]]], 1e-7)?;
///
/// // A trained one becomes two vectors, which the convolution before it can absorb.
/// norm.running_var = [4.0, 1.0];
/// let (mut scale, mut shift) = ([0.0; 2], [0.0; 2]);
/// norm.take_scale_shift(&mut scale, &mut shift);
/// assert!((scale[0] - 0.5).abs() < 1e-5 && (scale[1] - 2.0).abs() < 1e-4);
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[repr(C)]
pub struct BatchNorm<T, X, const C: usize, const EPS: u64 = { bits(1e-5) }, const MOMENTUM: u64 = { bits(0.1) }> {
    /// What the normalised values are multiplied by.
    #[parameters(start = 1.0)]
    pub weight: [T; C],
    /// What is added to them.
    #[parameters(start = 0.0)]
    pub bias: [T; C],
    /// The mean that `evaluate` takes.
    #[parameters(start = 0.0, state)]
    pub running_mean: [T; C],
    /// The variance that `evaluate` takes.
    #[parameters(start = 1.0, state)]
    pub running_var: [T; C],
    shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<T>, const C: usize, const EPS: u64, const MOMENTUM: u64> BatchNorm<T, X, C, EPS, MOMENTUM> {
    /// Moves what `evaluate` does, `y = x · scale + shift`, into two vectors, and becomes the
    /// identity itself, but for rounding.
    ///
    /// `scale = weight / √(running_var + ε)` and `shift = bias − running_mean · scale`.
    pub fn take_scale_shift(&mut self, scale: &mut [T; C], shift: &mut [T; C]) {
        let epsilon = T::from_f64(f64::from_bits(EPS));
        for c in 0..C {
            scale[c] = self.weight[c] / (self.running_var[c] + epsilon).sqrt();
            shift[c] = self.bias[c] - self.running_mean[c] * scale[c];
        }
        self.weight.fill(T::ONE);
        self.bias.fill(T::ZERO);
        self.running_mean.fill(T::ZERO);
        self.running_var.fill(T::ONE - epsilon);
    }
}

/// The methods of a layer with `$outputs` outputs that takes in a normalization behind it. Flattened as stated, its weight
/// is rows of so many numbers.
macro_rules! foldable {
    ($outputs:ident $(, $flatten:ident)*) => {
        /// Folds a batch normalization that follows, as it evaluates, into weight and bias; the
        /// normalization becomes the identity. For networks that are trained.
        ///
        /// `net.conv1.fold_batch_norm(&mut net.norm1)`; the network computes the same as before.
        pub fn fold_batch_norm<X: Tensor<T>, const EPS: u64, const MOMENTUM: u64>(
            &mut self,
            norm: &mut $crate::layers::BatchNorm<T, X, $outputs, EPS, MOMENTUM>,
        ) {
            let (mut scale, mut shift) = ([T::ZERO; $outputs], [T::ZERO; $outputs]);
            norm.take_scale_shift(&mut scale, &mut shift);
            self.fold_scale_shift(&scale, &shift);
        }

        /// Folds `y·scale + shift`, as of a normalisation that follows, into weight and bias.
        pub fn fold_scale_shift(&mut self, scale: &[T; $outputs], shift: &[T; $outputs]) {
            const { assert!(BIAS == $outputs, "folding needs a layer with bias") };
            for row in self.weight$(.$flatten())*.iter_mut() {
                for (weight, scale) in row.iter_mut().zip(scale) {
                    *weight *= *scale;
                }
            }
            for ((bias, scale), shift) in self.bias.iter_mut().zip(scale).zip(shift) {
                *bias = *bias * *scale + *shift;
            }
        }
    };
}
pub(super) use foldable;

impl<T: Scalar, X: Tensor<T>, const C: usize, const EPS: u64, const MOMENTUM: u64> Layer<T>
    for BatchNorm<T, X, C, EPS, MOMENTUM>
{
    type Input = X;
    type Output = X;
    /// Mean and biased variance of the batch.
    type Saved<const B: usize> = ([T; C], [T; C]);
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        const { assert!(X::CHANNELS == C, "BatchNorm: C is not the last axis of its input") };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::batch_evaluate(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    &self.weight,
                    &self.bias,
                    &self.running_mean,
                    &self.running_var,
                    T::from_f64(f64::from_bits(EPS)),
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
        (mean, variance): &mut ([T; C], [T; C]),
        _noise: &mut Noise,
    ) {
        const { assert!(X::CHANNELS == C, "BatchNorm: C is not the last axis of its input") };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::batch_forward(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    &self.weight,
                    &self.bias,
                    T::from_f64(f64::from_bits(EPS)),
                    mean,
                    variance,
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
        (mean, variance): &mut ([T; C], [T; C]),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::batch_backward(
                    simd,
                    batch_slice(input),
                    batch_slice(grad_output),
                    grad_input.map(|gradient| batch_slice_mut(gradient)),
                    &self.weight,
                    T::from_f64(f64::from_bits(EPS)),
                    mean,
                    variance,
                    &mut gradient.weight,
                    &mut gradient.bias,
                );
                let rows = B * (X::LEN / C);
                // The unbiased variance of a single value would be 0 / 0.
                let degrees = if rows > 1 { rows - 1 } else { 1 };
                let unbiased = T::from_f64(rows as f64 / degrees as f64);
                let momentum = T::from_f64(f64::from_bits(MOMENTUM));
                for c in 0..C {
                    gradient.running_mean[c] += momentum * (self.running_mean[c] - mean[c]);
                    gradient.running_var[c] += momentum * (self.running_var[c] - variance[c] * unbiased);
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{Passes, check, numbers, random};
    use crate::memory::{boxed, zeroed};
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};
    use std::boxed::Box;
    use std::vec::Vec;

    fn agrees<T: Scalar, X: Tensor<T>, const C: usize, const B: usize>() {
        let layer = random::<T, BatchNorm<T, X, C>>();
        let (input, grad_output) = (golden::random::<T, X, B>(2), golden::random::<T, X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let rows = x.len() / C;
        let (mut evaluated, mut y, mut dx) = (x.clone(), x.clone(), x.clone());
        let mut gradient = std::vec![0.0; 4 * C];
        for c in 0..C {
            let of = |tensor: &[T; C]| tensor[c].to_f64();
            let (weight, bias) = (of(&layer.weight), of(&layer.bias));
            let (running_mean, running_var) = (of(&layer.running_mean), of(&layer.running_var));
            let mean = (0..rows).map(|row| x[row * C + c]).sum::<f64>() / rows as f64;
            let squares = (0..rows).map(|row| (x[row * C + c] - mean).powi(2)).sum::<f64>();
            let inverse = 1.0 / (squares / rows as f64 + 1e-5).sqrt();
            let normal = |row: usize| (x[row * C + c] - mean) * inverse;
            let sum = (0..rows).map(|row| dy[row * C + c]).sum::<f64>();
            let product = (0..rows).map(|row| dy[row * C + c] * normal(row)).sum::<f64>();
            for row in 0..rows {
                let at = row * C + c;
                evaluated[at] = (x[at] - running_mean) / (running_var + 1e-5).sqrt() * weight + bias;
                y[at] = normal(row) * weight + bias;
                dx[at] = weight * inverse * (dy[at] - sum / rows as f64 - normal(row) * product / rows as f64);
            }
            gradient[c] = product;
            gradient[C + c] = sum;
            gradient[2 * C + c] = 0.1 * (running_mean - mean);
            gradient[3 * C + c] = 0.1 * (running_var - squares / (rows.max(2) - 1) as f64);
        }
        check::<T, BatchNorm<T, X, C>, B>(&layer, &input, &grad_output, [&evaluated, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], 17, 2>();
        agrees::<f64, [[f64; 3]; 5], 3, 3>();
        // More rows than are added up at once, and not a multiple of them.
        agrees::<f32, [[f32; 2]; 67], 2, 2>();
        agrees::<f64, [[f64; 16]; 2], 16, 1>();
        agrees::<f32, [f32; 100], 100, 5>();
        agrees::<f64, [f64; 1], 1, 2>();
        // A single value a channel is its own mean.
        agrees::<f64, [f64; 15], 15, 1>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<f64, [[[f64; 3]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<f64, BatchNorm<f64, [[[f64; 3]; 2]; 3], 3>>(), &input, 1e-8)
            .expect("the derivative");
        let input = golden::random::<f64, [f64; 17], 3>(4);
        check_gradients(&mut *random::<f64, BatchNorm<f64, [f64; 17], 17>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn a_large_mean_does_not_drown_the_variance() {
        let layer = random::<f32, BatchNorm<f32, [[f32; 2]; 4], 2>>();
        let input = [[[9999.0_f32, -1e6], [10001.0, -1e6], [9999.0, -1e6], [10001.0, -1e6]]];
        for level in levels() {
            let y = Passes::run(level, &*layer, &input, &zeroed()).output[0];
            for (row, sign) in [-1.0, 1.0, -1.0, 1.0].into_iter().enumerate() {
                assert!((y[row][0] - (layer.bias[0] + sign * layer.weight[0])).abs() < 1e-4, "{y:?}");
                assert!(y[row][1] == layer.bias[1], "{y:?}");
            }
        }
    }

    /// A list of numbers in the metadata.
    fn list<const C: usize>(case: &golden::Case, key: &str) -> [f64; C] {
        let text = case.text(key);
        let numbers = text.trim_matches(['[', ']']).split(", ").map(|number| number.parse().expect("a number"));
        numbers.collect::<Vec<f64>>().try_into().expect("a number for each channel")
    }

    type Image<T> = [[[T; 6]; 5]; 5];
    type Norm<T> = BatchNorm<T, Image<T>, 6>;

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<f64, BatchNorm<f64, Image<f64>, 6>, 4>("batch_norm_train");
        golden::check_layer::<f32, BatchNorm<f32, Image<f32>, 6>, 4>("batch_norm_train");
        in_use::<f64>(1e-12);
        in_use::<f32>(2e-6);
        statistics::<f64>(1e-12);
        statistics::<f32>(2e-6);
    }

    fn loaded<T: Scalar>(case: &golden::Case) -> (Box<Norm<T>>, Box<[Image<T>; 4]>) {
        let mut layer: Box<Norm<T>> = boxed();
        let mut input: Box<[Image<T>; 4]> = boxed();
        for (to, from) in layer.weight.iter_mut().zip(case.numbers("p.weight")) {
            *to = T::from_f64(from);
        }
        for (to, from) in layer.bias.iter_mut().zip(case.numbers("p.bias")) {
            *to = T::from_f64(from);
        }
        for (to, from) in batch_slice_mut(&mut input[..]).iter_mut().zip(case.numbers("x")) {
            *to = T::from_f64(from);
        }
        (layer, input)
    }

    fn in_use<T: Scalar>(tolerance: f64) {
        let case = golden::Case::open("batch_norm_eval");
        let (mut layer, input) = loaded::<T>(&case);
        layer.running_mean = list(&case, "running_mean").map(T::from_f64);
        layer.running_var = list(&case, "running_var").map(T::from_f64);
        let mut scale = [T::ZERO; 6];
        let mut shift = [T::ZERO; 6];
        for level in levels() {
            let y = Passes::run(level, &*layer, &input, &boxed()).evaluated;
            golden::assert_close::<T>("evaluate", batch_slice(&y[..]), &case.numbers("y"), tolerance);
        }
        layer.take_scale_shift(&mut scale, &mut shift);
        let y: Vec<T> =
            (0..600).map(|at| batch_slice::<T, _>(&input[..])[at] * scale[at % 6] + shift[at % 6]).collect();
        golden::assert_close("scale and shift", &y, &case.numbers("y"), tolerance);
        for level in levels() {
            let y = Passes::run(level, &*layer, &input, &boxed()).evaluated;
            golden::assert_close::<T>("identity", batch_slice(&y[..]), &case.numbers("x"), tolerance);
        }
    }

    fn statistics<T: Scalar>(tolerance: f64) {
        let case = golden::Case::open("batch_norm_train");
        let (mut layer, input) = loaded::<T>(&case);
        layer.running_mean = list(&case, "running_mean_before").map(T::from_f64);
        layer.running_var = list(&case, "running_var_before").map(T::from_f64);
        // The standard update: a tenth of the way to the mean and to the unbiased variance.
        let (x, rows) = (case.numbers("x"), 100);
        let (mut mean, mut var) = (list::<6>(&case, "running_mean_before"), list::<6>(&case, "running_var_before"));
        for c in 0..6 {
            let center = (0..rows).map(|row| x[row * 6 + c]).sum::<f64>() / rows as f64;
            let squares = (0..rows).map(|row| (x[row * 6 + c] - center).powi(2)).sum::<f64>();
            mean[c] = 0.9 * mean[c] + 0.1 * center;
            var[c] = 0.9 * var[c] + 0.1 * squares / (rows - 1) as f64;
        }
        for level in levels() {
            let gradient = Passes::run(level, &*layer, &input, &boxed()).gradient;
            let after = |running: [T; 6], fall: [T; 6]| core::array::from_fn::<T, 6, _>(|c| running[c] - fall[c]);
            let actual = after(layer.running_mean, gradient.running_mean);
            golden::assert_close::<T>("running_mean", &actual, &mean, tolerance);
            let actual = after(layer.running_var, gradient.running_var);
            golden::assert_close::<T>("running_var", &actual, &var, tolerance);
        }
    }
}
