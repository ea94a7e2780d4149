//! Checks of derivatives, for the layers here and for your own.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::layer::Layer;
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::{Role, for_each_role};
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, dispatch};
use crate::tensor::{batch_slice, batch_slice_mut};

/// A derivative that finite differences do not confirm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientError {
    /// Which gradient is off.
    pub of: GradientOf,
    /// The index in the flat slice of the batch's inputs or of the parameters.
    pub index: usize,
    /// What `backward` says.
    pub backward: f64,
    /// What finite differences say.
    pub difference: f64,
}

/// What a gradient is taken with respect to.
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

/// One forward and backward pass on the heap.
struct Pass<'a, T: Scalar, L: Layer<T>, const B: usize> {
    layer: &'a L,
    input: &'a [L::Input; B],
    output: &'a mut [L::Output; B],
    saved: Box<L::Saved<B>>,
    seed: u64,
    backward: Option<Backward<'a, T, L, B>>,
}

/// Where the backward pass of a [`Pass`] reads and writes.
struct Backward<'a, T: Scalar, L: Layer<T>, const B: usize> {
    grad_output: Box<[L::Output; B]>,
    grad_input: &'a mut [L::Input; B],
    gradient: &'a mut L,
}

impl<T: Scalar, L: Layer<T>, const B: usize> Task for Pass<'_, T, L, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let mut noise = Noise::new(self.seed);
        self.layer.forward(simd, self.input, self.output, &mut self.saved, &mut noise);
        if let Some(backward) = &mut self.backward {
            self.layer.backward(
                simd,
                self.input,
                self.output,
                &mut self.saved,
                &mut backward.grad_output,
                Some(backward.grad_input),
                backward.gradient,
            );
        }
    }
}

