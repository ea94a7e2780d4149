//! For tests: every pass of a layer.

use std::any::type_name;
use std::boxed::Box;
use std::format;
use std::vec::Vec;

use crate::layer::{Inputs, Layer, Pass};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, dispatch, levels};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::testing::golden::assert_close;

/// What the passes of a layer wrote.
pub(super) struct Passes<L: Layer, const B: usize> {
    pub(super) evaluated: Box<[L::Output; B]>,
    pub(super) output: Box<[L::Output; B]>,
    pub(super) grad_input: Box<Owned<L, B>>,
    pub(super) gradient: Box<L>,
}

/// The memory of a batch of a layer's input.
type Owned<L, const B: usize> = <<L as Layer>::Input as Inputs>::Owned<B>;

impl<L: Layer, const B: usize> Passes<L, B> {
    pub(super) fn run(level: Level, layer: &L, input: &Owned<L, B>, grad_output: &[L::Output; B]) -> Self {
        dispatch(level, Run { layer, input, grad_output })
    }
}

/// A layer whose parameters lie between ½ and 1½.
pub(super) fn random<L: Layer>() -> Box<L> {
    let mut noise = Noise::new(9);
    let mut layer: Box<L> = boxed();
    layer.as_mut_slice().fill_with(|| L::Scalar::from_f64(noise.uniform() + 0.5));
    layer
}

/// The numbers of a batch.
pub(super) fn numbers<X: Tensor<Element: Scalar>>(batch: &[X]) -> Vec<f64> {
    batch_slice(batch).iter().map(|number| number.to_f64()).collect()
}

/// Checks what the passes write at every level: the result of `evaluate`, the output, the gradients of input and
/// parameters.
pub(super) fn check<X: Tensor<Element = L::Scalar>, L: Layer<Input = X>, const B: usize>(
    layer: &L,
    input: &[X; B],
    grad_output: &[L::Output; B],
    [evaluated, output, grad_input, gradient]: [&[f64]; 4],
) {
    let tolerance = if size_of::<L::Scalar>() == 8 { 1e-11 } else { 2e-5 };
    for level in levels() {
        let what = |part: &str| format!("{} at {level:?}: {part}", type_name::<L>());
        let passes = Passes::<L, B>::run(level, layer, input, grad_output);
        assert_close(&what("evaluate"), batch_slice(&passes.evaluated[..]), evaluated, tolerance);
        assert_close(&what("forward"), batch_slice(&passes.output[..]), output, tolerance);
        assert_close(&what("dx"), batch_slice(&passes.grad_input[..]), grad_input, tolerance);
        assert_close(&what("gradient"), passes.gradient.as_slice(), gradient, tolerance);
    }
}

struct Run<'a, L: Layer, const B: usize> {
    layer: &'a L,
    input: &'a Owned<L, B>,
    grad_output: &'a [L::Output; B],
}

impl<L: Layer, const B: usize> Task for Run<'_, L, B> {
    type Output = Passes<L, B>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let mut passes = Passes { evaluated: boxed(), output: boxed(), grad_input: boxed(), gradient: boxed::<L>() };
        // A number that a pass forgets to write must not be mistaken for a zero.
        let nan = L::Scalar::from_f64(f64::NAN);
        batch_slice_mut(&mut passes.evaluated[..]).fill(nan);
        batch_slice_mut(&mut passes.output[..]).fill(nan);
        L::Input::each_part::<L::Scalar, B>(&mut passes.grad_input, &mut |part| part.fill(nan));
        let mut workspace: Box<L::Workspace<B>> = boxed();
        let input = L::Input::batch(self.input);
        self.layer.evaluate(simd, input, &mut passes.evaluated, &mut workspace);
        let mut saved: Box<L::Saved<B>> = boxed();
        let mut pass = Pass::new(Noise::new(1), L::Scalar::ONE);
        self.layer.forward(simd, input, &mut passes.output, &mut saved, &mut pass);
        // Once without the input's gradient; leaving it out must not change anything else.
        let mut grad_output: Box<[L::Output; B]> = boxed();
        let mut first: Box<L> = boxed();
        for (grad_input, gradient) in
            [(L::Input::no_gradient(), &mut first), (L::Input::gradient(&mut passes.grad_input), &mut passes.gradient)]
        {
            batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice(self.grad_output));
            let (output, saved) = (&passes.output, &mut *saved);
            self.layer.backward(simd, input, output, saved, &mut grad_output, grad_input, gradient, &pass);
        }
        assert!(
            first.as_slice() == passes.gradient.as_slice(),
            "the gradient depends on whether the input's is wanted"
        );
        passes
    }
}
