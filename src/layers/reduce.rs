//! Reductions of one axis: mean, sum, maximum.
//!
//! | layer | shapes | `y` |
//! | --- | --- | --- |
//! | [`ReduceMean`] | `[.., N, ..] → [.., ..]` | `mean x[.., ·, ..]` |
//! | [`ReduceSum`] | the same | `Σ x[.., ·, ..]` |
//! | [`ReduceMax`] | the same | `max x[.., ·, ..]`; the gradient goes to the first maximum |
//!
//! The axis is left out of the output, or kept with size 1. To all axes but the last apply the global pools, such as
//! [`GlobalAvgPool2d`](crate::layers::GlobalAvgPool2d).

use core::marker::PhantomData;

use crate::kernels::columns::around;
use crate::kernels::window::Windows;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::layers::{Max, Mean, Reduction, Sum};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Reduces the axis `AXIS` of an `X` by `R`: `X → Y`; use one of its aliases, such as [`ReduceMean`].
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Reduce<R, X, Y, const AXIS: usize>(PhantomData<(R, X, Y)>);

/// The mean over an axis.
///
/// In a network write `ReduceMean(0)`, or `ReduceMean(0, keepdim = true)` to keep the axis with size 1.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Rows: [2, 3] -> [2] { ReduceMean(1) } }
/// assert_eq!(Rows::zeroed().evaluate(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [2.0, 5.0]);
/// ```
pub type ReduceMean<X, Y, const AXIS: usize> = Reduce<Mean, X, Y, AXIS>;

/// The sum over an axis.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Columns: [2, 3] -> [3] { ReduceSum(0) } }
/// assert_eq!(Columns::zeroed().evaluate(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [5.0, 7.0, 9.0]);
/// ```
pub type ReduceSum<X, Y, const AXIS: usize> = Reduce<Sum, X, Y, AXIS>;

/// The largest number along an axis; NaN if there is one.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Best: [2, 3] -> [2, 1] { ReduceMax(1, keepdim = true) } }
/// assert_eq!(Best::zeroed().evaluate(&[[1.0, 3.0, 2.0], [6.0, 5.0, 4.0]]), [[3.0], [6.0]]);
/// ```
pub type ReduceMax<X, Y, const AXIS: usize> = Reduce<Max, X, Y, AXIS>;

impl<R, X: Tensor, Y: Tensor, const AXIS: usize> Reduce<R, X, Y, AXIS> {
    /// How many numbers the axes before have.
    const PARTS: usize = around(X::SHAPE, AXIS)[0];
    /// Each part is a sequence with a single window, and what is behind the axis are its channels.
    const WINDOWS: Windows = {
        let [parts, size, channels] = around(X::SHAPE, AXIS);
        assert!(Y::LEN == parts * channels, "reduction: the output is the input without the axis");
        Windows::new(&[size, channels], &[1, channels], [1, size], [1, 1], [0, 0], [1, 1]).checked()
    };
}

impl<T, R, X, Y, const AXIS: usize> Layer for Reduce<R, X, Y, AXIS>
where
    T: Scalar,
    R: Reduction<T>,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                R::reduce(simd, const { &Self::WINDOWS }, B * Self::PARTS, x, y);
            },
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
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
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                let grad_x = batch_slice_mut(grad_input);
                R::derive(simd, const { &Self::WINDOWS }, B * Self::PARTS, x, grad_y, grad_x);
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers};
    use crate::memory::zeroed;
    use crate::testing::{check_gradients, golden};
    use std::vec;
    use std::vec::Vec;

    fn agrees<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, const AXIS: usize, const B: usize>() {
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<Y, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let [_, size, columns] = around(X::SHAPE, AXIS);
        let (mut sums, mut maxima) = (vec![0.0; dy.len()], vec![f64::NEG_INFINITY; dy.len()]);
        let to = |at: usize| at / (size * columns) * columns + at % columns;
        for at in 0..x.len() {
            sums[to(at)] += x[at];
            maxima[to(at)] = maxima[to(at)].max(x[at]);
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / size as f64).collect();
        let gradient = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(|at| dy[to(at)] * f(at)).collect::<Vec<_>>();
        let (dx_sum, dx_mean) = (gradient(&|_| 1.0), gradient(&|_| 1.0 / size as f64));
        let dx_max = gradient(&|at| f64::from(u8::from(x[at] == maxima[to(at)])));
        check::<X, ReduceSum<X, Y, AXIS>, B>(&zeroed(), &input, &grad_output, [&sums, &sums, &dx_sum, &[]]);
        check::<X, ReduceMean<X, Y, AXIS>, B>(&zeroed(), &input, &grad_output, [&means, &means, &dx_mean, &[]]);
        check::<X, ReduceMax<X, Y, AXIS>, B>(&zeroed(), &input, &grad_output, [&maxima, &maxima, &dx_max, &[]]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 5]; 3], [[f32; 17]; 5], 0, 2>();
        agrees::<f64, [[[f64; 17]; 5]; 3], [[f64; 17]; 3], 1, 2>();
        agrees::<f32, [[[f32; 17]; 5]; 3], [[f32; 5]; 3], 2, 2>();
        agrees::<f64, [[f64; 9]; 4], [[f64; 1]; 4], 1, 3>();
        agrees::<f64, [f64; 33], f64, 0, 2>();
        agrees::<f64, [[f64; 1]; 1], [f64; 1], 0, 1>();
    }

    #[test]
    fn finite_differences_agree() {
        type X = [[[f64; 3]; 5]; 2];
        let input = golden::random::<X, 2>(4);
        check_gradients(&mut zeroed::<ReduceMean<X, [[f64; 3]; 2], 1>>(), &input, 1e-7).unwrap();
        check_gradients(&mut zeroed::<ReduceMax<X, [[f64; 5]; 2], 2>>(), &input, 1e-7).unwrap();
        check_gradients(&mut zeroed::<ReduceSum<X, [[f64; 3]; 5], 0>>(), &input, 1e-7).unwrap();
    }
}
