//! Checks of layers, for those here and for your own.
//!
//! | | compares |
//! | --- | --- |
//! | [`passes`](passes()) | all passes of a layer, at every SIMD level, with each other |
//! | [`check_gradients`] | `backward` with finite differences of `forward` |
//! | [`compare_with_file`] | all passes with numbers in a file, such as those of another framework |

#[cfg(all(feature = "safetensors", feature = "std"))]
mod file;
mod passes;

#[cfg(all(feature = "safetensors", feature = "std"))]
pub use self::file::{FileError, compare_with_file};
pub use self::passes::{PassError, Passes, passes};

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::layer::{Inputs, Layer, Pass};
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::{Role, for_each_role};
use crate::simd::{Simd, Task, dispatch};
use crate::tensor::{batch_slice, batch_slice_mut};

/// A derivative that does not match finite differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientError {
    /// Which gradient is wrong.
    pub of: GradientOf,
    /// The index in the flat slice of the batch's inputs or of the parameters.
    pub index: usize,
    /// The result of `backward`.
    pub backward: f64,
    /// The result of finite differences.
    pub difference: f64,
}

/// What the gradient is taken with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GradientOf {
    /// The layer's input.
    Input,
    /// The layer's parameters.
    Parameters,
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.of {
            GradientOf::Input => "input",
            GradientOf::Parameters => "parameter",
        };
        write!(
            f,
            "the gradient of {what} {} is {:e} by backward, but {:e} by finite differences",
            self.index, self.backward, self.difference
        )
    }
}

impl core::error::Error for GradientError {}

/// The memory of a batch of a layer's input.
type Owned<L, const B: usize> = <<L as Layer>::Input as Inputs>::Owned<B>;

/// One forward and backward pass on the heap.
struct Run<'a, L: Layer, const B: usize> {
    layer: &'a L,
    input: &'a Owned<L, B>,
    output: &'a mut [L::Output; B],
    saved: Box<L::Saved<B>>,
    pass: &'a mut Pass<L::Scalar>,
    backward: Option<Backward<'a, L, B>>,
}

/// Where the backward pass of a [`Run`] reads and writes.
struct Backward<'a, L: Layer, const B: usize> {
    grad_output: Box<[L::Output; B]>,
    grad_input: &'a mut Owned<L, B>,
    gradient: &'a mut L,
}

impl<L: Layer, const B: usize> Task for Run<'_, L, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let input = L::Input::batch(self.input);
        self.layer.forward(simd, input, self.output, &mut self.saved, self.pass);
        if let Some(backward) = &mut self.backward {
            self.layer.backward(
                simd,
                input,
                self.output,
                &mut self.saved,
                &mut backward.grad_output,
                L::Input::gradient(backward.grad_input),
                backward.gradient,
                self.pass,
            );
        }
    }
}

/// Compares `backward` of a layer in `f64` with central finite differences of `forward`.
///
/// The loss is `Σ r·y` with random `r`, plus the terms that the layer adds. Every pass draws the same noise, so dropout
/// can be checked too. `input` should stay away from kinks (0 for a ReLU, ties for a maximum).
///
/// # Errors
/// The first gradient that differs by more than `tolerance`, relative to `1 + |difference|`.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::testing::check_gradients;
/// let mut layer: Dense<[f64; 3], [[f64; 2]; 3], [f64; 2]> = monomorph::memory::zeroed();
/// layer.weight = [[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]];
/// check_gradients(&mut layer, &[[1.0, 2.0, -3.0], [0.5, 0.1, 0.7]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub fn check_gradients<L: Layer<Scalar = f64>, const B: usize>(
    layer: &mut L,
    input: &<L::Input as Inputs>::Owned<B>,
    tolerance: f64,
) -> Result<(), GradientError> {
    let mut noise = Noise::new(5);
    let mut weights: Box<[L::Output; B]> = boxed();
    batch_slice_mut(&mut weights[..]).fill_with(|| noise.uniform() * 2.0 - 1.0);
    // Every pass draws the same noise; terms of the loss have a weight, so that forgetting it is detected.
    let pass = || Pass::new(Noise::new(11), 0.75);

    let loss = |layer: &L, input: &Owned<L, B>| -> f64 {
        let mut output: Box<[L::Output; B]> = boxed();
        let mut pass = pass();
        let run = Run { layer, input, output: &mut output, saved: boxed(), pass: &mut pass, backward: None };
        dispatch(crate::simd::level(), run);
        let products = batch_slice(&output[..]).iter().zip(batch_slice(&weights[..])).map(|(y, r)| y * r);
        products.sum::<f64>() + pass.terms()
    };

    let mut gradient: Box<L> = boxed::<L>();
    let mut grad_input: Box<Owned<L, B>> = boxed();
    // A number that a layer forgets to write must not be mistaken for a zero.
    L::Input::each_part::<f64, B>(&mut grad_input, &mut |part| part.fill(f64::NAN));
    let mut grad_output: Box<[L::Output; B]> = boxed();
    batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice(&weights[..]));
    let backward = Backward { grad_output, grad_input: &mut *grad_input, gradient: &mut *gradient };
    let mut output: Box<[L::Output; B]> = boxed();
    let mut pass = pass();
    let run = Run { layer, input, output: &mut output, saved: boxed(), pass: &mut pass, backward: Some(backward) };
    dispatch(crate::simd::level(), run);

    let step = 1e-5;
    let check = |of, index, backward: f64, difference: f64| {
        // NaN must fail, so the comparison is this way round.
        if (backward - difference).abs() <= tolerance * (1.0 + difference.abs()) {
            Ok(())
        } else {
            Err(GradientError { of, index, backward, difference })
        }
    };

    let mut moved: Box<Owned<L, B>> = boxed();
    L::Input::copy(input, &mut moved);
    let (inputs, gradients) = (numbers::<L, B>(&mut moved), numbers::<L, B>(&mut grad_input));
    for (index, (here, backward)) in inputs.into_iter().zip(gradients).enumerate() {
        let mut at = |x: f64| {
            set::<L, B>(&mut moved, index, x);
            loss(layer, &moved)
        };
        let difference = (at(here + step) - at(here - step)) / (2.0 * step);
        at(here);
        check(GradientOf::Input, index, backward, difference)?;
    }

    let mut learned = Vec::new();
    for_each_role(L::ENTRIES, &mut |role, range| {
        if role == Role::Learned {
            learned.extend(range);
        }
    });
    for index in learned {
        let here = layer.as_slice()[index];
        let mut at = |x: f64| {
            layer.as_mut_slice()[index] = x;
            loss(layer, input)
        };
        let difference = (at(here + step) - at(here - step)) / (2.0 * step);
        at(here);
        check(GradientOf::Parameters, index, (*gradient).as_slice()[index], difference)?;
    }
    Ok(())
}

