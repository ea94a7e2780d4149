//! Batch normalization of Ioffe and Szegedy, *Batch Normalization* (2015), channels last:
//! `y = (x − mean[c]) / √(var[c] + ε) · weight[c] + bias[c]`.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `weight` | `[C]` | 1 | learned |
//! | `bias` | `[C]` | 0 | learned |
//! | `running_mean` | `[C]` | 0 | state |
//! | `running_var` | `[C]` | 1 | state |
//!
//! `forward` uses the mean and the biased variance over the batch and all axes but the last; `evaluate` uses the
//! running statistics. Those are updated by `running ← running + momentum · (statistic − running)`, with the unbiased
//! variance (PyTorch's convention).

use core::marker::PhantomData;

use crate::hyperparameters::{epsilon, share};
use crate::kernels::norm;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar, bits};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Normalizes every channel over the batch and over space: `X → X`, where `C` is the last axis of `X`.
///
/// `EPS` and `MOMENTUM` are [`bits`] of numbers. The running statistics are state: `backward` adds
/// `momentum · (running − statistic)` to their gradient, which the trainer subtracts once per step. A step whose
/// statistics are not finite is refused. Training on batches in which a channel has a single value, its own mean, does
/// not compile:
///
/// ```compile_fail,E0080
/// use monomorph::prelude::*;
/// network! { pub Net: [2] -> [1] { Dense(4), BatchNorm, Dense(1) } }
/// let _ = Trainer::<Net, _, 1>::new(Sgd::default(), Mse).step(&mut Net::zeroed(), &[[0.0; 2]], &[[0.0]]);
/// ```
///
/// ```
/// use monomorph::layers::BatchNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: BatchNorm<[[f64; 2]; 3]> = monomorph::memory::zeroed();
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
#[parameters(of = X)]
#[repr(C)]
pub struct BatchNorm<X: Tensor<Element: Scalar>, const EPS: u64 = { bits(1e-5) }, const MOMENTUM: u64 = { bits(0.1) }> {
    /// The factor that multiplies the normalized values.
    #[parameters(tensor, start = 1.0)]
    pub weight: X::Last,
    /// The offset that is added to them.
    #[parameters(tensor, start = 0.0)]
    pub bias: X::Last,
    /// The mean that `evaluate` uses.
    #[parameters(tensor, start = 0.0, state)]
    pub running_mean: X::Last,
    /// The variance that `evaluate` uses.
    #[parameters(tensor, start = 1.0, state)]
    pub running_var: X::Last,
    shape: PhantomData<X>,
}

impl<T: Real, X: Tensor<Element = T>, const EPS: u64, const MOMENTUM: u64> BatchNorm<X, EPS, MOMENTUM> {
    /// How many values a channel has in a batch.
    const fn rows(batch: usize) -> usize {
        let rows = batch * (X::LEN / X::CHANNELS);
        assert!(
            rows != 1,
            "BatchNorm is trained on more than one value per channel: with a single one, which is its own mean, the output \
             is always the bias; give the trainer larger batches, or use LayerNorm"
        );
        rows
    }

    /// Moves what `evaluate` does, `y = x · scale + shift`, into two vectors; the layer itself becomes the identity, up
    /// to rounding.
    ///
    /// `scale = weight / √(running_var + ε)` and `shift = bias − running_mean · scale`.
    pub fn take_scale_shift(&mut self, scale: &mut X::Last, shift: &mut X::Last) {
        let epsilon = T::from_f64(const { epsilon(EPS) });
        let (scale, shift) = (scale.numbers_mut(), shift.numbers_mut());
        let [weight, bias, mean, variance] =
            [&mut self.weight, &mut self.bias, &mut self.running_mean, &mut self.running_var].map(Tensor::numbers_mut);
        for c in 0..X::CHANNELS {
            scale[c] = weight[c] / (variance[c] + epsilon).sqrt();
            shift[c] = bias[c] - mean[c] * scale[c];
        }
        weight.fill(T::ONE);
        bias.fill(T::ZERO);
        mean.fill(T::ZERO);
        variance.fill(T::ONE - epsilon);
    }
}

/// The methods of a layer with a weight `W` and a bias `B` that can absorb a normalization after it.
macro_rules! foldable {
    ($layer:ident<$($parameter:ident),*>) => {
        impl<T: Scalar, $($parameter),*> $layer<$($parameter),*>
        where
            W: Tensor<Element = T, Last = B>,
            B: Tensor<Element = T>,
        {
            /// Folds a following batch normalization, as it is at inference, into weight and bias; the normalization
            /// becomes the identity. Meant for trained networks.
            ///
            /// `net.conv1.fold_batch_norm(&mut net.norm1)`; the network computes the same as before.
            pub fn fold_batch_norm<N: Tensor<Element = T, Last = B>, const EPS: u64, const MOMENTUM: u64>(
                &mut self,
                norm: &mut $crate::layers::BatchNorm<N, EPS, MOMENTUM>,
            ) where
                T: $crate::Real,
            {
                let (mut scale, mut shift) = $crate::memory::zeroed::<(B, B)>();
                norm.take_scale_shift(&mut scale, &mut shift);
                self.fold_scale_shift(&scale, &shift);
            }

            /// Folds `y·scale + shift`, such as that of a following normalization, into weight and bias.
            pub fn fold_scale_shift(&mut self, scale: &B, shift: &B) {
                for row in self.weight.numbers_mut().chunks_exact_mut(B::LEN) {
                    for (weight, scale) in row.iter_mut().zip(scale.numbers()) {
                        *weight *= *scale;
                    }
                }
                let shifts = scale.numbers().iter().zip(shift.numbers());
                for (bias, (scale, shift)) in self.bias.numbers_mut().iter_mut().zip(shifts) {
                    *bias = *bias * *scale + *shift;
                }
            }
        }
    };
}
pub(super) use foldable;

