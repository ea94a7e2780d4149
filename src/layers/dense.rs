//! Dense: every output is a weighted sum of all inputs.
//!
//! `y = x·W + b`, so `yₒ = Σᵢ xᵢ·Wᵢₒ + bₒ`
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[IN]`, or `[STEPS, IN]`: each step on its own |
//! | `weight` (W) | `[IN, OUT]` |
//! | `bias` (b) | `[OUT]`, or `[0]`: none |
//! | `y` | `[OUT]`, or `[STEPS, OUT]` |
//!
//! The layout of the weight is that of Keras and JAX, `[in, out]`; PyTorch's `Linear` and ONNX's `Gemm` with `transB`
//! hold its transpose. As in those, each row of a sequence is mapped by the same weight.

use core::marker::PhantomData;

use crate::activation::Activation;
use crate::kernels::gemm::{self, Product};
use crate::layer::{Layer, Pass, Reads, as_evaluate_then, outline_layer};
use crate::layers::batch_norm::foldable;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::{Streaming, as_steps_then, outline_steps};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// A dense (fully connected, linear) layer: `y = x·W + b`, from an `X` to a `Y` by a weight `W`.
///
/// The bias `B` is `[T; OUT]`, or `[T; 0]` for a layer without bias.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::Dense;
///
/// let mut dense: Dense<[f32; 2], [[f32; 3]; 2], [f32; 3]> = monomorph::memory::zeroed();
/// dense.weight = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// dense.bias = [0.5, 0.0, -0.5];
/// assert_eq!(evaluate(&dense, &[[10.0, 1.0]]), [[14.5, 25.0, 35.5]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Dense<X, W, Y, B = Y> {
    /// W: a row of `OUT` numbers for each input.
    #[parameters(packed)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The input and the output.
    pub shapes: PhantomData<(X, Y)>,
}

/// The sizes of the products of a batch of `N`.
struct Sizes<X, Y, B, const N: usize>(PhantomData<(X, Y, B)>);

impl<X: Tensor, Y: Tensor, B: Tensor, const N: usize> Product for Sizes<X, Y, B, N> {
    const ROWS: usize = N * X::LEN / X::CHANNELS;
    const IN: usize = X::CHANNELS;
    const OUT: usize = Y::CHANNELS;
    const BIAS: usize = B::LEN;
}

impl<T: Scalar, X, W, Y, B> Dense<X, W, Y, B>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    B: Tensor<Element = T>,
{
    const SHAPE: () = {
        assert!(X::LEN > 0 && Y::LEN > 0, "Dense: a size is 0");
        let &[rows, columns] = W::SHAPE else { panic!("Dense: the weight is `[[T; OUT]; IN]`") };
        assert!(rows == X::CHANNELS, "Dense: the weight has a row for each input");
        assert!(columns == Y::CHANNELS, "Dense: the weight has a column for each output");
        assert!(X::LEN / X::CHANNELS == Y::LEN / Y::CHANNELS, "Dense: input and output differ in steps");
        assert!(B::LEN == Y::CHANNELS || B::LEN == 0, "Dense: the bias has a number for each output, or none");
    };
}

foldable!(Dense<X, W, Y, B>);

#[cfg(feature = "nalgebra")]
impl<T: Scalar + nalgebra::Scalar, X, Y, B, const IN: usize, const OUT: usize> Dense<X, [[T; OUT]; IN], Y, B> {
    /// The weight as a matrix, without a copy.
    ///
    /// The memory is `[IN][OUT]`, row by row; nalgebra's is column by column. So it sees `Wᵀ`, a matrix of `OUT` rows
    /// and `IN` columns, whose element `(o, i)` is `weight[i][o]`: `y = Wᵀ·x + b` for column vectors.
    ///
    /// ```
    /// use monomorph::layers::Dense;
    /// use nalgebra::{Vector2, Vector3};
    ///
    /// let mut dense: Dense<[f64; 2], [[f64; 3]; 2], [f64; 3]> = monomorph::memory::zeroed();
    /// dense.weight = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    /// assert_eq!(dense.weight_matrix()[(2, 0)], 3.0);
    /// assert_eq!(dense.weight_matrix() * Vector2::new(10.0, 1.0), Vector3::new(14.0, 25.0, 36.0));
    /// ```
    pub fn weight_matrix(&self) -> nalgebra::SMatrixView<'_, T, OUT, IN> {
        nalgebra::SMatrixView::from_slice(self.weight.as_flattened())
    }

    /// [`weight_matrix`](Self::weight_matrix), to change.
    pub fn weight_matrix_mut(&mut self) -> nalgebra::SMatrixViewMut<'_, T, OUT, IN> {
        nalgebra::SMatrixViewMut::from_slice(self.weight.as_flattened_mut())
    }
}

impl<T: Scalar, X, W, Y, Bias> Layer for Dense<X, W, Y, Bias>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN * Y::CHANNELS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    as_evaluate_then!();

    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        _workspace: &mut (),
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, scale, bias) = (self.weight.packed(), self.weight.scale(), self.bias.numbers());
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                gemm::dense_forward::<T, W::Format, S, A, Sizes<X, Y, Bias, B>>(simd, x, weight, scale, bias, y);
            },
        );
    }

    /// `∂x = ∂y·Wᵀ`, `∂W += xᵀ·∂y`, `∂b += Σ ∂y` over the batch.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        pass: &Pass<T>,
    ) {
        const { assert!(!W::PACKED, "Dense: a packed weight is not trained; train the layer that it is packed from") };
        let () = Self::SHAPE;
        if !pass.input_only {
            outline_layer::<Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let (weight, bias) = (gradient.weight.trained_mut(), gradient.bias.numbers_mut());
                    let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                    gemm::dense_weight_gradient::<T, S, Sizes<X, Y, Bias, B>>(simd, x, grad_y, weight, bias);
                },
            );
        }
        if let Some(grad_input) = grad_input {
            outline_layer::<Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let (grad_y, grad_x) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                    let weight = self.weight.trained();
                    gemm::dense_input_gradient::<T, S, Sizes<X, Y, Bias, B>>(simd, grad_y, weight, grad_x);
                },
            );
        }
    }
}

/// Each row of a sequence is a step.
impl<T: Scalar, X, W, Y, Bias> Streaming for Dense<X, W, Y, Bias>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type State = ();
    type StepInput = X::Item;
    type StepOutput = Y::Item;
    const RECEPTIVE_FIELD: Option<usize> = Some(1);

    as_steps_then!();

    #[inline(always)]
    fn steps_then<S: Simd, A: Activation<T>, const N: usize>(
        &self,
        simd: S,
        (): &mut (),
        input: &[X::Item; N],
        output: &mut [Y::Item; N],
    ) {
        let () = Self::SHAPE;
        const { assert!(X::SHAPE.len() == 2, "Dense: the steps of a sequence are the rows of `[time, features]`") };
        outline_steps::<Self, N, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, scale, bias) = (self.weight.packed(), self.weight.scale(), self.bias.numbers());
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                gemm::dense_forward::<T, W::Format, S, A, Sizes<X::Item, Y::Item, Bias, N>>(
                    simd, x, weight, scale, bias, y,
                );
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
pub(super) mod tests;
