//! For tests: every pass of a layer.

use std::any::type_name;
use std::boxed::Box;
use std::format;
use std::vec::Vec;

use crate::layer::Layer;
use crate::memory::boxed;
use crate::noise::Noise;
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, dispatch, levels};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::testing::golden::assert_close;

/// What the passes of a layer wrote.
pub(super) struct Passes<T: Scalar, L: Layer<T>, const B: usize> {
    pub(super) evaluated: Box<[L::Output; B]>,
    pub(super) output: Box<[L::Output; B]>,
    pub(super) grad_input: Box<[L::Input; B]>,
    pub(super) gradient: Box<L>,
}

impl<T: Scalar, L: Layer<T>, const B: usize> Passes<T, L, B> {
    pub(super) fn run(level: Level, layer: &L, input: &[L::Input; B], grad_output: &[L::Output; B]) -> Self {
        dispatch(level, Run { layer, input, grad_output })
    }
}

/// A layer whose parameters lie between ½ and 1½.
pub(super) fn random<T: Scalar, L: Layer<T>>() -> Box<L> {
    let mut noise = Noise::new(9);
    let mut layer: Box<L> = boxed();
    layer.as_mut_slice().fill_with(|| T::from_f64(noise.uniform() + 0.5));
    layer
}

/// The numbers of a batch.
pub(super) fn numbers<T: Scalar, X: Tensor<T>>(batch: &[X]) -> Vec<f64> {
    batch_slice(batch).iter().map(|number| number.to_f64()).collect()
}

/// Checks what the passes write at every level: what is evaluated, the output, the gradients of input and parameters.
pub(super) fn check<T: Scalar, L: Layer<T>, const B: usize>(
    layer: &L,
    input: &[L::Input; B],
    grad_output: &[L::Output; B],
    [evaluated, output, grad_input, gradient]: [&[f64]; 4],
) {
    let tolerance = if size_of::<T>() == 8 { 1e-11 } else { 2e-5 };
    for level in levels() {
        let what = |part: &str| format!("{} at {level:?}: {part}", type_name::<L>());
        let passes = Passes::<T, L, B>::run(level, layer, input, grad_output);
        assert_close::<T>(&what("evaluate"), batch_slice(&passes.evaluated[..]), evaluated, tolerance);
        assert_close::<T>(&what("forward"), batch_slice(&passes.output[..]), output, tolerance);
        assert_close::<T>(&what("dx"), batch_slice(&passes.grad_input[..]), grad_input, tolerance);
        assert_close::<T>(&what("gradient"), passes.gradient.as_slice(), gradient, tolerance);
    }
}

struct Run<'a, T: Scalar, L: Layer<T>, const B: usize> {
    layer: &'a L,
    input: &'a [L::Input; B],
    grad_output: &'a [L::Output; B],
}

impl<T: Scalar, L: Layer<T>, const B: usize> Task for Run<'_, T, L, B> {
    type Output = Passes<T, L, B>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let mut passes = Passes { evaluated: boxed(), output: boxed(), grad_input: boxed(), gradient: boxed::<L>() };
        // What a pass forgets to write must not pass for a zero.
        let nan = T::from_f64(f64::NAN);
        batch_slice_mut::<T, _>(&mut passes.evaluated[..]).fill(nan);
        batch_slice_mut::<T, _>(&mut passes.output[..]).fill(nan);
        batch_slice_mut::<T, _>(&mut passes.grad_input[..]).fill(nan);
        let mut workspace: Box<L::Workspace<B>> = boxed();
        self.layer.evaluate(simd, self.input, &mut passes.evaluated, &mut workspace);
        let mut saved: Box<L::Saved<B>> = boxed();
        self.layer.forward(simd, self.input, &mut passes.output, &mut saved, &mut Noise::new(1));
        // Once without the input's gradient, which must not change anything else.
        let mut grad_output: Box<[L::Output; B]> = boxed();
        let mut first: Box<L> = boxed();
        for (grad_input, gradient) in [(None, &mut first), (Some(&mut *passes.grad_input), &mut passes.gradient)] {
            batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice::<T, _>(self.grad_output));
            let (output, saved) = (&passes.output, &mut *saved);
            self.layer.backward(simd, self.input, output, saved, &mut grad_output, grad_input, gradient);
        }
        assert!(
            first.as_slice() == passes.gradient.as_slice(),
            "the gradient depends on whether the input's is wanted"
        );
        passes
    }
}
