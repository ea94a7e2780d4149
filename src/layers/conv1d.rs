//! One-dimensional convolution: every output step is a weighted sum of a window of the input.
//!
//! `y[t, o] = b[o] + Σ x[t·S + k·D − LEFT, c] · W[k, c, o]`
//! over the taps `k` and the channels `c` of the group of `o`; outside the input, x is 0.
//!
//! | tensor | shape |
//! | --- | --- |
//! | `x` | `[L, C]` |
//! | `weight` (W) | `[K, CG, OC]`, CG = C / groups |
//! | `bias` (b) | `[OC]`, or `[0]`: none |
//! | `y` | `[OL, OC]` |
//!
//! It is a [`Conv2d`](crate::layers::Conv2d) over an image of a single row. With
//! `LEFT = D·(K − 1)` and `OL = L` it is causal: no output sees a later input.

use core::marker::PhantomData;

use crate::kernels::conv::{self, Convolution, Geometry};
use crate::layer::{Activation, Layer, as_evaluate_then, outline_layer};
use crate::layers::batch_norm::foldable;
use crate::layers::{Window1, Window1d};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A one-dimensional convolution, `[L, C] -> [OL, OC]`.
///
/// `K` is the kernel and `CG` the number of input channels that each output channel sees: `C` for
/// an ordinary convolution, 1 for a depthwise one. `BIAS` is `OC`, or 0 for none. The
/// [window](Window1) `P` states stride, padding and dilation.
///
/// ```
/// use monomorph::layers::{Conv1d, Window1d};
/// use monomorph::simd::{Simd, Task, dispatch, level};
/// use monomorph::Layer;
/// use std::marker::PhantomData;
///
/// // The difference to the number before.
/// let difference: Conv1d<f32, 4, 1, 4, 1, 2, 1, 0, Window1d<1, 1, 1>> =
///     Conv1d { weight: [[[-1.0]], [[1.0]]], bias: [], window: PhantomData };
///
/// struct Evaluate<'a, L: Layer<f32>>(&'a L, &'a [L::Input; 1], &'a mut [L::Output; 1]);
/// impl<L: Layer<f32, Workspace<1> = ()>> Task for Evaluate<'_, L> {
///     type Output = ();
///     fn run<S: Simd>(&mut self, simd: S) {
///         self.0.evaluate(simd, self.1, self.2, &mut ());
///     }
/// }
/// let mut y = [[[0.0]; 4]];
/// dispatch(level(), Evaluate(&difference, &[[[5.0], [7.0], [6.0], [9.0]]], &mut y));
/// assert_eq!(y[0], [[5.0], [2.0], [-1.0], [3.0]]);
/// ```
#[derive(Clone, Debug, Parameters)]
#[repr(C)]
pub struct Conv1d<
    T,
    const L: usize,
    const C: usize,
    const OL: usize,
    const OC: usize,
    const K: usize,
    const CG: usize,
    const BIAS: usize = OC,
    P = Window1d<1, 0, 1>,
> {
    /// W: for each tap and input channel of a group, `OC` numbers.
    pub weight: [[[T; OC]; CG]; K],
    /// b.
    #[parameters(start = 0.0)]
    pub bias: [T; BIAS],
    /// How the window slides.
    pub window: PhantomData<P>,
}

impl<
    T: Scalar,
    const L: usize,
    const C: usize,
    const OL: usize,
    const OC: usize,
    const K: usize,
    const CG: usize,
    const BIAS: usize,
    P: Window1,
> Convolution for Conv1d<T, L, C, OL, OC, K, CG, BIAS, P>
{
    const INPUT: [usize; 2] = [1, L];
    const OUTPUT: [usize; 2] = [1, OL];
    const KERNEL: [usize; 2] = [1, K];
    const STRIDE: [usize; 2] = [1, P::STRIDE];
    const BEFORE: [usize; 2] = [0, P::BEFORE];
    const DILATION: [usize; 2] = [1, P::DILATION];
    const CHANNELS: usize = C;
    const GROUP_CHANNELS: usize = CG;
    const OUTPUTS: usize = OC;
}

impl<
    T: Scalar,
    const L: usize,
    const C: usize,
    const OL: usize,
    const OC: usize,
    const K: usize,
    const CG: usize,
    const BIAS: usize,
    P: Window1,
> Conv1d<T, L, C, OL, OC, K, CG, BIAS, P>
{
    const SHAPE: () = {
        assert!(BIAS == OC || BIAS == 0, "Conv1d: BIAS is OC, or 0 for no bias");
        Geometry::<Self>::VALID
    };

    foldable!(OC, as_flattened_mut);
}

impl<
    T: Scalar,
    const L: usize,
    const C: usize,
    const OL: usize,
    const OC: usize,
    const K: usize,
    const CG: usize,
    const BIAS: usize,
    P: Window1,
