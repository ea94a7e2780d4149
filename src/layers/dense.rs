//! Dense: every output is a weighted sum of all inputs.
//!
//! `y = x·W + b`, so `yₒ = Σᵢ xᵢ·Wᵢₒ + bₒ`
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[IN]` |
//! | `weight` (W) | `[IN, OUT]` |
//! | `bias` (b) | `[OUT]`, or `[0]`: none |
//! | `y` | `[OUT]` |
//!
//! The layout of the weight is that of Keras and JAX, `[in, out]`; PyTorch's `Linear` and ONNX's
//! `Gemm` with `transB` hold its transpose.

use crate::kernels::gemm;
use crate::layer::{Activation, Layer, as_evaluate_then, outline_layer};
use crate::layers::batch_norm::foldable;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A dense (fully connected, linear) layer: `y = x·W + b`, `[IN] -> [OUT]`.
///
/// `BIAS` is `OUT`, or 0 for a layer without bias.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::simd::{Simd, Task, dispatch, level};
/// use monomorph::Layer;
///
/// struct Evaluate<'a>(&'a Dense<f32, 2, 3>, &'a [[f32; 2]; 1], &'a mut [[f32; 3]; 1]);
/// impl Task for Evaluate<'_> {
///     type Output = ();
///     fn run<S: Simd>(&mut self, simd: S) {
///         self.0.evaluate(simd, self.1, self.2, &mut ());
///     }
/// }
///
/// let dense = Dense { weight: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], bias: [0.5, 0.0, -0.5] };
/// let mut y = [[0.0; 3]];
/// dispatch(level(), Evaluate(&dense, &[[10.0, 1.0]], &mut y));
/// assert_eq!(y, [[14.5, 25.0, 35.5]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Dense<T, const IN: usize, const OUT: usize, const BIAS: usize = OUT> {
    /// W: a row of `OUT` numbers for each input.
    pub weight: [[T; OUT]; IN],
    /// b.
    #[parameters(start = 0.0)]
    pub bias: [T; BIAS],
}

impl<T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize> Dense<T, IN, OUT, BIAS> {
    const SHAPE: () = {
        assert!(IN > 0 && OUT > 0, "Dense: a size is 0");
        assert!(BIAS == OUT || BIAS == 0, "Dense: BIAS is OUT, or 0 for no bias");
    };

    foldable!(OUT);

    /// The weight as a matrix, without a copy.
    ///
    /// The memory is `[IN][OUT]`, row by row; nalgebra's is column by column. So what it sees is
    /// `Wᵀ`, a matrix of `OUT` rows and `IN` columns, whose element `(o, i)` is `weight[i][o]`:
    /// `y = Wᵀ·x + b` for column vectors.
    ///
    /// ```
    /// use monomorph::layers::Dense;
    /// use nalgebra::{Vector2, Vector3};
    ///
    /// let dense = Dense { weight: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], bias: [0.0; 3] };
    /// assert_eq!(dense.weight_matrix()[(2, 0)], 3.0);
    /// assert_eq!(dense.weight_matrix() * Vector2::new(10.0, 1.0), Vector3::new(14.0, 25.0, 36.0));
    /// ```
    #[cfg(feature = "nalgebra")]
    pub fn weight_matrix(&self) -> nalgebra::SMatrixView<'_, T, OUT, IN>
    where
        T: nalgebra::Scalar,
    {
        nalgebra::SMatrixView::from_slice(self.weight.as_flattened())
    }

    /// [`weight_matrix`](Self::weight_matrix), to change.
    #[cfg(feature = "nalgebra")]
    pub fn weight_matrix_mut(&mut self) -> nalgebra::SMatrixViewMut<'_, T, OUT, IN>
    where
        T: nalgebra::Scalar,
    {
        nalgebra::SMatrixViewMut::from_slice(self.weight.as_flattened_mut())
    }
}

