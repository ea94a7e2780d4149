//! A single network in a file.

use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::path::Path;

use super::{Checkpoint, CheckpointWriter, WeightsError};
use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// Writes all tensors of a network to a `.safetensors` file.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::{Parameters, memory, weights};
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Net<T> {
///     hidden: Dense<[T; 4], [[T; 8]; 4], [T; 8]>,
///     out: Dense<[T; 8], [[T; 2]; 8], [T; 2]>,
/// }
/// let mut net: Net<f32> = memory::zeroed();
/// net.out.bias = [0.5, -0.5];
///
/// let path = std::env::temp_dir().join("monomorph-save.safetensors");
/// weights::save(&path, &net)?;
/// let mut other: Net<f32> = memory::zeroed();
/// weights::load(&path, &mut other)?;
/// assert_eq!(other.out.bias, [0.5, -0.5]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), weights::WeightsError>(())
/// ```
///
/// # Errors
/// If the file cannot be written; a file that was there before is then unchanged.
#[cfg(feature = "std")]
pub fn save<T: Scalar, N: Parameters<Scalar = T>>(path: impl AsRef<Path>, net: &N) -> Result<(), WeightsError> {
    CheckpointWriter::new().tensors("", net).save(path)
}

/// Reads all tensors of a network from a `.safetensors` file.
///
/// # Errors
/// If the file cannot be read, is damaged, or does not hold exactly the tensors of `net` with their shapes and a type that
/// need not be rounded. `net` is then unchanged. [`CheckpointReader::skip`](super::CheckpointReader::skip) leaves out
/// further tensors.
#[cfg(feature = "std")]
pub fn load<T: Scalar, N: Parameters<Scalar = T>>(path: impl AsRef<Path>, net: &mut N) -> Result<(), WeightsError> {
    Checkpoint::open(path)?.reader().tensors("", net).finish()
}

/// The content of the file that [`save`] writes.
pub fn to_bytes<T: Scalar, N: Parameters<Scalar = T>>(net: &N) -> Vec<u8> {
    CheckpointWriter::new().tensors("", net).encode()
}

/// Reads all tensors of a network from the content of a `.safetensors` file.
///
/// # Errors
/// As [`load`].
pub fn load_bytes<T: Scalar, N: Parameters<Scalar = T>>(bytes: &[u8], net: &mut N) -> Result<(), WeightsError> {
    Checkpoint::from_bytes(bytes)?.reader().tensors("", net).finish()
}
