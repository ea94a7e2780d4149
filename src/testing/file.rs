//! Layers compared with numbers in a file, such as those of another framework.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use std::path::Path;

use super::Owned;
use super::passes::{Passes, name};
use crate::layer::{Inputs, Layer};
use crate::memory::boxed;
use crate::parameters::{Role, for_each_tensor};
use crate::scalar::Scalar;
use crate::simd::{Level, levels};
use crate::tensor::{batch_slice, batch_slice_mut};
use crate::testing::PassError;
use crate::weights::{Checkpoint, WeightsError};

/// Why a layer does not agree with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read, or a tensor is missing.
    File(WeightsError),
    /// A tensor has another number of numbers.
    Length {
        /// Its name.
        tensor: String,
        /// How many the layer has.
        expected: usize,
        /// How many the file has.
        found: usize,
    },
    /// The passes do not agree with each other.
    Pass(PassError),
    /// The layer gives other numbers.
    Differs {
        /// The tensor of the file.
        tensor: String,
        /// The level.
        level: Level,
        /// The index in the tensor.
        index: usize,
        /// The layer's number.
        found: f64,
        /// The file's.
        expected: f64,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{error}"),
            Self::Length { tensor, expected, found } => {
                write!(f, "the tensor `{tensor}` has {found} numbers in the file, but {expected} in the layer")
            }
            Self::Pass(error) => write!(f, "{error}"),
            Self::Differs { tensor, level, index, found, expected } => write!(
                f,
                "number {index} of `{tensor}` is {expected:e} in the file, but {found:e} by the layer, at {}",
                name(*level)
            ),
        }
    }
}

impl core::error::Error for FileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Pass(error) => Some(error),
            _ => None,
        }
    }
}

/// Compares all passes of a layer, at every SIMD level, with the tensors of a safetensors file that another framework
/// wrote:
///
/// | tensor | what it is |
/// | --- | --- |
/// | `p.<name>` | each learned tensor of the layer, such as `p.weight` |
/// | `x`; further inputs `x1`, `x2` | the input of a batch |
/// | `y` | the output of `forward` |
/// | `dy` | ∂L/∂output |
/// | `dx`; `dx1`, `dx2` | ∂L/∂input |
/// | `g.<name>` | ∂L/∂parameters |
///
/// They are flattened: only their order counts. Numbers are rounded to those of the layer, so that one file of `F64`
/// serves all number types. They may differ by `tolerance`, relative to `1 + |expected|`. [`passes`](super::passes()) says
/// what is checked besides.
///
/// ```
/// use monomorph::layers::{Activate, Tanh};
/// use monomorph::testing::compare_with_file;
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/act_tanh.safetensors");
/// compare_with_file::<Activate<Tanh, [f32; 21]>, 3>(file, 2e-5)?;
/// # Ok::<(), monomorph::testing::FileError>(())
/// ```
///
/// # Errors
/// The first number that differs; or what is wrong with the file.
pub fn compare_with_file<L: Layer, const B: usize>(path: impl AsRef<Path>, tolerance: f64) -> Result<(), FileError> {
    let file = Checkpoint::open(path).map_err(FileError::File)?;
    let mut layer: Box<L> = boxed();
    let mut result = Ok(());
    for_each_tensor(L::ENTRIES, &mut |path, tensor, range| {
        if tensor.role == Role::Learned && result.is_ok() {
            result = fill(&file, &format!("p.{path}"), &mut layer.as_mut_slice()[range]);
        }
    });
    result?;

    let (mut input, mut index, mut result): (Box<Owned<L, B>>, _, _) = (boxed(), 0, Ok(()));
    L::Input::each_part::<L::Scalar, B>(&mut input, &mut |part| {
        if result.is_ok() {
            result = fill(&file, &part_name("x", index), part);
        }
        index += 1;
    });
    result?;
    let mut grad_output: Box<[L::Output; B]> = boxed();
    fill(&file, "dy", batch_slice_mut(&mut grad_output[..]))?;

    for level in levels() {
        let compare = |tensor: &str, found: &[L::Scalar]| compare(&file, tensor, level, found, tolerance);
        let mut passes = Passes::<L, B>::at(level, &*layer, &input, &grad_output).map_err(FileError::Pass)?;
        compare("y", batch_slice(&passes.output[..]))?;
        let (mut index, mut result) = (0, Ok(()));
        L::Input::each_part::<L::Scalar, B>(&mut passes.grad_input, &mut |part| {
            if result.is_ok() {
                result = compare(&part_name("dx", index), part);
            }
            index += 1;
        });
        for_each_tensor(L::ENTRIES, &mut |path, tensor, range| {
            if tensor.role == Role::Learned && result.is_ok() {
                result = compare(&format!("g.{path}"), &passes.gradient.as_slice()[range]);
            }
        });
        result?;
    }
    Ok(())
}

/// `x`, `x1`, `x2` ..
fn part_name(name: &str, index: usize) -> String {
    if index == 0 { name.into() } else { format!("{name}{index}") }
}

/// The numbers of a tensor, which must be this many.
fn numbers(file: &Checkpoint<'_>, tensor: &str, expected: usize) -> Result<Vec<f64>, FileError> {
    let numbers = file.numbers(tensor).map_err(FileError::File)?;
    match numbers.len() {
        found if found == expected => Ok(numbers),
        found => Err(FileError::Length { tensor: tensor.into(), expected, found }),
    }
}

fn fill<T: Scalar>(file: &Checkpoint<'_>, tensor: &str, to: &mut [T]) -> Result<(), FileError> {
    let numbers = numbers(file, tensor, to.len())?;
    for (to, from) in to.iter_mut().zip(numbers) {
        *to = T::from_f64(from);
    }
    Ok(())
}

fn compare<T: Scalar>(
    file: &Checkpoint<'_>,
    tensor: &str,
    level: Level,
    found: &[T],
    tolerance: f64,
) -> Result<(), FileError> {
    for (index, (found, expected)) in found.iter().zip(numbers(file, tensor, found.len())?).enumerate() {
        let found = found.to_f64();
        let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        if !(close || found == expected || found.is_nan() && expected.is_nan()) {
            return Err(FileError::Differs { tensor: tensor.into(), level, index, found, expected });
        }
    }
    Ok(())
}
