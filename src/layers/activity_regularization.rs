//! A penalty on the activations of the preceding layer: a term of the loss that keeps them small or sparse.
//!
//! `y = x`, and the loss grows by the mean over the batch of `l₁ Σ|x| + l₂ Σ x²`, times the trainer's
//! [term weight](crate::train::Trainer::term_weight); `∂L/∂x = ∂L/∂y + (l₁ sign x + 2 l₂ x) / B`.
//!
//! Input and output: any shape. `sign 0 = 0`. The convention is that of Keras' `ActivityRegularization`, which takes
//! the mean over the batch as well.

use core::marker::PhantomData;

use crate::kernels::{elementwise, reduce};
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Adds `l₁ Σ|x| + l₂ Σ x²` of its input to the loss, and passes the input on unchanged.
///
/// `L1` and `L2` are [`bits`](crate::scalar::bits) of the factors.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Sparse: [4] -> [4] { code: Dense(16), Relu, ActivityRegularization(l1 = 0.01), Dense(4) } }
/// let mut net = Sparse::zeroed();
/// net.code.bias = [1.0; 16]; // all active
/// let mut trainer = Trainer::<Sparse, _, 1>::new(Sgd::default(), Mse);
/// let step = trainer.step(&mut net, &[[0.0; 4]], &[[0.0; 4]])?;
/// assert!((step.loss - 0.16).abs() < 1e-6);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct ActivityRegularization<X, const L1: u64, const L2: u64>(PhantomData<X>);

impl<X, const L1: u64, const L2: u64> ActivityRegularization<X, L1, L2> {
    /// The two factors.
    const FACTORS: [f64; 2] = {
        let (l1, l2) = (f64::from_bits(L1), f64::from_bits(L2));
        assert!(l1 >= 0.0 && l2 >= 0.0, "ActivityRegularization: a factor is negative");
        [l1, l2]
    };
}

impl<T: Scalar, X: Tensor<Element = T>, const L1: u64, const L2: u64> Layer for ActivityRegularization<X, L1, L2> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::OUTPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        batch_slice_mut(output).copy_from_slice(batch_slice(input));
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        (): &mut (),
        pass: &mut Pass<T>,
    ) {
        let term = outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let [l1, l2] = const { Self::FACTORS };
                let x = batch_slice(input);
                batch_slice_mut(output).copy_from_slice(x);
                let absolute = reduce::sum_of(
                    simd,
                    x,
                    #[inline(always)]
                    |x| x.abs(),
                );
                T::from_f64(l1 / B as f64) * absolute + T::from_f64(l2 / B as f64) * reduce::sum_of_squares(simd, x)
            },
        );
        pass.add_term(term);
    }

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
        pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let [l1, l2] = const { Self::FACTORS };
                let all = |factor: f64| T::Vector::<S>::splat(simd, pass.term_weight * T::from_f64(factor / B as f64));
                let (zero, l1, l2) = (T::Vector::<S>::splat(simd, T::ZERO), all(l1), all(2.0 * l2));
                elementwise::zip_to(
                    simd,
                    batch_slice(grad_output),
                    batch_slice(output),
                    batch_slice_mut(grad_input),
                    #[inline(always)]
                    |dy, x| l2.mul_add(x, dy) + T::Vector::<S>::select(x.eq(zero), zero, l1.copysign(x)),
                );
            },
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, const L1: u64, const L2: u64] ActivityRegularization<X, L1, L2>,
    |self, _simd, x, y| y.copy_from_slice(x)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::Passes;
    use crate::memory::zeroed;
    use crate::scalar::bits;
    use crate::simd::levels;
    use crate::testing::{check_gradients, golden};

    type Penalty<X> = ActivityRegularization<X, { bits(0.3) }, { bits(0.7) }>;

    #[test]
    fn gradients_agree_with_finite_differences() {
        check_gradients(&mut zeroed::<Penalty<[f64; 1]>>(), &golden::random::<[f64; 1], 1>(1), 1e-7).unwrap();
        check_gradients(&mut zeroed::<Penalty<[[f64; 17]; 3]>>(), &golden::random::<[[f64; 17]; 3], 2>(1), 1e-7)
            .unwrap();
        check_gradients(&mut zeroed::<Penalty<[f64; 33]>>(), &golden::random::<[f64; 33], 3>(2), 1e-7).unwrap();
    }

    #[test]
    fn what_comes_goes_on_and_zeros_have_no_sign() {
        let layer: Penalty<[f32; 3]> = zeroed();
        for level in levels() {
            let passes = Passes::run(level, &layer, &[[1.0, 0.0, -2.0]], &[[0.5; 3]]);
            assert_eq!((passes.evaluated[0], passes.output[0]), ([1.0, 0.0, -2.0], [1.0, 0.0, -2.0]));
            let expected = [0.5 + 0.3 + 1.4, 0.5, 0.5 - 0.3 - 2.8];
            golden::assert_close("dx", &passes.grad_input[0], &expected, 1e-6);
        }
    }
}