impl<T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize> Layer<T> for Dense<T, IN, OUT, BIAS> {
    type Input = [T; IN];
    type Output = [T; OUT];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = IN * OUT;

    as_evaluate_then!();

    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[[T; IN]; B],
        output: &mut [[T; OUT]; B],
        _workspace: &mut (),
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || gemm::dense_forward::<T, S, A, B, IN, OUT, BIAS>(simd, input, &self.weight, &self.bias, output),
        );
    }

    /// `∂x = ∂y·Wᵀ`, `∂W += xᵀ·∂y`, `∂b += Σ ∂y` over the batch.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[T; IN]; B],
        _output: &[[T; OUT]; B],
        _saved: &mut (),
        grad_output: &mut [[T; OUT]; B],
        grad_input: Option<&mut [[T; IN]; B]>,
        gradient: &mut Self,
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, bias) = (&mut gradient.weight, &mut gradient.bias);
                gemm::dense_weight_gradient::<T, S, B, IN, OUT, BIAS>(simd, input, grad_output, weight, bias);
            },
        );
        if let Some(grad_input) = grad_input {
            outline_layer::<T, Self, B, _, _>(
                simd,
                #[inline(always)]
                || gemm::dense_input_gradient::<T, S, B, IN, OUT>(simd, grad_output, &self.weight, grad_input),
            );
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::boxed;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::check_gradients;
    use crate::testing::golden::{assert_close, check_layer, random};
    use std::boxed::Box;
    use std::vec::Vec;
    use std::{format, vec};

    struct Pass<'a, T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize> {
        layer: &'a Dense<T, IN, OUT, BIAS>,
        x: &'a [[T; IN]; B],
        y: &'a mut [[T; OUT]; B],
        grad_y: &'a mut [[T; OUT]; B],
        grad_x: &'a mut [[T; IN]; B],
        gradient: &'a mut Dense<T, IN, OUT, BIAS>,
    }

    impl<T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize> Task
        for Pass<'_, T, IN, OUT, BIAS, B>
    {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            self.layer.evaluate(simd, self.x, self.y, &mut ());
            self.layer.backward(simd, self.x, self.y, &mut (), self.grad_y, Some(self.grad_x), self.gradient);
        }
    }

    /// Everything in plain loops and `f64`.
    fn check<T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize, const B: usize>() {
        let layer: Box<[Dense<T, IN, OUT, BIAS>; 1]> = {
            let mut layer: Box<[Dense<T, IN, OUT, BIAS>; 1]> = boxed();
            layer[0].weight = *random::<T, [T; OUT], IN>(1);
            layer[0].bias = random::<T, [T; BIAS], 1>(2)[0];
            layer
        };
        let (x, grad_y) = (random::<T, [T; IN], B>(3), random::<T, [T; OUT], B>(4));
        let before = random::<T, [T; OUT], IN>(5);

        let bias = |o: usize| if BIAS == 0 { 0.0 } else { layer[0].bias[o].to_f64() };
        let weight = |i: usize, o: usize| layer[0].weight[i][o].to_f64();
        let mut y = vec![0.0; B * OUT];
        let mut grad_x = vec![0.0; B * IN];
        let mut grad_weight: Vec<f64> = before.as_flattened().iter().map(|g| g.to_f64()).collect();
        let mut grad_bias = vec![1.0; BIAS];
        for b in 0..B {
            for o in 0..OUT {
                let dy = grad_y[b][o].to_f64();
                y[b * OUT + o] = bias(o);
                for i in 0..IN {
                    y[b * OUT + o] += x[b][i].to_f64() * weight(i, o);
                    grad_x[b * IN + i] += dy * weight(i, o);
                    grad_weight[i * OUT + o] += dy * x[b][i].to_f64();
                }
                if BIAS > 0 {
                    grad_bias[o] += dy;
                }
            }
        }

        let tolerance = 200.0 * T::EPSILON.to_f64();
        for level in levels() {
            let mut gradient: Box<[Dense<T, IN, OUT, BIAS>; 1]> = boxed();
            gradient[0].weight = *before;
            gradient[0].bias = [T::ONE; BIAS];
            // Every number must be written, not added to.
            let mut outputs: Box<[[T; OUT]; B]> = random(6);
            let mut inputs: Box<[[T; IN]; B]> = random(7);
            let pass = Pass {
                layer: &layer[0],
                x: &x,
                y: &mut outputs,
                grad_y: &mut grad_y.clone(),
                grad_x: &mut inputs,
                gradient: &mut gradient[0],
            };
            dispatch(level, pass);
            let what = |part| format!("{IN} -> {OUT} × {B} in {} at {level:?}: {part}", T::NAME);
            assert_close(&what("y"), outputs.as_flattened(), &y, tolerance);
            assert_close(&what("∂x"), inputs.as_flattened(), &grad_x, tolerance);
            assert_close(&what("∂W"), gradient[0].weight.as_flattened(), &grad_weight, tolerance);
            assert_close(&what("∂b"), &gradient[0].bias, &grad_bias, tolerance);
        }
    }

    macro_rules! sizes {
        ($($name:ident: $in:literal -> $out:literal, $bias:literal, $batch:literal;)*) => { $(
            #[test]
            fn $name() {
                check::<f32, $in, $out, $bias, $batch>();
                check::<f64, $in, $out, $bias, $batch>();
            }
        )* };
    }
    sizes! {
        one: 1 -> 1, 1, 1;
        two_three: 2 -> 3, 3, 1;
        three_two_batch: 3 -> 2, 0, 3;
        fifteen: 15 -> 16, 16, 1;
        sixteen: 16 -> 17, 17, 3;
        seventeen: 17 -> 15, 15, 8;
        thirty_three: 33 -> 64, 64, 1;
        sixty_four: 64 -> 33, 33, 8;
        hundred: 100 -> 100, 100, 3;
        streamed: 139 -> 100, 100, 1;
        streamed_panel: 101 -> 128, 0, 1;
        streamed_by_rows: 97 -> 323, 323, 1;
        streamed_in_thirds: 22 -> 1000, 0, 1;
        streamed_row: 1 -> 13_000, 13_000, 1;
        wide: 5 -> 161, 161, 8;
        narrow: 161 -> 1, 1, 17;
        panel_and_one: 7 -> 65, 0, 8;
        two_panels: 31 -> 128, 128, 13;
    }

    #[test]
    fn agrees_with_pytorch() {
        check_layer::<f64, Dense<f64, 3, 4>, 1>("dense_1x3x4");
        check_layer::<f32, Dense<f32, 3, 4>, 1>("dense_1x3x4");
        check_layer::<f64, Dense<f64, 64, 48>, 3>("dense_3x64x48");
        check_layer::<f32, Dense<f32, 64, 48>, 3>("dense_3x64x48");
        check_layer::<f64, Dense<f64, 17, 10>, 5>("dense_5x17x10");
        check_layer::<f32, Dense<f32, 17, 10>, 5>("dense_5x17x10");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut layer = Dense { weight: *random::<f64, [f64; 5], 7>(1), bias: random::<f64, [f64; 5], 1>(2)[0] };
        check_gradients(&mut layer, &random::<f64, [f64; 7], 3>(3), 1e-7).unwrap();
        let mut layer = Dense { weight: *random::<f64, [f64; 3], 19>(1), bias: [] };
        check_gradients(&mut layer, &random::<f64, [f64; 19], 2>(3), 1e-7).unwrap();
    }

    #[test]
    fn folding_scales_and_shifts() {
        let mut layer = Dense { weight: [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], bias: [7.0, 8.0] };
        layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
        assert_eq!(layer, Dense { weight: [[2.0, -2.0], [6.0, -4.0], [10.0, -6.0]], bias: [14.5, -7.75] });
    }
}