/// All numbers of a batch that are not integers.
fn numbers<L: Layer<Scalar = f64>, const B: usize>(batch: &mut Owned<L, B>) -> Vec<f64> {
    let mut numbers = Vec::new();
    L::Input::each_part::<f64, B>(batch, &mut |part| numbers.extend_from_slice(part));
    numbers
}

/// Sets one of these numbers.
fn set<L: Layer<Scalar = f64>, const B: usize>(batch: &mut Owned<L, B>, index: usize, value: f64) {
    let mut before = 0;
    L::Input::each_part::<f64, B>(batch, &mut |part| {
        if (before..before + part.len()).contains(&index) {
            part[index - before] = value;
        }
        before += part.len();
    });
}

/// Reference values from PyTorch, and functions that compare layers with them.
#[cfg(all(test, feature = "safetensors", feature = "std"))]
pub(crate) mod golden {
    use super::*;
    use crate::scalar::Scalar;
    use safetensors::SafeTensors;
    use std::string::{String, ToString};
    use std::{format, println, vec::Vec};

    fn path(name: &str) -> String {
        format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))
    }

    /// One file of `tests/golden`.
    pub(crate) struct Case {
        bytes: Vec<u8>,
        name: String,
    }

    impl Case {
        pub(crate) fn open(name: &str) -> Self {
            let path = path(name);
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            Self { bytes, name: name.to_string() }
        }

        /// A tensor's numbers.
        pub(crate) fn numbers(&self, tensor: &str) -> Vec<f64> {
            let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
            let view = file.tensor(tensor).unwrap_or_else(|error| panic!("{}: {tensor}: {error}", self.name));
            match view.dtype() {
                safetensors::Dtype::F64 => {
                    view.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
                }
                safetensors::Dtype::I64 => {
                    view.data().as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect()
                }
                other => panic!("{}: {tensor}: {other:?}", self.name),
            }
        }

        /// A hyperparameter.
        pub(crate) fn text(&self, key: &str) -> String {
            let (_, metadata) = SafeTensors::read_metadata(&self.bytes).expect("a safetensors file");
            metadata.metadata().as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default()
        }
    }

    /// Asserts that the two agree to `tolerance`, relative to `1 + |expected|`.
    pub(crate) fn assert_close<T: Scalar>(what: &str, actual: &[T], expected: &[f64], tolerance: f64) {
        assert_eq!(actual.len(), expected.len(), "{what}: length");
        for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
            let error = (a.to_f64() - e).abs();
            assert!(error <= tolerance * (1.0 + e.abs()), "{what}[{index}]: {a} is not {e} (off by {error:e})");
        }
    }

    /// Compares a layer with a case. The tolerance is 1e-10 in `f64` and 2e-5 in `f32`.
    pub(crate) fn check_layer<L: Layer, const B: usize>(name: &str) {
        let tolerance = if size_of::<L::Scalar>() == 8 { 1e-10 } else { 2e-5 };
        compare_with_file::<L, B>(path(name), tolerance).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: agrees with PyTorch in {}", <L::Scalar as Scalar>::NAME);
    }

    /// A random batch in `[-1, 1)`.
    pub(crate) fn random<X: crate::Tensor<Element: Scalar>, const B: usize>(seed: u64) -> Box<[X; B]> {
        let mut noise = Noise::new(seed);
        let mut batch: Box<[X; B]> = boxed();
        batch_slice_mut(&mut batch[..]).fill_with(|| X::Element::from_f64(noise.uniform() * 2.0 - 1.0));
        batch
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