/// Compares `backward` of a layer in `f64` with central finite differences of `forward`.
///
/// The loss is `Σ r·y` with random `r`. Every pass draws the same noise, so dropout can be
/// checked too. `input` should stay away from kinks (0 of a ReLU, ties of a maximum).
///
/// # Errors
/// The first gradient that differs by more than `tolerance`, relative to `1 + |difference|`.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::testing::check_gradients;
/// let mut layer: Dense<f64, 3, 2> = monomorph::memory::zeroed();
/// layer.weight = [[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]];
/// check_gradients(&mut layer, &[[1.0, 2.0, -3.0], [0.5, 0.1, 0.7]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub fn check_gradients<L: Layer<f64>, const B: usize>(
    layer: &mut L,
    input: &[L::Input; B],
    tolerance: f64,
) -> Result<(), GradientError> {
    let seed = 11;
    let mut noise = Noise::new(5);
    let mut weights: Box<[L::Output; B]> = boxed();
    batch_slice_mut(&mut weights[..]).fill_with(|| noise.uniform() * 2.0 - 1.0);

    let loss = |layer: &L, input: &[L::Input; B]| -> f64 {
        let mut output: Box<[L::Output; B]> = boxed();
        let pass = Pass { layer, input, output: &mut output, saved: boxed(), seed, backward: None };
        dispatch(crate::simd::level(), pass);
        batch_slice::<f64, _>(&output[..]).iter().zip(batch_slice::<f64, _>(&weights[..])).map(|(y, r)| y * r).sum()
    };

    let mut gradient: Box<L> = boxed::<L>();
    let mut grad_input: Box<[L::Input; B]> = boxed();
    // What a layer forgets to write must not pass for a zero.
    batch_slice_mut(&mut grad_input[..]).fill(f64::NAN);
    let mut grad_output: Box<[L::Output; B]> = boxed();
    batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice::<f64, _>(&weights[..]));
    let backward = Backward { grad_output, grad_input: &mut grad_input, gradient: &mut *gradient };
    let mut output: Box<[L::Output; B]> = boxed();
    let pass = Pass { layer, input, output: &mut output, saved: boxed(), seed, backward: Some(backward) };
    dispatch(crate::simd::level(), pass);

    let step = 1e-5;
    let check = |of, index, backward: f64, difference: f64| {
        // NaN must fail, so the comparison is this way round.
        if (backward - difference).abs() <= tolerance * (1.0 + difference.abs()) {
            Ok(())
        } else {
            Err(GradientError { of, index, backward, difference })
        }
    };

    let mut moved: Box<[L::Input; B]> = boxed();
    batch_slice_mut(&mut moved[..]).copy_from_slice(batch_slice::<f64, _>(&input[..]));
    for index in 0..batch_slice::<f64, _>(&input[..]).len() {
        let here = batch_slice::<f64, _>(&input[..])[index];
        let mut at = |x: f64| {
            batch_slice_mut::<f64, _>(&mut moved[..])[index] = x;
            loss(layer, &moved)
        };
        let difference = (at(here + step) - at(here - step)) / (2.0 * step);
        at(here);
        check(GradientOf::Input, index, batch_slice::<f64, _>(&grad_input[..])[index], difference)?;
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

/// Reference numbers from PyTorch, and what compares layers with them.
#[cfg(all(test, feature = "safetensors", feature = "std"))]
pub(crate) mod golden {
    use super::*;
    use crate::parameters::for_each_tensor;
    use crate::simd::levels;
    use safetensors::SafeTensors;
    use std::string::{String, ToString};
    use std::{format, println, vec::Vec};

    /// One file of `tests/golden`.
    pub(crate) struct Case {
        bytes: Vec<u8>,
        name: String,
    }

    impl Case {
        pub(crate) fn open(name: &str) -> Self {
            let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
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

        /// A hyper-parameter.
        pub(crate) fn text(&self, key: &str) -> String {
            let (_, metadata) = SafeTensors::read_metadata(&self.bytes).expect("a safetensors file");
            metadata.metadata().as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default()
        }
    }

    /// Whether the two agree to `tolerance`, relative to `1 + |expected|`.
    pub(crate) fn assert_close<T: Scalar>(what: &str, actual: &[T], expected: &[f64], tolerance: f64) {
        assert_eq!(actual.len(), expected.len(), "{what}: length");
        for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
            let error = (a.to_f64() - e).abs();
            assert!(error <= tolerance * (1.0 + e.abs()), "{what}[{index}]: {a} is not {e} (off by {error:e})");
        }
    }

    fn load<T: Scalar>(to: &mut [T], from: &[f64]) {
        assert_eq!(to.len(), from.len());
        for (to, from) in to.iter_mut().zip(from) {
            *to = T::from_f64(*from);
        }
    }

    /// Compares `forward` and `backward` of a layer, at every SIMD level, with a case: `y`, `dx`
    /// and the gradient `g.<name>` of every learned tensor. The tolerance is 1e-10 in `f64`; in
    /// `f32`, 2e-5.
    pub(crate) fn check_layer<T: Scalar, L: Layer<T>, const B: usize>(name: &str) {
        let tolerance = if size_of::<T>() == 8 { 1e-10 } else { 2e-5 };
        let case = Case::open(name);
        let mut layer: Box<L> = boxed();
        for_each_tensor(L::ENTRIES, &mut |path, tensor, range| {
            if tensor.role == Role::Learned {
                load(&mut layer.as_mut_slice()[range], &case.numbers(&format!("p.{path}")));
            }
        });
        let mut input: Box<[L::Input; B]> = boxed();
        load(batch_slice_mut::<T, _>(&mut input[..]), &case.numbers("x"));
        for level in levels() {
            let mut gradient: Box<L> = boxed();
            let mut grad_input: Box<[L::Input; B]> = boxed();
            let mut grad_output: Box<[L::Output; B]> = boxed();
            load(batch_slice_mut::<T, _>(&mut grad_output[..]), &case.numbers("dy"));
            let backward = Backward { grad_output, grad_input: &mut grad_input, gradient: &mut *gradient };
            let mut output: Box<[L::Output; B]> = boxed();
            let pass = Pass {
                layer: &*layer,
                input: &input,
                output: &mut output,
                saved: boxed(),
                seed: 1,
                backward: Some(backward),
            };
            dispatch(level, pass);
            let what = |part: &str| format!("{name} at {level:?}: {part}");
            assert_close(&what("y"), batch_slice::<T, _>(&output[..]), &case.numbers("y"), tolerance);
            assert_close(&what("dx"), batch_slice::<T, _>(&grad_input[..]), &case.numbers("dx"), tolerance);
            for_each_tensor(L::ENTRIES, &mut |path, tensor, range| {
                if tensor.role == Role::Learned {
                    let expected = case.numbers(&format!("g.{path}"));
                    assert_close(&what(&format!("g.{path}")), &gradient.as_slice()[range], &expected, tolerance);
                }
            });
        }
        println!("{name}: agrees with PyTorch in {}", T::NAME);
    }

    /// A random batch in `[-1, 1)`.
    pub(crate) fn random<T: Scalar, X: crate::Tensor<T>, const B: usize>(seed: u64) -> Box<[X; B]> {
        let mut noise = Noise::new(seed);
        let mut batch: Box<[X; B]> = boxed();
        batch_slice_mut::<T, _>(&mut batch[..]).fill_with(|| T::from_f64(noise.uniform() * 2.0 - 1.0));
        batch
    }
}