impl<T: Real, X: Tensor<Element = T>, const EPS: u64, const MOMENTUM: u64> Layer for BatchNorm<X, EPS, MOMENTUM> {
    type Input = X;
    type Output = X;
    /// Mean and biased variance of the batch.
    type Saved<const B: usize> = (X::Last, X::Last);
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::batch_evaluate(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    self.weight.numbers(),
                    self.bias.numbers(),
                    self.running_mean.numbers(),
                    self.running_var.numbers(),
                    T::from_f64(const { epsilon(EPS) }),
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
        (mean, variance): &mut (X::Last, X::Last),
        _pass: &mut Pass<T>,
    ) {
        const { Self::rows(B) };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                norm::batch_forward(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(output),
                    self.weight.numbers(),
                    self.bias.numbers(),
                    T::from_f64(const { epsilon(EPS) }),
                    mean.numbers_mut(),
                    variance.numbers_mut(),
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
        (mean, variance): &mut (X::Last, X::Last),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (mean, variance) = (mean.numbers(), variance.numbers());
                norm::batch_backward(
                    simd,
                    batch_slice(input),
                    batch_slice(grad_output),
                    grad_input.map(|gradient| batch_slice_mut(gradient)),
                    self.weight.numbers(),
                    T::from_f64(const { epsilon(EPS) }),
                    mean,
                    variance,
                    gradient.weight.numbers_mut(),
                    gradient.bias.numbers_mut(),
                );
                let rows = const { Self::rows(B) };
                let unbiased = T::from_f64(rows as f64 / (rows - 1) as f64);
                let momentum = T::from_f64(const { share(MOMENTUM) });
                let (grad_mean, grad_var) = (gradient.running_mean.numbers_mut(), gradient.running_var.numbers_mut());
                let (running_mean, running_var) = (self.running_mean.numbers(), self.running_var.numbers());
                for c in 0..X::CHANNELS {
                    grad_mean[c] += momentum * (running_mean[c] - mean[c]);
                    grad_var[c] += momentum * (running_var[c] - variance[c] * unbiased);
                }
            },
        );
    }
}

step_by_step!(
    [T: Real, X: Tensor<Element = T>, const EPS: u64, const MOMENTUM: u64] BatchNorm<X, EPS, MOMENTUM>,
    |self, simd, x, y| norm::batch_evaluate(
        simd,
        x,
        y,
        self.weight.numbers(),
        self.bias.numbers(),
        self.running_mean.numbers(),
        self.running_var.numbers(),
        T::from_f64(const { epsilon(EPS) }),
    )
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{Passes, check, numbers, random};
    use crate::memory::{boxed, zeroed};
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};
    use std::boxed::Box;
    use std::vec::Vec;

    fn agrees<T: Real, X: Tensor<Element = T>, const C: usize, const B: usize>() {
        let layer = random::<BatchNorm<X>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let rows = x.len() / C;
        let (mut evaluated, mut y, mut dx) = (x.clone(), x.clone(), x.clone());
        let mut gradient = std::vec![0.0; 4 * C];
        for c in 0..C {
            let of = |tensor: &X::Last| tensor.numbers()[c].to_f64();
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
        check::<X, BatchNorm<X>, B>(&layer, &input, &grad_output, [&evaluated, &y, &dx, &gradient]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], 17, 2>();
        agrees::<f64, [[f64; 3]; 5], 3, 3>();
        // More rows than are summed at once, and not a multiple of that.
        agrees::<f32, [[f32; 2]; 67], 2, 2>();
        agrees::<f64, [[f64; 16]; 2], 16, 1>();
        agrees::<f32, [f32; 100], 100, 5>();
        agrees::<f64, [f64; 1], 1, 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[[f64; 3]; 2]; 3], 2>(4);
        check_gradients(&mut *random::<BatchNorm<[[[f64; 3]; 2]; 3]>>(), &input, 1e-8).expect("the derivative");
        let input = golden::random::<[f64; 17], 3>(4);
        check_gradients(&mut *random::<BatchNorm<[f64; 17]>>(), &input, 1e-7).expect("the derivative");
    }

    #[test]
    fn a_large_mean_does_not_drown_the_variance() {
        let layer = random::<BatchNorm<[[f32; 2]; 4]>>();
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
    type Norm<T> = BatchNorm<Image<T>>;

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<BatchNorm<Image<f64>>, 4>("batch_norm_train");
        golden::check_layer::<BatchNorm<Image<f32>>, 4>("batch_norm_train");
        in_use::<f64>(1e-12);
        in_use::<f32>(2e-6);
        statistics::<f64>(1e-12);
        statistics::<f32>(2e-6);
    }

    fn loaded<T: Real>(case: &golden::Case) -> (Box<Norm<T>>, Box<[Image<T>; 4]>) {
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

    fn in_use<T: Real>(tolerance: f64) {
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
        let y: Vec<T> = (0..600).map(|at| batch_slice(&input[..])[at] * scale[at % 6] + shift[at % 6]).collect();
        golden::assert_close("scale and shift", &y, &case.numbers("y"), tolerance);
        for level in levels() {
            let y = Passes::run(level, &*layer, &input, &boxed()).evaluated;
            golden::assert_close::<T>("identity", batch_slice(&y[..]), &case.numbers("x"), tolerance);
        }
    }

    fn statistics<T: Real>(tolerance: f64) {
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