> Layer<T> for Conv1d<T, L, C, OL, OC, K, CG, BIAS, P>
{
    type Input = [[T; C]; L];
    type Output = [[T; OC]; OL];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = Geometry::<Self>::MACS;

    as_evaluate_then!();

    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                // In here, where the compiler knows how long they are.
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                let weight = self.weight.as_flattened().as_flattened();
                conv::forward::<T, T, S, A, Self, false>(simd, x, weight, &[], &self.bias, y);
            },
        );
    }

    /// `∂x[s, c] = Σ ∂y[t, o]·W[k, c, o]` over the windows `t` that read `s` with a tap `k`;
    /// `∂W[k, c, o] += Σ x[s, c]·∂y[t, o]` over the steps; `∂b += Σ ∂y`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        gradient: &mut Self,
    ) {
        let () = Self::SHAPE;
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let weight = gradient.weight.as_flattened_mut().as_flattened_mut();
                let (x, grad_y) = (batch_slice(input), batch_slice(grad_output));
                conv::backward_parameters::<T, S, Self>(simd, x, grad_y, weight, &mut gradient.bias);
            },
        );
        if let Some(grad_input) = grad_input {
            outline_layer::<T, Self, B, _, _>(
                simd,
                #[inline(always)]
                || {
                    let weight = self.weight.as_flattened().as_flattened();
                    let (grad_y, grad_x) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                    conv::backward_input::<T, S, Self>(simd, grad_y, weight, grad_x);
                },
            );
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, Window2d};
    use crate::memory::boxed;
    use crate::simd::{Task, dispatch, levels};
    use crate::tensor::{reshape, reshape_mut};
    use crate::testing::check_gradients;
    use crate::testing::golden::{check_layer, random};
    use std::boxed::Box;

    type Causal<T> = Conv1d<T, 20, 2, 20, 16, 3, 2, 16, Window1d<1, 8, 4>>;

    #[test]
    fn agrees_with_pytorch() {
        check_layer::<f64, Conv1d<f64, 12, 3, 10, 5, 3, 3>, 2>("conv1d_basic");
        check_layer::<f32, Conv1d<f32, 12, 3, 10, 5, 3, 3>, 2>("conv1d_basic");
        check_layer::<f64, Causal<f64>, 1>("conv1d_causal_dil4");
        check_layer::<f32, Causal<f32>, 1>("conv1d_causal_dil4");
        check_layer::<f64, Conv1d<f64, 15, 4, 8, 8, 3, 4, 8, Window1d<2, 1, 1>>, 1>("conv1d_stride2_pad1");
        check_layer::<f32, Conv1d<f32, 15, 4, 8, 8, 3, 4, 8, Window1d<2, 1, 1>>, 1>("conv1d_stride2_pad1");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut layer: Box<Conv1d<f64, 9, 3, 5, 5, 4, 3, 5, Window1d<2, 2, 1>>> = boxed();
        layer.weight = *random::<f64, _, 4>(1);
        check_gradients(&mut *layer, &random::<f64, [[f64; 3]; 9], 2>(3), 1e-7).unwrap();
        let mut layer: Box<Conv1d<f64, 7, 5, 7, 5, 3, 1, 0, Window1d<1, 4, 2>>> = boxed();
        layer.weight = *random::<f64, _, 3>(1);
        check_gradients(&mut *layer, &random::<f64, [[f64; 5]; 7], 2>(3), 1e-7).unwrap();
    }

    type Line = Conv1d<f32, 17, 3, 9, 33, 5, 3, 33, Window1d<2, 2, 1>>;
    type Image = Conv2d<f32, 1, 17, 3, 1, 9, 33, 1, 5, 3, 33, Window2d<1, 2, 0, 2, 1, 1>>;

    struct Both<'a>(&'a Line, &'a Image);

    impl Task for Both<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            let x = random::<f32, [[f32; 3]; 17], 3>(3);
            let image = reshape::<f32, _, [[[f32; 3]; 17]; 1], 3>(&x);
            let mut grad_y = random::<f32, [[f32; 33]; 9], 3>(4);
            let (mut y, mut expected) = (boxed::<[[[f32; 33]; 9]; 3]>(), boxed::<[[[[f32; 33]; 9]; 1]; 3]>());
            let (mut grad_x, mut expected_x) = (boxed::<[[[f32; 3]; 17]; 3]>(), boxed::<[[[[f32; 3]; 17]; 1]; 3]>());
            let (mut gradient, mut expected_gradient) = (boxed::<Line>(), boxed::<Image>());
            self.0.evaluate(simd, &x, &mut y, &mut ());
            self.0.backward(simd, &x, &y, &mut (), &mut grad_y, Some(&mut grad_x), &mut gradient);
            self.1.evaluate(simd, image, &mut expected, &mut ());
            let grad_y = reshape_mut::<f32, _, [[[f32; 33]; 9]; 1], 3>(&mut grad_y);
            self.1.backward(simd, image, &expected, &mut (), grad_y, Some(&mut expected_x), &mut expected_gradient);
            assert_eq!(y.as_flattened(), expected.as_flattened().as_flattened());
            assert_eq!(grad_x.as_flattened(), expected_x.as_flattened().as_flattened());
            assert_eq!(gradient.as_slice(), expected_gradient.as_slice());
        }
    }

    #[test]
    fn is_a_convolution_of_an_image_with_one_row() {
        let (mut line, mut image) = (boxed::<Line>(), boxed::<Image>());
        line.weight = *random::<f32, _, 5>(1);
        line.bias = random::<f32, _, 1>(2)[0];
        image.as_mut_slice().copy_from_slice(line.as_slice());
        for level in levels() {
            dispatch(level, Both(&line, &image));
        }
    }

    #[test]
    fn folding_scales_and_shifts() {
        let mut layer: Conv1d<f64, 2, 1, 1, 2, 2, 1> =
            Conv1d { weight: [[[1.0, 2.0]], [[3.0, 4.0]]], bias: [5.0, 6.0], window: PhantomData };
        layer.fold_scale_shift(&[2.0, -1.0], &[0.5, 0.25]);
        assert_eq!((layer.weight, layer.bias), ([[[2.0, -2.0]], [[6.0, -4.0]]], [10.5, -5.75]));
    }
}
