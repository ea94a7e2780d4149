//! For tests: every pass of a layer.

use std::any::type_name;
use std::boxed::Box;
use std::format;
use std::vec::Vec;

use crate::layer::{Inputs, Layer};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::scalar::Scalar;
use crate::simd::{Level, levels};
use crate::tensor::{Tensor, batch_slice};
use crate::testing;
use crate::testing::golden::assert_close;

/// The passes at one level, which agree with each other.
pub(super) struct Passes;

impl Passes {
    pub(super) fn run<L: Layer, const B: usize>(
        level: Level,
        layer: &L,
        input: &<L::Input as Inputs>::Owned<B>,
        grad_output: &[L::Output; B],
    ) -> testing::Passes<L, B> {
        testing::Passes::at(level, layer, input, grad_output).unwrap_or_else(|error| panic!("{error}"))
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
        let passes = Passes::run::<L, B>(level, layer, input, grad_output);
        assert_close(&what("evaluate"), batch_slice(&passes.evaluated[..]), evaluated, tolerance);
        assert_close(&what("forward"), batch_slice(&passes.output[..]), output, tolerance);
        assert_close(&what("dx"), batch_slice(&passes.grad_input[..]), grad_input, tolerance);
        assert_close(&what("gradient"), passes.gradient.as_slice(), gradient, tolerance);
    }
}
