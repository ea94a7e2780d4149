//! Softmax over an axis, and its logarithm.
//!
//! | layer | `yᵢ` | `∂L/∂xᵢ` |
//! | --- | --- | --- |
//! | [`Softmax`] | `e^xᵢ / Σⱼ e^xⱼ` | `yᵢ (∂L/∂yᵢ − Σⱼ ∂L/∂yⱼ yⱼ)` |
//! | [`LogSoftmax`] | `xᵢ − ln Σⱼ e^xⱼ` | `∂L/∂yᵢ − e^yᵢ Σⱼ ∂L/∂yⱼ` |
//!
//! Input and output: any shape; each row along the axis, by default the last one, is independent. The largest number of a
//! row is subtracted first, so nothing overflows (Goodfellow, Bengio and Courville, *Deep learning*, 4.1).

use core::marker::PhantomData;

use crate::kernels::{columns, elementwise, reduce};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::{Simd, Vector};
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The last axis, of any shape.
pub const LAST: usize = usize::MAX;

/// The size of the axis, and of what is behind it.
const fn sizes<T: Real, X: Tensor<Element = T>, const AXIS: usize>() -> [usize; 2] {
    let [_, rows, columns] = columns::around(X::SHAPE, if AXIS == LAST { X::SHAPE.len() - 1 } else { AXIS });
    [rows, columns]
}

/// The derivative of softmax in a row.
#[inline(always)]
fn softmax_backward<T: Real, S: Simd>(simd: S, y: &[T], grad_output: &[T], grad_input: &mut [T]) {
    let mean = T::Vector::<S>::splat(simd, reduce::dot(simd, grad_output, y));
    elementwise::zip_to(
        simd,
        grad_output,
        y,
        grad_input,
        #[inline(always)]
        |gradient, y| y * (gradient - mean),
    );
}

/// The logarithm of softmax in a row.
#[inline(always)]
fn log_softmax<T: Real, S: Simd>(simd: S, x: &[T], y: &mut [T]) {
    let (max, sum) = reduce::max_and_sum_exp(simd, x);
    let max = T::Vector::<S>::splat(simd, max);
    let ln = T::ln_lanes(simd, T::Vector::<S>::splat(simd, sum));
    elementwise::map_to(
        simd,
        x,
        y,
        #[inline(always)]
        |x| (x - max) - ln,
    );
}

/// The derivative of [`log_softmax`].
#[inline(always)]
fn log_softmax_backward<T: Real, S: Simd>(simd: S, y: &[T], grad_output: &[T], grad_input: &mut [T]) {
    let sum = T::Vector::<S>::splat(simd, reduce::sum(simd, grad_output));
    elementwise::zip_to(
        simd,
        grad_output,
        y,
        grad_input,
        #[inline(always)]
        |gradient, y| gradient - T::exp_lanes(simd, y) * sum,
    );
}

/// Turns each row along an axis into a probability distribution: `yᵢ = e^xᵢ / Σⱼ e^xⱼ`.
///
/// `AXIS` counts from 0; [`LAST`] is the last one. In a network write `Softmax`, or `Softmax(axis = 0)`.
///
/// Leave it out when you train a classifier: cross-entropy takes logits, which is more accurate.
///
/// ```
/// use monomorph::layers::Softmax;
/// use monomorph::testing::check_gradients;
/// let mut layer: Softmax<[[f64; 3]; 2]> = monomorph::memory::zeroed();
/// check_gradients(&mut layer, &[[[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Softmax<X, const AXIS: usize = LAST>(PhantomData<X>);

/// The logarithm of [`Softmax`], without its rounding error: `yᵢ = xᵢ − ln Σⱼ e^xⱼ`.
///
/// ```
/// use monomorph::layers::LogSoftmax;
/// use monomorph::testing::check_gradients;
/// let mut layer: LogSoftmax<[f64; 3]> = monomorph::memory::zeroed();
/// check_gradients(&mut layer, &[[0.5, -1.0, 2.0]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct LogSoftmax<X, const AXIS: usize = LAST>(PhantomData<X>);

