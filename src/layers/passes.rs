//! For tests: every pass of a layer at one SIMD level.

use alloc::boxed::Box;

use crate::layer::Layer;
use crate::memory::boxed;
use crate::noise::Noise;
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, dispatch};
use crate::tensor::{batch_slice, batch_slice_mut};

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

struct Run<'a, T: Scalar, L: Layer<T>, const B: usize> {
    layer: &'a L,
    input: &'a [L::Input; B],
    grad_output: &'a [L::Output; B],
}

impl<T: Scalar, L: Layer<T>, const B: usize> Task for Run<'_, T, L, B> {
    type Output = Passes<T, L, B>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
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