/// A layer that maps each row to another: the function of a row, and its derivative as computed from the output.
/// `$log` says which of the kernels for columns does the same.
macro_rules! row_by_row {
    ($layer:ident, $function:path, $derivative:path, $log:literal) => {
        impl<T: Real, X: Tensor<Element = T>, const AXIS: usize> Layer for $layer<X, AXIS> {
            type Input = X;
            type Output = X;
            type Saved<const B: usize> = ();
            type Workspace<const B: usize> = ();
            const MACS: usize = 0;
            const BACKWARD_READS: Reads = Reads::OUTPUT;

            #[inline(always)]
            fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
                outline_layer::<Self, B, _, _>(
                    simd,
                    #[inline(always)]
                    || {
                        let [rows, columns] = const { sizes::<T, X, AXIS>() };
                        let size = rows * columns;
                        let parts = batch_slice(input).chunks_exact(size);
                        for (x, y) in parts.zip(batch_slice_mut(output).chunks_exact_mut(size)) {
                            if columns == 1 {
                                $function(simd, x, y);
                            } else {
                                columns::softmax::<T, S, $log>(simd, rows, x, y);
                            }
                        }
                    },
                );
            }

            forward_evaluates!();

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                simd: S,
                _: &[X; B],
                output: &[X; B],
                (): &mut (),
                grad_output: &mut [X; B],
                grad_input: Option<&mut [X; B]>,
                _: &mut Self,
                _pass: &Pass<T>,
            ) {
                let Some(grad_input) = grad_input else { return };
                outline_layer::<Self, B, _, _>(
                    simd,
                    #[inline(always)]
                    || {
                        let [rows, columns] = const { sizes::<T, X, AXIS>() };
                        let size = rows * columns;
                        let gradients = batch_slice(grad_output).chunks_exact(size);
                        let parts = batch_slice(output)
                            .chunks_exact(size)
                            .zip(batch_slice_mut(grad_input).chunks_exact_mut(size));
                        for ((y, grad_input), grad_output) in parts.zip(gradients) {
                            if columns == 1 {
                                $derivative(simd, y, grad_output, grad_input);
                            } else {
                                columns::softmax_backward::<T, S, $log>(simd, rows, y, grad_output, grad_input);
                            }
                        }
                    },
                );
            }
        }

        step_by_step!([T: Real, X: Tensor<Element = T>] $layer<X>, |self, simd, x, y| {
            for (x, y) in x.chunks_exact(X::CHANNELS).zip(y.chunks_exact_mut(X::CHANNELS)) {
                $function(simd, x, y);
            }
        });
    };
}
row_by_row!(Softmax, reduce::softmax, softmax_backward, false);
row_by_row!(LogSoftmax, log_softmax, log_softmax_backward, true);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check as check_passes, numbers};
    use crate::memory::zeroed;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::check_gradients;
    use crate::testing::golden::{check_layer, random};
    use std::vec;

    #[test]
    fn agree_with_pytorch() {
        check_layer::<Softmax<[f64; 21]>, 3>("act_softmax");
        check_layer::<Softmax<[f32; 21]>, 3>("act_softmax");
        check_layer::<LogSoftmax<[f64; 21]>, 3>("act_log_softmax");
        check_layer::<LogSoftmax<[f32; 21]>, 3>("act_log_softmax");
    }

    fn gradients<X: Tensor<Element = f64>, const B: usize>() {
        let input = random::<X, B>(8);
        check_gradients(&mut zeroed::<Softmax<X>>(), &input, 1e-7).unwrap();
        check_gradients(&mut zeroed::<LogSoftmax<X>>(), &input, 1e-7).unwrap();
    }

    #[test]
    fn finite_differences_agree() {
        gradients::<[f64; 1], 2>();
        gradients::<[f64; 2], 3>();
        gradients::<[[f64; 3]; 5], 1>();
        gradients::<[f64; 10], 2>();
        gradients::<[[[f64; 17]; 2]; 1], 1>();
        gradients::<[f64; 33], 1>();
        gradients::<[f64; 100], 1>();
    }

    /// The columns of `[outer, rows, columns]`, one by one.
    fn down<T: Real, X: Tensor<Element = T>, const AXIS: usize, const B: usize>() {
        let (input, grad_output) = (random::<X, B>(2), random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let [_, rows, columns] = columns::around(X::SHAPE, AXIS);
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut ln, mut dx_ln) = (y.clone(), y.clone());
        for first in (0..x.len()).filter(|at| at / columns % rows == 0) {
            let members = || (0..rows).map(|row| first + row * columns);
            let sum: f64 = members().map(|at| x[at].exp()).sum();
            members().for_each(|at| (y[at], ln[at]) = (x[at].exp() / sum, x[at] - sum.ln()));
            let mean: f64 = members().map(|at| dy[at] * y[at]).sum();
            let total: f64 = members().map(|at| dy[at]).sum();
            members().for_each(|at| (dx[at], dx_ln[at]) = (y[at] * (dy[at] - mean), dy[at] - y[at] * total));
        }
        check_passes::<X, Softmax<X, AXIS>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dx, &[]]);
        check_passes::<X, LogSoftmax<X, AXIS>, B>(&zeroed(), &input, &grad_output, [&ln, &ln, &dx_ln, &[]]);
    }

    #[test]
    fn any_axis() {
        down::<f32, [[f32; 17]; 5], 0, 2>();
        down::<f64, [[f64; 3]; 4], 0, 1>();
        down::<f64, [[f64; 5]; 3], 1, 2>();
        down::<f32, [[[f32; 3]; 7]; 2], 1, 2>();
        down::<f64, [[[f64; 9]; 2]; 3], 0, 3>();
        let mut layer: Softmax<[[f64; 3]; 4], 0> = zeroed();
        check_gradients(&mut layer, &*random::<[[f64; 3]; 4], 2>(5), 1e-7).unwrap();
        let mut layer: LogSoftmax<[[[f64; 3]; 4]; 2], 1> = zeroed();
        check_gradients(&mut layer, &*random::<[[[f64; 3]; 4]; 2], 2>(5), 1e-7).unwrap();
    }

    struct Both<'a, const N: usize>(&'a [f32; N]);

    impl<const N: usize> Task for Both<'_, N> {
        type Output = ([f32; N], [f32; N]);
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let input = core::array::from_ref(self.0);
            let mut output = ([[0.0; N]], [[0.0; N]]);
            zeroed::<Softmax<[f32; N]>>().evaluate(simd, input, &mut output.0, &mut ());
            zeroed::<LogSoftmax<[f32; N]>>().evaluate(simd, input, &mut output.1, &mut ());
            (output.0[0], output.1[0])
        }
    }

    fn check<const N: usize>() {
        let mut x = random::<[f32; N], 1>(N as u64)[0];
        for offset in [0.0, 1e4, -1e4] {
            // A multiple of the spacing there, so that adding the offset does not round.
            x.iter_mut().for_each(|x| *x = (*x * 64.0).round() / 64.0);
            let shifted = x.map(|x| x + offset);
            let powers = x.map(|x| f64::from(x).exp());
            let sum: f64 = powers.iter().sum();
            for level in levels() {
                let (y, ln) = dispatch(level, Both(&shifted));
                for (index, power) in powers.iter().enumerate() {
                    let expected = power / sum;
                    assert!((f64::from(y[index]) / expected - 1.0).abs() < 1e-6, "{level:?}: {index} of {N}");
                    assert!((f64::from(ln[index]) - expected.ln()).abs() < 2e-6, "{level:?}: {index} of {N}");
                }
            }
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        check::<1>();
        check::<2>();
        check::<3>();
        check::<10>();
        check::<15>();
        check::<16>();
        check::<17>();
        check::<21>();
        check::<33>();
        check::<64>();
        check::<100>();
    }
}
